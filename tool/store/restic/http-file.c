/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/http-file.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"

enum
{
  NAME_LENGTH = 64,
  /* Uploads of which the server makes something else. */
  MAX_UPLOADS = 3,
};

char *
vk_http_file_label (VkResticType type, const char *name)
{
  return type == VK_RESTIC_CONFIG ? g_strdup ("config") : g_strdup_printf ("%s/%s", vk_restic_type_directory (type), name);
}

gboolean
vk_http_file_is_name (const char *name)
{
  return strlen (name) == NAME_LENGTH && strspn (name, "0123456789abcdef") == NAME_LENGTH;
}

char *
vk_http_file_range (guint64 offset, gsize length)
{
  if (length > 0)
    return g_strdup_printf ("Range: bytes=%" PRIu64 "-%" PRIu64, offset, offset + length - 1);
  return offset > 0 ? g_strdup_printf ("Range: bytes=%" PRIu64 "-", offset) : NULL;
}

guint64
vk_http_file_limit (gsize length)
{
  return length > 0 ? length : VK_BACKEND_MAX_FILE;
}

/* Returns NULL, to be returned. */
static gpointer
set_not_found (const char *location, const char *label, GError **error)
{
  vk_fail (error, VK_ERROR_NOT_FOUND, "%s: there is no %s", location, label);
  return NULL;
}

/* Whether an answer with a part of a file has the part that was asked for. */
static gboolean
begins_at (const VkHttpResponse *response, guint64 offset)
{
  const char *range = vk_http_response_header (response, "content-range");
  g_autofree char *expected = g_strdup_printf ("bytes %" PRIu64 "-", offset);

  return range != NULL && g_str_has_prefix (range, expected);
}

GBytes *
vk_http_file_loaded (VkHttp *http, const char *location, const char *label, const VkHttpRequest *request, const VkHttpResponse *response,
                     guint64 offset, gsize length, GError **error)
{
  gsize got = g_bytes_get_size (response->body);
  gboolean is_range = offset > 0 || length > 0;

  if (response->status == 404)
    return set_not_found (location, label, error);
  /* 416: all of the range lies behind the end. */
  if (response->status == 416 || (response->status == 206 && got < length))
    {
      vk_fail (error, VK_ERROR_STORE, "%s: %s is shorter than it should be: it has no %zu bytes at offset %" PRIu64,
                   location, label, length, offset);
      return NULL;
    }
  if (response->status == 206 && is_range && begins_at (response, offset))
    return g_bytes_ref (response->body);
  if (response->status == 200 && !is_range)
    return g_bytes_ref (response->body);
  if (response->status == 200 || response->status == 206)
    {
      vk_fail (error, VK_ERROR_STORE, "%s: the server does not send the part of %s that was asked for: it needs to know the Range header", location, label);
      return NULL;
    }
  vk_http_refused (http, request, response, error);
  return NULL;
}

gboolean
vk_http_file_size (VkHttp *http, const char *location, const char *label, const VkHttpRequest *request, const VkHttpResponse *response,
                   guint64 *size, GError **error)
{
  if (response->status == 404)
    return set_not_found (location, label, error) != NULL;
  if (response->status != 200)
    return vk_http_refused (http, request, response, error);
  if (response->content_length < 0)
    return vk_fail (error, VK_ERROR_STORE, "%s: the server does not tell the size of %s", location, label);
  *size = (guint64) response->content_length;
  return TRUE;
}

/* After a failure: what is there of it is not to be left.  Something else under
 * the name of the config file is somebody else's repository. */
static void
clean_up (VkUpload *upload)
{
  VkStored stored = VK_STORED_NOTHING;

  if (!upload->look (upload, TRUE, &stored, NULL, NULL))
    return;
  if (stored != VK_STORED_NOTHING && (stored != VK_STORED_OTHER || upload->type != VK_RESTIC_CONFIG))
    upload->discard (upload);
}

/* Returns FALSE, to be returned. */
static gboolean
set_exists (const VkUpload *upload, GError **error)
{
  return vk_fail (error, VK_ERROR_REFUSED, "%s: there is a repository already", upload->backend->location);
}

/* One upload that is looked at.  FALSE also when something else is there
 * afterwards. */
static gboolean
upload_once (VkUpload *upload, VkStored *stored, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) why = NULL;

  if (upload->put (upload, cancellable, &why) && upload->proven)
    {
      *stored = VK_STORED_SAME;
      return TRUE;
    }
  /* An answer may have been lost, or be a refusal since it is there already. */
  if (!g_cancellable_is_cancelled (cancellable) && upload->look (upload, why != NULL, stored, cancellable, why ? NULL : &why))
    {
      if (why == NULL || *stored == VK_STORED_SAME)
        return TRUE;
      if (upload->type == VK_RESTIC_CONFIG && *stored == VK_STORED_OTHER)
        return set_exists (upload, error);
    }
  g_cancellable_set_error_if_cancelled (cancellable, why ? NULL : &why);
  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

static gboolean
upload_checked (VkUpload *upload, GCancellable *cancellable, GError **error)
{
  VkStored stored;

  for (guint i = 0; i < MAX_UPLOADS; i++)
    {
      if (!upload_once (upload, &stored, cancellable, error))
        return FALSE;
      if (stored == VK_STORED_SAME)
        return TRUE;
      if (stored != VK_STORED_NOTHING)
        upload->discard (upload);
    }
  vk_fail (error, VK_ERROR_STORE, "%s: %s was uploaded %d times, and what the server has then is not what was sent: look for damage there",
               upload->backend->location, upload->label, MAX_UPLOADS);
  return FALSE;
}

gboolean
vk_upload_run (VkUpload *upload, GCancellable *cancellable, GError **error)
{
  VkStored stored;

  if (!upload->look (upload, FALSE, &stored, cancellable, error))
    return FALSE;
  if (upload->type == VK_RESTIC_CONFIG && stored != VK_STORED_NOTHING)
    return set_exists (upload, error);
  if (stored == VK_STORED_SAME || upload_checked (upload, cancellable, error))
    return TRUE;
  clean_up (upload);
  return FALSE;
}
