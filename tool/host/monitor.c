/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "host/qmp.h"

/* libvirt reports the end of a job a moment before it has taken its block
 * nodes away; what is still there after this time stayed behind. */
enum { SETTLE_SECONDS = 3, SETTLE_STEP_MILLISECONDS = 20 };

/* QEMU locks single bytes of an image: from 100 on the permissions it uses,
 * from 200 on those it does not share (block/file-posix.c,
 * RAW_LOCK_PERM_BASE and RAW_LOCK_SHARED_BASE). */
enum { QEMU_LOCK_START = 100, QEMU_LOCK_LENGTH = 200 };

void
vk_closed_proof_free (VkClosedProof *proof)
{
  g_free (proof->note);
  g_ptr_array_unref (proof->nodes_left);
  g_ptr_array_unref (proof->jobs_left);
  g_ptr_array_unref (proof->exports_left);
  g_ptr_array_unref (proof->removed_nodes);
  g_ptr_array_unref (proof->nodes);
  g_free (proof);
}

static VkClosedProof *
proof_new (void)
{
  VkClosedProof *proof = g_new0 (VkClosedProof, 1);

  proof->nodes_left = g_ptr_array_new_with_free_func (g_free);
  proof->jobs_left = g_ptr_array_new_with_free_func (g_free);
  proof->exports_left = g_ptr_array_new_with_free_func (g_free);
  proof->removed_nodes = g_ptr_array_new_with_free_func (g_free);
  proof->nodes = g_ptr_array_new_with_free_func (g_free);
  return proof;
}

static void add_strings (JsonNode *node, GPtrArray *strings);

static void
add_member (JsonObject *object, const char *member, JsonNode *node, gpointer strings)
{
  add_strings (node, strings);
}

/* All strings anywhere in a "json:" file name of QEMU's: one may be a file. */
static void
add_strings (JsonNode *node, GPtrArray *strings)
{
  if (JSON_NODE_HOLDS_OBJECT (node))
    json_object_foreach_member (json_node_get_object (node), add_member, strings);
  else if (json_node_get_value_type (node) == G_TYPE_STRING)
    g_ptr_array_add (strings, g_strdup (json_node_get_string (node)));
}

/* Adds what QEMU calls the file of a block node, as far as it is one. */
static void
add_file_names (const char *name, GPtrArray *names)
{
  g_autoptr (JsonNode) node = NULL;

  if (g_str_has_prefix (name, "json:"))
    node = json_from_string (name + strlen ("json:"), NULL);
  if (node != NULL)
    add_strings (node, names);
  else
    g_ptr_array_add (names, g_strdup (name));
}

static gboolean
names_file (const char *name, const char *const *files)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  add_file_names (name, names);
  for (guint i = 0; i < names->len; i++)
    if (g_strv_contains (files, g_ptr_array_index (names, i)))
      return TRUE;
  return FALSE;
}

static GPtrArray *
query_nodes (virDomainPtr domain, GError **error)
{
  JsonObject *flat = json_object_new ();

  json_object_set_boolean_member (flat, "flat", TRUE);
  return vk_qmp_query (domain, "query-named-block-nodes", flat, error);
}

/* Collects the nodes that have one of files open, and all names. */
static gboolean
find_nodes (virDomainPtr domain, const char *const *files, VkClosedProof *proof, GError **error)
{
  g_autoptr (GPtrArray) nodes = query_nodes (domain, error);

  if (nodes == NULL)
    return FALSE;
  g_ptr_array_set_size (proof->nodes, 0);
  g_ptr_array_set_size (proof->nodes_left, 0);
  for (guint i = 0; i < nodes->len; i++)
    {
      g_autofree char *name = vk_qmp_string (g_ptr_array_index (nodes, i), "node-name");
      g_autofree char *file = vk_qmp_string (g_ptr_array_index (nodes, i), "file");

      g_ptr_array_add (proof->nodes, g_strdup (name));
      if (names_file (file, files))
        g_ptr_array_add (proof->nodes_left, g_steal_pointer (&name));
    }
  return TRUE;
}

static gboolean
find_jobs (virDomainPtr domain, VkClosedProof *proof, GError **error)
{
  g_autoptr (GPtrArray) block_jobs = vk_qmp_query (domain, "query-block-jobs", NULL, error);
  g_autoptr (GPtrArray) jobs = block_jobs ? vk_qmp_query (domain, "query-jobs", NULL, error) : NULL;

  if (jobs == NULL)
    return FALSE;
  g_ptr_array_set_size (proof->jobs_left, 0);
  for (guint i = 0; i < block_jobs->len; i++)
    {
      g_autofree char *type = vk_qmp_string (g_ptr_array_index (block_jobs, i), "type");

      if (strcmp (type, "backup") == 0)
        g_ptr_array_add (proof->jobs_left, vk_qmp_string (g_ptr_array_index (block_jobs, i), "device"));
    }
  for (guint i = 0; i < jobs->len; i++)
    {
      g_autofree char *type = vk_qmp_string (g_ptr_array_index (jobs, i), "type");
      g_autofree char *id = vk_qmp_string (g_ptr_array_index (jobs, i), "id");

      if (strcmp (type, "backup") == 0 && !g_ptr_array_find_with_equal_func (proof->jobs_left, id, g_str_equal, NULL))
        g_ptr_array_add (proof->jobs_left, g_steal_pointer (&id));
    }
  return TRUE;
}

