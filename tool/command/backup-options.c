/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/backup-options.h"

#include <glib/gi18n.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"

/* Windows thaws by itself after ten seconds. */
enum { FREEZE_SECONDS = 10, MOST_FREEZE_SECONDS = 3600, HOOK_SECONDS = 60, MOST_JOBS = 256 };

const GOptionEntry vk_backup_options[] = {
  { "mode", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, mode), N_("Who copies: QEMU writes (push) or virt-keep reads (pull)"), "push|pull" },
  { "level", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, level), N_("What to copy; copy is a full that leaves no checkpoint"), "full|copy|incremental|differential|auto" },
  { "disk", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (VkBackupOptions, disks), N_("Back up only this disk (repeatable)"), "DEV" },
  { "exclude", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (VkBackupOptions, excluded), N_("Leave this disk out (repeatable)"), "DEV" },
  { "quiesce", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, quiesce), N_("Whether the guest agent freezes the file systems at the instant"), "auto|require|never" },
  { "freeze-mount", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (VkBackupOptions, freeze_mounts), N_("Freeze only what is mounted at PATH in the guest (repeatable)"), "PATH" },
  { "freeze-limit", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, freeze_limit), N_("How long they are frozen at most (10s)"), "TIME" },
  { "hook-dir", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkBackupOptions, hook_dir), N_("Run the programs in DIR before and after the instant, and at the end"), "DIR" },
  { "hook-timeout", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, hook_timeout), N_("How long one of them may take (1m)"), "TIME" },
  { "together", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkBackupOptions, together), N_("Back up several domains at one instant, all or none"), NULL },
  { "all", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkBackupOptions, all), N_("Back up every domain that has a disk, each by itself"), NULL },
  { "exclude-domain", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (VkBackupOptions, excluded_domains), N_("Of several domains, leave these out (repeatable)"), "PATTERN" },
  { "jobs", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, jobs), N_("Of several domains, back up N at a time (1)"), "N" },
  { "order", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, order), N_("Which of several domains comes first"), "given|name|oldest" },
  { "selector", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (VkBackupOptions, selectors), N_("Back up the domains of whose policy this is a part (repeatable)"), "KEY=VALUE" },
  { "no-policy", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkBackupOptions, no_policy), N_("Do not obey the policies of domains"), NULL },
  { "transport", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, transport), N_("Pull mode: how the disks come here from QEMU"), "auto|unix|ssh|tls|tcp" },
  { "data-address", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, data_address), N_("With --transport tls or tcp: where QEMU listens"), "HOST[:PORT]" },
  { "tls-creds", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkBackupOptions, tls_directory), N_("With --transport tls: take the certificates from DIR"), "DIR" },
  { "scratch-dir", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkBackupOptions, scratch_dir), N_("Pull mode: keep what the guest overwrites meanwhile in DIR"), "DIR" },
  { "scratch-reserve", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, scratch_reserve), N_("Pull mode: end the backup when less room than SIZE is left there"), "SIZE" },
  { "templates", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkBackupOptions, templates_dir), N_("Use the backup and checkpoint XML templates in DIR"), "DIR" },
  { "monitor", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, monitor), N_("Whether to ask QEMU itself that the backup is closed"), "auto|never" },
  { "start-paused", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkBackupOptions, start_paused), N_("Start a domain that is shut off, paused, for the backup"), NULL },
  { "allow-full", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkBackupOptions, allow_full), N_("Make a full where the level asked for is not possible"), NULL },
  { "paranoid", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkBackupOptions, paranoid), N_("Check the digests of what an incremental builds on first"), NULL },
  { "max-chain", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, max_chain), N_("With --level auto: full after N points that build on each other (60)"), "N" },
  { "synthetic-full", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkBackupOptions, synthetic_full), N_("Make that full in the store, of the chain and an incremental"), NULL },
  { "estimate", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (VkBackupOptions, estimate), N_("Say what would be moved, and touch nothing"), NULL },
  { "threshold", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, threshold), N_("Do nothing when fewer than BYTES would be moved"), "BYTES" },
  { "max-rate", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (VkBackupOptions, max_rates), N_("Copy no more than RATE bytes a second, or of one disk (repeatable)"), "[DEV=]RATE" },
  { "pack-size", 0, 0, G_OPTION_ARG_INT, VK_OPTION (VkBackupOptions, pack_size), N_("Restic store: make files of MIB mebibytes (16)"), "MIB" },
  { "compression", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, compression), N_("Restic store: how to compress what is new"), "auto|off|max" },
  { "to", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkBackupOptions, to), N_("Write a whole restore point into FILE, or - for standard output, as a tar archive"), "FILE" },
  { "metrics", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (VkBackupOptions, metrics), N_("Write how it went into FILE, for Prometheus"), "FILE" },
  { "progress", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (VkBackupOptions, progress), N_("How to show progress on standard error"), "bar|lines|json|none" },
  { NULL }
};

