/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options, dispatch, exit code: nothing else. */
#include "config.h"

#include <fcntl.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fork-server.h"
#include "command/command.h"
#include "command/options.h"
#include "command/settings.h"
#include "report/format.h"
#include "report/journal.h"

static char *
describe_commands (void)
{
  GString *text = g_string_new (_("Commands:\n"));
  gsize name_width = 0, arguments_width = 0;

  for (gsize i = 0; vk_commands[i] != NULL; i++)
    if (!vk_commands[i]->hidden)
      {
        name_width = MAX (name_width, strlen (vk_commands[i]->name));
        arguments_width = MAX (arguments_width, strlen (vk_commands[i]->arguments));
      }
  for (gsize i = 0; vk_commands[i] != NULL; i++)
    if (!vk_commands[i]->hidden)
      g_string_append_printf (text, "  %-*s  %-*s  %s\n", (int) name_width, vk_commands[i]->name, (int) arguments_width, vk_commands[i]->arguments, _(vk_commands[i]->summary));
  g_string_append (text, _("\n'virt-keep COMMAND --help' shows the options of a command; virt-keep(1) explains them."));
  return g_string_free (text, FALSE);
}

static gboolean
print_version (void)
{
  printf ("%s %s\n", PACKAGE_NAME, PACKAGE_VERSION);
  return TRUE;
}

/* Takes the options before the command's name; stops at it. */
static gboolean
parse_global (VkInvocation *invocation, gboolean *version, char ***arguments, GError **error)
{
  const GOptionEntry version_entry[] = {
    { "version", 'V', 0, G_OPTION_ARG_NONE, version, N_("Print the version"), NULL },
    { NULL }
  };
  g_autoptr (GOptionContext) context = g_option_context_new (_("COMMAND [OPTION…] [ARGUMENT…]"));
  g_autofree GOptionEntry *globals = vk_options_place (vk_global_options, invocation);
  g_autofree char *commands = describe_commands ();

  g_option_context_set_summary (context, _("Backs up running libvirt/QEMU domains and proves that they come back."));
  g_option_context_set_description (context, commands);
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_add_main_entries (context, globals, PACKAGE_NAME);
  g_option_context_add_main_entries (context, version_entry, PACKAGE_NAME);
  return g_option_context_parse_strv (context, arguments, error);
}

/* How many arguments a command takes stands in its synopsis: a word in
 * brackets may be missing, one with "..." may be repeated. */
static gboolean
check_arguments (const VkCommand *command, char **arguments, GError **error)
{
  g_auto (GStrv) words = g_strsplit (command->arguments, " ", -1);
  guint given = g_strv_length (arguments);
  guint least = 0, most = 0;

  for (gsize i = 0; words[i] != NULL && *words[i] != '\0'; i++)
    {
      most = g_str_has_suffix (words[i], "...") || g_str_has_suffix (words[i], "...]") ? G_MAXUINT : most == G_MAXUINT ? most : most + 1;
      least += words[i][0] != '[';
    }
  if (given >= least && given <= most)
    return TRUE;
  if (given < least)
    vk_fail (error, VK_ERROR_USAGE, "%s: an argument is missing: virt-keep %s [OPTION…] %s", command->name, command->name, command->arguments);
  else
    vk_fail (error, VK_ERROR_USAGE, "%s: '%s' is one argument too many: virt-keep %s [OPTION…] %s", command->name, arguments[most], command->name, command->arguments);
  return FALSE;
}

static const char *
name_of (const VkCommand *command)
{
  return command ? command->name : NULL;
}

/* In the journal, the failure has the class of its error and the exit status with it; of several
 * domains each has a record. */
static void
show_failure (const VkInvocation *invocation, const VkCommand *command, const GError *error, const char *message)
{
  if (vk_journal_has (STDERR_FILENO)
      && vk_journal_send_result (message, name_of (command), invocation->result, vk_error_class_name (error), vk_error_exit_code (error)))
    vk_journal_send_each (name_of (command), invocation->result);
  else
    fprintf (stderr, "virt-keep: %s\n", message);
}

/* In the journal the result of a success is one record. */
static void
show_text (const VkInvocation *invocation, const VkCommand *command, const GError *error, const char *text)
{
  if (error == NULL && *text != '\0' && vk_journal_has (STDOUT_FILENO)
      && vk_journal_send_result (text, name_of (command), invocation->result, NULL, invocation->program_status))
    vk_journal_send_each (name_of (command), invocation->result);
  else
    fputs (text, stdout);
}

/* The command's own result goes to stdout, its failure to stderr, and either
 * way, with --json, into the one document on stdout. */
