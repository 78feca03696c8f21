/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/restore-request.h"

#include <glib/gi18n.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/command.h"
#include "command/options.h"
#include "command/restore-stream.h"

static const GOptionEntry restore_options[] = {
  { "to", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkRestoreOptions, directory), N_("Restore into the directory DIR"), "DIR" },
  { "pool", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkRestoreOptions, pool), N_("Restore the disks into the libvirt storage pool NAME"), "NAME" },
  { "target", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, VK_OPTION (VkRestoreOptions, targets), N_("Write this disk to PLACE: a block device, a new file, an image URI (repeatable)"), "DEV=PLACE" },
  { "in-place", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkRestoreOptions, in_place), N_("Restore into the places of the domain's own disks; it must be shut off"), NULL },
  { "delta", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkRestoreOptions, delta), N_("With --in-place: write only the blocks that differ"), NULL },
  { "disk", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (VkRestoreOptions, disks), N_("Restore only this disk (repeatable)"), "DEV" },
  { "file", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (VkRestoreOptions, files), N_("Restore only this file, such as domain.xml (repeatable)"), "NAME" },
  { "format", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkRestoreOptions, format), N_("Format of the restored images"), "qcow2|raw" },
  { "cluster-size", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkRestoreOptions, cluster_size), N_("Make qcow2 images with clusters of SIZE bytes, such as 128K"), "SIZE" },
  { "compress", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkRestoreOptions, compress), N_("Compress qcow2 images, with zstd"), NULL },
  { "preallocation", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkRestoreOptions, preallocation), N_("What images take at once"), "off|metadata|falloc|full" },
  { "scratch-dir", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkRestoreOptions, scratch_dir), N_("Of a tar archive: put together in DIR what is in it"), "DIR" },
  { "define", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkRestoreOptions, define), N_("Define the restored domain in libvirt"), NULL },
  { "name", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkRestoreOptions, name), N_("With --define: call the domain NAME"), "NAME" },
  { "new-uuid", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkRestoreOptions, new_uuid), N_("With --define: give it a new UUID"), NULL },
  { "new-macs", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkRestoreOptions, new_macs), N_("With --define: give it new MAC addresses"), NULL },
  { "network", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (VkRestoreOptions, networks), N_("With --define: put it into another network (repeatable)"), "OLD=NEW" },
  { "start", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkRestoreOptions, start), N_("With --define: start it"), NULL },
  { "progress", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkRestoreOptions, progress), N_("How to show progress on standard error"), "bar|lines|json|none" },
  { NULL }
};

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  const VkRestored *const *first = a;
  const VkRestored *const *second = b;

  return strcmp ((*first)->path, (*second)->path);
}

static void
fill_result (VkInvocation *invocation, const VkPoint *point, GPtrArray *restored, const char *defined, const GPtrArray *warnings)
{
  const VkRestoreOptions *options = invocation->options;
  g_autofree char *name = vk_point_name (point);
  gboolean is_delta = FALSE;
  guint64 written = 0;

  vk_json_set_string (invocation->result, "point", name);
  json_object_set_array_member (invocation->result, "files", json_array_new ());
  json_object_set_array_member (invocation->result, "warnings", json_array_new ());
  g_string_append_printf (invocation->text, _("Restored %s:\n"), name);
  g_ptr_array_sort (restored, compare_paths);
  for (guint i = 0; i < restored->len; i++)
    {
      const VkRestored *item = g_ptr_array_index (restored, i);

      vk_json_append_string (invocation->result, "files", item->path);
      if (item->is_delta)
        g_string_append_printf (invocation->text, _("  %s: %" PRIu64 " bytes differed\n"), item->path, item->written);
      else
        g_string_append_printf (invocation->text, "  %s\n", item->path);
      written += item->written;
      is_delta = is_delta || item->is_delta;
    }
  for (guint i = 0; i < warnings->len; i++)
    vk_json_append_string (invocation->result, "warnings", g_ptr_array_index (warnings, i));
  vk_json_set_string (invocation->result, "defined", defined);
  json_object_set_boolean_member (invocation->result, "started", options->start);
  if (is_delta)
    json_object_set_int_member (invocation->result, "written", (gint64) written);
  if (defined != NULL && options->start)
    g_string_append_printf (invocation->text, _("Defined and started the domain %s.\n"), defined);
  else if (defined != NULL)
    g_string_append_printf (invocation->text, _("Defined the domain %s: virsh start it.\n"), defined);
}

/* What a restore is made with. */
typedef struct
{
  VkRunDir *stream; /* where the store is, when the point came as a stream; or NULL */
  VkStore *store;
  VkPoint *point;
  VkHost *host; /* or NULL */
  VkStoragePool *pool; /* or NULL */
  VkInPlace *in_place; /* or NULL */
  VkRestoreRequests requests;
  VkProgressStyle style;
  VkInterrupt *interrupt;
} Means;

static void
means_clear (Means *means)
{
  g_clear_pointer (&means->in_place, vk_in_place_close);
  g_clear_pointer (&means->pool, vk_storage_pool_free);
  g_clear_pointer (&means->host, vk_host_free);
  g_clear_pointer (&means->point, vk_point_free);
  g_clear_pointer (&means->store, vk_store_free);
  g_clear_pointer (&means->stream, vk_run_dir_free);
  g_clear_pointer (&means->interrupt, vk_interrupt_free);
  vk_restore_clear_requests (&means->requests);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Means, means_clear)

