/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a host and its domains can be backed up, and what processes that are gone have
 * left there.  It changes nothing unless it is asked to mend. */
#pragma once

#include "backup/backup.h"
#include "host/host.h"
#include "store/store.h"

typedef enum
{
  VK_CHECK_OK,
  VK_CHECK_NOTE,    /* worth knowing; nothing is wrong */
  VK_CHECK_PROBLEM, /* a backup will fail, or something is left over */
} VkCheckState;

/* One finding. */
typedef struct
{
  const char *subject; /* "host", "store", "scratch" or "domain" */
  char *domain;        /* its name, or NULL where it is about none */
  const char *check;   /* what was looked at: a stable word */
  VkCheckState state;
  char *text;          /* what was found, a sentence without its full stop */
  char *advice;        /* what to do, or NULL */
  gboolean fixed;      /* by us, just now */
} VkCheck;

typedef struct
{
  GPtrArray *checks;  /* of VkCheck, in the order of the looking */
  GPtrArray *strays;  /* of VkBootStray */
  GPtrArray *removed; /* of char *: directories of strays that were removed */
} VkDoctorReport;

VkDoctorReport *vk_doctor_report_new (void);
void vk_doctor_report_free (VkDoctorReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkDoctorReport, vk_doctor_report_free)

/* The problems that are not fixed. */
guint vk_doctor_report_problems (const VkDoctorReport *report);

/* As in virt-keep-json(5).  Returns: (transfer full). */
JsonArray *vk_doctor_report_to_json (const VkDoctorReport *report);

/* Appends it for people, a heading for each subject and domain. */
void vk_doctor_report_to_text (const VkDoctorReport *report, GString *text);

typedef struct
{
  const char *connect_uri;      /* or NULL */
  VkStore *store;               /* or NULL */
  gboolean store_is_restic;     /* that one, or the one that was named */
  const GError *store_failure;  /* why the one that was named cannot be opened, or NULL */
  const char *const *domains;   /* to look at, besides the host: names, UUIDs or ids, NULL-terminated */
  gboolean all;                 /* instead: every domain */
  gboolean push, pull;          /* the modes that are to work */
  const char *scratch_dir;      /* pull mode: or NULL */
  gboolean use_monitor;         /* ask QEMU through monitor passthrough */
  gboolean fix;                 /* mend what is certainly ours */
} VkDoctorRequest;

/* Looks at everything, adding to report, and mends with fix.  What is wrong is in the
 * report.  FALSE only when it could not be found out: VK_ERROR_CONNECTION,
 * VK_ERROR_NOT_FOUND for a domain that there is not, before anything is mended. */
gboolean vk_doctor_run (const VkDoctorRequest *request, VkDoctorReport *report, GCancellable *cancellable, GError **error);