static int
report_end (VkInvocation *invocation, const VkCommand *command, const GError *error)
{
  g_autofree char *message = error ? vk_format_harmless (error->message, TRUE) : NULL;
  g_autofree char *text = vk_format_harmless (invocation->text->str, TRUE);

  if (error != NULL)
    show_failure (invocation, command, error, message);
  if (invocation->json && (!invocation->streamed || error != NULL))
    vk_print_json_result (invocation, name_of (command), error);
  else if (!invocation->json && (error == NULL || invocation->partial))
    show_text (invocation, command, error, text);
  if (fflush (stdout) != 0 || ferror (stdout))
    {
      fprintf (stderr, "virt-keep: %s\n", _("cannot write the result to standard output"));
      return 1;
    }
  return error ? vk_error_exit_code (error) : invocation->program_status;
}

/* GOption leaves the "--" that ends the options in its place when the word
 * after it looks like an option, or when options may not follow. */
static void
remove_separator (char **arguments)
{
  for (gsize i = 1; arguments[i] != NULL; i++)
    if (strcmp (arguments[i], "--") == 0)
      {
        g_free (arguments[i]);
        memmove (&arguments[i], &arguments[i + 1], g_strv_length (&arguments[i + 1]) * sizeof *arguments + sizeof *arguments);
        return;
      }
}

/* Takes the first "--" and what stands behind it away from words.  Returns: (transfer
 * full) what stood behind it, NULL when there is none. */
static char **
cut_behind_separator (char **words)
{
  char **behind;
  gsize i = 0;

  while (words[i] != NULL && strcmp (words[i], "--") != 0)
    i++;
  if (words[i] == NULL)
    return NULL;
  behind = g_strdupv (&words[i + 1]);
  for (; words[i] != NULL; i++)
    g_clear_pointer (&words[i], g_free);
  return behind;
}

/* A point with a dash in front stands behind a "--" of its own, and the program
 * behind another one. */
static void
take_dashed_arguments (VkInvocation *invocation, char ***arguments)
{
  g_auto (GStrv) behind = g_steal_pointer (&invocation->program);
  g_autoptr (GPtrArray) words = g_ptr_array_new ();

  invocation->program = cut_behind_separator (behind);
  g_ptr_array_add (words, (*arguments)[0]);
  for (gsize i = 0; behind[i] != NULL; i++)
    g_ptr_array_add (words, g_strdup (behind[i]));
  g_ptr_array_add (words, NULL);
  g_free (*arguments);
  *arguments = (char **) g_ptr_array_free (g_steal_pointer (&words), FALSE);
}

static const VkCommand *
find_command (char **arguments, GError **error)
{
  const VkCommand *command;

  if (g_strcmp0 (arguments[1], "--") == 0)
    remove_separator (arguments);
  command = arguments[1] ? vk_command_find (arguments[1]) : NULL;

  if (arguments[1] == NULL)
    vk_fail (error, VK_ERROR_USAGE, "a command is missing: see virt-keep --help");
  else if (command == NULL)
    vk_fail (error, VK_ERROR_USAGE, "'%s' is no command: see virt-keep --help", arguments[1]);
  return command;
}

static gboolean
run (VkInvocation *invocation, const VkCommand *command, char ***arguments, GError **error)
{
  gboolean parsed;

  /* The command takes the place of the program's name in its own arguments. */
  g_autofree char *program = g_strdup_printf ("virt-keep %s", command->name);

  g_set_prgname (program);
  g_free ((*arguments)[0]);
  memmove (*arguments, *arguments + 1, g_strv_length (*arguments) * sizeof **arguments);
  if (command->runs_program)
    invocation->program = cut_behind_separator (*arguments);
  parsed = vk_options_parse (invocation, command, arguments, error);
  g_set_prgname (PACKAGE_NAME);
  if (parsed && !command->runs_program)
    remove_separator (*arguments);
  if (parsed && invocation->program != NULL && (*arguments)[1] == NULL)
    take_dashed_arguments (invocation, arguments);
  if (!parsed || !check_arguments (command, *arguments + 1, error))
    return FALSE;
  invocation->arguments = *arguments + 1;
  return vk_settings_configure (invocation, command, error) && command->run (invocation, error);
}

/* Whether words ask for an archive on standard output, where nothing else is to stand then. */
static gboolean
asks_for_stream (char **words)
{
  for (gsize i = 1; words[i] != NULL && strcmp (words[i], "--") != 0; i++)
    if (strcmp (words[i], "--to=-") == 0 || (strcmp (words[i], "--to") == 0 && g_strcmp0 (words[i + 1], "-") == 0))
      return TRUE;
  return FALSE;
}

