/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "backend-contract.h"

#include <string.h>

#include "base/digest.h"
#include "base/error.h"

enum
{
  KIB = 1024,
  MIB = 1024 * 1024,
  LARGE = 40 * MIB,
  THREADS = 8,
  FILES_A_THREAD = 12,
  FILE_SIZE = 100 * KIB,
};

static void
check (gboolean ok, const char *claim)
{
  g_print ("%sok - %s\n", ok ? "" : "not ", claim);
}

/* The call must have failed with that code of ours; clears *error. */
static void
check_fails (gboolean failed, GError **error, int code, const char *claim)
{
  gboolean ok = failed && g_error_matches (*error, VK_ERROR, code);

  check (ok, claim);
  if (!ok)
    g_print ("# %s\n", *error ? (*error)->message : "it did not fail");
  g_clear_error (error);
}

/* The call must not have failed; clears *error. */
static void
check_works (gboolean ok, GError **error, const char *claim)
{
  check (ok && *error == NULL, claim);
  if (*error != NULL)
    g_print ("# %s\n", (*error)->message);
  g_clear_error (error);
}

char *
contract_name_of (GBytes *content)
{
  g_autoptr (VkDigest) digest = vk_digest_new ();
  gsize length;
  const void *data = g_bytes_get_data (content, &length);

  vk_digest_update (digest, data, length);
  return vk_digest_finish (digest);
}

/* Bytes that no two calls with different seeds share.  Returns: (transfer full). */
static GBytes *
make_content (guint32 seed, gsize length)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (seed);
  guint32 *words = g_malloc (length + sizeof *words);

  for (gsize i = 0; i * sizeof *words < length; i++)
    words[i] = g_rand_int (random);
  return g_bytes_new_take (words, length);
}

/* How many files of that type are listed, and whether name is with its size.
 * name may be NULL. */
static guint
count_listed (VkBackend *backend, VkResticType type, const char *name, guint64 size, gboolean *found)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) entries = vk_backend_list (backend, type, NULL, &error);

  *found = FALSE;
  if (entries == NULL)
    {
      g_print ("# %s\n", error->message);
      return G_MAXUINT;
    }
  for (guint i = 0; i < entries->len; i++)
    {
      const VkBackendEntry *entry = g_ptr_array_index (entries, i);

      if (name != NULL && g_str_equal (entry->name, name))
        *found = entry->size == size;
    }
  return entries->len;
}

/* Whether length bytes at offset are what content has there (length 0: all from
 * there). */
static void
check_load (VkBackend *backend, VkResticType type, const char *name, GBytes *content, guint64 offset, gsize length, const char *claim)
{
  g_autoptr (GError) error = NULL;
  gsize expected_length = length > 0 ? length : g_bytes_get_size (content) - (gsize) offset;
  g_autoptr (GBytes) expected = g_bytes_new_from_bytes (content, (gsize) offset, expected_length);
  g_autoptr (GBytes) got = vk_backend_load (backend, type, name, offset, length, NULL, &error);

  check_works (got != NULL && g_bytes_equal (got, expected), &error, claim);
}

static void
check_config (VkBackend *backend)
{
  g_autoptr (GBytes) content = make_content (1, 155);
  g_autoptr (GBytes) other = make_content (2, 155);
  g_autoptr (GError) error = NULL;
  guint64 size = 0;

  check_fails (!vk_backend_stat (backend, VK_RESTIC_CONFIG, NULL, &size, NULL, &error), &error, VK_ERROR_NOT_FOUND, "there is no config at first");
  check_fails (vk_backend_load (backend, VK_RESTIC_CONFIG, NULL, 0, 0, NULL, &error) == NULL, &error, VK_ERROR_NOT_FOUND, "nor can it be loaded");
  check_works (vk_backend_save (backend, VK_RESTIC_CONFIG, NULL, content, NULL, &error), &error, "config is stored");
  check_works (vk_backend_stat (backend, VK_RESTIC_CONFIG, NULL, &size, NULL, &error) && size == 155, &error, "and has its size");
  check_load (backend, VK_RESTIC_CONFIG, NULL, content, 0, 0, "and its bytes");
  check_fails (!vk_backend_save (backend, VK_RESTIC_CONFIG, NULL, other, NULL, &error), &error, VK_ERROR_REFUSED, "it is not replaced by another one");
  check_fails (!vk_backend_save (backend, VK_RESTIC_CONFIG, NULL, content, NULL, &error), &error, VK_ERROR_REFUSED, "nor by itself");
  check_load (backend, VK_RESTIC_CONFIG, NULL, content, 0, 0, "and is what it was");
}

static void
check_ranges (VkBackend *backend, VkResticType type, const char *name, GBytes *content)
{
  g_autoptr (GError) error = NULL;
  gsize size = g_bytes_get_size (content);

  check_load (backend, type, name, content, 0, 0, "it is loaded as a whole");
  check_load (backend, type, name, content, 0, 4, "and its first bytes");
  check_load (backend, type, name, content, 17, 300, "and some in the middle");
  check_load (backend, type, name, content, size - 4, 4, "and its last ones");
  check_load (backend, type, name, content, 100, 0, "and all from somewhere");
  check_load (backend, type, name, content, 0, size, "and all by number");
  check_fails (vk_backend_load (backend, type, name, size - 4, 5, NULL, &error) == NULL, &error, VK_ERROR_STORE, "one more than there are is a failure");
  check_fails (vk_backend_load (backend, type, name, size + 10, 5, NULL, &error) == NULL, &error, VK_ERROR_STORE, "and so are bytes behind the end");
}

