/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "restore/restore.h"

#include <string.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/command.h"

typedef struct
{
  char *directory;
  char **disks;
  char *format;
  gboolean define;
  char *name;
  char *progress;
} RestoreOptions;

static const GOptionEntry restore_options[] = {
  { "to", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (RestoreOptions, directory), "Restore into the directory DIR", "DIR" },
  { "disk", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (RestoreOptions, disks), "Restore only this disk (repeatable)", "DEV" },
  { "format", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (RestoreOptions, format), "Format of the restored images", "qcow2|raw" },
  { "define", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (RestoreOptions, define), "Define the restored domain in libvirt", NULL },
  { "name", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (RestoreOptions, name), "With --define: call the domain NAME", "NAME" },
  { "progress", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (RestoreOptions, progress), "How to show progress on standard error", "bar|lines|json|none" },
  { NULL }
};

static gboolean
parse_request (const RestoreOptions *options, VkRestoreRequest *request, GError **error)
{
  static const char *const formats[] = { "qcow2", "raw", NULL };
  int format;

  if (!vk_parse_choice ("--format", options->format, formats, 0, &format, error))
    return FALSE;
  if (options->directory == NULL || *options->directory == '\0')
    {
      g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "where to? give --to DIRECTORY");
      return FALSE;
    }
  if (options->name != NULL && !options->define)
    {
      g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "--name is for --define");
      return FALSE;
    }
  if (options->name != NULL && (options->name[0] == '\0' || strpbrk (options->name, "/\n") != NULL))
    {
      g_set_error (error, VK_ERROR, VK_ERROR_USAGE, "--name cannot be '%s': libvirt has no domain without a name, or with a slash or a line break in it", options->name);
      return FALSE;
    }
  request->directory = options->directory;
  request->disks = (const char *const *) options->disks;
  request->format = formats[format];
  return TRUE;
}

static int
compare_paths (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (a, b);
}

static void
fill_result (VkInvocation *invocation, const VkPoint *point, GHashTable *paths, const char *defined, const GPtrArray *warnings)
{
  g_autofree char *name = vk_point_name (point);
  g_autoptr (GList) sorted = g_list_sort (g_hash_table_get_values (paths), compare_paths);

  vk_json_set_string (invocation->result, "point", name);
  json_object_set_array_member (invocation->result, "files", json_array_new ());
  json_object_set_array_member (invocation->result, "warnings", json_array_new ());
  g_string_append_printf (invocation->text, "Restored %s:\n", name);
  for (GList *path = sorted; path != NULL; path = path->next)
    {
      vk_json_append_string (invocation->result, "files", path->data);
      g_string_append_printf (invocation->text, "  %s\n", (const char *) path->data);
    }
  for (guint i = 0; i < warnings->len; i++)
    vk_json_append_string (invocation->result, "warnings", g_ptr_array_index (warnings, i));
  vk_json_set_string (invocation->result, "defined", defined);
  if (defined != NULL)
    g_string_append_printf (invocation->text, "Defined the domain %s: virsh start it.\n", defined);
}

/* The restore proper, between a store that is open and a result that is
 * wanted. */
static gboolean
restore_point (VkInvocation *invocation, VkStore *store, const VkPoint *point, VkHost *host, const VkRestoreRequest *request, VkProgressStyle style, VkInterrupt *interrupt, GError **error)
{
  const RestoreOptions *options = invocation->options;
  g_autoptr (VkReporter) reporter = vk_reporter_new (style, stderr, point->manifest->domain_name);
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) paths = NULL;
  g_autofree char *defined = NULL;

  vk_reporter_event (reporter, "start", NULL, NULL);
  paths = vk_restore_run (store, point, request, reporter, vk_interrupt_cancellable (interrupt), error);
  if (paths != NULL && host != NULL)
    defined = vk_restore_define (host, store, point, request, paths, options->name, warnings, error);
  if (paths == NULL || (host != NULL && defined == NULL))
    {
      vk_interrupt_claim_error (interrupt, error);
      vk_reporter_end (reporter, *error);
      return FALSE;
    }
  for (guint i = 0; i < warnings->len; i++)
    vk_reporter_warning (reporter, g_ptr_array_index (warnings, i));
  fill_result (invocation, point, paths, defined, warnings);
  vk_reporter_end (reporter, NULL);
  return TRUE;
}

static gboolean
run_restore (VkInvocation *invocation, GError **error)
{
  const RestoreOptions *options = invocation->options;
  g_autoptr (VkInterrupt) interrupt = NULL;
  g_autoptr (VkStore) store = NULL;
  g_autoptr (VkPoint) point = NULL;
  g_autoptr (VkHost) host = NULL;
  VkRestoreRequest request = { 0 };
  VkProgressStyle style;

  if (!vk_require_store (invocation, error)
      || !parse_request (options, &request, error)
      || !vk_parse_progress (invocation, options->progress, &style, error))
    return FALSE;
  interrupt = vk_interrupt_new ();
  store = vk_open_store (invocation, FALSE, error);
  point = store ? vk_store_find_point (store, invocation->arguments[0], error) : NULL;
  if (point == NULL)
    return FALSE;
  if (options->define)
    {
      host = vk_host_open (invocation->connect_uri, error);
      if (host == NULL || !vk_restore_check_name (host, point, options->name, error))
        return FALSE;
    }
  return restore_point (invocation, store, point, host, &request, style, interrupt, error);
}

const VkCommand vk_command_restore = {
  .name = "restore",
  .arguments = "POINT",
  .summary = "Bring the disks of a restore point, and the domain, back",
  .options = restore_options,
  .option_bytes = sizeof (RestoreOptions),
  .run = run_restore,
};
