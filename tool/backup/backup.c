/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "backup/backup.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "backup/backup-private.h"
#include "backup/level.h"
#include "base/error.h"
#include "host/backup-xml.h"
#include "host/checkpoint.h"
#include "host/disk-select.h"
#include "host/monitor.h"
#include "view/qcow2-header.h"

/* For a libvirtd that is being restarted while we want to clean up. */
enum { RECONNECT_SECONDS = 10 };

const char *const vk_mode_words[] = { "push", "pull", NULL };
const char *const vk_level_words[] = { "full", "copy", "incremental", "differential", "auto", NULL };

static void
disk_free (VkBackupDisk *disk)
{
  g_clear_pointer (&disk->sink, vk_sink_free);
  g_clear_pointer (&disk->progress, vk_transfer_progress_free);
  g_free (disk->image);
  g_free (disk->scratch);
  g_free (disk->reason);
  g_free (disk->base_id);
  g_free (disk->bitmap_context);
  g_clear_pointer (&disk->source, vk_nbd_server_free);
  g_free (disk);
}

void
vk_backup_warn (VkBackup *backup, const char *format, ...)
{
  va_list args;
  char *text;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  vk_reporter_warning (backup->reporter, text);
  g_ptr_array_add (backup->manifest->warnings, text);
}

/* --- 1. inspect ------------------------------------------------------------ */

static gboolean
read_xml (VkBackup *backup, GError **error)
{
  char *text = virDomainGetXMLDesc (backup->domain, VIR_DOMAIN_XML_SECURE);

  if (text == NULL)
    {
      vk_set_libvirt_error (error, NULL, "cannot read the XML of '%s'", backup->request->domain);
      return FALSE;
    }
  g_free (backup->live_xml);
  backup->live_xml = g_strdup (text);
  free (text);
  g_clear_pointer (&backup->xml, vk_domain_xml_free);
  backup->xml = vk_domain_xml_parse (backup->live_xml, error);
  return backup->xml != NULL;
}

static gboolean
read_domain (VkBackup *backup, GError **error)
{
  int active;

  backup->domain = vk_host_find_domain (backup->host, backup->request->domain, error);
  if (backup->domain == NULL || !read_xml (backup, error))
    return FALSE;
  active = virDomainIsActive (backup->domain);
  if (active < 0)
    vk_set_libvirt_error (error, NULL, "cannot ask for the state of '%s'", backup->xml->name);
  backup->state = active == 0 ? VK_STATE_SHUT_OFF : VK_STATE_RUNNING;
  return active >= 0;
}

/* With QEMU there, even if the guest never runs, libvirt can make a backup job
 * and a checkpoint. */
static gboolean
start_paused (VkBackup *backup, GError **error)
{
  /* Starting would use the saved memory up, and stopping throw it away. */
  if (virDomainHasManagedSaveImage (backup->domain, 0) == 1)
    {
      g_set_error (error, VK_ERROR, VK_ERROR_REFUSED, "'%s' has a saved state (virsh managedsave), which --start-paused would lose: leave the option out, or start the domain", backup->xml->name);
      return FALSE;
    }
  if (virDomainCreateWithFlags (backup->domain, VIR_DOMAIN_START_PAUSED) < 0)
    {
      vk_set_libvirt_error (error, NULL, "cannot start '%s' paused", backup->xml->name);
      return FALSE;
    }
  backup->state = VK_STATE_STARTED_PAUSED;
  return read_xml (backup, error);
}

