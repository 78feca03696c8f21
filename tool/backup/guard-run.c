/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backup/guard-private.h"
#include "backup/guard.h"
#include "backup/scratch.h"
#include "base/error.h"
#include "base/json.h"
#include "base/room.h"
#include "host/domains.h"
#include "host/freeze-marker.h"
#include "host/job-info.h"

enum
{
  LOOK_MILLISECONDS = 250,
  POLL_MILLISECONDS = 100,
  BEGUN_MILLISECONDS = 2000, /* as in leftovers.c: not to be aborted before */
  CONNECT_MILLISECONDS = 2000, /* most jobs of domains where little has changed are over before */
  BEGIN_SECONDS = 30,        /* for a request to begin, whose sender is dead, to be answered */
  RECONNECT_SECONDS = 10,
  GONE_SECONDS = 5,          /* for the end of a process whose socket is closed already */
  ORDER_BYTES = 1 << 20,
};

typedef enum
{
  STAGE_BEFORE,
  STAGE_BEGINNING,
  STAGE_BEGUN,
} Stage;

typedef struct
{
  VkHost *host;
  virDomainPtr domain;
  char *uri;
  char *uuid;
  GStrv files;
  char *scratch_dir;
  guint64 reserve;
  gboolean guest_ran;
  gint64 connect_time; /* monotonic */
  Stage stage;
  gboolean orphaned; /* the backup died */
  gboolean over;
} Guard;

static void
guard_clear (Guard *guard)
{
  g_clear_pointer (&guard->domain, virDomainFree);
  g_clear_pointer (&guard->host, vk_host_free);
  g_free (guard->uri);
  g_free (guard->uuid);
  g_strfreev (guard->files);
  g_free (guard->scratch_dir);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Guard, guard_clear)

static gboolean
parse_order (Guard *guard, const char *line, GError **error)
{
  g_autoptr (JsonObject) object = vk_json_parse (line, "the order of a guard", error);
  g_autoptr (GPtrArray) files = g_ptr_array_new ();
  gboolean at_once;
  JsonArray *array;

  if (object == NULL
      || !vk_json_get_string (object, "uri", "", &guard->uri, error)
      || !vk_json_get_string (object, "domain", NULL, &guard->uuid, error)
      || !vk_json_get_array (object, "files", &array, error)
      || !vk_json_get_string (object, "scratch_dir", "", &guard->scratch_dir, error)
      || !vk_json_get_uint64 (object, "scratch_reserve", 0, &guard->reserve, error)
      || !vk_json_get_boolean (object, "guest_ran", FALSE, &guard->guest_ran, error)
      || !vk_json_get_boolean (object, "at_once", TRUE, &at_once, error))
    return FALSE;
  guard->connect_time = g_get_monotonic_time () + (at_once ? 0 : CONNECT_MILLISECONDS * 1000);
  for (guint i = 0; i < json_array_get_length (array); i++)
    g_ptr_array_add (files, g_strdup (json_array_get_string_element (array, i)));
  g_ptr_array_add (files, NULL);
  guard->files = (GStrv) g_ptr_array_free (g_steal_pointer (&files), FALSE);
  return TRUE;
}

/* No more than the line is read.  Without a whole one the order is none. */
static gboolean
read_order (Guard *guard, GError **error)
{
  g_autoptr (GString) line = g_string_new (NULL);
  char byte = '\0';

  while (line->len < ORDER_BYTES)
    {
      gssize got = recv (STDIN_FILENO, &byte, 1, 0);

      if (got < 0 && errno == EINTR)
        continue;
      if (got != 1 || byte == '\n')
        break;
      g_string_append_c (line, byte);
    }
  if (byte == '\n' && parse_order (guard, line->str, NULL))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "'guard' is a part of 'backup', which starts it itself");
}

static gboolean
on_word (int fd, GIOCondition condition, gpointer user_data)
{
  Guard *guard = user_data;
  char word;
  gssize got = recv (fd, &word, 1, MSG_DONTWAIT);

  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    return G_SOURCE_CONTINUE;
  if (got == 1 && word == VK_GUARD_BEGINNING)
    guard->stage = STAGE_BEGINNING;
  else if (got == 1 && word == VK_GUARD_REFUSED)
    guard->stage = STAGE_BEFORE;
  else if (got == 1 && word == VK_GUARD_BEGUN)
    guard->stage = STAGE_BEGUN;
  else
    {
      guard->orphaned = got != 1;
      guard->over = TRUE;
      return G_SOURCE_REMOVE;
    }
  return G_SOURCE_CONTINUE;
}

