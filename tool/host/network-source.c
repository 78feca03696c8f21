/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/network-source.h"

#include <string.h>

#include "base/error.h"
#include "base/xml-edit.h"

void
vk_network_source_free (VkNetworkSource *source)
{
  if (source == NULL)
    return;
  g_free (source->name);
  g_free (source->host);
  g_free (source->port);
  g_free (source->socket);
  g_free (source->configuration);
  g_free (source);
}

/* NULL for an empty one. */
static char *
take_text (const char *text)
{
  return text != NULL && *text != '\0' ? g_strdup (text) : NULL;
}

/* --- URIs ------------------------------------------------------------------- */

/* Host and port, if there is a host, and nobody's name. */
static gboolean
read_server (VkNetworkSource *source, GUri *uri)
{
  source->host = take_text (g_uri_get_host (uri));
  if (g_uri_get_port (uri) >= 0)
    source->port = g_strdup_printf ("%d", g_uri_get_port (uri));
  return source->host != NULL && g_uri_get_userinfo (uri) == NULL && g_uri_get_query (uri) == NULL;
}

static const char *
path_of (GUri *uri)
{
  const char *path = g_uri_get_path (uri);

  return path + strspn (path, "/");
}

static gboolean
read_nbd (VkNetworkSource *source, GUri *uri)
{
  source->name = take_text (path_of (uri));
  return read_server (source, uri);
}

static gboolean
read_nbd_unix (VkNetworkSource *source, GUri *uri)
{
  const char *query = g_uri_get_query (uri);
  g_autoptr (GHashTable) parameters = query ? g_uri_parse_params (query, -1, "&", G_URI_PARAMS_NONE, NULL) : NULL;

  if (parameters == NULL || g_hash_table_size (parameters) != 1)
    return FALSE;
  source->name = take_text (path_of (uri));
  source->socket = take_text (g_hash_table_lookup (parameters, "socket"));
  return source->socket != NULL;
}

/* The path is that of a logical unit: TARGET/LUN. */
static gboolean
read_iscsi (VkNetworkSource *source, GUri *uri)
{
  source->name = take_text (path_of (uri));
  return source->name != NULL && strchr (source->name, '/') != NULL && read_server (source, uri);
}

static const struct
{
  const char *scheme;
  const char *protocol;
  gboolean (*read) (VkNetworkSource *source, GUri *uri);
} schemes[] = {
  { "nbd", "nbd", read_nbd },
  { "nbd+tcp", "nbd", read_nbd },
  { "nbd+unix", "nbd", read_nbd_unix },
  { "iscsi", "iscsi", read_iscsi },
};

static gboolean
read_uri (VkNetworkSource *source, const char *text)
{
  /* The query is decoded when it has been divided. */
  g_autoptr (GUri) uri = g_uri_parse (text, G_URI_FLAGS_ENCODED_QUERY, NULL);

  for (gsize i = 0; uri != NULL && i < G_N_ELEMENTS (schemes); i++)
    if (strcmp (g_uri_get_scheme (uri), schemes[i].scheme) == 0)
      {
        source->protocol = schemes[i].protocol;
        return schemes[i].read (source, uri);
      }
  return FALSE;
}

/* --- words with colons ------------------------------------------------------ */

/* nbd:unix:PATH or nbd:HOST:PORT, and :exportname=NAME, which goes to the end. */
static gboolean
read_old_nbd (VkNetworkSource *source, const char *text)
{
  static const char mark[] = ":exportname=";
  const char *name = strstr (text, mark);
  g_autofree char *place = name ? g_strndup (text, (gsize) (name - text)) : g_strdup (text);
  char *colon = strrchr (place, ':');
  guint64 port;

  source->protocol = "nbd";
  source->name = name ? take_text (name + strlen (mark)) : NULL;
  if (g_str_has_prefix (place, "unix:"))
    {
      source->socket = take_text (place + strlen ("unix:"));
      return source->socket != NULL;
    }
  if (colon == NULL || colon == place || !g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, &port, NULL))
    return FALSE;
  source->port = g_strdup (colon + 1);
  *colon = '\0';
  /* An IPv6 address has brackets here, which libvirt's does without. */
  if (place[0] == '[' && colon[-1] == ']')
    source->host = g_strndup (place + 1, strlen (place) - 2);
  else
    source->host = g_strdup (place);
  return TRUE;
}

