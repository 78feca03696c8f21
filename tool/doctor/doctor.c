/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "base/error.h"
#include "boot/boot.h"
#include "doctor/doctor-private.h"
#include "host/domains.h"

void
vk_patient_free (VkPatient *patient)
{
  virDomainFree (patient->domain);
  g_clear_pointer (&patient->xml, vk_domain_xml_free);
  g_free (patient->holder);
  g_free (patient);
}

/* Takes domain over. */
VkPatient *
vk_patient_new (VkDoctor *doctor, virDomainPtr domain, GError **error)
{
  VkPatient *made = g_new0 (VkPatient, 1);
  g_autoptr (VkPatient) patient = made;

  patient->domain = domain;
  patient->xml = vk_host_read_domain (doctor->host, domain, 0, NULL, error);
  if (patient->xml == NULL)
    return NULL;
  patient->running = virDomainIsActive (domain) == 1;
  if (doctor->request->store != NULL)
    vk_store_is_busy (doctor->request->store, patient->xml->name, patient->xml->uuid, &patient->holder);
  return g_steal_pointer (&patient);
}

/* The domains that were named, or all. */
static GPtrArray *
find_patients (VkDoctor *doctor, GError **error)
{
  const VkDoctorRequest *request = doctor->request;
  gboolean named = !request->all && request->domains[0] != NULL;
  g_autoptr (GPtrArray) patients = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_patient_free);
  g_autoptr (GPtrArray) names = named ? g_ptr_array_new_with_free_func (g_free) : vk_host_domain_names (doctor->host, error);

  if (names == NULL)
    return NULL;
  for (gsize i = 0; named && request->domains[i] != NULL; i++)
    g_ptr_array_add (names, g_strdup (request->domains[i]));
  for (guint i = 0; i < names->len; i++)
    {
      g_autoptr (GError) failure = NULL;
      virDomainPtr domain = vk_host_find_domain (doctor->host, g_ptr_array_index (names, i), &failure);
      VkPatient *patient = domain ? vk_patient_new (doctor, domain, &failure) : NULL;

      if (patient != NULL)
        g_ptr_array_add (patients, patient);
      /* Of all of them, one may have gone meanwhile. */
      else if (named)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return NULL;
        }
    }
  return g_steal_pointer (&patients);
}

/* --- what booted domains have left ------------------------------------------ */

gboolean
vk_doctor_check_strays (VkDoctor *doctor, GError **error)
{
  g_autoptr (GPtrArray) strays = vk_boot_find_stray (doctor->host, error);

  if (strays == NULL)
    return FALSE;
  for (guint i = 0; i < strays->len; i++)
    {
      const VkBootStray *stray = g_ptr_array_index (strays, i);
      g_autofree char *whose = stray->name ? g_strdup_printf ("the domain %s, booted from %s,", stray->name, stray->point) : g_strdup ("a boot that did not come to life");
      VkCheck *check = vk_doctor_add (doctor, "host", NULL, "booted", VK_CHECK_PROBLEM, N_("virt-keep doctor --fix removes it, with what the guest wrote, and so does virt-keep boot --discard"),
                                      "%s has left files in %s, and doors that still run: %u", whose, stray->directory, stray->doors->len);
      g_autoptr (GError) failure = NULL;

      if (!doctor->request->fix)
        continue;
      vk_check_settle (check, vk_boot_remove_stray (stray, &failure), failure);
      if (check->fixed)
        g_ptr_array_add (doctor->report->removed, g_strdup (stray->directory));
    }
  if (strays->len == 0)
    vk_doctor_add (doctor, "host", NULL, "booted", VK_CHECK_OK, NULL, "nothing is left of booted domains that are gone");
  g_ptr_array_extend_and_steal (doctor->report->strays, g_steal_pointer (&strays));
  return TRUE;
}

/* --- all of it --------------------------------------------------------------- */

static gboolean
examine (VkDoctor *doctor, GError **error)
{
  const VkDoctorRequest *request = doctor->request;
  gboolean named = !request->all && request->domains[0] != NULL;
  g_autoptr (GPtrArray) patients = find_patients (doctor, error);

  if (patients == NULL)
    return FALSE;
  vk_doctor_check_host (doctor);
  if (!vk_doctor_check_strays (doctor, error))
    return FALSE;
  vk_doctor_check_streams (doctor);
  vk_doctor_check_store (doctor);
  vk_doctor_check_places (doctor);
  for (guint i = 0; i < patients->len && !g_cancellable_is_cancelled (doctor->cancellable); i++)
    {
      VkPatient *patient = g_ptr_array_index (patients, i);

      /* The job first, which writes what else is left. */
      vk_doctor_check_leftovers (doctor, patient);
      if (named)
        vk_doctor_check_store_leftovers (doctor, patient);
      if (!named && !request->all)
        continue;
      vk_doctor_check_domain (doctor, patient);
      vk_doctor_check_reach (doctor, patient);
      vk_doctor_check_plan (doctor, patient);
    }
  if (!named)
    vk_doctor_check_store_leftovers (doctor, NULL);
  return !g_cancellable_set_error_if_cancelled (doctor->cancellable, error);
}

gboolean
vk_doctor_run (const VkDoctorRequest *request, VkDoctorReport *report, GCancellable *cancellable, GError **error)
{
  VkDoctor doctor = { .request = request, .report = report, .cancellable = cancellable };
  g_autoptr (VkHost) host = NULL;

  vk_doctor_check_programs (&doctor);
  host = vk_host_open (request->connect_uri, error);
  doctor.host = host;
  return host != NULL && examine (&doctor, error);
}