/* Stops what start_paused() started, unless somebody has let the guest run. */
static void
stop_paused (VkBackup *backup)
{
  int state, reason;

  if (backup->state != VK_STATE_STARTED_PAUSED)
    return;
  if (virDomainGetState (backup->domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_PAUSED)
    {
      if (virDomainDestroyFlags (backup->domain, VIR_DOMAIN_DESTROY_GRACEFUL) < 0)
        vk_backup_warn (backup, "'%s' was started paused and could not be stopped again: %s", backup->xml->name, virGetLastErrorMessage ());
    }
  else
    vk_backup_warn (backup, "'%s' was started paused for the backup, but somebody resumed it: it is left alone", backup->xml->name);
}

static const char *const state_words[] = { "running", "shut-off", "started-paused" };

static void
describe_source (VkBackup *backup)
{
  VkManifest *manifest = backup->manifest;

  manifest->store_id = g_strdup (backup->store->id);
  manifest->domain_name = g_strdup (backup->xml->name);
  manifest->domain_uuid = g_strdup (backup->xml->uuid);
  manifest->host = vk_host_name (backup->host);
  manifest->uri = vk_host_uri (backup->host);
  manifest->started = vk_time_now ();
  manifest->domain_state = g_strdup (state_words[backup->state]);
  manifest->mode = g_strdup (backup->state == VK_STATE_SHUT_OFF ? "direct" : vk_mode_words[backup->request->mode]);
  manifest->requested = g_strdup (vk_level_words[backup->request->level]);
  manifest->virt_keep_version = g_strdup (PACKAGE_VERSION);
  manifest->libvirt_version = vk_host_libvirt_version (backup->host);
}

/* Whether QEMU can keep a dirty bitmap in the disk: in qcow2 of version 3.  An
 * image that cannot be looked at from here is taken for one. */
static gboolean
can_have_bitmap (const VkDisk *disk)
{
  VkQcow2Header header;

  if (strcmp (disk->format, "qcow2") != 0)
    return FALSE;
  if (disk->path == NULL || !vk_qcow2_header_read (disk->path, &header, NULL))
    return TRUE;
  return header.version >= 3;
}

/* Why the file of a disk is not to be read without QEMU, as if it were what the
 * guest sees; NULL when it is. */
static const char *
only_qemu_reads (const VkDisk *disk)
{
  if (disk->path == NULL)
    return "is not a local file or device";
  if (disk->encrypted)
    return "is encrypted";
  return disk->sliced ? "is only a part of that image (<slices>)" : NULL;
}

static gboolean
add_disk (VkBackup *backup, const VkDisk *disk, GError **error)
{
  VkBackupDisk *taken;
  virDomainBlockInfo info;

  if (backup->state == VK_STATE_SHUT_OFF && only_qemu_reads (disk) != NULL)
    {
      g_set_error (error, VK_ERROR, VK_ERROR_REFUSED, "the domain '%s' is shut off and its disk '%s' (%s) %s: back it up with --start-paused, or while it runs", backup->xml->name, disk->target, disk->source, only_qemu_reads (disk));
      return FALSE;
    }
  if (virDomainGetBlockInfo (backup->domain, disk->target, &info, 0) < 0)
    {
      vk_set_libvirt_error (error, NULL, "cannot ask for the size of the disk '%s' of '%s'", disk->target, backup->xml->name);
      return FALSE;
    }
  taken = g_new0 (VkBackupDisk, 1);
  taken->disk = disk;
  taken->size = info.capacity;
  taken->bitmap = backup->request->level != VK_LEVEL_COPY && can_have_bitmap (disk);
  g_ptr_array_add (backup->disks, taken);
  return TRUE;
}

static void
add_left_out (VkBackup *backup, const VkDisk *disk)
{
  VkManifestLeftOut *left_out = vk_manifest_add_left_out (backup->manifest);

  left_out->target = g_strdup (disk->target);
  left_out->reason = g_strdup (vk_left_out_word (disk->reason));
  left_out->message = g_strdup (vk_left_out_sentence (disk->reason));
}

static gboolean
choose_disks (VkBackup *backup, GError **error)
{
  if (!vk_domain_xml_select_disks (backup->xml, backup->request->disks, backup->request->excluded, error))
    return FALSE;
  for (guint i = 0; i < backup->xml->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (backup->xml->disks, i);

      if (disk->part == VK_DISK_LEFT_OUT)
        add_left_out (backup, disk);
      if (disk->part == VK_DISK_TAKEN && !add_disk (backup, disk, error))
        return FALSE;
      if (disk->part == VK_DISK_TAKEN && disk->encrypted)
        vk_backup_warn (backup, "the disk '%s' is encrypted; the restore point holds what the guest sees of it, decrypted", disk->target);
    }
  return TRUE;
}

const VkPoint *
vk_backup_disk_base (const VkBackup *backup, const VkBackupDisk *disk)
{
  return disk->base ? backup->base : NULL;
}

/* --- 5. begin -------------------------------------------------------------- */

static char *
build_backup_xml (VkBackup *backup, GError **error)
{
  guint n = backup->xml->disks->len;
  g_autofree VkBackupXmlDisk *disks = g_new0 (VkBackupXmlDisk, n);
  g_autofree char *socket = backup->run_dir ? vk_backup_socket_path (backup) : NULL;
  VkBackupXml document = { .pull = backup->request->mode == VK_MODE_PULL, .socket = socket, .disks = disks, .n_disks = n };
  guint next = 0;

  for (guint i = 0; i < n; i++)
    {
      const VkDisk *disk = g_ptr_array_index (backup->xml->disks, i);
      const VkBackupDisk *taken = disk->part == VK_DISK_TAKEN ? g_ptr_array_index (backup->disks, next++) : NULL;

      disks[i].disk = disk->target;
      disks[i].left_out = taken == NULL;
      if (taken == NULL)
        continue;
      disks[i].target_file = taken->image;
      disks[i].target_format = "qcow2";
      disks[i].scratch_file = taken->scratch;
      disks[i].export_name = disk->target;
      disks[i].incremental = taken->base ? backup->base->manifest->checkpoint : NULL;
    }
  return vk_backup_xml_build (&document, backup->request->templates_dir, error);
}

/* NULL without *error set when no disk can have a bitmap. */
static char *
build_checkpoint_xml (VkBackup *backup, const char *name, GError **error)
{
  guint n = backup->xml->disks->len;
  g_autofree VkCheckpointXmlDisk *disks = g_new0 (VkCheckpointXmlDisk, n);
  VkCheckpointXml document = { .name = name, .description = "made by virt-keep for its next incremental backup", .disks = disks, .n_disks = n };
  gboolean any = FALSE;
  guint next = 0;

  for (guint i = 0; i < n; i++)
    {
      const VkDisk *disk = g_ptr_array_index (backup->xml->disks, i);

      disks[i].disk = disk->target;
      if (disk->part == VK_DISK_TAKEN)
        disks[i].bitmap = ((VkBackupDisk *) g_ptr_array_index (backup->disks, next++))->bitmap;
      any = any || disks[i].bitmap;
    }
  return any ? vk_checkpoint_xml_build (&document, backup->request->templates_dir, error) : NULL;
}

static gboolean
begin_once (VkBackup *backup, GError **error)
{
  g_autofree char *name = vk_checkpoint_name (backup->store->id, backup->writer->id);
  g_autoptr (GError) failure = NULL;
  g_autofree char *backup_xml = build_backup_xml (backup, error);
  g_autofree char *checkpoint_xml = backup_xml ? build_checkpoint_xml (backup, name, &failure) : NULL;
  g_autofree char *instant = NULL;

  if (backup_xml == NULL)
    return FALSE;
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (g_cancellable_set_error_if_cancelled (backup->cancellable, error))
    return FALSE;
  g_free (backup->checkpoint);
  backup->checkpoint = checkpoint_xml ? g_strdup (name) : NULL;
  instant = vk_time_now ();
  if (!vk_backup_job_begin (backup->job, backup_xml, checkpoint_xml, backup->request->mode == VK_MODE_PUSH, error))
    return FALSE;
  backup->manifest->instant = g_steal_pointer (&instant);
  return TRUE;
}

/* That an image is qcow2 of version 2 may be QEMU's discovery: those on another
 * host, or in a storage pool, are not looked at from here.  libvirt's words then
 * name the node. */
static gboolean
drop_impossible_bitmap (VkBackup *backup, const GError *failure)
{
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);
      g_autofree char *words = g_strdup_printf ("'%s': Cannot store dirty bitmaps in qcow2 v2 files", disk->disk->node ? disk->disk->node : "");

      if (!disk->bitmap || strstr (failure->message, words) == NULL)
        continue;
      disk->bitmap = FALSE;
      return TRUE;
    }
  return FALSE;
}

