/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/store.h"

#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file-digest.h"
#include "store/image/image-store.h"
#ifdef HAVE_RESTIC
#include "store/restic/restic-store.h"
#endif

/* Where url continues after scheme, or NULL when it has another one. */
static const char *
after_scheme (const char *url, const char *scheme)
{
  return strncmp (url, scheme, strlen (scheme)) == 0 ? url + strlen (scheme) : NULL;
}

static VkStore *
open_restic (const char *location, const char *url, const VkStoreSettings *settings, gboolean make, GError **error)
{
#ifdef HAVE_RESTIC
  return (make ? vk_restic_store_create : vk_restic_store_open) (location, settings, error);
#else
  vk_fail (error, VK_ERROR_USAGE, "store '%s': this virt-keep was built without the restic store; an image store is a directory, as in --store /srv/backup", url);
  return NULL;
#endif
}

/* The directory of the image store that url names, or NULL with *error. */
static const char *
image_path (const char *url, GError **error)
{
  const char *path = after_scheme (url, "image:");

  if (path == NULL && strstr (url, "://") == NULL && (strchr (url, '/') != NULL || strchr (url, ':') == NULL))
    path = url;
  if (path != NULL && *path != '\0')
    return path;
  vk_fail (error, VK_ERROR_USAGE, "'%s' is not a store: give a directory, as in --store /srv/backup or --store image:/srv/backup, or a restic repository, as in --store restic:/srv/repository", url);
  return NULL;
}

char *
vk_store_shown_url (const char *url)
{
  const char *path = after_scheme (url, "restic:") ? NULL : image_path (url, NULL);
  const char *host = strstr (url, "://");
  const char *end = host ? host + strlen ("://") + strcspn (host + strlen ("://"), "/?#") : NULL;
  const char *at = host ? g_strrstr_len (host, end - host, "@") : NULL;

  if (path != NULL)
    return g_canonicalize_filename (path, NULL);
  if (at == NULL)
    return g_strdup (url);
  return g_strdup_printf ("%.*s%s", (int) (host + strlen ("://") - url), url, at + 1);
}

VkStore *
vk_store_open (const char *url, const VkStoreSettings *settings, gboolean create, GError **error)
{
  const char *repository = after_scheme (url, "restic:");
  const char *path;

  if (repository != NULL)
    return open_restic (repository, url, settings, FALSE, error);
  path = image_path (url, error);
  return path ? vk_image_store_open (path, create, error) : NULL;
}

VkStore *
vk_store_create (const char *url, const VkStoreSettings *settings, GError **error)
{
  const char *repository = after_scheme (url, "restic:");
  const char *path;

  if (repository != NULL)
    return open_restic (repository, url, settings, TRUE, error);
  path = image_path (url, error);
  return path ? vk_image_store_create (path, error) : NULL;
}

gboolean
vk_store_read_password (const char *url, const VkStoreSettings *settings, char **password, GCancellable *cancellable, GError **error)
{
  *password = NULL;
#ifdef HAVE_RESTIC
  if (after_scheme (url, "restic:") != NULL)
    return vk_restic_store_read_password (after_scheme (url, "restic:"), settings, password, cancellable, error);
#endif
  return TRUE;
}

void
vk_store_password_free (char *password)
{
  if (password != NULL)
    explicit_bzero (password, strlen (password));
  g_free (password);
}

gboolean
vk_store_is_pull_only (const char *url)
{
  return after_scheme (url, "restic:") != NULL;
}

void
vk_store_free (VkStore *store)
{
  store->ops->free (store);
}

void
vk_store_leftover_free (VkStoreLeftover *leftover)
{
  g_free (leftover->place);
  g_free (leftover->text);
  g_free (leftover->advice);
  g_free (leftover);
}

VkDomainLock *
vk_store_lock_domain (VkStore *store, const char *domain_name, const char *domain_uuid, GError **error)
{
  g_autofree char *directory = store->ops->lock_directory (store, domain_name, domain_uuid, error);

  return directory == NULL ? NULL : vk_domain_lock_take (directory, store->ops->lock_mode, domain_name, error);
}

gboolean
vk_store_is_busy (VkStore *store, const char *domain_name, const char *domain_uuid, char **holder)
{
  g_autofree char *directory = store->ops->lock_directory (store, domain_name, domain_uuid, NULL);

  return directory != NULL && vk_domain_lock_is_held (directory, holder);
}

char *
vk_store_domain_directory (VkStore *store, const char *domain_name, const char *domain_uuid)
{
  return store->ops->domain_directory != NULL ? store->ops->domain_directory (store, domain_name, domain_uuid, NULL) : NULL;
}