static void
check_type (VkBackend *backend, VkResticType type)
{
  g_autoptr (GBytes) content = make_content (100 + type, 5000 + type);
  g_autofree char *name = contract_name_of (content);
  g_autoptr (GError) error = NULL;
  gboolean found;
  guint64 size = 0;

  g_print ("# %s\n", vk_restic_type_directory (type));
  check (count_listed (backend, type, NULL, 0, &found) == 0, "nothing is listed at first");
  check_fails (!vk_backend_stat (backend, type, name, &size, NULL, &error), &error, VK_ERROR_NOT_FOUND, "what is not there is not found");
  check_works (vk_backend_save (backend, type, name, content, NULL, &error), &error, "a file is stored");
  check (count_listed (backend, type, name, 5000 + type, &found) == 1 && found, "and listed, with its size");
  check_works (vk_backend_stat (backend, type, name, &size, NULL, &error) && size == 5000 + type, &error, "its size is told");
  check_ranges (backend, type, name, content);
  check_works (vk_backend_save (backend, type, name, content, NULL, &error), &error, "to store it again is a success");
  check (count_listed (backend, type, name, 5000 + type, &found) == 1 && found, "and changes nothing");
  check_works (vk_backend_remove (backend, type, name, NULL, &error), &error, "it is removed");
  check_works (vk_backend_remove (backend, type, name, NULL, &error), &error, "and to remove it again is a success");
  check_fails (vk_backend_load (backend, type, name, 0, 0, NULL, &error) == NULL, &error, VK_ERROR_NOT_FOUND, "then it is not there");
  check (count_listed (backend, type, NULL, 0, &found) == 0, "nor listed");
}

static void
check_large (VkBackend *backend)
{
  g_autoptr (GBytes) content = make_content (7, LARGE);
  g_autofree char *name = contract_name_of (content);
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  gboolean found;

  g_cancellable_cancel (cancelled);
  check (!vk_backend_save (backend, VK_RESTIC_DATA, name, content, cancelled, &error) && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED),
         "what is cancelled says so");
  g_clear_error (&error);
  check (count_listed (backend, VK_RESTIC_DATA, NULL, 0, &found) == 0, "and stores nothing");
  check_works (vk_backend_save (backend, VK_RESTIC_DATA, name, content, NULL, &error), &error, "40 MiB are stored");
  check (count_listed (backend, VK_RESTIC_DATA, name, LARGE, &found) == 1 && found, "and listed");
  check_load (backend, VK_RESTIC_DATA, name, content, 0, 0, "and loaded");
  check_load (backend, VK_RESTIC_DATA, name, content, LARGE - 3 * MIB, 2 * MIB, "and so is a part of them");
  check_works (vk_backend_remove (backend, VK_RESTIC_DATA, name, NULL, &error), &error, "and removed");
}

/* What one of many threads does; thread is its number. */
struct worker
{
  VkBackend *backend;
  guint thread;
  GError *error;
};

static gpointer
work (gpointer data)
{
  struct worker *worker = data;

  for (guint i = 0; i < FILES_A_THREAD && worker->error == NULL; i++)
    {
      g_autoptr (GBytes) content = make_content (1000 + worker->thread * FILES_A_THREAD + i, FILE_SIZE + i);
      g_autofree char *name = contract_name_of (content);
      g_autoptr (GBytes) back = NULL;

      if (!vk_backend_save (worker->backend, VK_RESTIC_DATA, name, content, NULL, &worker->error))
        return NULL;
      back = vk_backend_load (worker->backend, VK_RESTIC_DATA, name, 0, 0, NULL, &worker->error);
      if (back != NULL && !g_bytes_equal (back, content))
        g_set_error (&worker->error, VK_ERROR, VK_ERROR_FAILED, "%s has other bytes", name);
    }
  return NULL;
}

static void
remove_all (VkBackend *backend, VkResticType type, GError **error)
{
  g_autoptr (GPtrArray) entries = vk_backend_list (backend, type, NULL, error);

  for (guint i = 0; entries != NULL && *error == NULL && i < entries->len; i++)
    vk_backend_remove (backend, type, ((VkBackendEntry *) g_ptr_array_index (entries, i))->name, NULL, error);
}

static void
check_threads (VkBackend *backend)
{
  struct worker workers[THREADS] = { 0 };
  GThread *threads[THREADS];
  g_autoptr (GError) error = NULL;
  gboolean found;

  for (guint i = 0; i < THREADS; i++)
    {
      workers[i] = (struct worker) { backend, i, NULL };
      threads[i] = g_thread_new ("worker", work, &workers[i]);
    }
  for (guint i = 0; i < THREADS; i++)
    {
      g_thread_join (threads[i]);
      check_works (TRUE, &workers[i].error, "a thread among many stores and loads");
    }
  check (count_listed (backend, VK_RESTIC_DATA, NULL, 0, &found) == THREADS * FILES_A_THREAD, "all that they have stored is listed");
  remove_all (backend, VK_RESTIC_DATA, &error);
  check_works (TRUE, &error, "and removed");
  check (count_listed (backend, VK_RESTIC_DATA, NULL, 0, &found) == 0, "and gone");
}

void
contract_run (VkBackend *backend)
{
  g_autoptr (GBytes) last = make_content (3, 155);
  g_autoptr (GError) error = NULL;

  check_works (vk_backend_create (backend, NULL, &error), &error, "a repository is created");
  check_works (vk_backend_create (backend, NULL, &error), &error, "and that again does no harm");
  check_config (backend);
  for (VkResticType type = VK_RESTIC_KEY; type <= VK_RESTIC_DATA; type++)
    check_type (backend, type);
  check_large (backend);
  check_threads (backend);
  check_works (vk_backend_create (backend, NULL, &error), &error, "to create it once more keeps it");
  check_fails (!vk_backend_save (backend, VK_RESTIC_CONFIG, NULL, last, NULL, &error), &error, VK_ERROR_REFUSED, "with its config");
}