gboolean
vk_backup_begin_job (VkBackup *backup, GError **error)
{
  g_autoptr (GError) failure = NULL;

  vk_reporter_phase (backup->reporter, "begin", "beginning the backup job");
  while (!begin_once (backup, &failure))
    {
      if (!drop_impossible_bitmap (backup, failure))
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
      g_clear_error (&failure);
    }
  return TRUE;
}

static void
forward_event (const VkEvent *event, gpointer user_data)
{
  VkBackup *backup = user_data;

  vk_reporter_event (backup->reporter, vk_event_name (event->kind), NULL, vk_event_to_json (event));
}

/* --- 7. prove that it is closed ------------------------------------------- */

static gboolean
prove_closed (VkBackup *backup, GError **error)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new ();
  g_autoptr (VkClosedProof) proof = NULL;
  g_autofree char *text = NULL;

  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      g_ptr_array_add (files, disk->image ? disk->image : disk->scratch);
    }
  g_ptr_array_add (files, NULL);
  vk_reporter_phase (backup->reporter, "close", "asking QEMU whether it has let go");
  proof = vk_prove_closed (backup->domain, (const char *const *) files->pdata, backup->request->use_monitor);
  backup->manifest->closed = vk_closed_proof_to_json (proof);
  backup->manifest->qemu_version = backup->request->use_monitor ? vk_monitor_qemu_version (backup->domain) : NULL;
  if (backup->manifest->qemu_version == NULL)
    backup->manifest->qemu_version = vk_host_qemu_version (backup->host);
  text = vk_closed_proof_to_text (proof);
  if (proof->removed_nodes->len > 0)
    vk_backup_warn (backup, "%s", text);
  if (proof->proven)
    return TRUE;
  g_set_error (error, VK_ERROR, VK_ERROR_NOT_CLOSED, "%s: the backup is not kept; see virsh qemu-monitor-command with query-named-block-nodes", text);
  return FALSE;
}

