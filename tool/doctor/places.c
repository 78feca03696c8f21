/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The places that backups use: the store, and where scratch files lie. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "backup/backup-private.h"
#include "base/error.h"
#include "base/run-dir.h"
#include "doctor/doctor-private.h"
#include "host/qemu-user.h"
#include "report/format.h"

/* Below this, a place is as good as full. */
enum { LITTLE_SPACE = 64 << 20 };

const char *
vk_doctor_store_path (const VkDoctor *doctor)
{
  const char *url = doctor->request->store ? doctor->request->store->url : "";
  const char *path = g_str_has_prefix (url, "restic:") ? url + strlen ("restic:") : url;

  return *path == '/' ? path : NULL;
}

static gboolean
free_bytes (const char *path, guint64 *bytes)
{
  struct statvfs status;

  if (statvfs (path, &status) < 0)
    return FALSE;
  *bytes = (guint64) status.f_bavail * status.f_frsize;
  return TRUE;
}

static void
check_space (VkDoctor *doctor, const char *subject, const char *path)
{
  g_autofree char *text = NULL;
  guint64 bytes;

  if (!free_bytes (path, &bytes))
    {
      vk_doctor_add (doctor, subject, NULL, "space", VK_CHECK_NOTE, NULL, "how much room there is in '%s' cannot be found out: %s", path, g_strerror (errno));
      return;
    }
  text = vk_format_bytes (bytes);
  if (bytes < LITTLE_SPACE)
    vk_doctor_add (doctor, subject, NULL, "space", VK_CHECK_PROBLEM, N_("make room there, or name another place"), "only %s are free in '%s'", text, path);
  else
    vk_doctor_add (doctor, subject, NULL, "space", VK_CHECK_OK, NULL, "%s are free in '%s'", text, path);
}

static gboolean
check_directory (VkDoctor *doctor, const char *subject, const char *path)
{
  struct stat status;

  if (stat (path, &status) < 0)
    vk_doctor_add (doctor, subject, NULL, "directory", VK_CHECK_PROBLEM, N_("make it, or name another place"), "'%s' cannot be used: %s", path, g_strerror (errno));
  else if (!S_ISDIR (status.st_mode))
    vk_doctor_add (doctor, subject, NULL, "directory", VK_CHECK_PROBLEM, N_("name a directory"), "'%s' is no directory", path);
  else if (faccessat (AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0)
    vk_doctor_add (doctor, subject, NULL, "directory", VK_CHECK_PROBLEM, N_("run virt-keep as its owner, or name another place"), "nothing can be written into '%s': %s", path, g_strerror (errno));
  else
    {
      vk_doctor_add (doctor, subject, NULL, "directory", VK_CHECK_OK, NULL, "'%s' can be written", path);
      return TRUE;
    }
  return FALSE;
}

/* Whoever can write there can replace what is restored. */
static void
check_store_mode (VkDoctor *doctor, const char *path)
{
  struct stat status;

  if (stat (path, &status) == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    vk_doctor_add (doctor, "store", NULL, "mode", VK_CHECK_NOTE, N_("chmod go-w it, unless that is meant"), "others than its owner can write into '%s' (mode %04o)", path, status.st_mode & 07777);
}

void
vk_doctor_check_store (VkDoctor *doctor)
{
  const char *path = vk_doctor_store_path (doctor);

  if (doctor->request->store_failure != NULL)
    {
      /* An image store is made by the first backup into it. */
      gboolean missing = g_error_matches (doctor->request->store_failure, VK_ERROR, VK_ERROR_NOT_FOUND) && !doctor->request->store_is_restic;

      vk_doctor_add (doctor, "store", NULL, "store", missing ? VK_CHECK_NOTE : VK_CHECK_PROBLEM, NULL, "%s", doctor->request->store_failure->message);
      return;
    }
  if (doctor->request->store == NULL)
    {
      vk_doctor_add (doctor, "store", NULL, "store", VK_CHECK_NOTE, N_("name it with --store or VIRT_KEEP_STORE"), "no store is named: neither it nor what killed backups into it have left was looked at");
      return;
    }
  vk_doctor_add (doctor, "store", NULL, "store", VK_CHECK_OK, NULL, "%s can be opened", doctor->request->store->url);
  if (path == NULL || !check_directory (doctor, "store", path))
    return;
  check_store_mode (doctor, path);
  check_space (doctor, "store", path);
}

/* For the user that libvirt gives to a domain without one of its own; of a domain, see
 * vk_doctor_check_reach(). */
static void
check_user (VkDoctor *doctor, const char *subject, const char *path)
{
  VkQemuReach reach = { 0 };
  g_autoptr (GError) failure = NULL;
  g_autofree char *advice = NULL;
  g_autofree char *obstacle = NULL;

  if (!vk_host_is_local (doctor->host))
    return;
  if (!vk_host_default_qemu_user (doctor->host, &reach.has_user, &reach.uid, &reach.gid, &failure))
    {
      vk_doctor_add (doctor, subject, NULL, "reach", VK_CHECK_NOTE, NULL, "%s", failure->message);
      return;
    }
  obstacle = vk_qemu_describe_obstacle (&reach, path, &advice);
  if (obstacle != NULL)
    vk_doctor_add (doctor, subject, NULL, "reach", VK_CHECK_PROBLEM, advice, "%s", obstacle);
  else
    vk_doctor_add (doctor, subject, NULL, "reach", VK_CHECK_OK, NULL, "QEMU's user can pass through '%s'", path);
}

static void
check_scratch (VkDoctor *doctor, const char *path)
{
  if (!check_directory (doctor, "scratch", path))
    return;
  check_user (doctor, "scratch", path);
  check_space (doctor, "scratch", path);
}

void
vk_doctor_check_places (VkDoctor *doctor)
{
  const char *path = vk_doctor_store_path (doctor);

  if (doctor->request->push && path != NULL)
    check_user (doctor, "store", path);
  if (!doctor->request->pull)
    return;
  check_scratch (doctor, VK_RUN_DIR_PARENT);
  /* On another host it cannot be looked at. */
  if (doctor->request->scratch_dir != NULL && vk_host_is_local (doctor->host))
    check_scratch (doctor, doctor->request->scratch_dir);
}

/* --- as a domain that runs sees them -------------------------------------------- */

static void
check_seen (VkDoctor *doctor, VkPatient *patient, const char *path)
{
  VkQemuReach reach = { .has_user = patient->xml->has_qemu_user, .uid = patient->xml->qemu_uid, .gid = patient->xml->qemu_gid, .uuid = patient->xml->uuid };
  g_autofree char *advice = NULL;
  g_autofree char *obstacle = vk_qemu_describe_obstacle (&reach, path, &advice);

  if (obstacle != NULL)
    vk_doctor_add (doctor, "domain", patient, "reach", VK_CHECK_PROBLEM, advice, "%s", obstacle);
  else if (g_file_test (path, G_FILE_TEST_IS_DIR))
    vk_doctor_add (doctor, "domain", patient, "reach", VK_CHECK_OK, NULL, "its QEMU can get at '%s'", path);
}

void
vk_doctor_check_reach (VkDoctor *doctor, VkPatient *patient)
{
  const VkDoctorRequest *request = doctor->request;
  const char *path = vk_doctor_store_path (doctor);

  if (!patient->running || !vk_host_is_local (doctor->host))
    return;
  if (request->push && path != NULL)
    check_seen (doctor, patient, path);
  if (request->pull)
    check_seen (doctor, patient, VK_RUN_DIR_PARENT);
  if (request->pull && request->scratch_dir != NULL)
    check_seen (doctor, patient, request->scratch_dir);
}
