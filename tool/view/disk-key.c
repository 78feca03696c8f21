/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "view/disk-key.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process.h"

enum { MAX_ATTEMPTS = 10 };

static struct
{
  VkDiskKeyFunc func;
  gpointer user_data;
} source;

void
vk_disk_key_set_source (VkDiskKeyFunc func, gpointer user_data)
{
  source.func = func;
  source.user_data = user_data;
}

int
vk_disk_key_open (const char *secret, GError **error)
{
  g_autoptr (GBytes) key = NULL;
  gconstpointer bytes;
  gsize length;
  int fd, number;

  if (secret == NULL)
    return -1;
  if (source.func == NULL)
    {
      vk_fail (error, VK_ERROR_REFUSED, "the image is encrypted, and nothing here knows the libvirt secret %s", secret);
      return -1;
    }
  key = source.func (secret, source.user_data, error);
  if (key == NULL)
    return -1;
  bytes = g_bytes_get_data (key, &length);
  fd = memfd_create ("key", MFD_CLOEXEC);
  if (fd >= 0 && write (fd, bytes, length) == (ssize_t) length && lseek (fd, 0, SEEK_SET) == 0)
    return fd;
  number = errno;
  if (fd >= 0)
    close (fd);
  vk_fail (error, VK_ERROR_FAILED, "cannot hand the key of an image to QEMU's program: %s", g_strerror (number));
  return -1;
}

void
vk_disk_key_add_object (GPtrArray *argv, const char *secret)
{
  if (secret == NULL)
    return;
  g_ptr_array_add (argv, g_strdup ("--object"));
  g_ptr_array_add (argv, g_strdup_printf ("secret,id=key,file=/dev/fd/%d", VK_PROCESS_FD));
}

gboolean
vk_disk_key_try_again (const char *words, guint *attempts)
{
  return strstr (words, "Unable to get accurate CPU usage") != NULL && ++*attempts < MAX_ATTEMPTS;
}

gboolean
vk_disk_key_is_wrong (const char *words, const char *path, GError **error)
{
  if (strstr (words, "Invalid password") == NULL)
    return FALSE;
  vk_fail (error, VK_ERROR_REFUSED, "the key is wrong for '%s': give its libvirt secret the value that it had when the restore point was made (virsh secret-set-value)", path);
  return TRUE;
}

void
vk_disk_key_describe (JsonObject *node)
{
  JsonObject *encrypt = json_object_new ();

  json_object_set_string_member (encrypt, "format", "luks");
  json_object_set_string_member (encrypt, "key-secret", "key");
  json_object_set_object_member (node, "encrypt", encrypt);
}
