/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the doctor share. */
#pragma once

#include "doctor/doctor.h"
#include "host/domain-xml.h"
#include "host/qemu-reach.h"

typedef struct
{
  const VkDoctorRequest *request;
  VkDoctorReport *report;
  VkHost *host;
  GCancellable *cancellable;
} VkDoctor;

/* One domain that is looked at. */
typedef struct
{
  virDomainPtr domain;
  VkDomainXml *xml;
  gboolean running; /* or paused: QEMU is there */
  char *holder;     /* who is at work on it in the store, or NULL */
  gboolean left_frozen; /* by a backup that is gone, which was said */
} VkPatient;

/* Returns: (transfer full), or NULL with *error. */
VkPatient *vk_patient_new (VkDoctor *doctor, virDomainPtr domain, GError **error);
void vk_patient_free (VkPatient *patient);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkPatient, vk_patient_free)

/* Adds a finding; domain and advice (copied) may be NULL.  Returns: (transfer none). */
VkCheck *vk_doctor_add (VkDoctor *doctor, const char *subject, const VkPatient *patient, const char *check, VkCheckState state, const char *advice, const char *format, ...) G_GNUC_PRINTF (7, 8);

/* Marks it as fixed, or says in it why that failed. */
void vk_check_settle (VkCheck *check, gboolean fixed, const GError *failure);

/* The parts: what is on this machine; the places that backups use; a domain; what is left
 * of it; what is left of none in particular. */
void vk_doctor_check_programs (VkDoctor *doctor);
void vk_doctor_check_host (VkDoctor *doctor);
void vk_doctor_check_store (VkDoctor *doctor);
void vk_doctor_check_places (VkDoctor *doctor);
void vk_doctor_check_domain (VkDoctor *doctor, VkPatient *patient);
void vk_doctor_check_plan (VkDoctor *doctor, VkPatient *patient);
void vk_doctor_check_reach (VkDoctor *doctor, VkPatient *patient);
void vk_doctor_check_leftovers (VkDoctor *doctor, VkPatient *patient);
void vk_doctor_check_store_leftovers (VkDoctor *doctor, const VkPatient *patient);
void vk_doctor_check_streams (VkDoctor *doctor);
gboolean vk_doctor_check_strays (VkDoctor *doctor, GError **error);

/* The directory of an image store, or of a restic repository on this machine; else NULL. */
const char *vk_doctor_store_path (const VkDoctor *doctor);
