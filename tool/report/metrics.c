/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "report/metrics.h"

#include <string.h>

typedef struct
{
  const char *name;
  const char *type;
  const char *label; /* that it has besides domain and store, or NULL */
  const char *help;
} Description;

static const Description descriptions[] = {
  [VK_METRIC_LAST_SUCCESS] = { "virt_keep_backup_last_success_timestamp_seconds", "gauge", NULL, "When a backup last succeeded, or found too little to do." },
  [VK_METRIC_LAST_ATTEMPT] = { "virt_keep_backup_last_attempt_timestamp_seconds", "gauge", NULL, "When a backup last ended, however it did." },
  [VK_METRIC_LAST_ATTEMPT_SUCCESS] = { "virt_keep_backup_last_attempt_success", "gauge", NULL, "Whether that one succeeded (1) or failed (0)." },
  [VK_METRIC_DURATION] = { "virt_keep_backup_duration_seconds", "gauge", NULL, "How long the last backup that made a restore point took." },
  [VK_METRIC_MOVED] = { "virt_keep_backup_moved_bytes", "gauge", NULL, "What it copied out of QEMU." },
  [VK_METRIC_ADDED] = { "virt_keep_backup_added_bytes", "gauge", NULL, "What it added to the store." },
  [VK_METRIC_LEVEL] = { "virt_keep_backup_level", "gauge", "level", "Of which level it was (1) and was not (0)." },
  [VK_METRIC_FAILURES] = { "virt_keep_backup_failures_total", "counter", "reason", "Backups that failed, by the class of the error." },
  [VK_METRIC_POINTS] = { "virt_keep_points", "gauge", NULL, "Restore points in the store." },
  [VK_METRIC_DAMAGED] = { "virt_keep_damaged_points", "gauge", NULL, "Those that cannot be used." },
  [VK_METRIC_STORED] = { "virt_keep_stored_bytes", "gauge", NULL, "What their images take." },
  [VK_METRIC_CHAIN] = { "virt_keep_chain_points", "gauge", NULL, "Restore points that a restore of the newest one reads." },
  [VK_METRIC_NEWEST] = { "virt_keep_newest_point_timestamp_seconds", "gauge", NULL, "The instant that the newest restore point which can be used shows." },
  [VK_METRIC_PROVEN] = { "virt_keep_last_proven_timestamp_seconds", "gauge", NULL, "When the newest restore point that is proven was." },
  [VK_METRIC_PROOF_SUCCESS] = { "virt_keep_last_proof_success", "gauge", NULL, "Whether the last proof of any restore point succeeded (1) or failed (0)." },
};

typedef struct
{
  VkMetric metric;
  double value;
} Sample;

struct VkMetrics
{
  GHashTable *samples; /* "name{labels}" to Sample */
};

VkMetrics *
vk_metrics_new (void)
{
  VkMetrics *metrics = g_new0 (VkMetrics, 1);

  metrics->samples = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return metrics;
}

void
vk_metrics_free (VkMetrics *metrics)
{
  g_hash_table_unref (metrics->samples);
  g_free (metrics);
}

/* name="value": in the value backslash, quotation mark and line feed are escaped. */
static void
append_label (GString *labels, const char *name, const char *value)
{
  g_autofree char *valid = g_utf8_make_valid (value, -1);

  g_string_append_printf (labels, "%s%s=\"", labels->len > 0 ? "," : "", name);
  for (const char *c = valid; *c != '\0'; c++)
    if (*c == '\n')
      g_string_append (labels, "\\n");
    else
      g_string_append_printf (labels, "%s%c", *c == '\\' || *c == '"' ? "\\" : "", *c);
  g_string_append_c (labels, '"');
}

char *
vk_metrics_owner (const char *domain, const char *store)
{
  GString *labels = g_string_new (NULL);

  append_label (labels, "domain", domain);
  append_label (labels, "store", store);
  return g_string_free (labels, FALSE);
}

static char *
key_of (VkMetric metric, const char *owner, const char *detail)
{
  GString *labels = g_string_new (owner);
  char *key;

  if (detail != NULL)
    append_label (labels, descriptions[metric].label, detail);
  key = g_strdup_printf ("%s{%s}", descriptions[metric].name, labels->str);
  g_string_free (labels, TRUE);
  return key;
}

static void
take_sample (VkMetrics *metrics, VkMetric metric, char *key, double value)
{
  Sample *sample = g_new (Sample, 1);

  *sample = (Sample) { metric, value };
  g_hash_table_replace (metrics->samples, key, sample);
}