/* What is of pull mode alone.  With --to there is a use for --scratch-dir in push mode, too. */
static gboolean
check_mode (const VkBackupOptions *options, VkBackupMode mode, GError **error)
{
  if (mode != VK_MODE_PUSH)
    return TRUE;
  if ((options->scratch_dir != NULL && options->to == NULL) || options->scratch_reserve != NULL)
    vk_fail (error, VK_ERROR_USAGE, "%s is for --mode pull: in push mode there are no scratch files", options->scratch_reserve ? "--scratch-reserve" : "--scratch-dir");
  else if (options->transport != NULL || options->data_address != NULL || options->tls_directory != NULL)
    vk_fail (error, VK_ERROR_USAGE, "%s is for --mode pull: in push mode nothing comes from QEMU", options->transport ? "--transport" : options->data_address ? "--data-address" : "--tls-creds");
  else
    return TRUE;
  return FALSE;
}

/* Push is the default where QEMU can write.  As long as the store is not known, nothing is said
 * against either. */
static gboolean
parse_mode (const VkInvocation *invocation, VkBackupRequest *request, GError **error)
{
  const VkBackupOptions *options = invocation->options;
  gboolean pull_only = invocation->store != NULL && vk_store_is_pull_only (invocation->store);
  int mode;

  if (!vk_parse_choice ("--mode", options->mode, vk_mode_words, pull_only || invocation->store == NULL ? VK_MODE_PULL : VK_MODE_PUSH, &mode, error))
    return FALSE;
  if (pull_only && mode == VK_MODE_PUSH)
    return vk_fail (error, VK_ERROR_USAGE, "--mode push is for image stores: QEMU cannot write into a restic repository itself, see --mode pull");
  /* Where no mode is named, the host has a say. */
  if (options->mode != NULL && !check_mode (options, (VkBackupMode) mode, error))
    return FALSE;
  request->has_scratch_reserve = options->scratch_reserve != NULL;
  if (request->has_scratch_reserve && !vk_parse_size (options->scratch_reserve, 0, &request->scratch_reserve))
    return vk_fail (error, VK_ERROR_USAGE, "--scratch-reserve cannot be '%s': it is a size such as 500M, or 0", options->scratch_reserve);
  request->mode = (VkBackupMode) mode;
  return TRUE;
}

static gboolean
parse_directory (const char *option, const char *value, const char **directory, GError **error)
{
  *directory = value;
  if (value == NULL || *value != '\0')
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "%s names no directory", option);
}

/* HOST, HOST:PORT, ADDRESS of IPv6, or [ADDRESS]:PORT; also brackets alone. */
static gboolean
parse_data_address (const char *text, VkServerRequest *server, GError **error)
{
  g_autoptr (GSocketConnectable) address = g_network_address_parse (text, 0, NULL);

  if (address != NULL && *g_network_address_get_hostname (G_NETWORK_ADDRESS (address)) != '\0')
    {
      server->address = g_intern_string (g_network_address_get_hostname (G_NETWORK_ADDRESS (address)));
      server->port = g_network_address_get_port (G_NETWORK_ADDRESS (address));
      return TRUE;
    }
  return vk_fail (error, VK_ERROR_USAGE, "--data-address cannot be '%s': it is a host name or an address, and a port behind a colon if need be", text);
}

