/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/json.h"
#include "boot/boot.h"
#include "doctor/doctor-private.h"

static const char *const state_words[] = { "ok", "note", "problem" };

static void
check_free (VkCheck *check)
{
  g_free (check->domain);
  g_free (check->text);
  g_free (check->advice);
  g_free (check);
}

VkDoctorReport *
vk_doctor_report_new (void)
{
  VkDoctorReport *report = g_new0 (VkDoctorReport, 1);

  report->checks = g_ptr_array_new_with_free_func ((GDestroyNotify) check_free);
  report->strays = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_boot_stray_free);
  report->removed = g_ptr_array_new_with_free_func (g_free);
  return report;
}

void
vk_doctor_report_free (VkDoctorReport *report)
{
  g_ptr_array_unref (report->checks);
  g_ptr_array_unref (report->strays);
  g_ptr_array_unref (report->removed);
  g_free (report);
}

VkCheck *
vk_doctor_add (VkDoctor *doctor, const char *subject, const VkPatient *patient, const char *word, VkCheckState state, const char *advice, const char *format, ...)
{
  VkCheck *check = g_new0 (VkCheck, 1);
  va_list args;

  va_start (args, format);
  check->text = g_strdup_vprintf (_(format), args);
  va_end (args);
  check->subject = subject;
  check->domain = g_strdup (patient ? patient->xml->name : NULL);
  check->check = word;
  check->state = state;
  check->advice = g_strdup (advice ? _(advice) : NULL);
  g_ptr_array_add (doctor->report->checks, check);
  return check;
}

void
vk_check_settle (VkCheck *check, gboolean fixed, const GError *failure)
{
  char *text;

  check->fixed = fixed;
  if (fixed)
    return;
  text = g_strdup_printf ("%s; it could not be mended: %s", check->text, failure->message);
  g_free (check->text);
  check->text = text;
}

guint
vk_doctor_report_problems (const VkDoctorReport *report)
{
  guint problems = 0;

  for (guint i = 0; i < report->checks->len; i++)
    {
      const VkCheck *check = g_ptr_array_index (report->checks, i);

      problems += check->state == VK_CHECK_PROBLEM && !check->fixed;
    }
  return problems;
}

JsonArray *
vk_doctor_report_to_json (const VkDoctorReport *report)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < report->checks->len; i++)
    {
      const VkCheck *check = g_ptr_array_index (report->checks, i);
      JsonObject *object = json_object_new ();

      vk_json_set_string (object, "subject", check->subject);
      vk_json_set_string (object, "domain", check->domain);
      vk_json_set_string (object, "check", check->check);
      vk_json_set_string (object, "state", state_words[check->state]);
      vk_json_set_string (object, "text", check->text);
      vk_json_set_string (object, "advice", check->advice);
      json_object_set_boolean_member (object, "fixed", check->fixed);
      json_array_add_object_element (array, object);
    }
  return array;
}

void
vk_doctor_report_to_text (const VkDoctorReport *report, GString *text)
{
  const VkCheck *last = NULL;

  for (guint i = 0; i < report->checks->len; i++)
    {
      const VkCheck *check = g_ptr_array_index (report->checks, i);

      if (last == NULL || strcmp (last->subject, check->subject) != 0 || g_strcmp0 (last->domain, check->domain) != 0)
        g_string_append_printf (text, "%s%s%s\n", check->subject, check->domain ? " " : "", check->domain ? check->domain : "");
      g_string_append_printf (text, "  %-8s %s\n", check->fixed ? "fixed" : state_words[check->state], check->text);
      if (check->advice != NULL && !check->fixed)
        g_string_append_printf (text, "           -> %s\n", check->advice);
      last = check;
    }
}
