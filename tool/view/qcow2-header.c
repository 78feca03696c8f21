/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "view/qcow2-header.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum
{
  V2_HEADER_BYTES = 72,
  CRYPT_LUKS = 2, /* docs/interop/qcow2.txt, "crypt_method" */
  MAXIMUM_BACKING_LENGTH = 1023, /* docs/interop/qcow2.txt, "backing_file_size" */
  /* Where the fields are, all big-endian. */
  AT_MAGIC = 0,
  AT_VERSION = 4,
  AT_BACKING_OFFSET = 8,
  AT_BACKING_LENGTH = 16,
  AT_SIZE = 24,
  AT_CRYPT_METHOD = 32,
  AT_INCOMPATIBLE_FEATURES = 72,
};

static const guint8 magic[] = { 'Q', 'F', 'I', 0xfb };

static guint32
get32 (const guint8 *bytes)
{
  guint32 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT32_FROM_BE (value);
}

static guint64
get64 (const guint8 *bytes)
{
  guint64 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT64_FROM_BE (value);
}

gboolean
vk_qcow2_header_parse (const guint8 *bytes, gsize length, const char *name, VkQcow2Header *header, GError **error)
{
  if (length < V2_HEADER_BYTES || memcmp (bytes + AT_MAGIC, magic, sizeof magic) != 0)
    return vk_fail (error, VK_ERROR_STORE, "'%s' is not a qcow2 image", name);
  header->version = get32 (bytes + AT_VERSION);
  header->size = get64 (bytes + AT_SIZE);
  header->has_backing = get64 (bytes + AT_BACKING_OFFSET) != 0;
  header->is_luks = get32 (bytes + AT_CRYPT_METHOD) == CRYPT_LUKS;
  header->incompatible_features = 0;
  if (header->version < 2 || header->version > 3)
    return vk_fail (error, VK_ERROR_STORE, "'%s' is a qcow2 image of version %u; only 2 and 3 are known", name, header->version);
  if (header->version == 2)
    return TRUE;
  if (length < VK_QCOW2_HEADER_BYTES)
    return vk_fail (error, VK_ERROR_STORE, "'%s' is a qcow2 image that ends within its header", name);
  header->incompatible_features = get64 (bytes + AT_INCOMPATIBLE_FEATURES);
  return TRUE;
}

/* An image that is missing is damage of its store.  Returns FALSE, to be returned. */
static gboolean
set_errno_error (GError **error, const char *path)
{
  int number = errno;

  return vk_fail (error, VK_ERROR_STORE, "cannot read '%s': %s", path, g_strerror (number));
}

static gboolean
read_start (int fd, const char *path, guint8 *bytes, gsize *length, GError **error)
{
  struct stat status;

  if (fstat (fd, &status) < 0)
    return set_errno_error (error, path);
  if (!S_ISREG (status.st_mode))
    return vk_fail (error, VK_ERROR_STORE, "'%s' is not a regular file", path);
  for (*length = 0; *length < VK_QCOW2_HEADER_BYTES;)
    {
      gssize got = read (fd, bytes + *length, VK_QCOW2_HEADER_BYTES - *length);

      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return set_errno_error (error, path);
      if (got == 0)
        break;
      *length += (gsize) got;
    }
  return TRUE;
}

gboolean
vk_qcow2_header_read (const char *path, VkQcow2Header *header, GError **error)
{
  guint8 bytes[VK_QCOW2_HEADER_BYTES];
  gsize length;
  gboolean ok;
  /* A FIFO in the place of an image must not block us. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0)
    return set_errno_error (error, path);
  ok = read_start (fd, path, bytes, &length, error);
  close (fd);
  return ok && vk_qcow2_header_parse (bytes, length, path, header, error);
}

static char *
read_backing_name (int fd, const char *path, GError **error)
{
  guint8 bytes[VK_QCOW2_HEADER_BYTES];
  gsize got;
  VkQcow2Header header;
  guint64 offset;
  guint32 length;
  g_autofree char *name = NULL;

  if (!read_start (fd, path, bytes, &got, error) || !vk_qcow2_header_parse (bytes, got, path, &header, error) || !header.has_backing)
    return NULL;
  offset = get64 (bytes + AT_BACKING_OFFSET);
  length = get32 (bytes + AT_BACKING_LENGTH);
  name = g_malloc0 (MAXIMUM_BACKING_LENGTH + 1);
  if (offset <= G_MAXINT64 && length > 0 && length <= MAXIMUM_BACKING_LENGTH && pread (fd, name, length, (off_t) offset) == (gssize) length)
    return g_steal_pointer (&name);
  vk_fail (error, VK_ERROR_STORE, "'%s' is a qcow2 image whose backing file's name cannot be read", path);
  return NULL;
}

char *
vk_qcow2_backing_name (const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  char *name;

  if (fd < 0)
    {
      set_errno_error (error, path);
      return NULL;
    }
  name = read_backing_name (fd, path, error);
  close (fd);
  return name;
}

gboolean
vk_qcow2_check (const char *path, GError **error)
{
  VkQcow2Header header;

  if (!vk_qcow2_header_read (path, &header, error))
    return FALSE;
  if (header.incompatible_features & VK_QCOW2_INCOMPATIBLE_DATA_FILE)
    return vk_fail (error, VK_ERROR_STORE, "'%s' keeps its data in another file, which is not accepted here", path);
  return TRUE;
}