/* Nobody sees what a guard prints: the backup is told. */
static gboolean
open_domain (Guard *guard, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *words = NULL;

  guard->host = vk_host_open_unattended (*guard->uri ? guard->uri : NULL, &failure);
  guard->domain = guard->host ? vk_host_find_domain (guard->host, guard->uuid, &failure) : NULL;
  if (guard->domain != NULL)
    return TRUE;
  words = g_strdup_printf ("%c%s", VK_GUARD_FAILED, failure->message);
  send (STDIN_FILENO, words, strlen (words), MSG_NOSIGNAL);
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
connect_domain (Guard *guard)
{
  if (guard->host == NULL)
    return open_domain (guard, NULL);
  if (!vk_host_is_lost (guard->host))
    return TRUE;
  g_clear_pointer (&guard->domain, virDomainFree);
  if (vk_host_reconnect (guard->host, RECONNECT_SECONDS, NULL))
    guard->domain = vk_host_find_domain (guard->host, guard->uuid, NULL);
  return guard->domain != NULL;
}

static gboolean
is_our_job (Guard *guard)
{
  g_auto (GStrv) targets = NULL;
  const char *mode;

  vk_job_backup_details (guard->domain, &mode, &targets);
  for (gsize i = 0; targets != NULL && targets[i] != NULL; i++)
    if (g_strv_contains ((const char *const *) guard->files, targets[i]))
      return TRUE;
  return FALSE;
}

/* Lets the guest go on that the scratch files have stopped. */
static void
resume_guest (Guard *guard)
{
  g_autoptr (VkDomainXml) xml = vk_host_read_domain (guard->host, guard->domain, 0, NULL, NULL);

  vk_scratch_wait_removed ((const char *const *) guard->files);
  if (xml != NULL)
    vk_scratch_resume_guest (guard->domain, xml, NULL);
}

static void
end_job (Guard *guard)
{
  gboolean full = *guard->scratch_dir != '\0' && vk_scratch_is_full (guard->scratch_dir);

  if (virDomainAbortJob (guard->domain) == 0 && full && guard->guest_ran)
    resume_guest (guard);
}

/* libvirtd goes on with a request to begin when its sender is dead, and must not be
 * disturbed in it: see leftovers.c. */
static void
wait_for_begin (Guard *guard)
{
  gint64 deadline = g_get_monotonic_time () + BEGIN_SECONDS * G_USEC_PER_SEC;
  gboolean never = FALSE;
  VkJobInfo info;

  while (g_get_monotonic_time () < deadline)
    {
      if (vk_job_info_get (guard->domain, &info, NULL) && info.is_backup && info.elapsed >= BEGUN_MILLISECONDS)
        return;
      vk_host_run_until (&never, NULL, g_get_monotonic_time () + POLL_MILLISECONDS * 1000, NULL);
    }
}

/* The file systems of the guest, when the backup died between freezing and thawing them.
 * It may take a moment to be gone. */
static void
thaw_guest (Guard *guard)
{
  gint64 deadline = g_get_monotonic_time () + GONE_SECONDS * G_USEC_PER_SEC;
  g_autoptr (GPtrArray) markers = vk_freeze_marker_list (guard->host, guard->uuid, NULL);

  for (guint i = 0; markers != NULL && i < markers->len; i++)
    {
      const VkFreezeMarker *marker = g_ptr_array_index (markers, i);
      guint filesystems;

      while (vk_freeze_marker_is_in_use (marker) && g_get_monotonic_time () < deadline)
        g_usleep (POLL_MILLISECONDS * 1000);
      if (!vk_freeze_marker_is_in_use (marker))
        vk_freeze_marker_thaw (guard->host, marker, &filesystems, NULL);
    }
}

static gboolean
is_short_of_room (const Guard *guard)
{
  VkRoom room;

  return guard->stage == STAGE_BEGUN && guard->reserve > 0 && vk_room_get (guard->scratch_dir, &room, NULL) && room.left < guard->reserve / 2;
}

/* When it next has something to do by itself. */
static gint64
next_time (const Guard *guard)
{
  gint64 next = guard->reserve > 0 ? g_get_monotonic_time () + LOOK_MILLISECONDS * 1000 : G_MAXINT64;

  return guard->host != NULL ? next : MIN (next, guard->connect_time);
}

/* Until the backup ends, dies, or does nothing about a lack of room. */
static gboolean
watch (Guard *guard, GError **error)
{
  while (!guard->over)
    {
      vk_host_run_until (&guard->over, NULL, next_time (guard), NULL);
      if (!guard->over && guard->host == NULL && g_get_monotonic_time () >= guard->connect_time && !open_domain (guard, error))
        return FALSE;
      if (guard->over || !is_short_of_room (guard) || !connect_domain (guard) || !is_our_job (guard))
        continue;
      /* First, so that the backup knows the reason as soon as it hears of the end. */
      send (STDIN_FILENO, &(char){ VK_GUARD_ACTED }, 1, MSG_NOSIGNAL);
      end_job (guard);
      guard->over = TRUE;
    }
  if (!guard->orphaned || !connect_domain (guard))
    return TRUE;
  thaw_guest (guard);
  if (guard->stage == STAGE_BEGINNING)
    wait_for_begin (guard);
  if (is_our_job (guard))
    end_job (guard);
  return TRUE;
}

gboolean
vk_guard_run (GError **error)
{
  g_auto (Guard) guard = { .stage = STAGE_BEFORE };

  if (!read_order (&guard, error))
    return FALSE;
  g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP, on_word, &guard);
  return watch (&guard, error);
}
