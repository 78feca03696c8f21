/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "prove/expect.h"

#include <string.h>

#include "base/error.h"

static const char console_prefix[] = "console:";
static const char port_prefix[] = "port:";

static void
expectation_free (gpointer data)
{
  VkExpectation *expectation = data;

  g_free (expectation->word);
  g_clear_pointer (&expectation->regex, g_regex_unref);
  g_free (expectation);
}

static gboolean
parse_console (VkExpectation *expectation, const char *pattern, GError **error)
{
  g_autoptr (GError) failure = NULL;

  if (*pattern == '\0')
    vk_fail (error, VK_ERROR_USAGE, "--expect console: needs a regular expression behind the colon");
  else if ((expectation->regex = g_regex_new (pattern, 0, 0, &failure)) == NULL)
    vk_fail (error, VK_ERROR_USAGE, "--expect console: '%s' is no regular expression: %s", pattern, failure->message);
  return expectation->regex != NULL;
}

static gboolean
parse_port (VkExpectation *expectation, const char *number, GError **error)
{
  guint64 port;

  if (g_ascii_string_to_unsigned (number, 10, 1, 65535, &port, NULL))
    {
      expectation->port = (guint) port;
      return TRUE;
    }
  return vk_fail (error, VK_ERROR_USAGE, "--expect port: '%s' is no TCP port: give a number from 1 to 65535", number);
}

static gboolean
parse (VkExpectation *expectation, const char *word, GError **error)
{
  expectation->word = g_utf8_make_valid (word, -1);
  if (strcmp (word, "agent") == 0)
    {
      expectation->kind = VK_EXPECT_AGENT;
      return TRUE;
    }
  if (g_str_has_prefix (word, console_prefix))
    {
      expectation->kind = VK_EXPECT_CONSOLE;
      return parse_console (expectation, word + strlen (console_prefix), error);
    }
  if (g_str_has_prefix (word, port_prefix))
    {
      expectation->kind = VK_EXPECT_PORT;
      return parse_port (expectation, word + strlen (port_prefix), error);
    }
  return vk_fail (error, VK_ERROR_USAGE, "--expect cannot be '%s': give agent, console:REGEX or port:NUMBER", word);
}

GPtrArray *
vk_expectations_parse (const char *const *words, GError **error)
{
  static const char *const fallback[] = { "agent", NULL };
  g_autoptr (GPtrArray) expectations = g_ptr_array_new_with_free_func (expectation_free);

  if (words == NULL || *words == NULL)
    words = fallback;
  for (; *words != NULL; words++)
    {
      g_ptr_array_add (expectations, g_new0 (VkExpectation, 1));
      if (!parse (g_ptr_array_index (expectations, expectations->len - 1), *words, error))
        return NULL;
    }
  return g_steal_pointer (&expectations);
}

void
vk_expectations_reset (GPtrArray *expectations)
{
  for (guint i = 0; i < expectations->len; i++)
    ((VkExpectation *) g_ptr_array_index (expectations, i))->met = FALSE;
}

const VkExpectation *
vk_expectations_open (const GPtrArray *expectations)
{
  for (guint i = 0; i < expectations->len; i++)
    if (!((VkExpectation *) g_ptr_array_index (expectations, i))->met)
      return g_ptr_array_index (expectations, i);
  return NULL;
}

gboolean
vk_expectations_need_agent (const GPtrArray *expectations)
{
  for (guint i = 0; i < expectations->len; i++)
    if (((VkExpectation *) g_ptr_array_index (expectations, i))->kind != VK_EXPECT_CONSOLE)
      return TRUE;
  return FALSE;
}

char *
vk_expectation_complaint (const VkExpectation *expectation)
{
  switch (expectation->kind)
    {
    case VK_EXPECT_AGENT:
      return g_strdup ("the guest agent has not answered");
    case VK_EXPECT_CONSOLE:
      return g_strdup_printf ("no line on the serial console has matched '%s'", expectation->word + strlen (console_prefix));
    case VK_EXPECT_PORT:
      return g_strdup_printf ("the guest agent has found nothing that listens on TCP port %u", expectation->port);
    }
  g_assert_not_reached ();
}

/* A line is "NUMBER: ADDRESS:PORT REMOTE:PORT STATE ...", in hexadecimal digits. */
gboolean
vk_port_is_listened_on (const char *table, guint port)
{
  g_autofree char *pattern = g_strdup_printf ("^ *[0-9]+: [0-9A-F]+:%04X [0-9A-F]+:[0-9A-F]+ 0A ", port);

  return g_regex_match_simple (pattern, table, G_REGEX_MULTILINE, 0);
}
