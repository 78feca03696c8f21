/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "files/guest-private.h"

enum { MAX_OPEN_DIRECTORIES = 32, PERMISSIONS = 0777 };

/* Between two looks at what has been copied. */
enum { WATCH_MILLISECONDS = 500 };

/* Makes what guestfish has copied safe to be let out of the private directory: root's
 * copy would have the owners and set-id bits of the guest, and its devices. */
static int
make_ours (const char *path, const struct stat *status, int type, struct FTW *place)
{
  if (S_ISLNK (status->st_mode))
    return lchown (path, geteuid (), getegid ());
  if (!S_ISREG (status->st_mode) && !S_ISDIR (status->st_mode))
    return unlink (path);
  if (lchown (path, geteuid (), getegid ()) != 0)
    return -1;
  return chmod (path, status->st_mode & PERMISSIONS);
}

/* guestfish copies a single file without its mode and time. */
static gboolean
set_mode_and_time (const char *path, const VkGuestFile *file)
{
  struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = file->mtime } };

  return chmod (path, file->mode & PERMISSIONS) == 0 && utimensat (AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0;
}

static gboolean
finish_copy (const char *copy, const VkGuestFile *file, GError **error)
{
  int number;

  if (nftw (copy, make_ours, MAX_OPEN_DIRECTORIES, FTW_PHYS | FTW_DEPTH) == 0 && (S_ISDIR (file->mode) || set_mode_and_time (copy, file)))
    return TRUE;
  number = errno;
  return vk_fail (error, VK_ERROR_STORE, "cannot finish the copy '%s': %s", copy, g_strerror (number));
}

/* --- progress --------------------------------------------------------------- */

/* How the copy grows, while guestfish is waited for. */
typedef struct
{
  const char *copy;
  guint64 total; /* bytes, 0: unknown */
  VkReporter *reporter;
  GMutex mutex;
  GCond cond;
  gboolean over;
} Watch;

static void
show (const Watch *watch)
{
  guint64 size = vk_tree_size (watch->copy);

  vk_reporter_progress (watch->reporter, &(VkProgressItem) { .done = watch->total ? MIN (size, watch->total) : size, .total = watch->total }, 1);
}

static gpointer
run_watch (gpointer data)
{
  Watch *watch = data;

  g_mutex_lock (&watch->mutex);
  while (!watch->over)
    {
      show (watch);
      g_cond_wait_until (&watch->cond, &watch->mutex, g_get_monotonic_time () + WATCH_MILLISECONDS * 1000);
    }
  g_mutex_unlock (&watch->mutex);
  return NULL;
}

static gboolean
copy_watched (VkGuest *guest, const char *from, const char *stage, Watch *watch, GCancellable *cancellable, GError **error)
{
  GThread *thread;
  gboolean copied;

  g_mutex_init (&watch->mutex);
  g_cond_init (&watch->cond);
  thread = g_thread_new ("watch", run_watch, watch);
  copied = vk_fish_do (guest->fish, cancellable, error, "copy-out", from, stage, NULL);
  g_mutex_lock (&watch->mutex);
  watch->over = TRUE;
  g_cond_signal (&watch->cond);
  g_mutex_unlock (&watch->mutex);
  g_thread_join (thread);
  if (copied)
    show (watch);
  g_cond_clear (&watch->cond);
  g_mutex_clear (&watch->mutex);
  return copied;
}

/* --- the copy --------------------------------------------------------------- */

/* Into the private directory stage, and from there to its place in one step. */
static gboolean
copy_through (VkGuest *guest, const char *from, const VkGuestFile *file, const char *stage, const char *to_path, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  g_autofree char *copy = g_build_filename (stage, file->name, NULL);
  Watch watch = { .copy = copy, .total = S_ISREG (file->mode) ? file->size : 0, .reporter = reporter };

  return copy_watched (guest, from, stage, &watch, cancellable, error)
         && finish_copy (copy, file, error)
         && !g_cancellable_set_error_if_cancelled (cancellable, error)
         && vk_file_rename (copy, to_path, error);
}

gboolean
vk_guest_copy (VkGuest *guest, const char *path, const char *to_path, VkReporter *reporter, GCancellable *cancellable, GError **error)
{
  g_autofree char *from = vk_guest_resolve (guest, path, cancellable, error);
  VkGuestFile *file = from ? vk_guest_stat (guest, from, cancellable, error) : NULL;
  g_autofree char *parent = g_path_get_dirname (to_path);
  g_autofree char *stage = NULL;
  gboolean done = FALSE;

  if (file == NULL)
    return FALSE;
  if (strcmp (from, "/") == 0 || (!S_ISREG (file->mode) && !S_ISDIR (file->mode)))
    vk_fail (error, VK_ERROR_REFUSED, "'%s' is neither a file nor a directory in the file system: name one", path);
  else
    stage = vk_directory_make_private (parent, ".virt-keep-", NULL, error);
  if (stage != NULL)
    {
      done = copy_through (guest, from, file, stage, to_path, reporter, cancellable, error);
      vk_tree_remove (stage, NULL);
    }
  vk_guest_file_free (file);
  return done;
}
