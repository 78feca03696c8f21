/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/backup-result.h"

#include <glib/gi18n.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "report/format.h"

static void
add_times (JsonObject *result, const VkManifest *manifest)
{
  JsonObject *times = json_object_new ();

  vk_json_set_string (times, "started", manifest->started);
  vk_json_set_string (times, "instant", manifest->instant);
  vk_json_set_string (times, "finished", manifest->finished);
  json_object_set_object_member (result, "times", times);
}

static void
add_rates (JsonObject *result, const VkBackupRequest *request)
{
  g_autoptr (GList) targets = g_list_sort (g_hash_table_get_keys (request->max_rates), (GCompareFunc) strcmp);
  JsonArray *array;

  if (request->max_rate > 0)
    json_object_set_int_member (result, "max_rate", (gint64) request->max_rate);
  else
    json_object_set_null_member (result, "max_rate");
  array = json_array_new ();
  for (GList *target = targets; target != NULL; target = target->next)
    {
      JsonObject *object = json_object_new ();

      vk_json_set_string (object, "target", target->data);
      json_object_set_int_member (object, "max_rate", (gint64) *(const guint64 *) g_hash_table_lookup (request->max_rates, target->data));
      json_array_add_object_element (array, object);
    }
  json_object_set_array_member (result, "max_rates", array);
}

/* How the disks came here; null when QEMU wrote them, or when they were read without it. */
static void
add_transport (JsonObject *result, const VkBackupRequest *request, const VkManifest *manifest)
{
  gboolean pulled = g_strcmp0 (manifest->mode, vk_mode_words[VK_MODE_PULL]) == 0;

  vk_json_set_string (result, "transport", pulled ? vk_transport_words[request->server.transport] : NULL);
}

/* Where QEMU wrote the images itself. */
static void
add_writer (JsonObject *result, const VkManifest *manifest)
{
  gboolean pushed = g_strcmp0 (manifest->mode, vk_mode_words[VK_MODE_PUSH]) == 0;

  vk_json_set_string (result, "written_on", pushed ? manifest->host : NULL);
}

/* How the bytes of a domain of another host have got into the store. */
static void
append_way (GString *text, const VkBackupTask *task)
{
  if (vk_host_is_local (task->host))
    return;
  if (task->request.mode == VK_MODE_PUSH)
    g_string_append_printf (text, _("QEMU has written the images on %s, into %s as it is there.\n"), task->manifest->host, task->store->url);
  else
    g_string_append_printf (text, _("The disks were read from %s (%s).\n"), task->manifest->host, vk_transport_words[task->request.server.transport]);
}

static void
fill_json (JsonObject *result, const VkManifest *manifest, const VkStore *store, gboolean done)
{
  g_autofree char *point = done ? g_strdup_printf ("%s@%s", manifest->domain_name, manifest->id) : NULL;

  vk_json_set_string (result, "point", point);
  vk_json_set_string (result, "store", store->url);
  json_object_set_object_member (result, "domain", vk_domain_json (manifest->domain_name, manifest->domain_uuid));
  vk_json_set_string (result, "domain_state", manifest->domain_state);
  vk_json_set_string (result, "mode", manifest->mode);
  json_object_set_boolean_member (result, "changed", done);
  vk_json_set_string (result, "level", manifest->level);
  vk_json_set_string (result, "base", manifest->base);
  vk_json_set_string (result, "requested", manifest->requested);
  vk_json_set_string (result, "reason", manifest->reason);
  json_object_set_boolean_member (result, "synthetic", manifest->synthetic);
  vk_json_set_string (result, "checkpoint", done ? manifest->checkpoint : NULL);
  add_times (result, manifest);
  json_object_set_array_member (result, "disks", vk_manifest_disks_to_json (manifest));
  json_object_set_array_member (result, "left_out", vk_manifest_left_out_to_json (manifest));
  if (manifest->quiesce != NULL)
    json_object_set_object_member (result, "quiesce", vk_manifest_quiesce_to_json (manifest));
  if (manifest->guest != NULL)
    json_object_set_object_member (result, "guest", json_object_ref (manifest->guest));
  if (manifest->closed != NULL)
    json_object_set_object_member (result, "closed", json_object_ref (manifest->closed));
  json_object_set_array_member (result, "warnings", json_array_new ());
  for (guint i = 0; i < manifest->warnings->len; i++)
    vk_json_append_string (result, "warnings", g_ptr_array_index (manifest->warnings, i));
}

static void
append_quiesce (GString *text, const VkManifest *manifest)
{
  const VkManifestQuiesce *quiesce = manifest->quiesce;

  if (quiesce->frozen)
    g_string_append_printf (text, ngettext ("The guest agent had frozen %" PRIu64 " file system for the instant, for %" PRIu64 " ms in all.\n",
                                            "The guest agent had frozen %" PRIu64 " file systems for the instant, for %" PRIu64 " ms in all.\n", (gulong) quiesce->filesystems),
                            quiesce->filesystems, quiesce->milliseconds);
  else
    g_string_append_printf (text, _("The file systems were not frozen for the instant: %s.\n"), quiesce->reason);
}

