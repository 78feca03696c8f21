/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "view/qemu-img-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/process.h"
#include "view/disk-key.h"
#include "view/qcow2-header.h"

char *
vk_qemu_img_filename (const char *path)
{
  const char *colon = strchr (path, ':');
  const char *slash = strchr (path, '/');

  if (colon != NULL && (slash == NULL || colon < slash))
    return g_strconcat ("./", path, NULL);
  return g_strdup (path);
}

VkFd
vk_qemu_img_reserve (const char *path, GError **error)
{
  VkFd fd = g_open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  int number = errno;

  if (fd >= 0)
    return fd;
  if (number == EEXIST)
    vk_fail (error, VK_ERROR_REFUSED, "'%s' exists already and is not overwritten", path);
  else
    vk_fail (error, VK_ERROR_STORE, "cannot create '%s': %s", path, g_strerror (number));
  return -1;
}

/* backing: as QEMU takes it, or NULL.  Returns: as vk_qemu_img_create_held(). */
static VkFd
create (const char *path, guint64 size, const char *backing, const char *backing_format, const char *secret, GError **error)
{
  const char *words[] = { "qemu-img", "create", "-q", "-f", "qcow2", "-o", secret ? "compat=1.1,encrypt.format=luks,encrypt.key-secret=key" : "compat=1.1", NULL };
  g_autoptr (GPtrArray) argv = vk_process_argv_new (words);
  g_autoptr (GError) failure = NULL;
  g_auto (VkFd) held = -1;
  guint attempts = 0;

  vk_disk_key_add_object (argv, secret);
  if (backing != NULL)
    {
      g_ptr_array_add (argv, g_strdup ("-u"));
      g_ptr_array_add (argv, g_strdup ("-F"));
      g_ptr_array_add (argv, g_strdup (backing_format));
      g_ptr_array_add (argv, g_strdup ("-b"));
      g_ptr_array_add (argv, g_strdup (backing));
    }
  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, vk_qemu_img_filename (path));
  g_ptr_array_add (argv, g_strdup_printf ("%" PRIu64, size));
  g_ptr_array_add (argv, NULL);

  held = vk_qemu_img_reserve (path, error);
  if (held < 0)
    return -1;
  do
    {
      VkProcessSecrets secrets = { .fd = -1 };

      g_clear_error (&failure);
      secrets.fd = vk_disk_key_open (secret, &failure);
      if (failure == NULL && vk_process_run_with ((const char *const *) argv->pdata, &secrets, NULL, NULL, &failure))
        return vk_fd_steal (&held);
    }
  while (vk_disk_key_try_again (failure->message, &attempts));
  g_unlink (path);
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_FAILED))
    vk_fail (error, VK_ERROR_STORE, "cannot create the image '%s': %s", path, failure->message);
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return -1;
}

VkFd
vk_qemu_img_create_held (const char *path, guint64 size, const char *backing, const char *secret, GError **error)
{
  g_autofree char *backing_filename = backing ? vk_qemu_img_filename (backing) : NULL;

  return create (path, size, backing_filename, "qcow2", secret, error);
}

gboolean
vk_qemu_img_create (const char *path, guint64 size, GError **error)
{
  g_auto (VkFd) held = create (path, size, NULL, NULL, NULL, error);

  return held >= 0;
}

gboolean
vk_qemu_img_create_overlay (const char *path, guint64 size, const char *backing_uri, GError **error)
{
  g_auto (VkFd) held = create (path, size, backing_uri, "raw", NULL, error);

  return held >= 0;
}

gboolean
vk_qemu_img_rebase (const char *path, const char *backing, GCancellable *cancellable, GError **error)
{
  g_autofree char *filename = vk_qemu_img_filename (path);
  g_autofree char *backing_filename = vk_qemu_img_filename (backing);
  const char *argv[] = { "qemu-img", "rebase", "-q", "-f", "qcow2", "-F", "qcow2", "-b", backing_filename, "--", filename, NULL };

  return vk_process_run (argv, NULL, cancellable, error);
}

/* The first length members of chain, each on the next, for QEMU.  The last one
 * stands alone, whatever is written in it, or on what is written in it.  QEMU's
 * lock is taken on it only: others may read those above, as we do. */
static JsonObject *
describe_node (const char *const *chain, guint length, gboolean alone)
{
  JsonObject *node = json_object_new ();
  JsonObject *file = json_object_new ();

  json_object_set_string_member (file, "driver", "file");
  json_object_set_string_member (file, "filename", chain[0]);
  if (length > 1)
    json_object_set_string_member (file, "locking", "off");
  json_object_set_string_member (node, "driver", "qcow2");
  json_object_set_object_member (node, "file", file);
  if (length > 1)
    json_object_set_object_member (node, "backing", describe_node (chain + 1, length - 1, alone));
  else if (alone)
    json_object_set_null_member (node, "backing");
  return node;
}

