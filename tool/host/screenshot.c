/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/screenshot.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* No display of a machine has more, in bytes and in pixels a side. */
enum { PICTURE_LIMIT = 256 << 20, SIDE_LIMIT = 16384 };

G_DEFINE_AUTOPTR_CLEANUP_FUNC (virStream, virStreamFree)

/* --- from the domain -------------------------------------------------------------- */

/* The return values are those of virStreamRecvAll(). */
static int
take_bytes (virStreamPtr stream, const char *data, size_t length, void *opaque)
{
  GByteArray *bytes = opaque;

  if (bytes->len + length > PICTURE_LIMIT)
    return -1;
  g_byte_array_append (bytes, (const guint8 *) data, (guint) length);
  return (int) length;
}

GBytes *
vk_screenshot (VkHost *host, virDomainPtr domain, GError **error)
{
  g_autoptr (virStream) stream = virStreamNew (vk_host_connection (host), 0);
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GBytes) picture = NULL;
  char *type = stream ? virDomainScreenshot (domain, stream, 0, 0) : NULL;
  gboolean is_png = type != NULL && strcmp (type, "image/png") == 0;

  if (type == NULL || virStreamRecvAll (stream, take_bytes, bytes) < 0 || virStreamFinish (stream) < 0)
    {
      vk_set_libvirt_error (error, NULL, "there is no screenshot");
      free (type);
      return NULL;
    }
  free (type);
  picture = g_byte_array_free_to_bytes (g_steal_pointer (&bytes));
  return is_png ? g_steal_pointer (&picture) : vk_ppm_to_png (picture, error);
}

/* --- PPM ---------------------------------------------------------------------------- */

/* The next number of the header, behind white space and comments; 0 for none. */
static guint
take_number (const char **at, const char *end)
{
  guint number = 0;

  while (*at < end && (g_ascii_isspace (**at) || **at == '#'))
    {
      if (**at == '#')
        while (*at < end && **at != '\n')
          ++*at;
      else
        ++*at;
    }
  for (; *at < end && g_ascii_isdigit (**at) && number <= SIDE_LIMIT; ++*at)
    number = number * 10 + (guint) (**at - '0');
  return number;
}

/* The pixels, three bytes each, or NULL when it is no such picture. */
static const char *
parse_ppm (GBytes *ppm, guint *width, guint *height)
{
  gsize length;
  const char *at = g_bytes_get_data (ppm, &length);
  const char *end = at + length;
  guint greatest;

  if (length < 3 || memcmp (at, "P6", 2) != 0)
    return NULL;
  at += 2;
  *width = take_number (&at, end);
  *height = take_number (&at, end);
  greatest = take_number (&at, end);
  if (*width < 1 || *width > SIDE_LIMIT || *height < 1 || *height > SIDE_LIMIT || greatest != 255 || at >= end)
    return NULL;
  at++;
  return (gsize) (end - at) >= (gsize) *width * *height * 3 ? at : NULL;
}

GBytes *
vk_ppm_to_png (GBytes *ppm, GError **error)
{
  png_image image = { .version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_RGB };
  const char *pixels = parse_ppm (ppm, &image.width, &image.height);
  g_autofree guint8 *png = NULL;
  png_alloc_size_t length = 0;

  if (pixels == NULL)
    {
      vk_fail (error, VK_ERROR_FAILED, "the screenshot is neither PNG nor PPM");
      return NULL;
    }
  length = PNG_IMAGE_PNG_SIZE_MAX (image);
  png = g_malloc (length);
  if (png_image_write_to_memory (&image, png, &length, 0, pixels, 0, NULL))
    return g_bytes_new_take (g_steal_pointer (&png), length);
  vk_fail (error, VK_ERROR_FAILED, "the screenshot cannot be made PNG: %s", image.message);
  return NULL;
}
