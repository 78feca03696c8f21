/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/qemu-reach.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_setgroups32
#define SETGROUPS SYS_setgroups32
#else
#define SETGROUPS SYS_setgroups
#endif

enum { GROUPS_LIMIT = 256, ENTRY_LIMIT = 1 << 20 };

/* --- the user ------------------------------------------------------------- */

/* What the user is called, or NULL where nobody has this id.  Other threads may ask, too, and
 * getpwuid() would give all of them the same place. */
static char *
find_user_name (guint uid)
{
  g_autofree char *texts = NULL;
  struct passwd place;
  struct passwd *entry = NULL;
  int failure = ERANGE;

  for (gsize size = 1024; failure == ERANGE && size <= ENTRY_LIMIT; size *= 2)
    {
      texts = g_realloc (texts, size);
      failure = getpwuid_r (uid, &place, texts, size, &entry);
    }
  return failure == 0 && entry != NULL ? g_strdup (entry->pw_name) : NULL;
}

/* --- as the user ---------------------------------------------------------- */

typedef struct
{
  guint uid;
  guint gid;
  char *path;     /* absolute, without symbolic links */
  char *obstacle; /* the first directory that cannot be passed */
} Attempt;

/* Makes this thread, and no other, meet the permissions that the user meets.  For files
 * alone: nobody can send it signals or trace it as that user.  The kernel takes the
 * capabilities that override permissions away with the id. */
static gboolean
become (const Attempt *attempt)
{
  gid_t groups[GROUPS_LIMIT];
  int count = GROUPS_LIMIT;
  g_autofree char *name = find_user_name (attempt->uid);

  groups[0] = attempt->gid;
  if (name == NULL || getgrouplist (name, attempt->gid, groups, &count) < 0)
    count = 1;
  if (attempt->uid != geteuid () && syscall (SETGROUPS, (size_t) count, groups) < 0)
    return FALSE;
  setfsgid (attempt->gid);
  setfsuid (attempt->uid);
  /* An id that cannot be is refused, and the present one told. */
  return (guint) setfsuid ((uid_t) -1) == attempt->uid;
}

static gboolean
can_pass (const char *directory)
{
  g_autofree char *inside = g_build_filename (directory, ".", NULL);
  struct stat status;

  return stat (inside, &status) == 0 || errno != EACCES;
}

static gpointer
walk (gpointer data)
{
  Attempt *attempt = data;

  if (!become (attempt))
    return NULL;
  for (const char *end = attempt->path; end != NULL && attempt->obstacle == NULL; end = strchr (end + 1, '/'))
    {
      const char *next = strchr (end + 1, '/');
      g_autofree char *part = next ? g_strndup (attempt->path, (gsize) (next - attempt->path)) : g_strdup (attempt->path);

      if (!can_pass (part))
        attempt->obstacle = g_steal_pointer (&part);
    }
  return NULL;
}

static char *
find_closed_directory (const VkQemuReach *reach, const char *path)
{
  Attempt attempt = { .uid = reach->uid, .gid = reach->gid, .path = (char *) path };

  /* The ids go away with the thread. */
  g_thread_join (g_thread_new ("reach", walk, &attempt));
  return attempt.obstacle;
}

/* --- in its mount namespace ----------------------------------------------- */

/* Whether a program's arguments, NUL after NUL, have "-uuid" and then uuid. */
static gboolean
has_uuid (const char *arguments, gsize length, const char *uuid)
{
  gboolean next = FALSE;

  for (const char *word = arguments; word < arguments + length; word += strlen (word) + 1)
    {
      if (next && strcmp (word, uuid) == 0)
        return TRUE;
      next = strcmp (word, "-uuid") == 0;
    }
  return FALSE;
}

pid_t
vk_qemu_find_process (const char *uuid)
{
  g_autoptr (GDir) processes = g_dir_open ("/proc", 0, NULL);
  const char *name;

  while (processes != NULL && (name = g_dir_read_name (processes)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc", name, "cmdline", NULL);
      g_autofree char *arguments = NULL;
      gsize length;

      if (g_ascii_isdigit (*name) && g_file_get_contents (path, &arguments, &length, NULL) && has_uuid (arguments, length, uuid))
        return (pid_t) g_ascii_strtoll (name, NULL, 10);
    }
  return 0;
}

/* Where we may not look, nothing is hidden as far as we know. */
static gboolean
is_hidden (const char *uuid, const char *path)
{
  pid_t process = vk_qemu_find_process (uuid);
  g_autofree char *seen_path = g_strdup_printf ("/proc/%d/root%s", (int) process, path);
  struct stat here, there;

  if (process == 0 || stat (path, &here) < 0)
    return FALSE;
  if (stat (seen_path, &there) < 0)
    return errno == ENOENT || errno == ENOTDIR;
  return here.st_dev != there.st_dev || here.st_ino != there.st_ino;
}

/* --- both ----------------------------------------------------------------- */

char *
vk_qemu_describe_obstacle (const VkQemuReach *reach, const char *directory, char **advice)
{
  char *path = realpath (directory, NULL);
  g_autofree char *closed = path && reach->has_user ? find_closed_directory (reach, path) : NULL;
  char *text = NULL;

  *advice = NULL;
  if (closed != NULL)
    {
      g_autofree char *name = find_user_name (reach->uid);
      g_autofree char *user = name ? g_steal_pointer (&name) : g_strdup_printf ("%u", reach->uid);

      text = g_strdup_printf ("QEMU runs as the user %s, who cannot pass through '%s'", user, closed);
      *advice = g_strdup_printf ("chmod o+x '%s', or name another place", closed);
    }
  else if (path != NULL && reach->uuid != NULL && is_hidden (reach->uuid, path))
    {
      text = g_strdup_printf ("the domain's QEMU does not see '%s' as it is: it has its own view of mounted file systems, and one that was mounted after the domain was started is not in it", directory);
      *advice = g_strdup ("start the domain anew, or name another place");
    }
  free (path);
  return text;
}