GPtrArray *
vk_store_find_leftovers (VkStore *store, const char *domain_uuid, GError **error)
{
  return store->ops->find_leftovers (store, domain_uuid, error);
}

gboolean
vk_store_clear_leftover (VkStore *store, const VkStoreLeftover *leftover, GError **error)
{
  return store->ops->clear_leftover (store, leftover, error);
}

GPtrArray *
vk_store_list (VkStore *store, const char *domain, GError **error)
{
  return store->ops->list (store, domain, error);
}

VkNbdServer *
vk_store_open_disk (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, const char *socket_dir, GError **error)
{
  return store->ops->open_disk (store, point, disk, socket_dir, error);
}

VkLastingDoor *
vk_store_open_lasting (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, const VkDoorPlace *place, GError **error)
{
  return store->ops->open_lasting (store, point, disk, place, error);
}

char *
vk_store_describe_disk (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, GError **error)
{
  return store->ops->describe_disk ? store->ops->describe_disk (store, point, disk, error) : NULL;
}

void
vk_damage_free (VkDamage *damage)
{
  g_free (damage->file);
  g_free (damage->message);
  g_ptr_array_unref (damage->affects);
  g_free (damage);
}

gboolean
vk_store_check_base (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error)
{
  return store->ops->check_base == NULL || store->ops->check_base (store, point, disk, cancellable, error);
}

gboolean
vk_store_verify (VkStore *store, const GPtrArray *points, const char *socket_dir, GPtrArray *damages, GCancellable *cancellable, GError **error)
{
  return store->ops->verify (store, points, socket_dir, damages, cancellable, error);
}

gboolean
vk_store_check_disk (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error)
{
  return store->ops->check_disk (store, point, disk, cancellable, error);
}

gboolean
vk_store_check_point (VkStore *store, const VkPoint *point, GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < point->manifest->disks->len; i++)
    if (!vk_store_check_disk (store, point, g_ptr_array_index (point->manifest->disks, i), cancellable, error))
      return FALSE;
  return TRUE;
}

static void
merge_free (VkMerge *merge)
{
  g_free (merge->point);
  g_free (merge->disk);
  g_free (merge->base);
  g_free (merge);
}

VkRemoval *
vk_removal_new (void)
{
  VkRemoval *removal = g_new0 (VkRemoval, 1);

  removal->removed = g_ptr_array_new_with_free_func (g_free);
  removal->merged = g_ptr_array_new_with_free_func ((GDestroyNotify) merge_free);
  return removal;
}

void
vk_removal_free (VkRemoval *removal)
{
  g_ptr_array_unref (removal->removed);
  g_ptr_array_unref (removal->merged);
  g_free (removal);
}

gboolean
vk_store_remove (VkStore *store, const GPtrArray *points, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  return store->ops->remove (store, points, removal, cancellable, error);
}

gboolean
vk_store_finish (VkStore *store, const char *domain, VkRemoval *removal, GCancellable *cancellable, GError **error)
{
  return store->ops->finish (store, domain, removal, cancellable, error);
}

gboolean
vk_note_check (const char *text, GError **error)
{
  if (!g_utf8_validate (text, -1, NULL))
    vk_fail (error, VK_ERROR_USAGE, "the note is not UTF-8 text");
  else if (strlen (text) > VK_NOTE_LIMIT)
    vk_fail (error, VK_ERROR_USAGE, "the note is longer than %d bytes", VK_NOTE_LIMIT);
  else
    {
      const char *c = text;

      while (*c != '\0' && !g_unichar_iscntrl (g_utf8_get_char (c)))
        c = g_utf8_next_char (c);
      if (*c == '\0')
        return TRUE;
      vk_fail (error, VK_ERROR_USAGE, "the note is more than one line, or has control characters");
    }
  return FALSE;
}

gboolean
vk_store_annotate (VkStore *store, const VkPoint *point, gboolean is_protected, const char *note, GError **error)
{
  return (note == NULL || vk_note_check (note, error)) && store->ops->annotate (store, point, is_protected, note, error);
}

gboolean
vk_store_record_verdict (VkStore *store, const VkPoint *point, const VkVerdict *verdict, GBytes *screenshot, GError **error)
{
  return store->ops->record_verdict (store, point, verdict, screenshot, error);
}

static gboolean
check_digest (const VkPoint *point, const VkManifestFile *file, const char *digest, GError **error)
{
  if (strcmp (digest, file->sha256) == 0)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "'%s' of %s is damaged: its SHA-256 is not the one in the manifest", file->name, point->location);
}

