/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "base/error.h"
#include "base/json.h"
#include "command/command.h"
#include "host/host.h"
#include "host/job-info.h"

static const GOptionEntry abort_options[] = { { NULL } };

static gboolean
abort_job (VkInvocation *invocation, virDomainPtr domain, GError **error)
{
  const char *name = virDomainGetName (domain);
  char uuid[VIR_UUID_STRING_BUFLEN] = "";
  VkJobInfo info;

  virDomainGetUUIDString (domain, uuid);
  json_object_set_object_member (invocation->result, "domain", vk_domain_json (name, uuid));
  if (!vk_job_info_get (domain, &info, error))
    return FALSE;
  if (!info.is_backup)
    {
      if (info.active)
        return vk_fail (error, VK_ERROR_NOT_FOUND, "no backup job runs on '%s', only a job of another kind: %s", name, info.operation);
      else
        return vk_fail (error, VK_ERROR_NOT_FOUND, "no backup job runs on '%s'", name);
    }
  if (virDomainAbortJob (domain) < 0)
    {
      vk_set_libvirt_error (error, NULL, "cannot abort the backup job of '%s'", name);
      return FALSE;
    }
  g_string_append_printf (invocation->text, _("The backup job of %s was told to abort.\n"), name);
  return TRUE;
}

static gboolean
run_abort (VkInvocation *invocation, GError **error)
{
  g_autoptr (VkHost) host = vk_host_open (invocation->connect_uri, error);
  g_autoptr (virDomain) domain = host ? vk_host_find_domain (host, invocation->arguments[0], error) : NULL;

  return domain != NULL && abort_job (invocation, domain, error);
}

const VkCommand vk_command_abort = {
  .name = "abort",
  .arguments = "DOMAIN",
  .summary = N_("Abort the backup job that runs on a domain"),
  .options = abort_options,
  .option_bytes = 1,
  .run = run_abort,
};