static char *
describe_open_chain (const char *const *chain, guint length)
{
  g_autoptr (JsonObject) node = describe_node (chain, length, FALSE);
  g_autofree char *text = vk_json_to_string (node, FALSE);

  return g_strconcat ("json:", text, NULL);
}

gboolean
vk_qemu_img_commit (const char *const *chain, guint base, gboolean durable, GCancellable *cancellable, GError **error)
{
  /* QEMU finds the place of an image in a chain by its name only while what is
   * below is what is written in the image; the caller has seen to that. */
  g_autofree char *image = describe_open_chain (chain, base + 1);
  const char *argv[] = { "qemu-img", "commit", "-q", "-d", "-t", durable ? "writeback" : "unsafe", "-b", chain[base], "--", image, NULL };
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; chain[i] != NULL; i++)
    {
      if (!vk_qcow2_check (chain[i], error))
        return FALSE;
      if (!g_utf8_validate (chain[i], -1, NULL))
        return vk_fail (error, VK_ERROR_STORE, "a restore point cannot be merged in a directory whose name is not UTF-8, because QEMU takes no such names: rename it");
    }
  if (vk_process_run (argv, NULL, cancellable, &failure))
    return TRUE;
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_FAILED))
    vk_fail (error, VK_ERROR_STORE, "cannot merge '%s' into '%s': %s", chain[0], chain[base], failure->message);
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

/* Exit codes of qemu-img check, see qemu-img(1). */
enum { CHECK_CLEAN = 0, CHECK_CORRUPT = 2, CHECK_LEAKS = 3 };

gboolean
vk_qemu_img_check (const char *path, const char *secret, GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonObject) node = describe_node (&path, 1, TRUE);
  g_autofree char *json = NULL;
  const char *fixed[] = { "qemu-img", "check", "-q", NULL };
  g_autoptr (GPtrArray) argv = vk_process_argv_new (fixed);
  g_autoptr (GSubprocess) process = NULL;
  VkProcessSecrets secrets = { .fd = -1 };
  g_autofree char *words = NULL;

  if (!vk_qcow2_check (path, error))
    return FALSE;
  secrets.fd = vk_disk_key_open (secret, error);
  if (secret != NULL && secrets.fd < 0)
    return FALSE;
  if (secret != NULL)
    vk_disk_key_describe (node);
  json = vk_json_to_string (node, FALSE);
  vk_disk_key_add_object (argv, secret);
  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, g_strconcat ("json:", json, NULL));
  g_ptr_array_add (argv, NULL);
  process = vk_process_start_with ((const char *const *) argv->pdata, G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &secrets, error);
  if (process == NULL)
    return FALSE;
  if (!vk_process_communicate (process, cancellable, NULL, &words, error))
    return FALSE;
  if (g_subprocess_get_if_exited (process)
      && (g_subprocess_get_exit_status (process) == CHECK_CLEAN || g_subprocess_get_exit_status (process) == CHECK_LEAKS))
    return TRUE;
  return vk_fail (error, VK_ERROR_DAMAGED, "qemu-img check finds '%s' corrupt: %s", path, words && *words ? g_strchomp (words) : "it said nothing");
}

/* Whether the array flags of a bitmap's description has this one. */
static gboolean
has_flag (JsonObject *bitmap, const char *flag)
{
  JsonArray *flags = NULL;

  if (!vk_json_get_array (bitmap, "flags", &flags, NULL))
    return FALSE;
  for (guint i = 0; flags != NULL && i < json_array_get_length (flags); i++)
    if (g_strcmp0 (json_array_get_string_element (flags, i), flag) == 0)
      return TRUE;
  return FALSE;
}

gboolean
vk_qemu_img_has_bitmap (const char *path, const char *name)
{
  const char *argv[] = { "qemu-img", "info", "--output=json", "-f", "qcow2", "--", path, NULL };
  g_autofree char *text = NULL;
  g_autoptr (JsonObject) info = NULL;
  JsonObject *specific = NULL, *data = NULL;
  JsonArray *bitmaps = NULL;

  if (!vk_process_run (argv, &text, NULL, NULL) || (info = vk_json_parse (text, path, NULL)) == NULL
      || !vk_json_get_object (info, "format-specific", &specific, NULL) || specific == NULL
      || !vk_json_get_object (specific, "data", &data, NULL) || data == NULL
      || !vk_json_get_array (data, "bitmaps", &bitmaps, NULL) || bitmaps == NULL)
    return FALSE;
  for (guint i = 0; i < json_array_get_length (bitmaps); i++)
    {
      JsonObject *bitmap = json_array_get_object_element (bitmaps, i);
      g_autofree char *found = NULL;

      if (vk_json_get_string (bitmap, "name", "", &found, NULL) && strcmp (found, name) == 0)
        return has_flag (bitmap, "auto") && !has_flag (bitmap, "in-use");
    }
  return FALSE;
}
