/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <inttypes.h>

#include "base/error.h"
#include "base/json.h"
#include "command/command.h"
#include "report/format.h"
#include "store/store.h"

static const GOptionEntry show_options[] = { { NULL } };

static void
append (GString *text, const char *label, const char *value)
{
  g_autofree char *harmless = vk_format_harmless (value ? value : "-", FALSE);

  g_string_append_printf (text, "%-12s %s\n", _(label), harmless);
}

static void
append_disks (GString *text, const VkManifest *manifest)
{
  for (guint i = 0; i < manifest->disks->len; i++)
    {
      const VkManifestDisk *disk = g_ptr_array_index (manifest->disks, i);
      g_autofree char *virtual_size = vk_format_bytes (disk->virtual_size);
      g_autofree char *size = vk_format_bytes (disk->size);
      g_autofree char *label = g_strdup_printf ("Disk %-7s", disk->target);
      g_autofree char *origin = g_strdup_printf ("%s, %s, %s, from %s (%s)", disk->level, virtual_size, disk->format, disk->source ? disk->source : "-", disk->type);

      append (text, label, origin);
      if (disk->chunk_size > 0)
        g_string_append_printf (text, _("             %s, %s, in chunks of %" PRIu64 " KiB, content sha256 %s\n"), disk->image, size, disk->chunk_size / 1024, disk->content_sha256);
      else
        g_string_append_printf (text, _("             %s, %s, sha256 %s\n"), disk->image, size, disk->sha256);
    }
  for (guint i = 0; i < manifest->left_out->len; i++)
    {
      const VkManifestLeftOut *left_out = g_ptr_array_index (manifest->left_out, i);
      g_autofree char *why = g_strdup_printf ("%s: %s", left_out->target, left_out->message);

      append (text, N_("Left out"), why);
    }
}

static void
append_quiesce (GString *text, const VkManifestQuiesce *quiesce)
{
  if (quiesce == NULL)
    return;
  if (quiesce->frozen)
    {
      g_string_append_printf (text, "%-12s ", _("Frozen"));
      g_string_append_printf (text, ngettext ("%" PRIu64 " file system, for %" PRIu64 " ms\n", "%" PRIu64 " file systems, for %" PRIu64 " ms\n", (gulong) quiesce->filesystems),
                              quiesce->filesystems, quiesce->milliseconds);
    }
  else
    g_string_append_printf (text, _("%-12s no: %s\n"), _("Frozen"), quiesce->reason ? quiesce->reason : "-");
}

/* A member of the guest's own words, which may be missing. */
static char *
guest_word (JsonObject *object, const char *member)
{
  char *word = NULL;

  return object != NULL && vk_json_get_string (object, member, NULL, &word, NULL) ? word : NULL;
}

static void
append_filesystem (GString *text, JsonObject *filesystem)
{
  g_autofree char *mountpoint = guest_word (filesystem, "mountpoint");
  g_autofree char *type = guest_word (filesystem, "type");
  JsonArray *disks = NULL;

  g_string_append_printf (text, "%-12s %s, %s", _("Mounted"), mountpoint ? mountpoint : "-", type ? type : "-");
  vk_json_get_array (filesystem, "disks", &disks, NULL);
  for (guint i = 0; disks != NULL && i < json_array_get_length (disks); i++)
    if (json_node_get_value_type (json_array_get_element (disks, i)) == G_TYPE_STRING)
      g_string_append_printf (text, "%s%s", i == 0 ? _(", on ") : " ", json_array_get_string_element (disks, i));
  g_string_append_c (text, '\n');
}

/* The objects of an array member. */
static GPtrArray *
guest_list (JsonObject *guest, const char *member)
{
  GPtrArray *objects = g_ptr_array_new ();
  JsonArray *array = NULL;

  vk_json_get_array (guest, member, &array, NULL);
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    if (JSON_NODE_HOLDS_OBJECT (json_array_get_element (array, i)))
      g_ptr_array_add (objects, json_array_get_object_element (array, i));
  return objects;
}