char *
vk_store_load_file (VkStore *store, const VkPoint *point, const VkManifestFile *file, gsize limit, GError **error)
{
  g_autofree char *text = store->ops->load_file (store, point, file, limit, error);
  g_autoptr (VkDigest) digest = NULL;
  g_autofree char *found = NULL;

  if (text == NULL)
    return NULL;
  digest = vk_digest_new ();
  vk_digest_update (digest, text, strlen (text));
  found = vk_digest_finish (digest);
  return check_digest (point, file, found, error) ? g_steal_pointer (&text) : NULL;
}

gboolean
vk_store_copy_file (VkStore *store, const VkPoint *point, const VkManifestFile *file, const char *to_path, GCancellable *cancellable, GError **error)
{
  g_autofree char *found = NULL;

  if (!store->ops->copy_file (store, point, file, to_path, cancellable, error))
    return FALSE;
  found = vk_file_sha256 (to_path, NULL, cancellable, error);
  if (found != NULL && check_digest (point, file, found, error))
    return TRUE;
  unlink (to_path);
  return FALSE;
}

gboolean
vk_store_copy (VkStore *store, const GPtrArray *points, const char *url, const VkStoreSettings *settings, GCancellable *cancellable, GError **error)
{
  if (store->ops->copy != NULL)
    return store->ops->copy (store, points, url, settings, cancellable, error);
  return vk_fail (error, VK_ERROR_REFUSED, "an image store is copied as the directory that it is, with cp -a or rsync -aS: see virt-keep-store(5)");
}

gboolean
vk_store_mount (VkStore *store, const char *directory, GCancellable *cancellable, GError **error)
{
  if (store->ops->mount != NULL)
    return store->ops->mount (store, directory, cancellable, error);
  return vk_fail (error, VK_ERROR_REFUSED, "the images of an image store are mounted one by one, with guestmount or qemu-nbd: see virt-keep-store(5)");
}

VkPointWriter *
vk_store_begin_point (VkStore *store, const char *domain_name, const char *domain_uuid, GCancellable *cancellable, GError **error)
{
  return store->ops->begin_point (store, domain_name, domain_uuid, cancellable, error);
}

gboolean
vk_point_writer_open (VkPointWriter *writer, gboolean qemu_writes, GError **error)
{
  return writer->ops->open (writer, qemu_writes, error);
}

char *
vk_point_writer_push_target (VkPointWriter *writer, const char *disk, guint64 size, const VkPoint *base, const char *secret, GError **error)
{
  return writer->ops->push_target (writer, disk, size, base, secret, error);
}

VkSink *
vk_point_writer_open_sink (VkPointWriter *writer, const char *disk, guint64 size, const VkPoint *base, const char *secret, const char *socket_dir, GError **error)
{
  return writer->ops->open_sink (writer, disk, size, base, secret, socket_dir, error);
}

gboolean
vk_point_writer_rebase_disk (VkPointWriter *writer, const char *disk, const VkPoint *base, char **onto, GCancellable *cancellable, GError **error)
{
  return writer->ops->rebase_disk (writer, disk, base, onto, cancellable, error);
}

gboolean
vk_point_writer_close_sinks (VkPointWriter *writer, GError **error)
{
  return writer->ops->close_sinks (writer, error);
}

gboolean
vk_point_writer_seal_disk (VkPointWriter *writer, VkManifestDisk *disk, GCancellable *cancellable, GError **error)
{
  return writer->ops->seal_disk (writer, disk, cancellable, error);
}

gboolean
vk_point_writer_add_file (VkPointWriter *writer, const char *name, const char *content, VkManifestFile *file, GError **error)
{
  return writer->ops->add_file (writer, name, content, file, error);
}

gboolean
vk_point_writer_copy_file (VkPointWriter *writer, const char *name, const char *from_path, VkManifestFile *file, GError **error)
{
  return writer->ops->copy_file (writer, name, from_path, file, error);
}

gboolean
vk_point_writer_commit (VkPointWriter *writer, const VkManifest *manifest, GError **error)
{
  return writer->ops->commit (writer, manifest, error);
}

gboolean
vk_point_writer_make_full (VkPointWriter *writer, const char *reason, VkManifest *manifest, GCancellable *cancellable, GError **error)
{
  return writer->ops->make_full == NULL || writer->ops->make_full (writer, reason, manifest, cancellable, error);
}

void
vk_point_writer_free (VkPointWriter *writer)
{
  writer->ops->free (writer);
}
