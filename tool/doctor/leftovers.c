/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What processes that are gone have left.  Only who holds the lock of a domain in the store
 * may say that a job, a checkpoint or a directory with the store's id has no owner any
 * more; it is held while they are mended. */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "backup/leftovers.h"
#include "base/error.h"
#include "base/files.h"
#include "doctor/doctor-private.h"
#include "host/checkpoint.h"
#include "host/freeze-marker.h"
#include "host/job-info.h"
#include "stream/stream-dir.h"

static const char next_backup[] = N_("virt-keep doctor --fix mends it, and so does the next backup into this store");

/* --- the store ---------------------------------------------------------------------- */

void
vk_doctor_check_store_leftovers (VkDoctor *doctor, const VkPatient *patient)
{
  VkStore *store = doctor->request->store;
  g_autoptr (GError) failure = NULL;
  g_autoptr (GPtrArray) leftovers = store ? vk_store_find_leftovers (store, patient ? patient->xml->uuid : NULL, &failure) : NULL;

  if (failure != NULL)
    vk_doctor_add (doctor, "store", patient, "store", VK_CHECK_PROBLEM, NULL, "%s", failure->message);
  for (guint i = 0; leftovers != NULL && i < leftovers->len; i++)
    {
      const VkStoreLeftover *leftover = g_ptr_array_index (leftovers, i);
      VkCheck *check = vk_doctor_add (doctor, "store", patient, leftover->kind, VK_CHECK_PROBLEM, leftover->advice, "%s", leftover->text);
      g_autoptr (GError) obstacle = NULL;

      if (doctor->request->fix && leftover->can_clear)
        vk_check_settle (check, vk_store_clear_leftover (store, leftover, &obstacle), obstacle);
    }
}

/* --- streams ------------------------------------------------------------------------ */

static guint
check_streams_in (VkDoctor *doctor, const char *parent)
{
  g_autoptr (GPtrArray) paths = vk_stream_dir_find_left (parent);

  for (guint i = 0; i < paths->len; i++)
    {
      const char *path = g_ptr_array_index (paths, i);
      VkCheck *check = vk_doctor_add (doctor, "host", NULL, "stream-directory", VK_CHECK_PROBLEM, N_("virt-keep doctor --fix removes it, and so does the next backup --to or restore of an archive"),
                                      "a backup or a restore of a tar archive that is gone has left its private directory '%s', with images in it", path);
      g_autoptr (GError) failure = NULL;

      if (doctor->request->fix)
        vk_check_settle (check, vk_run_dir_remove_left (path, &failure), failure);
    }
  return paths->len;
}

void
vk_doctor_check_streams (VkDoctor *doctor)
{
  const char *chosen = doctor->request->scratch_dir;
  guint found = check_streams_in (doctor, VK_RUN_DIR_PARENT);

  if (chosen != NULL && strcmp (chosen, VK_RUN_DIR_PARENT) != 0 && vk_host_is_local (doctor->host))
    found += check_streams_in (doctor, chosen);
  if (found == 0)
    vk_doctor_add (doctor, "host", NULL, "stream-directory", VK_CHECK_OK, NULL, "nothing is left of backups and restores of tar archives that are gone");
}

/* --- the guest ------------------------------------------------------------------------ */

/* A backup into whatever store may have frozen it. */
static void
check_frozen (VkDoctor *doctor, VkPatient *patient)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GPtrArray) markers = vk_freeze_marker_list (doctor->host, patient->xml->uuid, &failure);

  if (markers == NULL)
    vk_doctor_add (doctor, "domain", patient, "frozen", VK_CHECK_NOTE, NULL, "whether a backup has left its file systems frozen cannot be told: %s", failure->message);
  for (guint i = 0; markers != NULL && i < markers->len; i++)
    {
      const VkFreezeMarker *marker = g_ptr_array_index (markers, i);
      g_autoptr (GError) obstacle = NULL;
      guint filesystems;
      VkCheck *check;

      if (vk_freeze_marker_is_in_use (marker))
        continue;
      check = vk_doctor_add (doctor, "domain", patient, "frozen", VK_CHECK_PROBLEM, N_("virt-keep doctor --fix thaws them, and so does the next backup"), "a backup that is gone has frozen its file systems (%s): everything in it that writes may wait", marker->time);
      if (doctor->request->fix)
        vk_check_settle (check, vk_freeze_marker_thaw (doctor->host, marker, &filesystems, &obstacle), obstacle);
      patient->left_frozen = patient->left_frozen || !check->fixed;
    }
}

/* --- the job ------------------------------------------------------------------------- */

static gboolean
end_job (VkDoctor *doctor, const VkLeftoverPlace *place, GError **error)
{
  g_autoptr (VkBackupJob) job = vk_backup_job_new (doctor->host, place->domain, NULL, NULL, error);
  const char *mode;

  return job != NULL && vk_leftover_job_end (place, job, &mode, doctor->cancellable, error);
}

static void
check_our_job (VkDoctor *doctor, VkPatient *patient, const VkLeftoverPlace *place, gboolean fix)
{
  const char *mode = vk_leftover_job (place);
  g_autoptr (GError) failure = NULL;
  VkCheck *check;

  if (mode == NULL)
    return;
  check = vk_doctor_add (doctor, "domain", patient, "stale-job", VK_CHECK_PROBLEM, next_backup, "a %s job of a backup that is gone still runs, and costs the guest time with every write", mode);
  if (fix)
    vk_check_settle (check, end_job (doctor, place, &failure), failure);
}

