/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/many.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "command/many-job.h"
#include "command/options.h"
#include "command/settings.h"
#include "report/format.h"
#include "report/journal.h"

const char *const vk_order_words[] = { "given", "name", "oldest", NULL };

typedef struct Many Many;

/* One of the domains. */
typedef struct
{
  Many *many;
  const VkSelected *domain;
  VkManyJob *job;     /* while it runs */
  JsonObject *result; /* from then on: the document of its process */
} Member;

struct Many
{
  VkInvocation *invocation;
  const VkManyRequest *request;
  GCancellable *cancellable;
  GArray *members;
  GHashTable *passwords; /* of stores, by their URLs */
};

static void
member_clear (gpointer data)
{
  Member *member = data;

  g_clear_pointer (&member->job, vk_many_job_free);
  g_clear_pointer (&member->result, json_object_unref);
}

static Member *
member_at (const Many *many, guint i)
{
  return &g_array_index (many->members, Member, i);
}

/* --- order ------------------------------------------------------------------ */

static int
compare_by_name (gconstpointer a, gconstpointer b)
{
  return strcmp (((const Member *) a)->domain->name, ((const Member *) b)->domain->name);
}

static int
compare_by_instant (gconstpointer a, gconstpointer b, gpointer instants)
{
  return g_strcmp0 (g_hash_table_lookup (instants, ((const Member *) a)->domain->uuid), g_hash_table_lookup (instants, ((const Member *) b)->domain->uuid));
}

/* The instant of each domain's newest point, by its UUID.  Returns: (transfer full). */
static GHashTable *
newest_instants (const GPtrArray *points)
{
  GHashTable *instants = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < points->len; i++)
    {
      const VkPoint *point = g_ptr_array_index (points, i);

      if (point->manifest != NULL && point->damage == NULL
          && g_strcmp0 (g_hash_table_lookup (instants, point->manifest->domain_uuid), point->manifest->instant) < 0)
        g_hash_table_insert (instants, point->manifest->domain_uuid, point->manifest->instant);
    }
  return instants;
}

/* A store that does not exist yet has no points. */
static gboolean
sort_by_instant (Many *many, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (VkStore) store = vk_open_store (many->invocation, FALSE, &failure);
  g_autoptr (GPtrArray) points = store ? vk_store_list (store, NULL, &failure) : NULL;
  g_autoptr (GHashTable) instants = NULL;

  if (store == NULL && g_error_matches (failure, VK_ERROR, VK_ERROR_NOT_FOUND))
    return TRUE;
  if (points == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  instants = newest_instants (points);
  g_array_sort_with_data (many->members, compare_by_instant, instants);
  return TRUE;
}

static gboolean
sort_members (Many *many, GError **error)
{
  if (many->request->order == VK_ORDER_OLDEST)
    return sort_by_instant (many, error);
  if (many->request->order == VK_ORDER_NAME)
    g_array_sort (many->members, compare_by_name);
  return TRUE;
}

/* --- one domain ------------------------------------------------------------- */

/* Asks once for each store. */
static gboolean
read_password (Many *many, const VkInvocation *of_domain, const char **password, GError **error)
{
  char *read;

  if (!g_hash_table_contains (many->passwords, of_domain->store))
    {
      if (!vk_store_read_password (of_domain->store, &of_domain->store_settings, &read, many->cancellable, error))
        return FALSE;
      g_hash_table_insert (many->passwords, g_strdup (of_domain->store), read);
    }
  *password = g_hash_table_lookup (many->passwords, of_domain->store);
  return TRUE;
}

/* What the domain is called on a command line, where a number is an id. */
static const char *
argument_for (const VkSelected *domain)
{
  return strspn (domain->name, "0123456789") == strlen (domain->name) ? domain->uuid : domain->name;
}

/* The configuration may have another store for the domain than for others. */
static gboolean
find_password (Many *many, const char *domain, const char **password, GError **error)
{
  VkInvocation of_domain = { 0 };
  gboolean found = vk_options_again (many->invocation, many->request->command, domain, &of_domain, error)
                && vk_settings_configure (&of_domain, many->request->command, error)
                && vk_require_store (&of_domain, error)
                && read_password (many, &of_domain, password, error);

  vk_options_free (&of_domain, many->request->command);
  g_strfreev (of_domain.arguments);
  return found;
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
words_for (const Many *many, const char *domain, gboolean gives_password)
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
  const Member *member = user_data;
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
start_member (Member *member)
{
  Many *many = member->many;
  const char *password = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) words = NULL;

  if (find_password (many, member->domain->name, &password, &error))
    {
      words = words_for (many, argument_for (member->domain), password != NULL);
      member->job = vk_many_job_start ((const char *const *) words, password, show_line, member, &error);
    }
  if (member->job == NULL)
    member->result = vk_result_document (NULL, many->request->command->name, error);
}

static void
end_member (Member *member)
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
end_members (Many *many)
{
  guint running = 0;

  for (guint i = 0; i < many->members->len; i++)
    {
      Member *member = member_at (many, i);

      if (member->job != NULL && vk_many_job_is_over (member->job))
        end_member (member);
      running += member->job != NULL;
    }
  return running;
}

static void
pass_on (Many *many, int signal)
{
  for (guint i = 0; i < many->members->len; i++)
    if (member_at (many, i)->job != NULL)
      vk_many_job_signal (member_at (many, i)->job, signal);
}

static void
run_members (Many *many, VkInterrupt *interrupt)
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
        start_member (member_at (many, next++));
      else
        g_main_context_iteration (NULL, TRUE);
    }
  g_cancellable_disconnect (many->cancellable, handler);
}