static gboolean
parse_server (const VkBackupOptions *options, VkServerRequest *server, GError **error)
{
  int transport;

  if (!vk_parse_choice ("--transport", options->transport, vk_transport_words, VK_TRANSPORT_AUTO, &transport, error)
      || (options->data_address != NULL && !parse_data_address (options->data_address, server, error))
      || !parse_directory ("--tls-creds", options->tls_directory, &server->tls_dir, error))
    return FALSE;
  server->transport = (VkTransport) transport;
  return TRUE;
}

/* How a restic store is written. */
static gboolean
parse_settings (const VkBackupOptions *options, VkStoreSettings *settings, GError **error)
{
  static const char *const words[] = { "auto", "off", "max", NULL };
  static const int levels[] = { 0, -1, 11 }; /* zstd's: the store's own, none, about restic's max */
  int choice;

  if (!vk_parse_choice ("--compression", options->compression, words, 0, &choice, error))
    return FALSE;
  if (options->pack_size != 0 && (options->pack_size < 4 || options->pack_size > 128))
    return vk_fail (error, VK_ERROR_USAGE, "--pack-size cannot be %d: it is a number of MiB from 4 to 128", options->pack_size);
  settings->compression = levels[choice];
  settings->pack_size = (gsize) options->pack_size << 20;
  return TRUE;
}

static gboolean
parse_number (const char *option, const char *value, guint64 fallback, guint64 least, guint64 *number, GError **error)
{
  *number = fallback;
  if (value == NULL || g_ascii_string_to_unsigned (value, 10, least, G_MAXINT64, number, NULL))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "%s cannot be '%s': it is a whole number, %" PRIu64 " or more", option, value, least);
}

static gboolean
parse_quiesce (const VkBackupOptions *options, VkBackupRequest *request, GError **error)
{
  int choice;

  request->freeze_limit = FREEZE_SECONDS;
  if (!vk_parse_choice ("--quiesce", options->quiesce, vk_quiesce_words, VK_QUIESCE_AUTO, &choice, error)
      || !vk_parse_seconds ("--freeze-limit", options->freeze_limit, &request->freeze_limit, error))
    return FALSE;
  if (request->freeze_limit < 1 || request->freeze_limit > MOST_FREEZE_SECONDS)
    return vk_fail (error, VK_ERROR_USAGE, "--freeze-limit cannot be '%s': it is a time from 1s to 1h", options->freeze_limit);
  if (choice == VK_QUIESCE_NEVER && (options->freeze_mounts != NULL || options->freeze_limit != NULL))
    return vk_fail (error, VK_ERROR_USAGE, "%s has no meaning with --quiesce never", options->freeze_mounts ? "--freeze-mount" : "--freeze-limit");
  for (gsize i = 0; options->freeze_mounts != NULL && options->freeze_mounts[i] != NULL; i++)
    if (options->freeze_mounts[i][0] == '\0')
      return vk_fail (error, VK_ERROR_USAGE, "--freeze-mount names no path");
  request->quiesce = (VkQuiesce) choice;
  request->freeze_mounts = (const char *const *) options->freeze_mounts;
  return TRUE;
}

static gboolean
parse_rate (const char *text, VkBackupRequest *request, GError **error)
{
  const char *equals = strrchr (text, '=');
  const char *rate = equals ? equals + 1 : text;
  guint64 bytes;

  if (!vk_parse_size (rate, 0, &bytes) || bytes == 0 || equals == text)
    return vk_fail (error, VK_ERROR_USAGE, "--max-rate cannot be '%s': it is a number of bytes a second such as 20M, or one for a disk such as vda=500K", text);
  if (equals == NULL)
    request->max_rate = bytes;
  else
    g_hash_table_replace (request->max_rates, g_strndup (text, (gsize) (equals - text)), g_memdup2 (&bytes, sizeof bytes));
  return TRUE;
}

static gboolean
parse_rates (const VkBackupOptions *options, VkBackupRequest *request, GError **error)
{
  for (gsize i = 0; options->max_rates != NULL && options->max_rates[i] != NULL; i++)
    if (!parse_rate (options->max_rates[i], request, error))
      return FALSE;
  return TRUE;
}