/* The command of a line that could not be taken apart, or NULL. */
static const VkCommand *
guess_command (char **words)
{
  const VkCommand *command = NULL;

  for (gsize i = 1; command == NULL && words[i] != NULL && strcmp (words[i], "--") != 0; i++)
    command = vk_command_find (words[i]);
  return command;
}

/* The command itself gives standard output away; what fails before it has to do that, too. */
static void
give_output_away (const VkCommand *command, char **words)
{
  const VkCommand *meant = command ? command : guess_command (words);

  if (meant != NULL && meant->streams && asks_for_stream (words))
    dup2 (STDERR_FILENO, STDOUT_FILENO);
}

/* A failed parse must still know that --json was asked for.  Behind "--" it is for
 * somebody else. */
static gboolean
wants_json (char **arguments)
{
  for (gsize i = 1; arguments[i] != NULL && strcmp (arguments[i], "--") != 0; i++)
    if (strcmp (arguments[i], "--json") == 0)
      return TRUE;
  return FALSE;
}

/* Whoever starts us with a standard file closed would have the next file or
 * socket that we open in its place, and our messages in that.  Opened the wrong
 * way round, so that using one still fails. */
static void
hold_standard_files (void)
{
  int fd;

  do
    fd = open ("/dev/null", O_RDONLY);
  while (fd >= 0 && fd < STDERR_FILENO);
  if (fd > STDERR_FILENO)
    close (fd);
}

/* Memory holds passwords, keys and what is on the disks of guests: no crash writes it to a
 * file, and no other process of this user reads it.  The limit is for our children, too; a
 * program may raise it again. */
static void
keep_memory_private (void)
{
  struct rlimit core;

  prctl (PR_SET_DUMPABLE, 0);
  if (getrlimit (RLIMIT_CORE, &core) == 0)
    {
      core.rlim_cur = 0;
      setrlimit (RLIMIT_CORE, &core);
    }
}

/* What we and our children make is nobody else's: also what is not given its mode by
 * name, such as the sockets that NBD servers bind.  What others may pass through or read is
 * opened to them where it is made. */
static void
keep_files_private (void)
{
  umask (077);
}

static void
take_language (void)
{
  setlocale (LC_ALL, "");
#ifdef ENABLE_NLS
  bindtextdomain (PACKAGE_NAME, g_getenv ("VIRT_KEEP_LOCALEDIR") ? g_getenv ("VIRT_KEEP_LOCALEDIR") : LOCALEDIR);
  bind_textdomain_codeset (PACKAGE_NAME, "UTF-8");
  textdomain (PACKAGE_NAME);
#endif
}

/* argv is what is to be done, title where it is shown. */
static int
run_program (char **argv, const VkTitle *title)
{
  VkInvocation invocation = { .result = json_object_new (), .text = g_string_new (NULL) };
  g_auto (GStrv) arguments = g_strdupv (argv);
  g_auto (GStrv) forked = NULL;
  g_autoptr (GError) error = NULL;
  const VkCommand *command = NULL;
  gboolean version = FALSE;
  int exit_code = 0;

  g_set_prgname (PACKAGE_NAME);
  if (parse_global (&invocation, &version, &arguments, &error) && !version)
    command = find_command (arguments, &error);
  if (command != NULL && (!command->forks || vk_fork_server_start (title, &forked, &error)) && forked == NULL)
    run (&invocation, command, &arguments, &error);
  if (error != NULL)
    give_output_away (command, argv);
  invocation.json = invocation.json || wants_json (argv);
  if (version && error == NULL)
    exit_code = print_version () && fflush (stdout) == 0 ? 0 : 1;
  else if (forked == NULL)
    exit_code = report_end (&invocation, command, error);
  vk_options_free (&invocation, command);
  g_strfreev (invocation.program);
  json_object_unref (invocation.result);
  g_string_free (invocation.text, TRUE);
  return forked ? run_program (forked, title) : exit_code;
}

int
main (int argc, char **argv)
{
  VkTitle title = vk_title_find (argv);
  g_auto (GStrv) words = g_strdupv (argv);

  hold_standard_files ();
  keep_memory_private ();
  keep_files_private ();
  take_language ();
  /* Standard output is the result, also when G_MESSAGES_DEBUG asks libraries to talk. */
  g_log_writer_default_set_use_stderr (TRUE);
  /* A reader of our output that went away must not kill us amid a backup. */
  signal (SIGPIPE, SIG_IGN);
  return run_program (words, &title);
}
