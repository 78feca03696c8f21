/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/agent.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/xml.h"

/* How long it may take to answer, and how much of a program's output is kept, in bytes. */
enum { ANSWER_SECONDS = 5, OUTPUT_LIMIT = 64 << 10 };

gboolean
vk_agent_has_channel (virDomainPtr domain)
{
  char *text = virDomainGetXMLDesc (domain, 0);
  g_autoptr (xmlDoc) doc = text ? vk_xml_parse (text, "the domain", NULL) : NULL;

  free (text);
  return doc != NULL && vk_xml_find (xmlDocGetRootElement (doc), "devices/channel/target[@name='org.qemu.guest_agent.0']") != NULL;
}

/* Returns: (transfer full) the answer, which has a member "return". */
static JsonObject *
ask (virDomainPtr domain, const char *command, JsonObject *arguments, GError **error)
{
  g_autoptr (JsonObject) request = json_object_new ();
  g_autoptr (JsonObject) answer = NULL;
  g_autoptr (GError) failure = NULL;
  g_autofree char *text = NULL;
  char *reply;

  vk_json_set_string (request, "execute", command);
  if (arguments != NULL)
    json_object_set_object_member (request, "arguments", arguments);
  text = vk_json_to_string (request, FALSE);
  reply = virDomainQemuAgentCommand (domain, text, ANSWER_SECONDS, 0);
  if (reply == NULL)
    {
      vk_set_libvirt_error (error, NULL, "guest agent, %s", command);
      return NULL;
    }
  answer = vk_json_parse (reply, command, &failure);
  free (reply);
  if (answer != NULL && json_object_has_member (answer, "return"))
    return g_steal_pointer (&answer);
  vk_fail (error, VK_ERROR_GUEST, "guest agent, %s: its answer is none", command);
  return NULL;
}

/* The object that command returns. */
static JsonObject *
ask_object (virDomainPtr domain, const char *command, JsonObject *arguments, GError **error)
{
  g_autoptr (JsonObject) answer = ask (domain, command, arguments, error);
  JsonObject *object = NULL;

  if (answer == NULL)
    return NULL;
  if (vk_json_get_object (answer, "return", &object, NULL) && object != NULL)
    return json_object_ref (object);
  vk_fail (error, VK_ERROR_GUEST, "guest agent, %s: it returns something else than an object", command);
  return NULL;
}

gboolean
vk_agent_ping (virDomainPtr domain)
{
  g_autoptr (JsonObject) answer = ask (domain, "guest-ping", NULL, NULL);

  return answer != NULL;
}

/* What the time is in the guest, libvirt asks itself; every agent knows that order. */
gboolean
vk_agent_is_awake (virDomainPtr domain, GError **error)
{
  long long seconds;
  unsigned int nanoseconds;
  gboolean awake;

  vk_agent_limit_answers (domain, ANSWER_SECONDS);
  awake = virDomainGetTime (domain, &seconds, &nanoseconds, 0) == 0;
  if (!awake)
    vk_set_libvirt_error (error, NULL, "the guest agent does not answer");
  vk_agent_limit_answers (domain, 0);
  return awake;
}

void
vk_agent_limit_answers (virDomainPtr domain, guint seconds)
{
  virDomainAgentSetResponseTimeout (domain, seconds > 0 ? (int) seconds : VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK, 0);
}

/* --- files ------------------------------------------------------------------------ */

static gboolean
open_file (virDomainPtr domain, const char *path, guint64 *handle, GError **error)
{
  JsonObject *arguments = json_object_new ();
  g_autoptr (JsonObject) answer = NULL;

  vk_json_set_string (arguments, "path", path);
  vk_json_set_string (arguments, "mode", "r");
  answer = ask (domain, "guest-file-open", arguments, error);
  return answer != NULL && vk_json_get_uint64 (answer, "return", 0, handle, error);
}

