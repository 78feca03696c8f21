/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Step 4: whether, and how, the guest is frozen for the instant. */
#include "config.h"

#include <stdarg.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "host/agent.h"
#include "host/guest-info.h"

static void
set_reason (VkBackup *backup, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
set_reason (VkBackup *backup, const char *format, ...)
{
  VkManifestQuiesce *quiesce = vk_manifest_make_quiesce (backup->manifest);
  va_list args;

  va_start (args, format);
  g_free (quiesce->reason);
  quiesce->reason = g_strdup_vprintf (format, args);
  va_end (args);
}

static gboolean
is_paused (VkBackup *backup)
{
  int state, reason;

  return virDomainGetState (backup->domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_PAUSED;
}

/* Why the guest cannot be frozen, as the reason in the manifest; none when it can. */
static void
find_obstacle (VkBackup *backup)
{
  g_autoptr (GError) failure = NULL;

  if (!vk_agent_has_channel (backup->domain))
    set_reason (backup, "the domain has no channel for the guest agent (org.qemu.guest_agent.0)");
  else if (is_paused (backup))
    set_reason (backup, "the domain is paused, and so is its guest agent");
  else if (!vk_agent_is_awake (backup->domain, &failure))
    set_reason (backup, "%s", failure->message);
}

/* Without a guest that runs, what is on the disks is what it left there. */
static gboolean
has_guest (const VkBackup *backup)
{
  return backup->state == VK_STATE_RUNNING;
}

gboolean
vk_backup_check_quiesce (VkBackup *backup, GError **error)
{
  VkManifestQuiesce *quiesce = vk_manifest_make_quiesce (backup->manifest);

  quiesce->requested = g_strdup (vk_quiesce_words[backup->request->quiesce]);
  if (!has_guest (backup))
    set_reason (backup, "the guest does not run");
  else if (backup->request->quiesce == VK_QUIESCE_NEVER)
    set_reason (backup, "--quiesce never");
  else
    find_obstacle (backup);
  if (quiesce->reason == NULL || !has_guest (backup) || backup->request->quiesce != VK_QUIESCE_REQUIRE)
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "the file systems of '%s' cannot be frozen, as --quiesce require wants it: %s: see to the guest agent, or leave the option out", backup->xml->name, quiesce->reason);
}

void
vk_backup_thaw_leftover (VkBackup *backup)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GPtrArray) markers = vk_freeze_marker_list (backup->host, backup->xml->uuid, &failure);

  for (guint i = 0; markers != NULL && i < markers->len && failure == NULL; i++)
    {
      const VkFreezeMarker *marker = g_ptr_array_index (markers, i);
      guint filesystems = 0;

      if (!vk_freeze_marker_is_in_use (marker) && vk_freeze_marker_thaw (backup->host, marker, &filesystems, &failure) && filesystems > 0)
        vk_backup_warn (backup, "%u file systems of '%s' were still frozen, by an earlier backup that was killed (%s), and were thawed", filesystems, backup->xml->name, marker->time);
    }
  if (failure != NULL)
    vk_backup_warn (backup, "an earlier backup may have left '%s' frozen: %s", backup->xml->name, failure->message);
}

gboolean
vk_backup_freeze (VkBackup *backup, GError **error)
{
  const VkBackupRequest *request = backup->request;
  g_autoptr (GError) failure = NULL;

  if (backup->manifest->quiesce->reason != NULL)
    return TRUE;
  vk_reporter_phase (backup->reporter, "freeze", "freezing the file systems of the guest");
  backup->freeze = vk_freeze_begin (backup->host, backup->domain, request->freeze_mounts, request->freeze_limit, &failure);
  if (backup->freeze != NULL)
    return TRUE;
  backup->still_frozen = g_error_matches (failure, VK_ERROR, VK_ERROR_FROZEN);
  set_reason (backup, "%s", failure->message);
  if (request->quiesce == VK_QUIESCE_REQUIRE || backup->still_frozen)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  vk_backup_warn (backup, "the file systems of '%s' are not frozen: %s", backup->xml->name, failure->message);
  return TRUE;
}

/* What kept the freeze from covering the instant, as the reason. */
static void
judge (VkBackup *backup, const VkFreezeReport *report)
{
  VkManifestQuiesce *quiesce = backup->manifest->quiesce;

  quiesce->filesystems = report->filesystems;
  quiesce->milliseconds = report->milliseconds;
  if (report->expired)
    set_reason (backup, "libvirt had not begun the backup after %u seconds, and the guest was thawed before it did: see --freeze-limit", backup->request->freeze_limit);
  else if (report->broken)
    set_reason (backup, "they were thawed by somebody else meanwhile");
  else if (report->filesystems == 0)
    set_reason (backup, "the guest agent found none to freeze");
  quiesce->frozen = quiesce->reason == NULL;
}

gboolean
vk_backup_thaw (VkBackup *backup, GError **error)
{
  g_autoptr (GError) failure = NULL;
  VkFreezeReport report;

  if (backup->freeze == NULL)
    return TRUE;
  if (!vk_freeze_end (g_steal_pointer (&backup->freeze), &report, &failure))
    {
      backup->still_frozen = TRUE;
      vk_backup_warn (backup, "%s", failure->message);
    }
  judge (backup, &report);
  if (backup->manifest->quiesce->frozen)
    return TRUE;
  if (backup->request->quiesce == VK_QUIESCE_REQUIRE)
    return vk_fail (error, VK_ERROR_GUEST, "the file systems of '%s' were not frozen at the instant of the backup, which is not kept: %s", backup->xml->name, backup->manifest->quiesce->reason);
  vk_backup_warn (backup, "the file systems of '%s' were not frozen at the instant of the backup: %s", backup->xml->name, backup->manifest->quiesce->reason);
  return TRUE;
}

/* Thaws what this process has written down about the domain. */
static gboolean
thaw_ours (VkBackup *backup, GError **error)
{
  g_autoptr (GPtrArray) markers = vk_freeze_marker_list (backup->host, backup->xml->uuid, error);
  guint filesystems;

  if (markers == NULL)
    return FALSE;
  for (guint i = 0; i < markers->len; i++)
    if (vk_freeze_marker_is_ours (g_ptr_array_index (markers, i)) && !vk_freeze_marker_thaw (backup->host, g_ptr_array_index (markers, i), &filesystems, error))
      return FALSE;
  return TRUE;
}

gboolean
vk_backup_thaw_finally (VkBackup *backup, GError **error)
{
  g_autoptr (GError) failure = NULL;

  if (thaw_ours (backup, &failure))
    return TRUE;
  if (g_error_matches (failure, VK_ERROR, VK_ERROR_FROZEN))
    g_propagate_error (error, g_steal_pointer (&failure));
  else
    vk_fail (error, VK_ERROR_FROZEN, "the file systems of '%s' may still be frozen: %s: thaw them now with virsh domfsthaw", backup->xml->name, failure->message);
  return FALSE;
}

/* An agent that does not answer is not asked more. */
void
vk_backup_describe_guest (VkBackup *backup)
{
  if (backup->manifest->quiesce->reason == NULL)
    backup->manifest->guest = vk_guest_info_get (backup->domain);
}
