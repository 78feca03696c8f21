/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/qmp.h"

#include <libvirt/libvirt-qemu.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/json.h"
#include "host/question.h"

typedef struct
{
  char *command, *text;
  char *reply; /* libvirt's */
} Order;

static void
order_free (gpointer data)
{
  Order *order = data;

  g_free (order->command);
  g_free (order->text);
  free (order->reply);
  g_free (order);
}

static gboolean
run_order (virDomainPtr domain, gpointer data, GError **error)
{
  Order *order = data;

  if (virDomainQemuMonitorCommand (domain, order->text, &order->reply, VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT) == 0)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "QEMU monitor command %s", order->command);
  return FALSE;
}

JsonObject *
vk_qmp_run (virDomainPtr domain, const char *command, JsonObject *arguments, GError **error)
{
  g_autoptr (JsonObject) request = json_object_new ();
  g_autoptr (JsonObject) answer = NULL;
  Order *order = g_new0 (Order, 1);
  JsonObject *failure;

  vk_json_set_string (request, "execute", command);
  if (arguments != NULL)
    json_object_set_object_member (request, "arguments", arguments);
  order->command = g_strdup (command);
  order->text = vk_json_to_string (request, FALSE);
  if (!vk_question_ask (domain, run_order, order, order_free, error))
    return NULL;
  answer = vk_json_parse (order->reply, command, error);
  order_free (order);
  if (answer == NULL || !vk_json_get_object (answer, "error", &failure, error))
    return NULL;
  if (failure != NULL)
    {
      g_autofree char *words = NULL;

      vk_json_get_string (failure, "desc", "no description", &words, NULL);
      vk_fail (error, VK_ERROR_FAILED, "QEMU monitor command %s: %s", command, words ? words : "");
      return NULL;
    }
  return g_steal_pointer (&answer);
}

GPtrArray *
vk_qmp_query (virDomainPtr domain, const char *command, JsonObject *arguments, GError **error)
{
  g_autoptr (JsonObject) answer = vk_qmp_run (domain, command, arguments, error);
  GPtrArray *objects;
  JsonArray *list = NULL;

  if (answer == NULL || !vk_json_get_array (answer, "return", &list, error))
    return NULL;
  objects = g_ptr_array_new_with_free_func ((GDestroyNotify) json_object_unref);
  for (guint i = 0; list != NULL && i < json_array_get_length (list); i++)
    {
      JsonNode *node = json_array_get_element (list, i);

      if (JSON_NODE_HOLDS_OBJECT (node))
        g_ptr_array_add (objects, json_object_ref (json_node_get_object (node)));
    }
  return objects;
}

char *
vk_qmp_string (JsonObject *object, const char *member)
{
  char *value = NULL;

  return vk_json_get_string (object, member, "", &value, NULL) ? value : g_strdup ("");
}
