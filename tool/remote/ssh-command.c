/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "remote/ssh-command.h"

#include <gio/gio.h>
#include <string.h>

#include "base/error.h"

static const char *const schemes[] = { "qemu+ssh", "qemu+libssh", "qemu+libssh2", NULL };

/* What is the same for every host.  The user's own configuration of ssh holds, but nothing of it
 * that would send more than was asked for, or run something else.  A network that
 * has gone is noticed. */
static const char *const always[] = {
  "-T", "-a", "-x", "-e", "none",
  "-o", "LogLevel=ERROR",
  "-o", "PermitLocalCommand=no",
  "-o", "RemoteCommand=none",
  "-o", "ControlPersist=no",
  "-o", "ConnectTimeout=30",
  "-o", "ServerAliveInterval=15",
  "-o", "ServerAliveCountMax=3",
  NULL
};

gboolean
vk_ssh_is_named (const char *uri)
{
  g_autofree char *scheme = g_uri_parse_scheme (uri);

  return scheme != NULL && g_strv_contains (schemes, scheme);
}

static void
add (GPtrArray *words, const char *option, const char *value)
{
  g_ptr_array_add (words, g_strdup (option));
  g_ptr_array_add (words, g_strdup (value));
}

/* A file name as a word of ssh_config(5): in quotes, and with nothing in it replaced. */
static char *
quote_file (const char *path)
{
  GString *out = g_string_new ("\"");

  for (const char *at = path; *at != '\0'; at++)
    {
      if (*at == '"' || *at == '\\')
        g_string_append_c (out, '\\');
      if (*at == '%')
        g_string_append_c (out, '%');
      g_string_append_c (out, *at);
    }
  g_string_append_c (out, '"');
  return g_string_free (out, FALSE);
}

static gboolean
is_set (GHashTable *parameters, const char *name)
{
  const char *value = g_hash_table_lookup (parameters, name);

  return value != NULL && g_ascii_strtoll (value, NULL, 10) != 0;
}

static void
add_verification (GPtrArray *words, GHashTable *parameters)
{
  const char *known_hosts = g_hash_table_lookup (parameters, "known_hosts");
  const char *verify = g_hash_table_lookup (parameters, "known_hosts_verify");

  if (known_hosts != NULL)
    {
      g_autofree char *file = quote_file (known_hosts);
      g_autofree char *option = g_strconcat ("UserKnownHostsFile=", file, NULL);

      add (words, "-o", option);
    }
  if (is_set (parameters, "no_verify") || g_strcmp0 (verify, "ignore") == 0)
    add (words, "-o", "StrictHostKeyChecking=no");
  else if (g_strcmp0 (verify, "auto") == 0)
    add (words, "-o", "StrictHostKeyChecking=accept-new");
}

static void
add_words (GPtrArray *words, GUri *uri, GHashTable *parameters, gboolean attended)
{
  const char *command = g_hash_table_lookup (parameters, "command");
  const char *keyfile = g_hash_table_lookup (parameters, "keyfile");

  g_ptr_array_add (words, g_strdup (command ? command : "ssh"));
  for (gsize i = 0; always[i] != NULL; i++)
    g_ptr_array_add (words, g_strdup (always[i]));
  if (!attended || is_set (parameters, "no_tty"))
    add (words, "-o", "BatchMode=yes");
  if (g_uri_get_port (uri) > 0)
    {
      g_autofree char *port = g_strdup_printf ("%d", g_uri_get_port (uri));

      add (words, "-p", port);
    }
  if (g_uri_get_userinfo (uri) != NULL && *g_uri_get_userinfo (uri) != '\0')
    add (words, "-l", g_uri_get_userinfo (uri));
  if (keyfile != NULL)
    add (words, "-i", keyfile);
  add_verification (words, parameters);
}

char **
vk_ssh_words (const char *text, gboolean attended, char **host, GError **error)
{
  /* The parameters are taken apart before they are decoded. */
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_PARSE_RELAXED | G_URI_FLAGS_ENCODED_QUERY, NULL);
  const char *query = uri ? g_uri_get_query (uri) : NULL;
  g_autoptr (GHashTable) parameters = g_uri_parse_params (query ? query : "", -1, "&;", G_URI_PARAMS_NONE, NULL);
  g_autoptr (GPtrArray) words = g_ptr_array_new ();

  if (uri == NULL || parameters == NULL || g_uri_get_host (uri) == NULL || *g_uri_get_host (uri) == '\0')
    {
      vk_fail (error, VK_ERROR_REFUSED, "'%s' is no URI from which ssh could be told where to go", text);
      return NULL;
    }
  add_words (words, uri, parameters, attended);
  g_ptr_array_add (words, NULL);
  *host = g_strdup (g_uri_get_host (uri));
  return (char **) g_ptr_array_free (g_steal_pointer (&words), FALSE);
}

char *
vk_ssh_remote_command (const char *script, const char *const *arguments)
{
  g_autofree char *quoted = g_shell_quote (script);
  GString *command = g_string_new ("sh -c ");

  g_string_append_printf (command, "%s sh", quoted);
  for (gsize i = 0; arguments[i] != NULL; i++)
    {
      g_autofree char *argument = g_shell_quote (arguments[i]);

      g_string_append_printf (command, " %s", argument);
    }
  return g_string_free (command, FALSE);
}