/* The part of an rbd: word up to the next end that no backslash escapes, without the
 * backslashes; *text moves behind it.  Returns: (transfer full). */
static char *
next_part (const char **text, char end)
{
  GString *part = g_string_new (NULL);
  const char *at = *text;

  for (; *at != '\0' && *at != end; at++)
    {
      if (*at == '\\' && at[1] != '\0')
        at++;
      g_string_append_c (part, *at);
    }
  *text = *at == end ? at + 1 : at;
  return g_string_free (part, FALSE);
}

/* rbd:POOL/IMAGE[:OPTION=VALUE]...: where the monitors are is in the configuration. */
static gboolean
read_rbd (VkNetworkSource *source, const char *text)
{
  source->protocol = "rbd";
  source->name = next_part (&text, ':');
  while (*text != '\0')
    {
      g_autofree char *option = next_part (&text, ':');

      if (!g_str_has_prefix (option, "conf=") || source->configuration != NULL)
        return FALSE;
      source->configuration = take_text (option + strlen ("conf="));
    }
  return strchr (source->name, '/') != NULL && strchr (source->name, '@') == NULL;
}

/* What a URI has behind a percent sign can be any character. */
static gboolean
has_sound_values (const VkNetworkSource *source, GError **error)
{
  return vk_xml_check_value (source->name, "the name of a disk's image", error)
      && vk_xml_check_value (source->host, "the server of a disk", error)
      && vk_xml_check_value (source->socket, "the socket of a disk", error)
      && vk_xml_check_value (source->configuration, "the configuration of a disk", error);
}

VkNetworkSource *
vk_network_source_parse (const char *uri, GError **error)
{
  g_autoptr (VkNetworkSource) source = g_new0 (VkNetworkSource, 1);
  gboolean known;

  if (g_str_has_prefix (uri, "rbd:"))
    known = read_rbd (source, uri + strlen ("rbd:"));
  else if (g_str_has_prefix (uri, "nbd:") && !g_str_has_prefix (uri, "nbd://"))
    known = read_old_nbd (source, uri + strlen ("nbd:"));
  else
    known = read_uri (source, uri);
  if (known && has_sound_values (source, error))
    return g_steal_pointer (&source);
  if (!known)
    vk_fail (error, VK_ERROR_REFUSED, "a domain cannot be defined with a disk at '%s': libvirt is told of nbd://HOST/EXPORT, nbd+unix:///EXPORT?socket=PATH, iscsi://HOST/TARGET/LUN and rbd:POOL/IMAGE[:conf=FILE], without credentials; leave --define out, and define a copy of the point's domain-inactive.xml", uri);
  return NULL;
}

/* --- XML -------------------------------------------------------------------- */

static void
set_optional (xmlNode *element, const char *attribute, const char *value)
{
  if (value != NULL)
    vk_xml_set_attribute (element, attribute, value);
}

void
vk_network_source_write (const VkNetworkSource *source, xmlNode *disk)
{
  xmlNode *element = vk_xml_find (disk, "source");

  vk_xml_set_attribute (disk, "type", "network");
  vk_xml_set_attribute (element, "protocol", source->protocol);
  set_optional (element, "name", source->name);
  if (source->host != NULL || source->socket != NULL)
    {
      xmlNode *server = xmlNewChild (element, NULL, BAD_CAST "host", NULL);

      set_optional (server, "name", source->host);
      set_optional (server, "port", source->port);
      set_optional (server, "transport", source->socket ? "unix" : NULL);
      set_optional (server, "socket", source->socket);
    }
  if (source->configuration != NULL)
    vk_xml_set_attribute (xmlNewChild (element, NULL, BAD_CAST "config", NULL), "file", source->configuration);
}
