/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Completion files for fish and zsh, made from the tables of options.  What changes from
 * one line to the next, domains and points, they ask "virt-keep complete" for. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "command/complete-script.h"
#include "templates-resource.h"

/* What may stand for an argument or a value. */
typedef enum
{
  WORDS_ANY,
  WORDS_CHOICES,
  WORDS_FILES,
  WORDS_DIRECTORIES,
  WORDS_DOMAINS,
  WORDS_STORED, /* the domains that the store knows */
  WORDS_POINTS,
  WORDS_CHECK,
  WORDS_POLICY, /* an action, a domain, and keys */
} Words;

static Words
words_of_value (const GOptionEntry *entry)
{
  const char *value = entry->arg_description;

  if (value == NULL)
    return WORDS_ANY;
  if (strchr (value, '|') != NULL)
    return WORDS_CHOICES;
  if (strcmp (entry->long_name, "finish") == 0 || strcmp (entry->long_name, "discard") == 0)
    return WORDS_DOMAINS;
  if (strcmp (value, "DIR") == 0 || strcmp (value, "STORE") == 0)
    return WORDS_DIRECTORIES;
  return entry->arg == G_OPTION_ARG_FILENAME || entry->arg == G_OPTION_ARG_FILENAME_ARRAY ? WORDS_FILES : WORDS_ANY;
}

static Words
words_of_arguments (const VkCommand *command)
{
  if (strcmp (command->name, "config") == 0)
    return WORDS_CHECK;
  if (strcmp (command->name, "policy") == 0)
    return WORDS_POLICY;
  if (strstr (command->arguments, "POINT") != NULL)
    return WORDS_POINTS;
  if (strstr (command->arguments, "DOMAIN") != NULL)
    return strcmp (command->name, "list") == 0 ? WORDS_STORED : WORDS_DOMAINS;
  return strstr (command->arguments, "DIR") != NULL ? WORDS_DIRECTORIES : WORDS_ANY;
}

static gboolean
takes_value (const GOptionEntry *entry)
{
  return entry->arg != G_OPTION_ARG_NONE;
}

static gboolean
is_repeatable (const GOptionEntry *entry)
{
  return entry->arg == G_OPTION_ARG_STRING_ARRAY || entry->arg == G_OPTION_ARG_FILENAME_ARRAY;
}

/* Appends text with a backslash before each of special. */
static void
append_escaped (GString *script, const char *text, const char *special)
{
  for (; *text != '\0'; text++)
    {
      if (strchr (special, *text) != NULL)
        g_string_append_c (script, '\\');
      g_string_append_c (script, *text);
    }
}

static void
append_choices (GString *script, const GOptionEntry *entry)
{
  g_autofree char *choices = g_strdelimit (g_strdup (entry->arg_description), "|", ' ');

  g_string_append (script, choices);
}

/* What a file begins with, bash-completion/start.SHELL, is in the program. */
static void
append_start (GString *script, const char *shell)
{
  g_autofree char *name = g_strdup_printf ("/virt-keep/completion/start.%s", shell);
  g_autoptr (GBytes) start = g_resource_lookup_data (vk_templates_get_resource (), name, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);

  g_string_append_len (script, g_bytes_get_data (start, NULL), (gssize) g_bytes_get_size (start));
}

/* --- fish ----------------------------------------------------------------- */

static const char *const fish_words[] = {
  [WORDS_DIRECTORIES] = "(__fish_complete_directories)",
  [WORDS_DOMAINS] = "(__virt_keep_ask domains)",
  [WORDS_STORED] = "(__virt_keep_ask points | string replace -r \"@[^@]*\\$\" \"\" | sort -u)",
  [WORDS_POINTS] = "(__virt_keep_ask points)",
  [WORDS_CHECK] = "check",
  [WORDS_POLICY] = "set get unset (__virt_keep_ask domains) (__virt_keep_ask keys)",
};

static void
append_fish_words (GString *script, Words words, const GOptionEntry *entry)
{
  if (words == WORDS_CHOICES)
    {
      g_string_append (script, " -xa '");
      append_choices (script, entry);
      g_string_append_c (script, '\'');
    }
  else if (words == WORDS_FILES)
    g_string_append (script, " -rF");
  else if (words == WORDS_ANY)
    g_string_append (script, entry != NULL ? " -x" : "");
  else
    g_string_append_printf (script, " -%sa '%s'", entry ? "x" : "", fish_words[words]);
}

static void
append_fish_description (GString *script, const char *description)
{
  g_string_append (script, " -d '");
  append_escaped (script, description, "'\\");
  g_string_append_c (script, '\'');
}

/* command NULL: options that may stand anywhere. */
static void
append_fish_options (GString *script, const GOptionEntry *table, const VkCommand *command)
{
  for (const GOptionEntry *entry = table; entry->long_name != NULL; entry++)
    {
      g_string_append (script, "complete -c virt-keep");
      if (command != NULL)
        g_string_append_printf (script, " -n '__virt_keep_is %s'", command->name);
      if (entry->short_name != 0)
        g_string_append_printf (script, " -s %c", entry->short_name);
      g_string_append_printf (script, " -l %s", entry->long_name);
      if (takes_value (entry))
        append_fish_words (script, words_of_value (entry), entry);
      append_fish_description (script, entry->description);
      g_string_append_c (script, '\n');
    }
}

static void
append_fish_command (GString *script, const VkCommand *command)
{
  Words words = words_of_arguments (command);

  g_string_append_printf (script, "\ncomplete -c virt-keep -n '__virt_keep_is' -a %s", command->name);
  append_fish_description (script, command->summary);
  g_string_append_c (script, '\n');
  if (words != WORDS_ANY)
    {
      g_string_append_printf (script, "complete -c virt-keep -n '__virt_keep_is %s'", command->name);
      append_fish_words (script, words, NULL);
      g_string_append_c (script, '\n');
    }
  append_fish_options (script, command->options, command);
}

