/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/image/image-claims.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"

struct VkImageClaims
{
  GArray *fds;
};

void
vk_image_claims_free (VkImageClaims *claims)
{
  for (guint i = 0; i < claims->fds->len; i++)
    close (g_array_index (claims->fds, int, i));
  g_array_unref (claims->fds);
  g_free (claims);
}

const GArray *
vk_image_claims_fds (const VkImageClaims *claims)
{
  return claims->fds;
}

static gboolean
claim_point (VkImageClaims *claims, const VkPoint *point, gboolean alone, GError **error)
{
  int fd = open (point->location, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  g_autofree char *name = NULL;

  if (fd < 0)
    return TRUE;
  if (flock (fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 || errno != EWOULDBLOCK)
    {
      g_array_append_val (claims->fds, fd);
      return TRUE;
    }
  close (fd);
  name = vk_point_name (point);
  if (alone)
    return vk_fail (error, VK_ERROR_BUSY, "the restore point '%s' is in use: a domain runs that was booted from it, or from one that builds on it", name);
  else
    return vk_fail (error, VK_ERROR_BUSY, "the restore point '%s' is just being removed", name);
}

VkImageClaims *
vk_image_claim (const GPtrArray *points, GHashTable *doomed, gboolean alone, GError **error)
{
  g_autoptr (VkImageClaims) claims = g_new0 (VkImageClaims, 1);

  claims->fds = g_array_new (FALSE, FALSE, sizeof (int));
  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if ((doomed == NULL || g_hash_table_contains (doomed, point->id)) && !claim_point (claims, point, alone, error))
        return NULL;
    }
  return g_steal_pointer (&claims);
}