/* --- what the images build on ---------------------------------------------- */

/* A disk was copied on top of the newest point's image, unless points are whole.
 * That is what an incremental is; a differential has to build on the full image
 * instead. */
static gboolean
settle_bases (VkBackup *backup, GError **error)
{
  for (guint i = 0; i < backup->disks->len; i++)
    {
      VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);

      if (disk->base == NULL || backup->store->ops->whole_points)
        continue;
      if (backup->request->level != VK_LEVEL_DIFFERENTIAL)
        disk->base_id = g_strdup (backup->base->id);
      else if (!vk_point_writer_rebase_disk (backup->writer, disk->disk->target, backup->base, &disk->base_id, backup->cancellable, error))
        return FALSE;
      g_free (backup->manifest->base);
      backup->manifest->base = g_strdup (disk->base_id);
    }
  return TRUE;
}

/* --- 8. commit ------------------------------------------------------------- */

typedef struct
{
  VkBackup *backup;
  VkManifestDisk *disk;
  GError *error;
} SealTask;

static void
seal_one (gpointer data, gpointer user_data)
{
  SealTask *task = data;

  vk_point_writer_seal_disk (task->backup->writer, task->disk, task->backup->cancellable, &task->error);
}

/* Hashing is the processor's work: one thread a core. */
static gboolean
seal_disks (VkBackup *backup, GError **error)
{
  guint n = backup->disks->len;
  g_autofree SealTask *tasks = g_new0 (SealTask, n);
  GThreadPool *pool = g_thread_pool_new (seal_one, NULL, (int) g_get_num_processors (), FALSE, NULL);
  gboolean sealed = TRUE;

  vk_reporter_phase (backup->reporter, "seal", "hashing the images and waiting for them to be on disk");
  for (guint i = 0; i < n; i++)
    {
      const VkBackupDisk *disk = g_ptr_array_index (backup->disks, i);
      VkManifestDisk *entry = vk_manifest_add_disk (backup->manifest);

      entry->target = g_strdup (disk->disk->target);
      entry->type = g_strdup (disk->disk->type);
      entry->source = g_strdup (disk->disk->source);
      entry->format = g_strdup (disk->disk->format);
      entry->virtual_size = disk->size;
      entry->level = g_strdup (disk->base ? backup->manifest->level : "full");
      entry->base = g_strdup (disk->base_id);
      entry->reason = g_strdup (disk->reason);
      entry->bitmap = disk->bitmap && backup->checkpoint != NULL;
      entry->bytes_moved = disk->moved;
      tasks[i] = (SealTask) { .backup = backup, .disk = entry };
      g_thread_pool_push (pool, &tasks[i], NULL);
    }
  g_thread_pool_free (pool, FALSE, TRUE);
  for (guint i = 0; i < n; i++)
    if (tasks[i].error != NULL)
      {
        if (sealed)
          g_propagate_error (error, g_steal_pointer (&tasks[i].error));
        g_clear_error (&tasks[i].error);
        sealed = FALSE;
      }
  return sealed;
}