/* Of others; without a store, also of ours. */
static void
check_foreign_job (VkDoctor *doctor, VkPatient *patient, const VkLeftoverPlace *place)
{
  VkJobInfo info = { 0 };

  if ((place == NULL || vk_leftover_job (place) == NULL) && vk_job_info_get (patient->domain, &info, NULL) && info.active)
    vk_doctor_add (doctor, "domain", patient, "foreign-job", VK_CHECK_PROBLEM, N_("wait for it; virt-keep status shows it"), "a job (%s) of somebody else runs, and libvirt begins no backup meanwhile", info.operation);
}

/* --- QEMU ------------------------------------------------------------------------------ */

static void
check_nodes (VkDoctor *doctor, VkPatient *patient, const VkLeftoverPlace *place, gboolean fix)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GPtrArray) files = NULL;
  VkCheck *check;

  /* While a job runs, they are its. */
  if (!doctor->request->use_monitor || vk_leftover_job (place) != NULL)
    return;
  files = vk_leftover_open_files (place, &failure);
  if (files == NULL)
    vk_doctor_add (doctor, "domain", patient, "block-node", VK_CHECK_NOTE, NULL, "what a backup has left in QEMU cannot be asked: %s", failure->message);
  if (files == NULL || files->len == 0)
    return;
  check = vk_doctor_add (doctor, "domain", patient, "block-node", VK_CHECK_PROBLEM, next_backup, "QEMU still has '%s' of a backup that is gone open", (const char *) g_ptr_array_index (files, 0));
  if (fix)
    vk_check_settle (check, vk_leftover_close_files (place, files, &failure), failure);
}

/* --- checkpoints and directories ---------------------------------------------------------- */

static void
check_checkpoints (VkDoctor *doctor, VkPatient *patient, const VkLeftoverPlace *place, gboolean fix)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GPtrArray) points = vk_store_list (doctor->request->store, patient->xml->uuid, &failure);
  g_autoptr (GPtrArray) names = points ? vk_leftover_checkpoints (place, points, &failure) : NULL;

  if (names == NULL)
    vk_doctor_add (doctor, "domain", patient, "dead-checkpoint", VK_CHECK_NOTE, NULL, "its checkpoints cannot be judged: %s", failure->message);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      VkCheck *check = vk_doctor_add (doctor, "domain", patient, "dead-checkpoint", VK_CHECK_PROBLEM, next_backup, "no restore point needs the checkpoint %s, whose bitmaps cost the guest time", name);
      g_autoptr (GError) obstacle = NULL;

      if (fix)
        vk_check_settle (check, vk_checkpoint_delete (patient->domain, name, &obstacle), obstacle);
    }
}

static void
check_directories (VkDoctor *doctor, VkPatient *patient, const VkLeftoverPlace *place, gboolean fix)
{
  g_autoptr (GPtrArray) paths = vk_leftover_directories (place);

  for (guint i = 0; i < paths->len; i++)
    {
      const char *path = g_ptr_array_index (paths, i);
      VkCheck *check = vk_doctor_add (doctor, "domain", patient, "run-directory", VK_CHECK_PROBLEM, next_backup, "a backup that is gone has left its private directory '%s', with scratch files in it", path);
      g_autoptr (GError) failure = NULL;

      if (fix)
        vk_check_settle (check, vk_tree_remove (path, &failure), failure);
    }
}

/* The job first, which uses the others. */
static void
check_all (VkDoctor *doctor, VkPatient *patient, const VkLeftoverPlace *place, gboolean fix)
{
  guint before = doctor->report->checks->len;

  if (patient->running)
    {
      check_our_job (doctor, patient, place, fix);
      check_foreign_job (doctor, patient, place);
      check_nodes (doctor, patient, place, fix);
      /* Aborting a job takes a moment to have its effect, and a checkpoint of one that has
       * just begun must not be deleted. */
      check_checkpoints (doctor, patient, place, fix && vk_leftover_job (place) == NULL);
    }
  check_directories (doctor, patient, place, fix && vk_leftover_job (place) == NULL);
  if (doctor->report->checks->len == before)
    vk_doctor_add (doctor, "domain", patient, "leftovers", VK_CHECK_OK, NULL, "nothing is left of a backup into this store");
}

void
vk_doctor_check_leftovers (VkDoctor *doctor, VkPatient *patient)
{
  VkStore *store = doctor->request->store;
  g_autoptr (VkDomainLock) lock = NULL;
  g_autoptr (GError) failure = NULL;
  g_autofree char *directory = NULL;
  VkLeftoverPlace place = { .domain = patient->domain, .uuid = patient->xml->uuid, .scratch_dir = doctor->request->scratch_dir, .here = vk_host_is_local (doctor->host) };

  if (patient->running)
    check_frozen (doctor, patient);
  if (store == NULL)
    {
      if (patient->running)
        check_foreign_job (doctor, patient, NULL);
      return;
    }
  if (patient->holder == NULL && doctor->request->fix)
    lock = vk_store_lock_domain (store, patient->xml->name, patient->xml->uuid, &failure);
  if (patient->holder != NULL || failure != NULL)
    {
      vk_doctor_add (doctor, "domain", patient, "lock", VK_CHECK_NOTE, N_("virt-keep status shows its job"), "%s", failure ? failure->message : "a virt-keep is at work on it in this store");
      return;
    }
  directory = vk_store_domain_directory (store, patient->xml->name, patient->xml->uuid);
  place.store_id = store->id;
  place.directory = directory;
  check_all (doctor, patient, &place, lock != NULL);
}
