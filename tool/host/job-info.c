/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/job-info.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/xml.h"
#include "host/question.h"

static const char *
operation_word (int operation)
{
  switch ((virDomainJobOperation) operation)
    {
    case VIR_DOMAIN_JOB_OPERATION_START:
      return "start";
    case VIR_DOMAIN_JOB_OPERATION_SAVE:
      return "save";
    case VIR_DOMAIN_JOB_OPERATION_RESTORE:
      return "restore";
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN:
      return "migration-in";
    case VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
      return "migration-out";
    case VIR_DOMAIN_JOB_OPERATION_SNAPSHOT:
      return "snapshot";
    case VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT:
      return "snapshot-revert";
    case VIR_DOMAIN_JOB_OPERATION_DUMP:
      return "dump";
    case VIR_DOMAIN_JOB_OPERATION_BACKUP:
      return "backup";
    default:
      return "unknown";
    }
}

typedef struct
{
  int type;
  virTypedParameterPtr params;
  int n_params;
} Stats;

static void
stats_free (gpointer data)
{
  Stats *stats = data;

  virTypedParamsFree (stats->params, stats->n_params);
  g_free (stats);
}

static gboolean
ask_stats (virDomainPtr domain, gpointer data, GError **error)
{
  const char *name = virDomainGetName (domain);
  Stats *stats = data;

  if (virDomainGetJobStats (domain, &stats->type, &stats->params, &stats->n_params, 0) == 0)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "cannot ask for the job of '%s'", name);
  return FALSE;
}

static void
take_stats (VkJobInfo *info, const Stats *stats)
{
  int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
  virTypedParameterPtr params = stats->params;
  int n_params = stats->n_params;
  unsigned long long value;

  info->active = stats->type == VIR_DOMAIN_JOB_BOUNDED || stats->type == VIR_DOMAIN_JOB_UNBOUNDED;
  virTypedParamsGetInt (params, n_params, VIR_DOMAIN_JOB_OPERATION, &operation);
  info->operation = operation_word (operation);
  info->is_backup = info->active && operation == VIR_DOMAIN_JOB_OPERATION_BACKUP;
  if (virTypedParamsGetULLong (params, n_params, VIR_DOMAIN_JOB_TIME_ELAPSED, &value) > 0)
    info->elapsed = value;
  if (virTypedParamsGetULLong (params, n_params, VIR_DOMAIN_JOB_DISK_TOTAL, &value) > 0)
    {
      info->has_disk_progress = TRUE;
      info->total = value;
    }
  if (virTypedParamsGetULLong (params, n_params, VIR_DOMAIN_JOB_DISK_PROCESSED, &value) > 0)
    info->processed = value;
  if (virTypedParamsGetULLong (params, n_params, VIR_DOMAIN_JOB_DISK_REMAINING, &value) > 0)
    info->remaining = value;
  if (virTypedParamsGetULLong (params, n_params, VIR_DOMAIN_JOB_DISK_TEMP_TOTAL, &value) > 0)
    {
      info->has_scratch = TRUE;
      info->scratch_total = value;
    }
  if (virTypedParamsGetULLong (params, n_params, VIR_DOMAIN_JOB_DISK_TEMP_USED, &value) > 0)
    info->scratch_used = value;
}

gboolean
vk_job_info_get (virDomainPtr domain, VkJobInfo *info, GError **error)
{
  Stats *stats = g_new0 (Stats, 1);

  memset (info, 0, sizeof *info);
  stats->type = VIR_DOMAIN_JOB_NONE;
  if (!vk_question_ask (domain, ask_stats, stats, stats_free, error))
    return FALSE;
  take_stats (info, stats);
  stats_free (stats);
  return TRUE;
}

void
vk_job_backup_details (virDomainPtr domain, const char **mode, GStrv *targets)
{
  char *text = virDomainBackupGetXMLDesc (domain, 0);

  vk_job_backup_parse (text, mode, targets);
  free (text);
}

void
vk_job_backup_parse (const char *text, const char **mode, GStrv *targets)
{
  g_autoptr (xmlDoc) doc = text ? vk_xml_parse (text, "domainbackup", NULL) : NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autoptr (GPtrArray) nodes = NULL;
  g_autofree char *word = NULL;

  *mode = NULL;
  *targets = NULL;
  if (doc == NULL)
    return;
  word = vk_xml_text (xmlDocGetRootElement (doc), "/domainbackup/@mode");
  *mode = g_strcmp0 (word, "pull") == 0 ? "pull" : "push";
  nodes = vk_xml_find_all (xmlDocGetRootElement (doc), "//server/@socket | //target/@file | //target/@dev | //scratch/@file | //scratch/@dev");
  for (guint i = 0; i < nodes->len; i++)
    g_ptr_array_add (names, vk_xml_text (g_ptr_array_index (nodes, i), "."));
  g_ptr_array_add (names, NULL);
  *targets = (GStrv) g_ptr_array_free (g_steal_pointer (&names), FALSE);
}