static gboolean
commit (VkBackup *backup, GError **error)
{
  VkManifest *manifest = backup->manifest;

  manifest->checkpoint = g_strdup (backup->checkpoint);
  manifest->finished = vk_time_now ();
  if (g_cancellable_set_error_if_cancelled (backup->cancellable, error))
    return FALSE;
  vk_reporter_phase (backup->reporter, "commit", "storing the restore point");
  return vk_point_writer_commit (backup->writer, manifest, error);
}

/* --- 9. retire old checkpoints -------------------------------------------- */

/* Each live bitmap costs the guest.  The new point's is the only one that a
 * later backup into this store starts from (a differential, too: see
 * settle_bases()); failing to delete an old one does not undo the backup. */
static void
retire_checkpoints (VkBackup *backup)
{
  g_autoptr (GPtrArray) names = NULL;

  if (backup->checkpoint == NULL)
    return;
  names = vk_checkpoint_list (backup->domain, backup->store->id, NULL);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autoptr (GError) failure = NULL;

      if (strcmp (name, backup->checkpoint) != 0 && !vk_checkpoint_delete (backup->domain, name, &failure))
        vk_backup_warn (backup, "%s", failure->message);
    }
}

/* --- 10. shorten the chain ------------------------------------------------- */

/* The point is stored and counts.  Where it cannot be merged, the chain is longer
 * than wished for, and the next backup tries again. */
static gboolean
make_full (VkBackup *backup, GError **error)
{
  return vk_point_writer_make_full (backup->writer, backup->long_chain, backup->manifest, backup->cancellable, error);
}

static void
shorten_chain (VkBackup *backup)
{
  g_autoptr (GError) failure = NULL;

  if (backup->long_chain == NULL)
    return;
  vk_reporter_phase (backup->reporter, "merge", "merging the chain into a full image");
  if (!vk_backup_run_step (backup, make_full, &failure))
    vk_backup_warn (backup, "%s, but the restore point could not be made a full one and stays %s: %s", backup->long_chain, backup->manifest->level, failure->message);
}

/* --- the whole ------------------------------------------------------------- */

gboolean
vk_backup_run_step (VkBackup *backup, VkBackupStep step, GError **error)
{
  VkHostPump *pump = vk_host_pump_start ();
  gboolean done = step (backup, error);

  vk_host_pump_stop (pump);
  return done;
}

