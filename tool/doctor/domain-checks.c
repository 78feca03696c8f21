/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One domain, as libvirt shows it. */
#include "config.h"

#include <glib/gi18n.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/doctor-private.h"
#include "host/agent.h"
#include "host/block-info.h"
#include "host/disk-select.h"
#include "host/job-info.h"
#include "view/qcow2-header.h"

/* --- its state ------------------------------------------------------------------ */

static void
check_state (VkDoctor *doctor, VkPatient *patient)
{
  int state = 0, reason = 0;

  if (virDomainGetState (patient->domain, &state, &reason, 0) < 0)
    vk_doctor_add (doctor, "domain", patient, "state", VK_CHECK_PROBLEM, NULL, "libvirt does not tell its state: %s", virGetLastErrorMessage ());
  else if (!patient->running)
    vk_doctor_add (doctor, "domain", patient, "state", VK_CHECK_NOTE, N_("back it up with --start-paused for a checkpoint, or while it runs"), "it is shut off: a backup reads its disks whole, and makes no checkpoint");
  else if (state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_IOERROR)
    vk_doctor_add (doctor, "domain", patient, "state", VK_CHECK_PROBLEM, N_("virsh domblkerror says on which disk; make room, and virsh resume it"), "it is paused, since a disk or a scratch file could not be written");
  else
    vk_doctor_add (doctor, "domain", patient, "state", VK_CHECK_OK, NULL, state == VIR_DOMAIN_PAUSED ? N_("it is paused") : N_("it runs"));
}

/* What libvirt knows of hands in its works. */
static void
check_messages (VkDoctor *doctor, VkPatient *patient)
{
  char **messages = NULL;
  int count = virDomainGetMessages (patient->domain, &messages, 0);

  if (count < 0)
    {
      vk_doctor_add (doctor, "domain", patient, "taint", VK_CHECK_NOTE, NULL, "libvirt does not tell whether it is tainted: %s", virGetLastErrorMessage ());
      return;
    }
  for (int i = 0; i < count; i++)
    {
      vk_doctor_add (doctor, "domain", patient, "taint", VK_CHECK_NOTE, NULL, "libvirt says: %s", messages[i]);
      free (messages[i]);
    }
  free (messages);
  if (count == 0)
    vk_doctor_add (doctor, "domain", patient, "taint", VK_CHECK_OK, NULL, "it is not tainted");
}

/* --- its disks ------------------------------------------------------------------- */

static gboolean
is_of_no_interest (VkLeftOutReason reason)
{
  return reason == VK_LEFT_OUT_CDROM || reason == VK_LEFT_OUT_FLOPPY || reason == VK_LEFT_OUT_EMPTY;
}

static void
check_taken (VkDoctor *doctor, VkPatient *patient, const VkDisk *disk)
{
  const char *path = vk_domain_xml_local_path (patient->xml, disk);
  VkQcow2Header header = { 0 };
  gboolean qcow2 = strcmp (disk->format, "qcow2") == 0;
  gboolean old = qcow2 && path != NULL && vk_qcow2_header_read (path, &header, NULL) && header.version < 3;

  if (!qcow2 || old)
    vk_doctor_add (doctor, "domain", patient, "disk", VK_CHECK_NOTE, old ? N_("qemu-img amend -o compat=1.1, while the domain is shut off") : N_("use qcow2 for increments"),
                   "the disk %s is %s%s, which holds no dirty bitmap: every backup reads all of it", disk->target, disk->format, old ? " of version 2" : "");
  else
    vk_doctor_add (doctor, "domain", patient, "disk", VK_CHECK_OK, NULL, "the disk %s is %s, and is backed up in increments", disk->target, disk->format);
  if (disk->encrypted)
    vk_doctor_add (doctor, "domain", patient, "encryption", VK_CHECK_NOTE, NULL, "the disk %s is encrypted: in an image store so are its images, with the same secret; what comes from a restic store is not encrypted", disk->target);
  if (disk->layered)
    vk_doctor_add (doctor, "domain", patient, "snapshot", VK_CHECK_NOTE, NULL, "the disk %s lies on other images (an external snapshot, or a template): a backup holds what they all show together", disk->target);
}

static void
check_block_job (VkDoctor *doctor, VkPatient *patient, const VkDisk *disk)
{
  virDomainBlockJobInfo info = { 0 };

  if (patient->running && vk_block_job_get (patient->domain, disk->target, &info) && info.type != VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP)
    vk_doctor_add (doctor, "domain", patient, "block-job", VK_CHECK_PROBLEM, N_("wait for it, or end it with virsh blockjob --abort"), "a block job runs on the disk %s, and libvirt begins no backup meanwhile", disk->target);
}

static void
check_disks (VkDoctor *doctor, VkPatient *patient)
{
  g_autoptr (GError) failure = NULL;

  if (!vk_domain_xml_select_disks (patient->xml, NULL, NULL, &failure))
    vk_doctor_add (doctor, "domain", patient, "disks", VK_CHECK_PROBLEM, NULL, "%s", failure->message);
  for (guint i = 0; i < patient->xml->disks->len; i++)
    {
      const VkDisk *disk = g_ptr_array_index (patient->xml->disks, i);

      if (disk->part == VK_DISK_LEFT_OUT)
        vk_doctor_add (doctor, "domain", patient, "disk", is_of_no_interest (disk->reason) ? VK_CHECK_OK : VK_CHECK_NOTE, NULL, "the disk %s is left out: %s", disk->target, vk_left_out_sentence (disk->reason));
      else
        check_taken (doctor, patient, disk);
      check_block_job (doctor, patient, disk);
    }
}

/* --- its agent --------------------------------------------------------------------- */

static void
check_agent (VkDoctor *doctor, VkPatient *patient)
{
  g_autoptr (GError) failure = NULL;

  if (!patient->running)
    return;
  if (!vk_agent_has_channel (patient->domain))
    {
      vk_doctor_add (doctor, "domain", patient, "agent", VK_CHECK_NOTE, N_("give it a channel org.qemu.guest_agent.0, and install qemu-guest-agent in the guest"), "it has no channel for a guest agent: a backup is what a crash would leave on the disks");
      return;
    }
  if (vk_agent_is_awake (patient->domain, &failure))
    vk_doctor_add (doctor, "domain", patient, "agent", VK_CHECK_OK, NULL, "its guest agent answers");
  /* qemu-ga takes few orders while it has frozen the file systems, and says why. */
  else if (strstr (failure->message, "frozen") != NULL)
    {
      if (!patient->left_frozen)
        vk_doctor_add (doctor, "domain", patient, "frozen", VK_CHECK_PROBLEM, N_("virsh domfsthaw it, unless somebody has just frozen it"), "its file systems are frozen: everything in it that writes waits");
    }
  else
    vk_doctor_add (doctor, "domain", patient, "agent", VK_CHECK_NOTE, N_("see whether qemu-guest-agent runs in the guest"), "%s", failure->message);
}

void
vk_doctor_check_domain (VkDoctor *doctor, VkPatient *patient)
{
  check_state (doctor, patient);
  check_disks (doctor, patient);
  check_agent (doctor, patient);
  check_messages (doctor, patient);
}