static gboolean
parse_hooks (const VkBackupOptions *options, VkBackupRequest *request, GError **error)
{
  request->hook_limit = HOOK_SECONDS;
  if (!parse_directory ("--hook-dir", options->hook_dir, &request->hook_dir, error)
      || !vk_parse_seconds ("--hook-timeout", options->hook_timeout, &request->hook_limit, error))
    return FALSE;
  if (options->hook_timeout == NULL || (request->hook_dir != NULL && request->hook_limit > 0))
    return TRUE;
  if (request->hook_dir == NULL)
    vk_fail (error, VK_ERROR_USAGE, "--hook-timeout has no meaning without --hook-dir");
  else
    vk_fail (error, VK_ERROR_USAGE, "--hook-timeout cannot be '%s': it is a second or more", options->hook_timeout);
  return FALSE;
}

const char *const vk_backup_policy_keys[] = {
  "mode", "level", "disk", "exclude", "quiesce", "freeze-mount", "freeze-limit", "allow-full", "max-chain", "synthetic-full",
  "threshold", "max-rate", "compression", NULL
};

gboolean
vk_backup_options_check (const VkInvocation *invocation, GError **error)
{
  g_autoptr (GHashTable) rates = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  VkBackupRequest request = { .max_rates = rates };
  VkStoreSettings settings;

  return vk_backup_options_parse (invocation, &request, &settings, error);
}

gboolean
vk_backup_options_parse (const VkInvocation *invocation, VkBackupRequest *request, VkStoreSettings *settings, GError **error)
{
  static const char *const monitor_words[] = { "auto", "never", NULL };
  const VkBackupOptions *options = invocation->options;
  int level, monitor;
  guint64 max_chain;

  if (!parse_mode (invocation, request, error)
      || !parse_settings (options, settings, error)
      || !vk_parse_choice ("--level", options->level, vk_level_words, VK_LEVEL_AUTO, &level, error)
      || !vk_parse_choice ("--monitor", options->monitor, monitor_words, 0, &monitor, error))
    return FALSE;
  if (!parse_quiesce (options, request, error)
      || !parse_hooks (options, request, error)
      || !parse_server (options, &request->server, error)
      || !parse_directory ("--scratch-dir", options->scratch_dir, &request->scratch_dir, error)
      || !parse_directory ("--templates", options->templates_dir, &request->templates_dir, error))
    return FALSE;
  if (!parse_number ("--threshold", options->threshold, 0, 0, &request->threshold, error)
      || !parse_number ("--max-chain", options->max_chain, VK_DEFAULT_MAX_CHAIN, 1, &max_chain, error)
      || !parse_rates (options, request, error))
    return FALSE;
  request->level = (VkBackupLevel) level;
  request->disks = (const char *const *) options->disks;
  request->excluded = (const char *const *) options->excluded;
  request->use_monitor = monitor == 0;
  request->start_paused = options->start_paused;
  request->allow_full = options->allow_full;
  request->paranoid = options->paranoid;
  request->max_chain = (guint) MIN (max_chain, G_MAXUINT);
  request->synthetic_full = options->synthetic_full;
  request->has_threshold = options->threshold != NULL;
  return TRUE;
}

gboolean
vk_backup_options_settle (const VkBackupOptions *options, VkHost *host, VkBackupRequest *request, GError **error)
{
  gboolean here = vk_host_is_local (host);

  if (!here && options->mode == NULL)
    request->mode = VK_MODE_PULL;
  if (!check_mode (options, request->mode, error)
      || (request->mode == VK_MODE_PULL && !vk_server_request_settle (&request->server, host, error)))
    return FALSE;
  if (here || request->use_monitor)
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "--monitor never is for domains on this host: on another one only QEMU itself can tell whether it has closed a backup");
}

gboolean
vk_backup_options_parse_jobs (const VkBackupOptions *options, guint64 *jobs, GError **error)
{
  if (!parse_number ("--jobs", options->jobs, 1, 1, jobs, error))
    return FALSE;
  *jobs = MIN (*jobs, MOST_JOBS);
  return TRUE;
}
