/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "command/options.h"

#include <glib/gi18n.h>
#include <string.h>

GOptionEntry *
vk_options_place (const GOptionEntry *table, gpointer base)
{
  GArray *entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));

  for (const GOptionEntry *entry = table; entry->long_name != NULL; entry++)
    {
      GOptionEntry placed = *entry;

      placed.arg_data = (guint8 *) base + GPOINTER_TO_SIZE (entry->arg_data);
      g_array_append_val (entries, placed);
    }
  return (GOptionEntry *) g_array_free (entries, FALSE);
}

gboolean
vk_option_is_given (const GOptionEntry *entry, gconstpointer base)
{
  const guint8 *field = (const guint8 *) base + GPOINTER_TO_SIZE (entry->arg_data);

  if (entry->arg == G_OPTION_ARG_NONE || entry->arg == G_OPTION_ARG_INT)
    return *(const int *) field != 0;
  return *(char *const *) field != NULL;
}

gboolean
vk_options_have (const VkInvocation *invocation, const char *name)
{
  g_autofree char *word = g_strdup_printf ("--%s", name);
  gsize length = strlen (word);

  for (char **given = invocation->given; *given != NULL; given++)
    if (strncmp (*given, word, length) == 0 && ((*given)[length] == '\0' || (*given)[length] == '='))
      return TRUE;
  return FALSE;
}

static void
add_word (GPtrArray *words, const char *name, const char *value)
{
  if (value != NULL)
    g_ptr_array_add (words, g_strdup_printf ("--%s=%s", name, value));
}

static void
add_words (GPtrArray *words, const GOptionEntry *table, gpointer base)
{
  for (const GOptionEntry *entry = table; entry->long_name != NULL; entry++)
    {
      gpointer field = (guint8 *) base + GPOINTER_TO_SIZE (entry->arg_data);

      if (entry->arg == G_OPTION_ARG_NONE && *(gboolean *) field)
        g_ptr_array_add (words, g_strdup_printf ("--%s", entry->long_name));
      else if (entry->arg == G_OPTION_ARG_INT && *(int *) field != 0)
        g_ptr_array_add (words, g_strdup_printf ("--%s=%d", entry->long_name, *(int *) field));
      else if (entry->arg == G_OPTION_ARG_STRING || entry->arg == G_OPTION_ARG_FILENAME)
        add_word (words, entry->long_name, *(char **) field);
      else if (entry->arg == G_OPTION_ARG_STRING_ARRAY || entry->arg == G_OPTION_ARG_FILENAME_ARRAY)
        for (char **value = *(char ***) field; value != NULL && *value != NULL; value++)
          add_word (words, entry->long_name, *value);
    }
}

gboolean
vk_options_parse (VkInvocation *invocation, const VkCommand *command, char ***arguments, GError **error)
{
  g_autofree char *parameters = g_strconcat (command->arguments, command->runs_program ? " [-- PROGRAM [ARGUMENT…]]" : "", NULL);
  g_autoptr (GOptionContext) context = g_option_context_new (parameters);
  g_autoptr (GPtrArray) given = g_ptr_array_new ();
  g_autofree GOptionEntry *globals = vk_options_place (vk_global_options, invocation);
  g_autofree GOptionEntry *own = NULL;

  invocation->options = g_malloc0 (command->option_bytes);
  own = vk_options_place (command->options, invocation->options);
  g_option_context_set_summary (context, _(command->summary));
  g_option_context_add_main_entries (context, own, PACKAGE_NAME);
  g_option_context_add_main_entries (context, globals, PACKAGE_NAME);
  if (!g_option_context_parse_strv (context, arguments, error))
    return FALSE;
  add_words (given, vk_global_options, invocation);
  add_words (given, command->options, invocation->options);
  g_ptr_array_add (given, NULL);
  invocation->given = (char **) g_ptr_array_free (g_steal_pointer (&given), FALSE);
  return TRUE;
}

static void
free_fields (const GOptionEntry *table, gpointer base)
{
  for (const GOptionEntry *entry = table; entry->long_name != NULL; entry++)
    {
      gpointer *field = (gpointer *) ((guint8 *) base + GPOINTER_TO_SIZE (entry->arg_data));

      if (entry->arg == G_OPTION_ARG_STRING || entry->arg == G_OPTION_ARG_FILENAME)
        g_free (*field);
      else if (entry->arg == G_OPTION_ARG_STRING_ARRAY || entry->arg == G_OPTION_ARG_FILENAME_ARRAY)
        g_strfreev (*field);
    }
}

void
vk_options_free (VkInvocation *invocation, const VkCommand *command)
{
  if (invocation->options != NULL)
    free_fields (command->options, invocation->options);
  free_fields (vk_global_options, invocation);
  g_clear_pointer (&invocation->options, g_free);
  g_clear_pointer (&invocation->given, g_strfreev);
}

gboolean
vk_options_again (const VkInvocation *from, const VkCommand *command, const char *argument, VkInvocation *to, GError **error)
{
  const char *const arguments[] = { argument, NULL };
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  g_auto (GStrv) line = NULL;

  g_ptr_array_add (words, g_strdup (command->name));
  for (char **word = from->given; *word != NULL; word++)
    g_ptr_array_add (words, g_strdup (*word));
  g_ptr_array_add (words, NULL);
  line = (char **) g_ptr_array_free (g_steal_pointer (&words), FALSE);
  to->arguments = g_strdupv ((char **) arguments);
  return vk_options_parse (to, command, &line, error);
}
