/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/many.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "command/many-private.h"
#include "command/options.h"
#include "report/format.h"
#include "report/journal.h"

static void
member_clear (gpointer data)
{
  VkMember *member = data;

  vk_options_free (&member->own, member->many->request->command);
  g_clear_pointer (&member->own.arguments, g_strfreev);
  g_clear_error (&member->failure);
  g_clear_pointer (&member->job, vk_many_job_free);
  g_clear_pointer (&member->result, json_object_unref);
}

VkMember *
vk_many_member (const VkMany *many, guint i)
{
  return &g_array_index (many->members, VkMember, i);
}

/* --- one domain ------------------------------------------------------------- */

/* What the domain is called on a command line, where a number is an id. */
static const char *
argument_for (const VkSelected *domain)
{
  return strspn (domain->name, "0123456789") == strlen (domain->name) ? domain->uuid : domain->name;
}

static gboolean
is_one_of (const char *option, const char *const *names)
{
  gsize length = strcspn (option + strlen ("--"), "=");

  for (gsize i = 0; names[i] != NULL; i++)
    if (strlen (names[i]) == length && strncmp (option + strlen ("--"), names[i], length) == 0)
      return TRUE;
  return FALSE;
}

static void
add_word (GPtrArray *words, const char *word)
{
  g_ptr_array_add (words, g_strdup (word));
}

/* Returns: (transfer full), NULL-terminated. */
static char **
words_for (const VkMany *many, const char *domain, gboolean gives_password)
{
  static const char *const replaced[] = { "json", "progress", "quiet", NULL };
  static const char *const password[] = { "password-file", NULL };
  VkProgressStyle style = many->request->style;
  GPtrArray *words = g_ptr_array_new ();

  add_word (words, many->request->command->name);
  for (char **option = many->invocation->given; *option != NULL; option++)
    if (!is_one_of (*option, many->request->own) && !is_one_of (*option, replaced) && !(gives_password && is_one_of (*option, password)))
      add_word (words, *option);
  add_word (words, "--json");
  /* Bars of several at once would be drawn over each other. */
  add_word (words, style == VK_PROGRESS_NONE ? "--progress=none" : style == VK_PROGRESS_JSON ? "--progress=json" : "--progress=lines");
  if (gives_password)
    add_word (words, "--password-file=-");
  add_word (words, "--");
  add_word (words, domain);
  g_ptr_array_add (words, NULL);
  return (char **) g_ptr_array_free (words, FALSE);
}

/* Why a domain failed is shown when all are through. */
static void
show_line (const char *line, gpointer user_data)
{
  const VkMember *member = user_data;
  g_autofree char *name = vk_format_harmless (member->domain->name, FALSE);
  g_autofree char *text = vk_format_harmless (line, FALSE);
  gboolean warning = g_str_has_prefix (line, "warning: ");
  VkJournalFields fields = { .event = warning ? "warning" : NULL, .domain = member->domain->name, .uuid = member->domain->uuid };

  if (g_str_has_prefix (line, PACKAGE_NAME ": "))
    return;
  if (member->many->request->style == VK_PROGRESS_JSON)
    fprintf (stderr, "%s\n", line);
  else if (vk_journal_has (STDERR_FILENO) && vk_journal_send (warning ? G_LOG_LEVEL_WARNING : G_LOG_LEVEL_MESSAGE, text, &fields))
    return;
  else
    fprintf (stderr, "%s: %s\n", name, text);
}

static void
start_member (VkMember *member)
{
  const VkMany *many = member->many;
  const char *password = member->failure ? NULL : member->store->password;
  g_auto (GStrv) words = NULL;

  if (member->failure == NULL)
    {
      words = words_for (many, argument_for (member->domain), password != NULL);
      member->job = vk_many_job_start ((const char *const *) words, password, show_line, member, &member->failure);
    }
  if (member->job == NULL)
    member->result = vk_result_document (NULL, many->request->command->name, member->failure);
}

static void
end_member (VkMember *member)
{
  g_autoptr (GError) error = NULL;

  member->result = vk_many_job_result (member->job, &error);
  if (member->result == NULL)
    member->result = vk_result_document (NULL, member->many->request->command->name, error);
  g_clear_pointer (&member->job, vk_many_job_free);
}

/* --- all of them ------------------------------------------------------------ */

static void
wake (GCancellable *cancellable, gpointer unused)
{
  g_main_context_wakeup (NULL);
}

/* Ends those that are through.  Returns how many go on. */
static guint
end_members (VkMany *many)
{
  guint running = 0;

  for (guint i = 0; i < many->members->len; i++)
    {
      VkMember *member = vk_many_member (many, i);

      if (member->job != NULL && vk_many_job_is_over (member->job))
        end_member (member);
      running += member->job != NULL;
    }
  return running;
}

static void
pass_on (VkMany *many, int signal)
{
  for (guint i = 0; i < many->members->len; i++)
    if (vk_many_member (many, i)->job != NULL)
      vk_many_job_signal (vk_many_member (many, i)->job, signal);
}

static void
run_members (VkMany *many, VkInterrupt *interrupt)
{
  gulong handler = g_cancellable_connect (many->cancellable, G_CALLBACK (wake), NULL, NULL);
  guint next = 0, running;
  int passed_on = 0;

  while ((running = end_members (many)) > 0 || (next < many->members->len && vk_interrupt_signal (interrupt) == 0))
    {
      int signal = vk_interrupt_signal (interrupt);

      if (signal != 0 && passed_on == 0)
        pass_on (many, signal);
      passed_on = signal;
      if (signal == 0 && next < many->members->len && running < many->request->jobs)
        start_member (vk_many_member (many, next++));
      else
        g_main_context_iteration (NULL, TRUE);
    }
  g_cancellable_disconnect (many->cancellable, handler);
}

gboolean
vk_many_run (VkInvocation *invocation, const VkManyRequest *request, VkInterrupt *interrupt, GError **error)
{
  g_autoptr (GArray) members = g_array_new (FALSE, TRUE, sizeof (VkMember));
  g_autoptr (GPtrArray) stores = g_ptr_array_new_with_free_func ((GDestroyNotify) vk_many_store_free);
  VkMany many = { invocation, request, vk_interrupt_cancellable (interrupt), members, stores, NULL };
  gboolean prepared;

  g_array_set_clear_func (members, member_clear);
  for (guint i = 0; i < request->selection->domains->len; i++)
    {
      VkMember member = { .many = &many, .domain = g_ptr_array_index (request->selection->domains, i) };

      g_array_append_val (members, member);
    }
  prepared = vk_many_prepare (&many, error);
  vk_store_password_free (many.input_password);
  if (!prepared)
    return FALSE;
  vk_many_sort (&many);
  run_members (&many, interrupt);
  return vk_many_report (&many, error);
}
