/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a command is.  Its options stand once, in its table: the parser, the
 * help and the completion all read them there. */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "report/reporter.h"
#include "store/store.h"

/* What every command gets. */
typedef struct
{
  char *connect_uri; /* -c, or NULL */
  char *store;       /* --store, $VIRT_KEEP_STORE or the configuration's, or NULL */
  char *retry_lock;  /* --retry-lock, or NULL */
  char *config_file; /* --config, or NULL */
  VkStoreSettings store_settings;
  gboolean json;
  gboolean quiet;
  gpointer options;  /* the command's own options: a struct of option_bytes */
  char **given;      /* the options of the command line in full, "--name=value" or "--name", NULL-terminated */
  char **arguments;  /* what stands after the options, NULL-terminated */
  char **program;    /* what stands behind "--" for a command that runs programs, NULL-terminated; or NULL */
  int program_status; /* how it ended, as a shell has it: ours when nothing of ours failed */
  JsonObject *result; /* the JSON result: filled in also on the way to a failure */
  GString *text;      /* the result for people */
  gboolean partial;   /* some of it was done: the text is shown also on failure */
  gboolean streamed;  /* the result was printed as it came */
} VkInvocation;

typedef struct
{
  const char *name;
  const char *arguments; /* "DOMAIN", "[DOMAIN]", ...: how many there may be is read from it */
  const char *summary;
  const GOptionEntry *options; /* arg_data is the field's offset: VK_OPTION() */
  gsize option_bytes;
  gboolean hidden;
  const char *const *unconfigurable; /* NULL-terminated, or NULL: options that no configuration file gives */
  gboolean unconfigured; /* it does without the configuration files */
  gboolean forks;        /* it starts processes by vk_fork_start() */
  gboolean streams;      /* with --to - standard output is an archive */
  gboolean runs_program; /* what stands behind "--" is one, with its arguments */
  const char *const *policy_keys; /* NULL-terminated, or NULL: options that the policy of a domain may give */
  gboolean (*check_options) (const VkInvocation *invocation, GError **error); /* with policy_keys: whether the values
                        of the options can be; nothing but options is set.  VK_ERROR_USAGE otherwise */
  gboolean (*run) (VkInvocation *invocation, GError **error);
} VkCommand;

/* The arg_data of an option that is stored in a member of a struct. */
#define VK_OPTION(type, member) ((gpointer) G_STRUCT_OFFSET (type, member))

extern const VkCommand vk_command_abort;
extern const VkCommand vk_command_backup;
extern const VkCommand vk_command_boot;
extern const VkCommand vk_command_complete;
extern const VkCommand vk_command_config;
extern const VkCommand vk_command_copy;
extern const VkCommand vk_command_doctor;
extern const VkCommand vk_command_export;
extern const VkCommand vk_command_forget;
extern const VkCommand vk_command_get;
extern const VkCommand vk_command_guard;
extern const VkCommand vk_command_init;
extern const VkCommand vk_command_list;
extern const VkCommand vk_command_ls;
extern const VkCommand vk_command_mount;
extern const VkCommand vk_command_note;
extern const VkCommand vk_command_protect;
extern const VkCommand vk_command_policy;
extern const VkCommand vk_command_prove;
extern const VkCommand vk_command_prune;
extern const VkCommand vk_command_report;
extern const VkCommand vk_command_restore;
extern const VkCommand vk_command_show;
extern const VkCommand vk_command_status;
extern const VkCommand vk_command_unprotect;
extern const VkCommand vk_command_verify;

/* All of them, NULL-terminated, in the order of the help. */
extern const VkCommand *const vk_commands[];

/* NULL when there is none of this name. */
const VkCommand *vk_command_find (const char *name);

/* The options that every command takes; arg_data are offsets in VkInvocation. */
extern const GOptionEntry vk_global_options[];

/* The place of value in choices (NULL-terminated), or fallback for NULL.
 * FALSE with VK_ERROR_USAGE naming option and choices otherwise. */
gboolean vk_parse_choice (const char *option, const char *value, const char *const *choices, int fallback, int *choice, GError **error);

/* The choice of --progress, with what --quiet makes of it. */
gboolean vk_parse_progress (const VkInvocation *invocation, const char *value, VkProgressStyle *style, GError **error);

/* "90", "90s", "5m", "2h" in seconds; NULL leaves *seconds as it is.  VK_ERROR_USAGE naming
 * option otherwise. */
gboolean vk_parse_seconds (const char *option, const char *text, guint *seconds, GError **error);

/* "4096", "64K", "20M", "1G" or "1T" in bytes; a number without a unit is shifted by
 * plain_shift (20: it is mebibytes).  FALSE when text is no such size, or one over
 * G_MAXINT64; the caller knows what to say. */
gboolean vk_parse_size (const char *text, guint plain_shift, guint64 *bytes);

/* The store that was named, or FALSE with VK_ERROR_USAGE. */
gboolean vk_require_store (const VkInvocation *invocation, GError **error);

/* Opens it: see vk_store_open().  Returns: (transfer full). */
VkStore *vk_open_store (VkInvocation *invocation, gboolean create, GError **error);

/* Has the keys of encrypted images come from the secrets of invocation's libvirt, as opening a store does. */
void vk_use_secrets (VkInvocation *invocation);

/* Makes it: see vk_store_create().  Returns: (transfer full). */
VkStore *vk_create_store (VkInvocation *invocation, GError **error);

/* Protects the point that is the first argument (1), or not (0), or leaves that
 * (-1); note: a new one, "" for none, NULL leaves it.  See note.c. */
gboolean vk_annotate (VkInvocation *invocation, int protect, const char *note, GError **error);

/* The document that is the result of a command (NULL: none): how it ended, and the members of
 * result (may be NULL).  Returns: (transfer full). */
JsonObject *vk_result_document (JsonObject *result, const char *command, const GError *error);

/* Prints the one document on standard output, of a command (NULL: none) that has
 * failed with error (NULL: it has not). */
void vk_print_json_result (const VkInvocation *invocation, const char *command, const GError *error);

/* {"name": ..., "uuid": ...}.  Returns: (transfer full). */
JsonObject *vk_domain_json (const char *name, const char *uuid);