static gboolean
begin_point (VkBackup *backup, GError **error)
{
  backup->writer = vk_store_begin_point (backup->store, backup->xml->name, backup->xml->uuid, backup->cancellable, error);
  return backup->writer != NULL;
}

gboolean
vk_backup_list_points (VkBackup *backup, GError **error)
{
  backup->points = vk_store_list (backup->store, backup->xml->uuid, error);
  return backup->points != NULL;
}

static gboolean
open_point (VkBackup *backup, GError **error)
{
  return vk_point_writer_open (backup->writer, strcmp (backup->manifest->mode, "push") == 0, error);
}

static gboolean
choose_level (VkBackup *backup, GError **error)
{
  return vk_backup_choose_level (backup, TRUE, error);
}

/* What follows the copy. */
static gboolean
complete_point (VkBackup *backup, GError **error)
{
  return settle_bases (backup, error)
      && seal_disks (backup, error)
      && vk_backup_add_guest_files (backup, error)
      && commit (backup, error);
}

/* Everything before the store is touched.  may_start: --start-paused counts. */
static gboolean
inspect (VkBackup *backup, gboolean may_start, GError **error)
{
  vk_reporter_phase (backup->reporter, "inspect", "looking at the domain");
  if (!read_domain (backup, error)
      || (may_start && backup->request->start_paused && backup->state == VK_STATE_SHUT_OFF && !start_paused (backup, error)))
    return FALSE;
  describe_source (backup);
  return choose_disks (backup, error);
}

static gboolean
reaches_threshold (VkBackup *backup, GError **error)
{
  guint64 bytes = 0;

  if (!backup->request->has_threshold)
    return TRUE;
  for (guint i = 0; i < backup->disks->len; i++)
    bytes += vk_backup_estimate (backup, g_ptr_array_index (backup->disks, i));
  if (bytes >= backup->request->threshold)
    return TRUE;
  g_set_error (error, VK_ERROR, VK_ERROR_UNCHANGED, "only %" G_GUINT64_FORMAT " bytes of '%s' would be moved, fewer than --threshold: nothing was done", bytes, backup->xml->name);
  return FALSE;
}

/* Step 6, and 7 where there is a QEMU. */
static gboolean
copy_disks (VkBackup *backup, GError **error)
{
  if (backup->state == VK_STATE_SHUT_OFF)
    return vk_backup_direct (backup, error);
  if (backup->request->mode == VK_MODE_PUSH)
    return vk_backup_push (backup, error) && prove_closed (backup, error);
  return vk_backup_pull (backup, error) && prove_closed (backup, error);
}

static gboolean
run_steps (VkBackup *backup, GError **error)
{
  if (!inspect (backup, TRUE, error))
    return FALSE;
  if (!vk_backup_run_step (backup, begin_point, error))
    return FALSE;
  backup->manifest->id = g_strdup (backup->writer->id);
  backup->job = vk_backup_job_new (backup->host, backup->domain, forward_event, backup, error);
  if (backup->job == NULL
      || !vk_backup_run_step (backup, vk_backup_list_points, error)
      || !vk_backup_clean_leftovers (backup, error)
      || !vk_backup_run_step (backup, choose_level, error)
      || !reaches_threshold (backup, error)
      || !vk_backup_run_step (backup, open_point, error)
      || !copy_disks (backup, error)
      || !vk_backup_run_step (backup, complete_point, error))
    return FALSE;
  retire_checkpoints (backup);
  shorten_chain (backup);
  return TRUE;
}

/* After a failure: nothing may be left that a later incremental could start
 * from, and no job that goes on writing. */
