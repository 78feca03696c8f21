/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the user's hooks are told of a backup, and when. */
#include "config.h"

#include "backup/backup-private.h"
#include "backup/hooks.h"
#include "base/error.h"
#include "base/json.h"

static JsonObject *
domain_to_json (const VkManifest *manifest)
{
  JsonObject *domain = json_object_new ();

  vk_json_set_string (domain, "name", manifest->domain_name);
  vk_json_set_string (domain, "uuid", manifest->domain_uuid);
  return domain;
}

static JsonObject *
error_to_json (const GError *reason)
{
  JsonObject *error = json_object_new ();

  vk_json_set_string (error, "class", vk_error_class_name (reason));
  vk_json_set_string (error, "message", reason->message);
  return error;
}

static JsonObject *
describe (const VkBackup *backup, const char *phase, const GError *reason)
{
  const VkManifest *manifest = backup->manifest;
  JsonObject *input = json_object_new ();

  vk_json_set_string (input, "phase", phase);
  json_object_set_object_member (input, "domain", domain_to_json (manifest));
  vk_json_set_string (input, "uri", manifest->uri);
  vk_json_set_string (input, "store", backup->store->url);
  vk_json_set_string (input, "store_id", backup->store->id);
  vk_json_set_string (input, "id", manifest->id);
  vk_json_set_string (input, "domain_state", manifest->domain_state);
  vk_json_set_string (input, "mode", manifest->mode);
  vk_json_set_string (input, "requested", manifest->requested);
  vk_json_set_string (input, "level", manifest->level);
  if (manifest->quiesce != NULL)
    json_object_set_object_member (input, "quiesce", vk_manifest_quiesce_to_json (manifest));
  if (reason != NULL)
    json_object_set_object_member (input, "error", error_to_json (reason));
  return input;
}

static gboolean
run (VkBackup *backup, const char *phase, gint64 deadline, const GError *reason, GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonObject) input = describe (backup, phase, reason);

  return vk_hooks_run (backup->request->hook_dir, phase, input, backup->request->hook_limit, deadline, cancellable, error);
}

gboolean
vk_backup_check_hooks (VkBackup *backup, GError **error)
{
  g_autoptr (GPtrArray) hooks = backup->request->hook_dir ? vk_hooks_list (backup->request->hook_dir, error) : NULL;

  return hooks != NULL || backup->request->hook_dir == NULL;
}

gboolean
vk_backup_hook_before (VkBackup *backup, GError **error)
{
  if (backup->request->hook_dir == NULL)
    return TRUE;
  if (!run (backup, "pre-freeze", 0, NULL, backup->cancellable, error))
    return FALSE;
  backup->hooked = TRUE;
  return TRUE;
}

gboolean
vk_backup_hook_frozen (VkBackup *backup, GError **error)
{
  if (backup->request->hook_dir == NULL || backup->freeze == NULL)
    return TRUE;
  return run (backup, "frozen", vk_freeze_deadline (backup->freeze), NULL, backup->cancellable, error);
}

/* What was prepared in pre-freeze has to be taken back, also when we are to stop. */
void
vk_backup_hook_thawed (VkBackup *backup)
{
  g_autoptr (GError) failure = NULL;

  if (!backup->hooked)
    return;
  backup->hooked = FALSE;
  if (!run (backup, "thawed", 0, NULL, NULL, &failure))
    vk_backup_warn (backup, "%s", failure->message);
}

void
vk_backup_hook_end (VkBackup *backup, const GError *reason)
{
  g_autoptr (GError) failure = NULL;

  /* Before the domain was found there is nothing to tell. */
  if (backup->request->hook_dir == NULL || backup->xml == NULL || g_error_matches (reason, VK_ERROR, VK_ERROR_UNCHANGED))
    return;
  if (!run (backup, reason ? "failed" : "done", 0, reason, NULL, &failure))
    vk_backup_warn (backup, "%s", failure->message);
}