static gboolean
find_exports (virDomainPtr domain, VkClosedProof *proof, GError **error)
{
  g_autoptr (GPtrArray) exports = vk_qmp_query (domain, "query-block-exports", NULL, error);

  if (exports == NULL)
    return FALSE;
  g_ptr_array_set_size (proof->exports_left, 0);
  for (guint i = 0; i < exports->len; i++)
    {
      g_autofree char *node = vk_qmp_string (g_ptr_array_index (exports, i), "node-name");

      if (g_ptr_array_find_with_equal_func (proof->nodes_left, node, g_str_equal, NULL))
        g_ptr_array_add (proof->exports_left, vk_qmp_string (g_ptr_array_index (exports, i), "id"));
    }
  return TRUE;
}

static gboolean
look (virDomainPtr domain, const char *const *files, VkClosedProof *proof, GError **error)
{
  if (!find_nodes (domain, files, proof, error) || !find_jobs (domain, proof, error) || !find_exports (domain, proof, error))
    return FALSE;
  proof->proven = proof->nodes_left->len == 0 && proof->jobs_left->len == 0 && proof->exports_left->len == 0;
  return TRUE;
}

/* Deletes what can be deleted.  A node that another one uses comes free when
 * that one is gone, so the list is gone through until nothing changes. */
static void
remove_nodes (virDomainPtr domain, VkClosedProof *proof)
{
  gboolean changed = TRUE;

  while (changed)
    {
      changed = FALSE;
      for (guint i = 0; i < proof->nodes_left->len; i++)
        {
          const char *name = g_ptr_array_index (proof->nodes_left, i);
          JsonObject *arguments = json_object_new ();
          g_autoptr (JsonObject) answer = NULL;

          vk_json_set_string (arguments, "node-name", name);
          answer = vk_qmp_run (domain, "blockdev-del", arguments, NULL);
          if (answer == NULL)
            continue;
          g_ptr_array_add (proof->removed_nodes, g_strdup (name));
          g_ptr_array_remove_index (proof->nodes_left, i--);
          changed = TRUE;
        }
    }
}

static gboolean
prove_with_monitor (virDomainPtr domain, const char *const *files, VkClosedProof *proof, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + SETTLE_SECONDS * G_USEC_PER_SEC;

  proof->method = "monitor";
  if (!look (domain, files, proof, error))
    return FALSE;
  while (!proof->proven && g_get_monotonic_time () < deadline)
    {
      g_usleep (SETTLE_STEP_MILLISECONDS * 1000);
      if (!look (domain, files, proof, error))
        return FALSE;
    }
  if (proof->nodes_left->len > 0)
    {
      remove_nodes (domain, proof);
      if (!look (domain, files, proof, error))
        return FALSE;
    }
  return TRUE;
}

/* Whether anybody holds QEMU's locks on the image; -1 when it cannot be told. */
static int
image_is_locked (const char *path)
{
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = QEMU_LOCK_START, .l_len = QEMU_LOCK_LENGTH };
  int fd = open (path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  int result;

  /* A scratch file or socket that is gone is closed as far as we can see. */
  if (fd < 0)
    return errno == ENOENT || errno == ENXIO ? 0 : -1;
  result = fcntl (fd, F_OFD_GETLK, &lock) < 0 ? -1 : lock.l_type != F_UNLCK;
  close (fd);
  return result;
}

static void
prove_with_locks (const char *const *files, VkClosedProof *proof)
{
  gint64 deadline = g_get_monotonic_time () + SETTLE_SECONDS * G_USEC_PER_SEC;

  proof->method = "image-lock";
  proof->proven = TRUE;
  for (gsize i = 0; files[i] != NULL; i++)
    {
      int locked = image_is_locked (files[i]);

      while (locked == 1 && g_get_monotonic_time () < deadline)
        {
          g_usleep (SETTLE_STEP_MILLISECONDS * 1000);
          locked = image_is_locked (files[i]);
        }
      if (locked != 0)
        {
          proof->proven = FALSE;
          g_ptr_array_add (proof->nodes_left, g_strdup (files[i]));
        }
    }
}

/* libvirt says so only when the process is gone; a transient domain then is, too. */
static gboolean
has_stopped (virDomainPtr domain)
{
  int active = virDomainIsActive (domain);

  return active == 0 || (active < 0 && virGetLastErrorCode () == VIR_ERR_NO_DOMAIN);
}