/* --- the result ------------------------------------------------------------- */

static int
exit_code_of (const Member *member)
{
  return member->result ? (int) json_object_get_int_member_with_default (member->result, "exit_code", 1) : 1;
}

/* There was too little to do (--threshold): that is no failure. */
static gboolean
is_unchanged (int exit_code)
{
  g_autoptr (GError) unchanged = g_error_new_literal (VK_ERROR, VK_ERROR_UNCHANGED, "");

  return exit_code == vk_error_exit_code (unchanged);
}

static gboolean
has_succeeded (const Member *member)
{
  return exit_code_of (member) == 0 || is_unchanged (exit_code_of (member));
}

static JsonObject *
member_json (const Many *many, const Member *member)
{
  g_autoptr (GError) not_begun = g_error_new_literal (VK_ERROR, VK_ERROR_INTERRUPTED, "it was not begun any more");
  JsonObject *object = member->result ? json_object_ref (member->result) : vk_result_document (NULL, many->request->command->name, not_begun);

  vk_json_set_string (object, "name", member->domain->name);
  vk_json_set_string (object, "uuid", member->domain->uuid);
  return object;
}

static void
add_text (GString *text, JsonObject *object)
{
  g_autofree char *name = vk_format_harmless (json_object_get_string_member (object, "name"), FALSE);

  int exit_code = (int) json_object_get_int_member (object, "exit_code");

  if (is_unchanged (exit_code))
    g_string_append_printf (text, "  %s: there was too little to do\n", name);
  else if (exit_code == 0)
    g_string_append_printf (text, "  %s: %s (%s, %s)\n", name, json_object_get_string_member_with_default (object, "point", ""),
                            json_object_get_string_member_with_default (object, "mode", ""), json_object_get_string_member_with_default (object, "level", ""));
  else
    {
      JsonObject *failure = json_object_get_object_member (object, "error");
      g_autofree char *message = vk_format_harmless (json_object_get_string_member_with_default (failure, "message", ""), FALSE);

      g_string_append_printf (text, "  %s: not backed up (status %d): %s\n", name, exit_code, message);
    }
}