static void
append_closed (GString *text, const VkManifest *manifest)
{
  g_autofree char *method = NULL;

  if (manifest->closed == NULL)
    {
      g_string_append (text, _("The domain was shut off: its disks were read directly, and no checkpoint was made.\n"));
      return;
    }
  if (!vk_json_get_string (manifest->closed, "method", "", &method, NULL))
    return;
  if (g_str_equal (method, "monitor"))
    g_string_append (text, _("QEMU has closed the backup: no backup node, job or export is left in it (asked: query-named-block-nodes, query-block-jobs, query-jobs, query-block-exports).\n"));
  else if (g_str_equal (method, "no-job"))
    g_string_append_printf (text, _("Nothing had changed since %s: no backup job was needed, and QEMU had nothing to close.\n"), manifest->base);
  else if (g_str_equal (method, "ended"))
    g_string_append (text, _("QEMU has closed the backup: it has ended, the domain has stopped since.\n"));
  else
    g_string_append (text, _("QEMU has closed the backup: nobody holds a lock on its files (QEMU itself was not asked, see --monitor).\n"));
}

/* A disk in chunks is whole in every point, and only what is new was stored. */
static void
append_disk (GString *text, const VkManifestDisk *disk)
{
  gboolean chunks = disk->chunk_size > 0;
  g_autofree char *virtual_size = vk_format_bytes (disk->virtual_size);
  g_autofree char *stored = vk_format_bytes (chunks ? disk->bytes_added : disk->size);

  g_string_append_printf (text, chunks ? _("  %-6s %s, %s, %s of it new to the store\n") : _("  %-6s %s, %s, stored in %s\n"), disk->target, virtual_size, disk->level, stored);
  if (disk->reason != NULL)
    g_string_append_printf (text, chunks ? _("         read whole because %s\n") : _("         full because %s\n"), disk->reason);
}

static void
fill_text (GString *text, const VkManifest *manifest)
{
  g_string_append_printf (text, _("Backed up %s (%s, %s%s) as %s@%s\n"), manifest->domain_name, manifest->mode, manifest->level, manifest->synthetic ? _(", synthetic") : "", manifest->domain_name, manifest->id);
  for (guint i = 0; i < manifest->disks->len; i++)
    append_disk (text, g_ptr_array_index (manifest->disks, i));
  for (guint i = 0; i < manifest->left_out->len; i++)
    {
      const VkManifestLeftOut *left_out = g_ptr_array_index (manifest->left_out, i);

      g_string_append_printf (text, _("  %-6s left out: %s\n"), left_out->target, left_out->message);
    }
  if (manifest->reason != NULL)
    g_string_append_printf (text, _("The level is %s: %s.\n"), manifest->level, manifest->reason);
  if (manifest->synthetic)
    g_string_append (text, _("What had changed was copied, and the full images were made of it and of the chain, in the store.\n"));
  append_quiesce (text, manifest);
  append_closed (text, manifest);
}

static void
report_task (VkInvocation *invocation, const VkBackupTask *task, JsonObject *result)
{
  fill_json (result, task->manifest, task->store, task->stored);
  add_rates (result, &task->request);
  add_transport (result, &task->request, task->manifest);
  add_writer (result, task->manifest);
  if (!task->stored)
    return;
  fill_text (invocation->text, task->manifest);
  append_way (invocation->text, task);
}

void
vk_backup_report (VkInvocation *invocation, const GArray *tasks, const VkBackupSpread *spread, gboolean done)
{
  JsonArray *results;
  JsonObject *together;

  if (spread == NULL)
    {
      report_task (invocation, &g_array_index (tasks, VkBackupTask, 0), invocation->result);
      return;
    }
  results = json_array_new ();
  for (guint i = 0; i < tasks->len; i++)
    {
      JsonObject *result = json_object_new ();

      report_task (invocation, &g_array_index (tasks, VkBackupTask, i), result);
      json_array_add_object_element (results, result);
    }
  together = json_object_new ();
  json_object_set_int_member (together, "domains", tasks->len);
  json_object_set_int_member (together, "begin_milliseconds", (gint64) spread->begin_milliseconds);
  json_object_set_int_member (together, "frozen_milliseconds", (gint64) spread->frozen_milliseconds);
  json_object_set_object_member (invocation->result, "together", together);
  json_object_set_array_member (invocation->result, "results", results);
  if (done)
    g_string_append_printf (invocation->text, _("%" PRIu64 " ms lie between the first and the last of %u begins; from the first freeze to the last thaw it took %" PRIu64 " ms.\n"),
                            spread->begin_milliseconds, tasks->len, spread->frozen_milliseconds);
}

void
vk_backup_report_estimates (VkInvocation *invocation, const GPtrArray *estimates)
{
  JsonArray *array = json_array_new ();
  guint64 total = 0;

  json_object_set_array_member (invocation->result, "estimate", array);
  for (guint i = 0; estimates != NULL && i < estimates->len; i++)
    {
      const VkEstimate *estimate = g_ptr_array_index (estimates, i);
      g_autofree char *bytes = vk_format_bytes (estimate->bytes);
      JsonObject *object = json_object_new ();

      vk_json_set_string (object, "target", estimate->target);
      vk_json_set_string (object, "level", estimate->level);
      vk_json_set_string (object, "reason", estimate->reason);
      json_object_set_int_member (object, "bytes", (gint64) estimate->bytes);
      json_array_add_object_element (array, object);
      g_string_append_printf (invocation->text, _("  %-6s %s, about %s%s%s\n"), estimate->target, estimate->level, bytes, estimate->reason ? ": " : "", estimate->reason ? estimate->reason : "");
      total += estimate->bytes;
    }
  json_object_set_int_member (invocation->result, "estimated_bytes", (gint64) total);
}