static void
close_file (virDomainPtr domain, guint64 handle)
{
  JsonObject *arguments = json_object_new ();
  g_autoptr (JsonObject) answer = NULL;

  json_object_set_int_member (arguments, "handle", (gint64) handle);
  answer = ask (domain, "guest-file-close", arguments, NULL);
}

/* The member, bytes in base64, appended to text as far as limit allows; FALSE when there was more. */
static gboolean
append_decoded (JsonObject *object, const char *member, GString *text, gsize limit)
{
  g_autofree char *encoded = NULL;
  g_autofree guchar *decoded = NULL;
  gsize length = 0;
  gsize room = limit - text->len;

  if (!vk_json_get_string (object, member, "", &encoded, NULL) || *encoded == '\0')
    return TRUE;
  decoded = g_base64_decode (encoded, &length);
  g_string_append_len (text, (const char *) decoded, (gssize) MIN (length, room));
  return length <= room;
}

char *
vk_agent_read_file (virDomainPtr domain, const char *path, gsize limit, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean more = TRUE;
  gboolean ok = TRUE;
  guint64 handle = 0;

  if (!open_file (domain, path, &handle, error))
    return NULL;
  while (ok && more)
    {
      JsonObject *arguments = json_object_new ();
      g_autoptr (JsonObject) part = NULL;
      gsize before = text->len;
      gboolean end = FALSE;

      json_object_set_int_member (arguments, "handle", (gint64) handle);
      part = ask_object (domain, "guest-file-read", arguments, error);
      ok = part != NULL && vk_json_get_boolean (part, "eof", FALSE, &end, error);
      more = ok && append_decoded (part, "buf-b64", text, limit) && !end && text->len > before;
    }
  close_file (domain, handle);
  return ok ? g_string_free (g_steal_pointer (&text), FALSE) : NULL;
}

/* --- programs ----------------------------------------------------------------------- */

gboolean
vk_agent_start (virDomainPtr domain, const char *const *argv, const char *input, gsize length, gint64 *pid, GError **error)
{
  JsonObject *arguments = json_object_new ();
  g_autofree char *encoded = g_base64_encode ((const guchar *) input, length);
  g_autoptr (JsonObject) answer = NULL;
  guint64 number = 0;

  vk_json_set_string (arguments, "path", argv[0]);
  for (gsize i = 1; argv[i] != NULL; i++)
    vk_json_append_string (arguments, "arg", argv[i]);
  vk_json_set_string (arguments, "input-data", encoded);
  json_object_set_boolean_member (arguments, "capture-output", TRUE);
  answer = ask_object (domain, "guest-exec", arguments, error);
  if (answer == NULL || !vk_json_get_uint64 (answer, "pid", 0, &number, error))
    return FALSE;
  *pid = (gint64) number;
  return TRUE;
}

void
vk_agent_exit_clear (VkAgentExit *exit)
{
  g_clear_pointer (&exit->output, g_free);
}

static void
take_output (JsonObject *status, VkAgentExit *exit)
{
  g_autoptr (GString) output = g_string_new (NULL);
  gboolean whole = append_decoded (status, "out-data", output, OUTPUT_LIMIT);

  whole = append_decoded (status, "err-data", output, OUTPUT_LIMIT) && whole;
  exit->truncated = !whole;
  exit->output = g_utf8_make_valid (output->str, (gssize) output->len);
}

gboolean
vk_agent_poll (virDomainPtr domain, gint64 pid, gboolean *ended, VkAgentExit *exit, GError **error)
{
  JsonObject *arguments = json_object_new ();
  g_autoptr (JsonObject) status = NULL;
  guint64 code = 0;

  json_object_set_int_member (arguments, "pid", pid);
  status = ask_object (domain, "guest-exec-status", arguments, error);
  if (status == NULL || !vk_json_get_boolean (status, "exited", FALSE, ended, error)
      || !vk_json_get_uint64 (status, "exitcode", G_MAXINT64, &code, error))
    return FALSE;
  if (!*ended)
    return TRUE;
  exit->exit_code = code == G_MAXINT64 ? -1 : (gint64) code;
  take_output (status, exit);
  return TRUE;
}