static void
undo (VkBackup *backup)
{
  g_autoptr (GError) failure = NULL;

  if (backup->job != NULL && vk_host_is_lost (backup->host))
    {
      g_autofree char *uuid = g_strdup (backup->xml->uuid);

      g_clear_pointer (&backup->job, vk_backup_job_free);
      g_clear_pointer (&backup->domain, virDomainFree);
      if (vk_host_reconnect (backup->host, RECONNECT_SECONDS, &failure))
        backup->domain = vk_host_find_domain (backup->host, uuid, &failure);
      if (backup->domain != NULL)
        backup->job = vk_backup_job_new (backup->host, backup->domain, forward_event, backup, &failure);
      if (backup->job != NULL)
        vk_backup_clean_leftovers (backup, &failure);
    }
  g_clear_pointer (&backup->job, vk_backup_job_free);
  if (failure == NULL && backup->checkpoint != NULL)
    vk_checkpoint_delete (backup->domain, backup->checkpoint, &failure);
  if (failure != NULL)
    vk_backup_warn (backup, "not everything could be cleaned up, the next backup does it: %s", failure->message);
}

static void
release (VkBackup *backup)
{
  g_clear_pointer (&backup->job, vk_backup_job_free);
  g_ptr_array_unref (backup->disks);
  /* The writer's servers have their sockets in the private directories. */
  g_clear_pointer (&backup->writer, vk_point_writer_free);
  vk_backup_remove_run_dirs (backup);
  g_clear_pointer (&backup->domain, virDomainFree);
  g_clear_pointer (&backup->points, g_ptr_array_unref);
  g_free (backup->long_chain);
  g_clear_pointer (&backup->xml, vk_domain_xml_free);
  g_free (backup->live_xml);
  g_free (backup->checkpoint);
}

static void
init (VkBackup *backup, VkHost *host, VkStore *store, const VkBackupRequest *request, VkReporter *reporter, VkManifest *manifest, GCancellable *cancellable)
{
  *backup = (VkBackup) {
    .host = host,
    .store = store,
    .request = request,
    .reporter = reporter,
    .manifest = manifest,
    .cancellable = cancellable,
    .disks = g_ptr_array_new_with_free_func ((GDestroyNotify) disk_free),
  };
}

gboolean
vk_backup_run (VkHost *host, VkStore *store, const VkBackupRequest *request, VkReporter *reporter, VkManifest *manifest, GCancellable *cancellable, GError **error)
{
  VkBackup backup;
  gboolean done;

  init (&backup, host, store, request, reporter, manifest, cancellable);
  done = run_steps (&backup, error);
  if (!done)
    undo (&backup);
  g_clear_pointer (&backup.job, vk_backup_job_free);
  stop_paused (&backup);
  release (&backup);
  return done;
}

void
vk_estimate_free (VkEstimate *estimate)
{
  g_free (estimate->target);
  g_free (estimate->level);
  g_free (estimate->reason);
  g_free (estimate);
}

GPtrArray *
vk_backup_estimate_run (VkHost *host, VkStore *store, const VkBackupRequest *request, VkReporter *reporter, VkManifest *manifest, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) estimates = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_estimate_free);
  VkBackup backup;
  gboolean done;

  init (&backup, host, store, request, reporter, manifest, cancellable);
  done = inspect (&backup, FALSE, error) && vk_backup_list_points (&backup, error) && vk_backup_choose_level (&backup, FALSE, error);
  for (guint i = 0; done && i < backup.disks->len; i++)
    {
      const VkBackupDisk *disk = g_ptr_array_index (backup.disks, i);
      VkEstimate *estimate = g_new0 (VkEstimate, 1);

      estimate->target = g_strdup (disk->disk->target);
      estimate->level = g_strdup (disk->base ? manifest->level : "full");
      estimate->reason = g_strdup (disk->reason);
      estimate->bytes = vk_backup_estimate (&backup, disk);
      g_ptr_array_add (estimates, estimate);
    }
  manifest->synthetic = done && backup.long_chain != NULL;
  release (&backup);
  return done ? g_steal_pointer (&estimates) : NULL;
}