static void
prove_by_end (VkClosedProof *proof)
{
  proof->method = "ended";
  proof->note = g_strdup ("the domain has stopped since");
  proof->proven = TRUE;
  g_ptr_array_set_size (proof->nodes_left, 0);
  g_ptr_array_set_size (proof->jobs_left, 0);
  g_ptr_array_set_size (proof->exports_left, 0);
}

VkClosedProof *
vk_prove_closed (virDomainPtr domain, const char *const *files, gboolean files_here, gboolean use_monitor)
{
  VkClosedProof *proof = proof_new ();
  g_autoptr (GError) failure = NULL;

  if (use_monitor && prove_with_monitor (domain, files, proof, &failure))
    return proof;
  if (has_stopped (domain))
    {
      prove_by_end (proof);
      return proof;
    }
  proof->note = g_strdup (failure ? failure->message : "the QEMU monitor was not asked (--monitor never)");
  if (files_here)
    prove_with_locks (files, proof);
  else
    proof->method = "none";
  return proof;
}

VkClosedProof *
vk_closed_without_job (const char *note)
{
  VkClosedProof *proof = proof_new ();

  proof->method = "no-job";
  proof->note = g_strdup (note);
  proof->proven = TRUE;
  return proof;
}

GPtrArray *
vk_monitor_open_files (virDomainPtr domain, GError **error)
{
  g_autoptr (GPtrArray) nodes = query_nodes (domain, error);
  GPtrArray *names;

  if (nodes == NULL)
    return NULL;
  names = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < nodes->len; i++)
    {
      g_autofree char *file = vk_qmp_string (g_ptr_array_index (nodes, i), "file");

      add_file_names (file, names);
    }
  return names;
}

char *
vk_monitor_qemu_version (virDomainPtr domain)
{
  g_autoptr (JsonObject) answer = vk_qmp_run (domain, "query-version", NULL, NULL);
  JsonObject *result = NULL, *version = NULL;
  guint64 major, minor, micro;

  if (answer == NULL
      || !vk_json_get_object (answer, "return", &result, NULL) || result == NULL
      || !vk_json_get_object (result, "qemu", &version, NULL) || version == NULL
      || !vk_json_get_uint64 (version, "major", 0, &major, NULL)
      || !vk_json_get_uint64 (version, "minor", 0, &minor, NULL)
      || !vk_json_get_uint64 (version, "micro", 0, &micro, NULL))
    return NULL;
  return g_strdup_printf ("%" PRIu64 ".%" PRIu64 ".%" PRIu64, major, minor, micro);
}

static void
set_strings (JsonObject *object, const char *member, const GPtrArray *strings)
{
  json_object_set_array_member (object, member, json_array_new ());
  for (guint i = 0; i < strings->len; i++)
    vk_json_append_string (object, member, g_ptr_array_index (strings, i));
}

JsonObject *
vk_closed_proof_to_json (const VkClosedProof *proof)
{
  JsonObject *object = json_object_new ();

  json_object_set_boolean_member (object, "proven", proof->proven);
  vk_json_set_string (object, "method", proof->method);
  vk_json_set_string (object, "note", proof->note);
  set_strings (object, "nodes_left", proof->nodes_left);
  set_strings (object, "jobs_left", proof->jobs_left);
  set_strings (object, "exports_left", proof->exports_left);
  set_strings (object, "removed_nodes", proof->removed_nodes);
  if (strcmp (proof->method, "monitor") == 0)
    set_strings (object, "nodes", proof->nodes);
  return object;
}

static char *
join (const GPtrArray *strings)
{
  GString *out = g_string_new (NULL);

  for (guint i = 0; i < strings->len; i++)
    g_string_append_printf (out, "%s%s", i ? ", " : "", (const char *) g_ptr_array_index (strings, i));
  return g_string_free (out, FALSE);
}

char *
vk_closed_proof_to_text (const VkClosedProof *proof)
{
  g_autofree char *removed = join (proof->removed_nodes);
  g_autofree char *nodes = join (proof->nodes_left);
  g_autofree char *jobs = join (proof->jobs_left);

  if (strcmp (proof->method, "none") == 0)
    return g_strdup_printf ("whether QEMU has let go of the backup is not known: %s, and its files are on another host", proof->note);
  if (!proof->proven)
    return g_strdup_printf ("QEMU has NOT let go of the backup (asked: %s): block nodes or files still open: %s; jobs: %s", proof->method, *nodes ? nodes : "none", *jobs ? jobs : "none");
  if (strcmp (proof->method, "ended") == 0)
    return g_strdup_printf ("QEMU has let go of the backup: it has ended (%s)", proof->note);
  if (strcmp (proof->method, "monitor") != 0)
    return g_strdup_printf ("QEMU has let go of the backup: nobody holds a lock on its images (%s)", proof->note);
  if (proof->removed_nodes->len > 0)
    return g_strdup_printf ("QEMU has let go of the backup: the block nodes %s had stayed behind and were deleted; no backup node, job or export is left", removed);
  return g_strdup ("QEMU has let go of the backup: no backup node, job or export is left");
}