static void
add_left_out (const Many *many, JsonObject *result, GString *text)
{
  const GPtrArray *domains = many->request->selection->left_out;
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < domains->len; i++)
    {
      const VkLeftOutDomain *left_out = g_ptr_array_index (domains, i);
      JsonObject *object = vk_domain_json (left_out->name, left_out->uuid);
      g_autofree char *name = vk_format_harmless (left_out->name, FALSE);

      vk_json_set_string (object, "reason", left_out->reason);
      vk_json_set_string (object, "message", left_out->message);
      json_array_add_object_element (array, object);
      g_string_append_printf (text, "  %s: left out: %s\n", name, left_out->message);
    }
  json_object_set_array_member (result, "left_out", array);
}

/* Returns the names of those that failed, for a message; NULL when none did. */
static char *
report (const Many *many, guint *failed)
{
  VkInvocation *invocation = many->invocation;
  JsonArray *array = json_array_new ();
  g_autoptr (GString) names = g_string_new (NULL);
  g_autoptr (GString) lines = g_string_new (NULL);

  *failed = 0;
  for (guint i = 0; i < many->members->len; i++)
    {
      const Member *member = member_at (many, i);
      JsonObject *object = member_json (many, member);

      add_text (lines, object);
      json_array_add_object_element (array, object);
      if (has_succeeded (member))
        continue;
      *failed += 1;
      g_string_append_printf (names, "%s'%s'", names->len > 0 ? ", " : "", member->domain->name);
    }
  json_object_set_array_member (invocation->result, "results", array);
  json_object_set_int_member (invocation->result, "succeeded", many->members->len - *failed);
  json_object_set_int_member (invocation->result, "failed", *failed);
  g_string_append_printf (invocation->text, "Backed up %u of %u domains:\n%s", many->members->len - *failed, many->members->len, lines->str);
  add_left_out (many, invocation->result, invocation->text);
  invocation->partial = TRUE;
  return names->len > 0 ? g_strdup (names->str) : NULL;
}

/* A guest that stands still must be heard of before all else.  NULL when there is none. */
static const Member *
find_frozen (const Many *many)
{
  g_autoptr (GError) frozen = g_error_new_literal (VK_ERROR, VK_ERROR_FROZEN, "");

  for (guint i = 0; i < many->members->len; i++)
    if (exit_code_of (member_at (many, i)) == vk_error_exit_code (frozen))
      return member_at (many, i);
  return NULL;
}

static gboolean
check_result (const Many *many, GError **error)
{
  const Member *frozen = find_frozen (many);
  guint failed;
  g_autofree char *names = report (many, &failed);

  if (failed == 0)
    return TRUE;
  if (frozen != NULL)
    g_set_error (error, VK_ERROR, VK_ERROR_FROZEN, "the file systems of '%s' may still be frozen: thaw them with virsh domfsthaw; not backed up: %s", frozen->domain->name, names);
  else if (failed == many->members->len)
    g_set_error (error, VK_ERROR, VK_ERROR_ALL_FAILED, "no domain was backed up: %s failed", names);
  else
    g_set_error (error, VK_ERROR, VK_ERROR_SOME_FAILED, "%u of %u domains were not backed up: %s", failed, many->members->len, names);
  return FALSE;
}

gboolean
vk_many_run (VkInvocation *invocation, const VkManyRequest *request, VkInterrupt *interrupt, GError **error)
{
  g_autoptr (GArray) members = g_array_new (FALSE, TRUE, sizeof (Member));
  g_autoptr (GHashTable) passwords = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) vk_store_password_free);
  Many many = { invocation, request, vk_interrupt_cancellable (interrupt), members, passwords };
  const char *password = NULL;

  g_array_set_clear_func (members, member_clear);
  for (guint i = 0; i < request->selection->domains->len; i++)
    {
      Member member = { .many = &many, .domain = g_ptr_array_index (request->selection->domains, i) };

      g_array_append_val (members, member);
    }
  if (request->order == VK_ORDER_OLDEST && !read_password (&many, invocation, &password, error))
    return FALSE;
  invocation->store_settings.password = password;
  if (!sort_members (&many, error))
    return FALSE;
  run_members (&many, interrupt);
  return check_result (&many, error);
}