static void
append_guest (GString *text, JsonObject *guest)
{
  g_autoptr (GPtrArray) filesystems = guest_list (guest, "filesystems");
  g_autofree char *hostname = guest_word (guest, "hostname");
  g_autofree char *system = NULL;
  JsonObject *os = NULL;

  vk_json_get_object (guest, "os", &os, NULL);
  system = guest_word (os, "name");
  g_string_append_printf (text, _("%-12s %s, %s (by its own account)\n"), _("Guest"), hostname ? hostname : "-", system ? system : "-");
  for (guint i = 0; i < filesystems->len; i++)
    append_filesystem (text, g_ptr_array_index (filesystems, i));
}

static void
fill_text (GString *text, const VkPoint *point)
{
  const VkManifest *manifest = point->manifest;
  g_autofree char *name = vk_point_name (point);
  g_autofree char *verdict = point->verdict ? vk_verdict_to_text (point->verdict) : NULL;
  g_autofree char *made_by = NULL;

  append (text, N_("Point"), name);
  append (text, N_("Location"), point->location);
  append (text, N_("Domain UUID"), manifest->domain_uuid);
  append (text, N_("Instant"), manifest->instant);
  append (text, N_("Finished"), manifest->finished);
  append (text, N_("Level"), manifest->level);
  append (text, N_("Base"), manifest->base);
  append (text, N_("Merged"), manifest->merged);
  append (text, N_("Synthetic"), manifest->synthetic ? _("yes") : NULL);
  append (text, N_("Mode"), manifest->mode);
  append_quiesce (text, manifest->quiesce);
  if (manifest->guest != NULL)
    append_guest (text, manifest->guest);
  append (text, N_("Protected"), point->is_protected ? _("yes") : _("no"));
  append (text, N_("Note"), point->note);
  append (text, N_("Proven"), verdict);
  append (text, N_("Checkpoint"), manifest->checkpoint);
  append (text, N_("Host"), manifest->host);
  made_by = g_strdup_printf ("virt-keep %s, libvirt %s, QEMU %s", manifest->virt_keep_version, manifest->libvirt_version, manifest->qemu_version);
  append (text, N_("Made by"), made_by);
  append_disks (text, manifest);
  for (guint i = 0; i < manifest->files->len; i++)
    {
      const VkManifestFile *file = g_ptr_array_index (manifest->files, i);
      g_autofree char *size = vk_format_bytes (file->size);
      g_autofree char *words = g_strdup_printf ("%s (%s), %s", file->name, file->role, size);

      append (text, N_("File"), words);
    }
  for (guint i = 0; i < manifest->warnings->len; i++)
    append (text, N_("Warning"), g_ptr_array_index (manifest->warnings, i));
  if (point->annotation_damage != NULL)
    append (text, N_("Warning"), point->annotation_damage);
}

static gboolean
run_show (VkInvocation *invocation, GError **error)
{
  g_autoptr (VkStore) store = NULL;
  g_autoptr (VkPoint) point = NULL;
  g_autofree char *name = NULL;

  store = vk_open_store (invocation, FALSE, error);
  point = store ? vk_store_find_point (store, invocation->arguments[0], error) : NULL;
  if (point == NULL)
    return FALSE;
  name = vk_point_name (point);
  vk_json_set_string (invocation->result, "point", name);
  vk_json_set_string (invocation->result, "location", point->location);
  json_object_set_boolean_member (invocation->result, "protected", point->is_protected);
  vk_json_set_string (invocation->result, "note", point->note);
  if (point->verdict != NULL)
    json_object_set_object_member (invocation->result, "verdict", vk_verdict_to_json (point->verdict));
  json_object_set_object_member (invocation->result, "manifest", vk_manifest_to_json (point->manifest));
  fill_text (invocation->text, point);
  return TRUE;
}

const VkCommand vk_command_show = {
  .name = "show",
  .arguments = "POINT",
  .summary = N_("Show everything about a restore point"),
  .options = show_options,
  .option_bytes = 1,
  .run = run_show,
};