static void
append_fish (GString *script)
{
  append_start (script, "fish");
  g_string_append (script, "set -g __virt_keep_with_value");
  for (const GOptionEntry *entry = vk_global_options; entry->long_name != NULL; entry++)
    if (takes_value (entry))
      {
        g_string_append_printf (script, " --%s", entry->long_name);
        if (entry->short_name != 0)
          g_string_append_printf (script, " -%c", entry->short_name);
      }
  g_string_append (script, "\n\ncomplete -c virt-keep -f\n"
                           "complete -c virt-keep -s h -l help -d 'Show help'\n"
                           "complete -c virt-keep -n '__virt_keep_is' -s V -l version -d 'Print the version'\n");
  append_fish_options (script, vk_global_options, NULL);
  for (gsize i = 0; vk_commands[i] != NULL; i++)
    if (!vk_commands[i]->hidden)
      append_fish_command (script, vk_commands[i]);
}

/* --- zsh ------------------------------------------------------------------ */

static const char *const zsh_words[] = {
  [WORDS_ANY] = "",
  [WORDS_FILES] = "_files",
  [WORDS_DIRECTORIES] = "_files -/",
  [WORDS_DOMAINS] = "_virt_keep_add domains",
  [WORDS_STORED] = "_virt_keep_add stored",
  [WORDS_POINTS] = "_virt_keep_add points",
  [WORDS_CHECK] = "(check)",
};

/* Text within a specification of _arguments, in single quotes. */
static void
append_zsh_text (GString *script, const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, "'", -1);
  g_autofree char *quoted = g_strjoinv ("'\\''", parts);

  append_escaped (script, quoted, "[]:");
}

/* name: "--mode=" or "-c+" or "--json". */
static void
append_zsh_option (GString *script, const GOptionEntry *entry, const char *name)
{
  g_string_append_printf (script, " '%s%s[", is_repeatable (entry) ? "*" : "", name);
  append_zsh_text (script, entry->description);
  g_string_append_c (script, ']');
  if (takes_value (entry))
    {
      Words words = words_of_value (entry);

      g_string_append_c (script, ':');
      append_zsh_text (script, words == WORDS_CHOICES ? entry->long_name : entry->arg_description);
      g_string_append_c (script, ':');
      if (words == WORDS_CHOICES)
        {
          g_string_append_c (script, '(');
          append_choices (script, entry);
          g_string_append_c (script, ')');
        }
      else
        g_string_append (script, zsh_words[words]);
    }
  g_string_append (script, "' \\\n       ");
}

static void
append_zsh_options (GString *script, const GOptionEntry *table)
{
  for (const GOptionEntry *entry = table; entry->long_name != NULL; entry++)
    {
      g_autofree char *name = g_strdup_printf ("--%s%s", entry->long_name, takes_value (entry) ? "=" : "");
      const char short_name[] = { '-', entry->short_name, takes_value (entry) ? '+' : '\0', '\0' };

      append_zsh_option (script, entry, name);
      if (entry->short_name != 0)
        append_zsh_option (script, entry, short_name);
    }
}

static void
append_zsh_command (GString *script, const VkCommand *command)
{
  Words words = words_of_arguments (command);

  g_string_append_printf (script, "    %s)\n      _arguments \"$globals[@]\"", command->name);
  append_zsh_options (script, command->options);
  if (words == WORDS_POLICY)
    g_string_append (script, " '1:action:(set get unset)' '2:domain:_virt_keep_add domains' '*:key:_virt_keep_add keys'");
  else if (words != WORDS_ANY)
    {
      g_string_append_printf (script, " '%s:", strstr (command->arguments, "...") != NULL ? "*" : "1");
      append_zsh_text (script, command->arguments);
      g_string_append_printf (script, ":%s'", zsh_words[words]);
    }
  g_string_append (script, " ;;\n");
}

static void
append_zsh (GString *script)
{
  append_start (script, "zsh");
  g_string_append (script, "  globals=('(- *)'{-h,--help}'[Show help]' \\\n       ");
  append_zsh_options (script, vk_global_options);
  g_string_append (script, ")\n  commands=(\n");
  for (gsize i = 0; vk_commands[i] != NULL; i++)
    if (!vk_commands[i]->hidden)
      {
        g_string_append_printf (script, "    '%s:", vk_commands[i]->name);
        append_zsh_text (script, vk_commands[i]->summary);
        g_string_append (script, "'\n");
      }
  g_string_append (script, "  )\n"
                           "  _arguments -C -A '-*' \"$globals[@]\" '(- *)'{-V,--version}'[Print the version]' '1:command:->command' '*::argument:->argument'\n"
                           "  if [[ $state == command ]]; then\n"
                           "    _describe command commands\n"
                           "    return\n"
                           "  fi\n"
                           "  [[ $state == argument ]] || return\n"
                           "  case $words[1] in\n");
  for (gsize i = 0; vk_commands[i] != NULL; i++)
    if (!vk_commands[i]->hidden)
      append_zsh_command (script, vk_commands[i]);
  g_string_append (script, "  esac\n"
                           "}\n"
                           "\n"
                           "_virt_keep \"$@\"\n");
}

gboolean
vk_completion_script (const char *shell, GString *script, GError **error)
{
  if (strcmp (shell, "fish") == 0)
    append_fish (script);
  else if (strcmp (shell, "zsh") == 0)
    append_zsh (script);
  else
    return vk_fail (error, VK_ERROR_USAGE, "there is no completion file for '%s': it is 'fish' or 'zsh'; that of bash is installed as it is", shell);
  return TRUE;
}