static GPtrArray *
run (Means *means, VkReporter *reporter, GError **error)
{
  VkHostPump *pump = means->host ? vk_host_pump_start () : NULL;
  GPtrArray *restored = vk_restore_run (means->store, means->point, means->pool, means->in_place, &means->requests.restore, reporter, vk_interrupt_cancellable (means->interrupt), error);

  if (pump != NULL)
    vk_host_pump_stop (pump);
  return restored;
}

/* The restore proper, between a store that is open and a result that is
 * wanted. */
static gboolean
restore_point (VkInvocation *invocation, Means *means, GError **error)
{
  const VkRestoreOptions *options = invocation->options;
  const VkRestoreRequests *requests = &means->requests;
  g_autoptr (VkReporter) reporter = vk_reporter_new (means->style, stderr, means->point->manifest->domain_name);
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) restored = NULL;
  g_autofree char *defined = NULL;

  vk_reporter_event (reporter, "start", NULL, NULL);
  restored = run (means, reporter, error);
  if (restored != NULL && options->define)
    defined = vk_restore_define (means->host, means->store, means->point, &requests->define, restored, requests->restore.form.format, warnings, error);
  if (restored == NULL || (options->define && defined == NULL))
    {
      vk_interrupt_claim_error (means->interrupt, error);
      vk_reporter_end (reporter, *error);
      return FALSE;
    }
  for (guint i = 0; i < warnings->len; i++)
    vk_reporter_warning (reporter, g_ptr_array_index (warnings, i));
  fill_result (invocation, means->point, restored, defined, warnings);
  vk_reporter_end (reporter, NULL);
  return TRUE;
}

/* A domain elsewhere finds no disks that are here. */
static gboolean
check_reach (const VkRestoreOptions *options, VkHost *host, GError **error)
{
  if (!options->define || vk_host_is_local (host) || (options->directory == NULL && options->targets == NULL))
    return TRUE;
  return vk_fail (error, VK_ERROR_REFUSED, "the domain would be on another machine than what --to and --target restore: run virt-keep there, or use --pool");
}

/* libvirt's part, where there is one. */
static gboolean
open_host (VkInvocation *invocation, Means *means, GError **error)
{
  const VkRestoreOptions *options = invocation->options;

  if (!options->define && options->pool == NULL && !options->in_place)
    return TRUE;
  means->host = vk_host_open (invocation->connect_uri, error);
  if (means->host == NULL || !check_reach (options, means->host, error))
    return FALSE;
  if (options->define && !vk_restore_check_define (means->host, means->store, means->point, &means->requests.define, options->directory != NULL, error))
    return FALSE;
  if (options->pool != NULL)
    means->pool = vk_storage_pool_open (means->host, options->pool, error);
  if (options->in_place)
    means->in_place = vk_in_place_open (means->host, means->store, means->point, vk_interrupt_cancellable (means->interrupt), error);
  return (options->pool == NULL || means->pool != NULL) && (!options->in_place || means->in_place != NULL);
}

/* The directory may stand behind the point. */
static gboolean
take_directory (VkInvocation *invocation, GError **error)
{
  VkRestoreOptions *options = invocation->options;

  if (invocation->arguments[1] == NULL)
    return TRUE;
  if (vk_options_have (invocation, "to"))
    return vk_fail (error, VK_ERROR_USAGE, "the directory is named twice, '%s' and with --to", invocation->arguments[1]);
  g_free (options->directory);
  options->directory = g_strdup (invocation->arguments[1]);
  return TRUE;
}

/* Opens the store and finds the point there, or reads both. */
static gboolean
find_point (VkInvocation *invocation, Means *means, GError **error)
{
  const VkRestoreOptions *options = invocation->options;
  const char *name = invocation->arguments[0];

  if (vk_restore_is_stream (name))
    means->point = vk_restore_read_stream (invocation, options->scratch_dir, means->style, means->interrupt, &means->stream, &means->store, error);
  else
    {
      means->store = vk_open_store (invocation, FALSE, error);
      means->point = means->store ? vk_store_find_point (means->store, name, error) : NULL;
    }
  return means->point != NULL;
}

static gboolean
run_restore (VkInvocation *invocation, GError **error)
{
  const VkRestoreOptions *options = invocation->options;
  g_auto (Means) means = { 0 };

  if (!vk_restore_check_source (invocation, options->scratch_dir, error)
      || !take_directory (invocation, error)
      || !vk_restore_parse_options (options, &means.requests, error)
      || !vk_parse_progress (invocation, options->progress, &means.style, error))
    return FALSE;
  means.interrupt = vk_interrupt_new ();
  return find_point (invocation, &means, error) && open_host (invocation, &means, error) && restore_point (invocation, &means, error);
}

const VkCommand vk_command_restore = {
  .name = "restore",
  .arguments = "POINT [DIR]",
  .summary = N_("Bring the disks of a restore point, and the domain, back"),
  .options = restore_options,
  .option_bytes = sizeof (VkRestoreOptions),
  .run = run_restore,
};
