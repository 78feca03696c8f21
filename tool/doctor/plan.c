/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the next backup of a domain would do. */
#include "config.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "doctor/doctor-private.h"
#include "host/checkpoint.h"
#include "report/format.h"

static void
check_room (VkDoctor *doctor, VkPatient *patient, guint64 bytes)
{
  const char *path = vk_doctor_store_path (doctor);
  g_autofree char *needed = vk_format_bytes (bytes);
  g_autofree char *free_text = NULL;
  struct statvfs status;
  guint64 room;

  if (path == NULL || statvfs (path, &status) < 0)
    return;
  room = (guint64) status.f_bavail * status.f_frsize;
  free_text = vk_format_bytes (room);
  if (bytes > room)
    vk_doctor_add (doctor, "domain", patient, "space", VK_CHECK_PROBLEM, N_("make room in the store, for example with virt-keep prune"), "its next backup moves about %s, and the store has room for %s", needed, free_text);
}

/* Of the newest point that left a checkpoint: whether its bitmaps are sound. */
static void
check_checkpoint (VkDoctor *doctor, VkPatient *patient, const GPtrArray *points)
{
  const VkManifest *manifest = NULL;
  g_autoptr (GHashTable) sizes = NULL;
  g_autoptr (GError) failure = NULL;

  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (point->manifest != NULL && point->manifest->checkpoint != NULL)
        manifest = point->manifest;
    }
  if (manifest == NULL || !patient->running)
    return;
  if (!vk_checkpoint_exists (patient->domain, manifest->checkpoint))
    {
      vk_doctor_add (doctor, "domain", patient, "checkpoint", VK_CHECK_NOTE, N_("the next backup tries to define it again, and is full where that fails"), "libvirt has forgotten the checkpoint %s", manifest->checkpoint);
      return;
    }
  sizes = vk_checkpoint_sizes (patient->domain, manifest->checkpoint, &failure);
  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);

      if (disk->bitmap && (sizes == NULL || !g_hash_table_contains (sizes, disk->target)))
        vk_doctor_add (doctor, "domain", patient, "checkpoint", VK_CHECK_NOTE, N_("the next backup is full, and starts a new one"), "the dirty bitmap of the checkpoint %s for the disk %s is missing or broken, as after a QEMU that was killed", manifest->checkpoint, disk->target);
      else if (disk->bitmap)
        vk_doctor_add (doctor, "domain", patient, "checkpoint", VK_CHECK_OK, NULL, "the dirty bitmap of the checkpoint %s for the disk %s is sound", manifest->checkpoint, disk->target);
    }
}

static void
describe_level (VkDoctor *doctor, VkPatient *patient, const VkManifest *manifest, guint64 bytes)
{
  g_autofree char *amount = vk_format_bytes (bytes);
  gboolean incremental = strcmp (manifest->level, "incremental") == 0;

  vk_doctor_add (doctor, "domain", patient, "level", incremental ? VK_CHECK_OK : VK_CHECK_NOTE, NULL, "its next backup (auto) is %s, and moves about %s%s%s",
                 manifest->level, amount, manifest->reason ? ": " : "", manifest->reason ? manifest->reason : "");
}

void
vk_doctor_check_plan (VkDoctor *doctor, VkPatient *patient)
{
  const VkDoctorRequest *request = doctor->request;
  VkBackupRequest backup = { .domain = patient->xml->uuid, .mode = request->push ? VK_MODE_PUSH : VK_MODE_PULL, .level = VK_LEVEL_AUTO, .max_chain = VK_DEFAULT_MAX_CHAIN };
  g_autoptr (VkReporter) reporter = NULL;
  g_autoptr (VkManifest) manifest = NULL;
  g_autoptr (GPtrArray) points = NULL;
  g_autoptr (GPtrArray) estimates = NULL;
  g_autoptr (GError) failure = NULL;
  guint64 bytes = 0;

  if (request->store == NULL)
    return;
  points = vk_store_list (request->store, patient->xml->uuid, &failure);
  manifest = vk_manifest_new ();
  reporter = vk_reporter_new (VK_PROGRESS_NONE, stderr, patient->xml->name);
  if (points != NULL)
    estimates = vk_backup_estimate_run (doctor->host, request->store, &backup, reporter, manifest, doctor->cancellable, &failure);
  if (estimates == NULL)
    {
      vk_doctor_add (doctor, "domain", patient, "level", VK_CHECK_PROBLEM, NULL, "it cannot be backed up: %s", failure->message);
      return;
    }
  for (guint i = 0; i < estimates->len; i++)
    bytes += ((const VkEstimate *) g_ptr_array_index (estimates, i))->bytes;
  describe_level (doctor, patient, manifest, bytes);
  check_room (doctor, patient, bytes);
  check_checkpoint (doctor, patient, points);
}
