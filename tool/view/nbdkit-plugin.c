/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An nbdkit plugin that serves a file of a restic repository, read-only:
 *
 *   nbdkit PATH/nbdkit-virt-keep-plugin.so repository=REPO snapshot=ID file=/vda.raw
 *
 * Documented in virt-keep-store(5).  nbdkit may fork before after_fork(), so that
 * nothing that makes threads happens earlier.  What fails then is told to each
 * client: after a failure of after_fork() those of `nbdkit --run' would wait for
 * ever. */
#include "config.h"

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "store/restic/disk-reader.h"
#include "store/restic/lock.h"
#include "store/restic/password.h"
#include "store/restic/snapshot.h"
#include "store/restic/tree.h"

/* What the command line says. */
static struct
{
  char *repository; /* NULL: RESTIC_REPOSITORY */
  char *password;   /* NULL: from where password.h says */
  gboolean has_key; /* no password is needed: */
  VkResticKey key;
  char *snapshot;   /* its id, or the beginning of it */
  char *file;
  guint64 chunk_size;
  guint retry_lock; /* seconds */
  gboolean no_lock; /* whoever started us holds one */
} parameters;

/* What is open; the same for all connections. */
static VkRestic *repo;
static VkSnapshot *snapshot;
static VkResticLock *lock;
static VkDiskReader *reader; /* or NULL, and: */
static GError *failure;

/* --- parameters ----------------------------------------------------------- */

static int
set_password (const char *value)
{
  char *password;

  if (nbdkit_read_password (value, &password) == -1)
    return -1;
  vk_restic_password_free (parameters.password);
  parameters.password = g_strdup (password);
  memset (password, 0, strlen (password));
  free (password);
  return 0;
}

/* The key as digits, from where nbdkit takes passwords. */
static int
set_key (const char *value)
{
  char *text;

  if (nbdkit_read_password (value, &text) == -1)
    return -1;
  parameters.has_key = vk_restic_key_parse (text, &parameters.key);
  memset (text, 0, strlen (text));
  free (text);
  if (parameters.has_key)
    return 0;
  nbdkit_error ("master-key is not of %d hexadecimal digits", (int) (2 * sizeof parameters.key));
  return -1;
}

static int
set_chunk_size (const char *value)
{
  int64_t size = nbdkit_parse_size (value);

  if (size == -1)
    return -1;
  parameters.chunk_size = (guint64) size;
  return 0;
}

static int
set_no_lock (const char *value)
{
  int wanted = nbdkit_parse_bool (value);

  if (wanted == -1)
    return -1;
  parameters.no_lock = wanted == 0;
  return 0;
}

static int
set_text (char **parameter, const char *value)
{
  g_free (*parameter);
  *parameter = g_strdup (value);
  return 0;
}

static int
plugin_config (const char *key, const char *value)
{
  if (strcmp (key, "repository") == 0)
    return set_text (&parameters.repository, value);
  if (strcmp (key, "snapshot") == 0)
    return set_text (&parameters.snapshot, value);
  if (strcmp (key, "file") == 0)
    return set_text (&parameters.file, value);
  if (strcmp (key, "password") == 0)
    return set_password (value);
  if (strcmp (key, "master-key") == 0)
    return set_key (value);
  if (strcmp (key, "chunk-size") == 0)
    return set_chunk_size (value);
  if (strcmp (key, "retry-lock") == 0)
    return nbdkit_parse_unsigned (key, value, &parameters.retry_lock);
  if (strcmp (key, "lock") == 0)
    return set_no_lock (value);
  nbdkit_error ("there is no parameter '%s'", key);
  return -1;
}

static int
plugin_config_complete (void)
{
  const char *repository = g_getenv ("RESTIC_REPOSITORY");

  if (parameters.repository == NULL && repository != NULL && *repository != '\0')
    parameters.repository = g_strdup (repository);
  if (parameters.repository == NULL)
    nbdkit_error ("which repository? give repository=REPO or set RESTIC_REPOSITORY");
  else if (parameters.snapshot == NULL || *parameters.snapshot == '\0' || strspn (parameters.snapshot, "0123456789abcdef") != strlen (parameters.snapshot))
    nbdkit_error ("which snapshot? give snapshot=ID, the id of one or the beginning of it");
  else if (parameters.file == NULL)
    nbdkit_error ("which file of the snapshot? give file=PATH, as in file=/vda.raw");
  else
    return 0;
  return -1;
}

/* --- opening -------------------------------------------------------------- */

/* Returns: (transfer full). */
static VkRestic *
open_repository (GError **error)
{
  VkBackend *backend = vk_backend_open (parameters.repository, error);
  VkPasswordSource source = { .place = backend ? backend->location : NULL };

  if (backend == NULL)
    return NULL;
  if (parameters.has_key)
    return vk_restic_open_with_key (backend, &parameters.key, NULL, NULL, error);
  if (parameters.password == NULL)
    parameters.password = vk_restic_password_get (&source, NULL, error);
  if (parameters.password != NULL)
    return vk_restic_open (backend, parameters.password, NULL, NULL, error);
  vk_backend_free (backend);
  return NULL;
}

/* The one snapshot whose id begins so. */
static gboolean
find_snapshot (VkResticId *id, GError **error)
{
  g_autoptr (GPtrArray) entries = vk_backend_list (vk_restic_backend (repo), VK_RESTIC_SNAPSHOT, NULL, error);
  guint found = 0;

  for (guint i = 0; entries != NULL && i < entries->len; i++)
    {
      const VkBackendEntry *entry = g_ptr_array_index (entries, i);

      if (g_str_has_prefix (entry->name, parameters.snapshot) && vk_restic_id_parse (entry->name, id))
        found++;
    }
  if (entries != NULL && found != 1)
    vk_fail (error, VK_ERROR_NOT_FOUND, "%u snapshots in the repository begin with '%s'", found, parameters.snapshot);
  return found == 1;
}

/* Returns: (transfer full). */
static VkDiskReader *
open_file (GError **error)
{
  g_autofree char *name = g_strdup_printf ("'%s' of snapshot %.8s", parameters.file, parameters.snapshot);
  g_autoptr (VkTreeNode) node = vk_tree_find (repo, &snapshot->tree, parameters.file, NULL, error);

  if (node == NULL)
    return NULL;
  if (strcmp (node->type, "file") == 0)
    return vk_disk_reader_new (repo, name, node->content, node->size, parameters.chunk_size, error);
  vk_fail (error, VK_ERROR_USAGE, "%s is no file", name);
  return NULL;
}

static gboolean
open_snapshot (GError **error)
{
  VkResticId id;

  repo = open_repository (error);
  if (repo == NULL || !find_snapshot (&id, error))
    return FALSE;
  snapshot = vk_snapshot_load (repo, &id, NULL, error);
  return snapshot != NULL;
}

static int
plugin_get_ready (void)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = open_snapshot (&error);

  g_clear_pointer (&parameters.password, vk_restic_password_free);
  vk_restic_key_clear (&parameters.key);
  if (ok)
    return 0;
  nbdkit_error ("%s", error->message);
  return -1;
}

static int
plugin_after_fork (void)
{
  if (!parameters.no_lock)
    lock = vk_restic_lock_take (repo, FALSE, parameters.retry_lock, NULL, &failure);
  if (failure == NULL)
    reader = open_file (&failure);
  return 0;
}

static void
plugin_unload (void)
{
  g_clear_pointer (&reader, vk_disk_reader_free);
  g_clear_pointer (&lock, vk_restic_lock_free);
  g_clear_pointer (&snapshot, vk_snapshot_free);
  g_clear_error (&failure);
  g_clear_pointer (&repo, vk_restic_close);
  g_clear_pointer (&parameters.password, vk_restic_password_free);
  vk_restic_key_clear (&parameters.key);
  g_clear_pointer (&parameters.repository, g_free);
  g_clear_pointer (&parameters.snapshot, g_free);
  g_clear_pointer (&parameters.file, g_free);
}

/* --- serving -------------------------------------------------------------- */

static void *
plugin_open (int readonly)
{
  if (reader == NULL)
    nbdkit_error ("%s", failure->message);
  return reader;
}

static int64_t
plugin_get_size (void *handle)
{
  return (int64_t) vk_disk_map_size (vk_disk_reader_map (handle));
}

static int
yes (void *handle)
{
  return 1;
}

/* A client that asks for the cache has the bytes read, which keeps their blobs. */
static int
plugin_can_cache (void *handle)
{
  return NBDKIT_CACHE_EMULATE;
}

static int
plugin_pread (void *handle, void *buffer, uint32_t count, uint64_t offset, uint32_t flags)
{
  g_autoptr (GError) error = NULL;

  if (vk_disk_reader_read (handle, buffer, offset, count, NULL, &error))
    return 0;
  nbdkit_error ("%s", error->message);
  nbdkit_set_error (EIO);
  return -1;
}

static int
plugin_extents (void *handle, uint32_t count, uint64_t offset, uint32_t flags, struct nbdkit_extents *extents)
{
  uint64_t end = offset + count;

  while (offset < end)
    {
      VkDiskState state;
      guint64 run = vk_disk_map_run (vk_disk_reader_map (handle), offset, &state);

      if (nbdkit_add_extent (extents, offset, run, state == VK_DISK_ZERO ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0) == -1)
        return -1;
      if (flags & NBDKIT_FLAG_REQ_ONE)
        break;
      offset += run;
    }
  return 0;
}

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

static struct nbdkit_plugin plugin = {
  .name = "virt-keep",
  .longname = "virt-keep: files of restic repositories",
  .version = PACKAGE_VERSION,
  .description = "Serves a file of a restic repository, such as a disk that virt-keep has backed up",
  .config = plugin_config,
  .config_complete = plugin_config_complete,
  .config_help = "repository=REPO  as restic's -r; RESTIC_REPOSITORY without\n"
                 "snapshot=ID      an id, or the beginning of it (required)\n"
                 "file=PATH        in the snapshot, as /vda.raw (required)\n"
                 "password=+FILE   or from RESTIC_PASSWORD, RESTIC_PASSWORD_FILE, RESTIC_PASSWORD_COMMAND\n"
                 "retry-lock=SECONDS, lock=BOOL, chunk-size=SIZE",
  .magic_config_key = "repository",
  .get_ready = plugin_get_ready,
  .after_fork = plugin_after_fork,
  .unload = plugin_unload,
  .open = plugin_open,
  .get_size = plugin_get_size,
  .can_multi_conn = yes,
  .can_extents = yes,
  .can_cache = plugin_can_cache,
  .pread = plugin_pread,
  .extents = plugin_extents,
};

NBDKIT_REGISTER_PLUGIN (plugin)