void
vk_metrics_set (VkMetrics *metrics, VkMetric metric, const char *owner, const char *detail, double value)
{
  take_sample (metrics, metric, key_of (metric, owner, detail), value);
}

void
vk_metrics_count (VkMetrics *metrics, VkMetric metric, const char *owner, const char *detail)
{
  char *key = key_of (metric, owner, detail);
  const Sample *before = g_hash_table_lookup (metrics->samples, key);

  take_sample (metrics, metric, key, before ? before->value + 1 : 1);
}

void
vk_metrics_unset (VkMetrics *metrics, VkMetric metric, const char *owner)
{
  g_autofree char *prefix = g_strdup_printf ("%s{%s", descriptions[metric].name, owner);
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, metrics->samples);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (g_str_has_prefix (key, prefix))
      g_hash_table_iter_remove (&iter);
}

GPtrArray *
vk_metrics_owners (const VkMetrics *metrics, VkMetric metric, const char *store)
{
  GPtrArray *owners = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) label = g_string_new (NULL);
  g_autofree char *suffix = NULL;
  GHashTableIter iter;
  gpointer key, sample;

  append_label (label, "store", store);
  suffix = g_strdup_printf (",%s}", label->str);
  g_hash_table_iter_init (&iter, metrics->samples);
  while (g_hash_table_iter_next (&iter, &key, &sample))
    if (((const Sample *) sample)->metric == metric && g_str_has_suffix (key, suffix))
      {
        const char *labels = strchr (key, '{') + 1;

        g_ptr_array_add (owners, g_strndup (labels, strlen (labels) - 1));
      }
  return owners;
}

/* --- text -------------------------------------------------------------------- */

/* The metric that a line is about; VK_N_METRICS when there is none of that name. */
static VkMetric
metric_of (const char *line, gsize length)
{
  VkMetric metric = 0;

  while (metric < VK_N_METRICS && !(strlen (descriptions[metric].name) == length && strncmp (line, descriptions[metric].name, length) == 0))
    metric++;
  return metric;
}

/* "name{labels} value". */
static gboolean
parse_line (VkMetrics *metrics, const char *line)
{
  const char *brace = strchr (line, '{');
  const char *end = strrchr (line, '}');
  VkMetric metric;
  char *rest = NULL;
  double value;

  if (!g_str_has_prefix (line, "virt_keep_") || brace == NULL || end == NULL || end < brace || end[1] != ' ')
    return FALSE;
  value = g_ascii_strtod (end + 2, &rest);
  if (rest == end + 2 || *rest != '\0')
    return FALSE;
  metric = metric_of (line, (gsize) (brace - line));
  if (metric < VK_N_METRICS)
    take_sample (metrics, metric, g_strndup (line, (gsize) (end + 1 - line)), value);
  return TRUE;
}

gboolean
vk_metrics_parse (VkMetrics *metrics, const char *text, guint *line)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    if (lines[i][0] != '\0' && !g_str_has_prefix (lines[i], "# HELP virt_keep_") && !g_str_has_prefix (lines[i], "# TYPE virt_keep_") && !parse_line (metrics, lines[i]))
      {
        *line = i + 1;
        return FALSE;
      }
  return TRUE;
}

static void
append_metric (GString *text, const VkMetrics *metrics, VkMetric metric, GList *keys)
{
  const Description *description = &descriptions[metric];
  gboolean headed = FALSE;

  for (GList *key = keys; key != NULL; key = key->next)
    {
      const Sample *sample = g_hash_table_lookup (metrics->samples, key->data);
      char value[G_ASCII_DTOSTR_BUF_SIZE];

      if (sample->metric != metric)
        continue;
      if (!headed)
        g_string_append_printf (text, "# HELP %s %s\n# TYPE %s %s\n", description->name, description->help, description->name, description->type);
      headed = TRUE;
      g_string_append_printf (text, "%s %s\n", (const char *) key->data, g_ascii_formatd (value, sizeof value, "%.15g", sample->value));
    }
}

char *
vk_metrics_to_text (const VkMetrics *metrics)
{
  GString *text = g_string_new (NULL);
  g_autoptr (GList) keys = g_list_sort (g_hash_table_get_keys (metrics->samples), (GCompareFunc) strcmp);

  for (VkMetric metric = 0; metric < VK_N_METRICS; metric++)
    append_metric (text, metrics, metric, keys);
  return g_string_free (text, FALSE);
}
