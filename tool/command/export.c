/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "export/export.h"

#include <glib/gi18n.h>
#include <stdio.h>

#include "base/error.h"
#include "base/files.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "command/command.h"

/* Where libvirt keeps certificates for NBD, and those for all of QEMU. */
static const char *const tls_directories[] = { "/etc/pki/libvirt-nbd", "/etc/pki/qemu" };

typedef struct
{
  char **disks;
  char *socket;
  char *port;
  char *address;
  gboolean tls;
  char *tls_directory;
  gboolean writable;
} ExportOptions;

static const GOptionEntry export_options[] = {
  { "disk", 0, 0, G_OPTION_ARG_STRING_ARRAY, VK_OPTION (ExportOptions, disks), N_("Export only this disk (repeatable)"), "DEV" },
  { "socket", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (ExportOptions, socket), N_("Listen on the unix socket PATH, with several disks on PATH.DEV"), "PATH" },
  { "port", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (ExportOptions, port), N_("Listen on TCP port N, with several disks on N and those that follow"), "N" },
  { "bind", 0, 0, G_OPTION_ARG_STRING, VK_OPTION (ExportOptions, address), N_("With --port: listen on ADDRESS instead of 127.0.0.1"), "ADDRESS" },
  { "tls", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (ExportOptions, tls), N_("With --port: admit only clients with a certificate, encrypted"), NULL },
  { "tls-creds", 0, 0, G_OPTION_ARG_FILENAME, VK_OPTION (ExportOptions, tls_directory), N_("With --tls: take the certificates from DIR"), "DIR" },
  { "writable", 0, 0, G_OPTION_ARG_NONE, VK_OPTION (ExportOptions, writable), N_("Take writes, which are thrown away at the end"), NULL },
  { NULL }
};

static gboolean
set_usage_error (GError **error, const char *message)
{
  return vk_fail (error, VK_ERROR_USAGE, "%s", message);
}

static gboolean
parse_port (const ExportOptions *options, VkExportRequest *request, GError **error)
{
  guint64 port;

  if (options->port == NULL)
    return options->address == NULL && !options->tls ? TRUE : set_usage_error (error, "--bind and --tls are for --port");
  if (options->socket != NULL)
    return set_usage_error (error, "--socket and --port are two ways to listen: give one of them");
  if (!g_ascii_string_to_unsigned (options->port, 10, 1, G_MAXUINT16, &port, NULL))
    return vk_fail (error, VK_ERROR_USAGE, "--port cannot be '%s': it is a number from 1 to 65535", options->port);
  request->port = (guint) port;
  request->address = options->address ? options->address : "127.0.0.1";
  return *request->address ? TRUE : set_usage_error (error, "--bind needs an address, such as 0.0.0.0 for every one of this host");
}

/* The files that QEMU takes from such a directory. */
static const char *const tls_files[] = { "ca-cert.pem", "server-cert.pem", "server-key.pem", NULL };

static gboolean
find_certificates (const ExportOptions *options, VkExportRequest *request, GError **error)
{
  if (options->tls_directory != NULL && !options->tls)
    return set_usage_error (error, "--tls-creds is for --tls");
  request->tls_dir = options->tls_directory;
  for (gsize i = 0; options->tls && request->tls_dir == NULL && i < G_N_ELEMENTS (tls_directories); i++)
    if (vk_directory_has (tls_directories[i], tls_files))
      request->tls_dir = tls_directories[i];
  if (!options->tls || (request->tls_dir != NULL && vk_directory_has (request->tls_dir, tls_files)))
    return TRUE;
  vk_fail (error, VK_ERROR_REFUSED, "the certificates are not in '%s': put ca-cert.pem, server-cert.pem and server-key.pem there, or name another directory with --tls-creds",
               request->tls_dir ? request->tls_dir : tls_directories[0]);
  return FALSE;
}

static gboolean
parse_request (const VkInvocation *invocation, VkExportRequest *request, GError **error)
{
  const ExportOptions *options = invocation->options;

  if (options->socket != NULL && (*options->socket == '\0' || !g_utf8_validate (options->socket, -1, NULL)))
    return set_usage_error (error, "--socket needs the name of a file, in UTF-8");
  if (invocation->program != NULL && invocation->program[0] == NULL)
    return set_usage_error (error, "what is to be run? name a program behind --, or leave -- out");
  if (invocation->program != NULL && invocation->json)
    return set_usage_error (error, "--json cannot be given with a program: standard output is for that");
  request->disks = (const char *const *) options->disks;
  request->writable = options->writable;
  return parse_port (options, request, error) && find_certificates (options, request, error);
}

static JsonObject *
disk_json (const VkExportedDisk *disk)
{
  JsonObject *object = json_object_new ();

  vk_json_set_string (object, "disk", disk->target);
  vk_json_set_string (object, "uri", disk->uri);
  json_object_set_int_member (object, "size", (gint64) disk->size);
  vk_json_set_string (object, "socket", disk->socket);
  return object;
}

/* The result is for now: nobody would need it at the end.  FALSE when it cannot be
 * written, which main() tells. */
static gboolean
print_result (VkInvocation *invocation, const char *point_name, const VkExportRequest *request, const GPtrArray *disks)
{
  JsonArray *array = json_array_new ();

  vk_json_set_string (invocation->result, "point", point_name);
  json_object_set_boolean_member (invocation->result, "writable", request->writable);
  json_object_set_boolean_member (invocation->result, "tls", request->tls_dir != NULL);
  json_object_set_array_member (invocation->result, "disks", array);
  for (guint i = 0; i < disks->len; i++)
    {
      const VkExportedDisk *disk = g_ptr_array_index (disks, i);

      json_array_add_object_element (array, disk_json (disk));
      if (!invocation->json)
        printf ("%s %s\n", disk->target, disk->uri);
    }
  if (invocation->json)
    vk_print_json_result (invocation, vk_command_export.name, NULL);
  invocation->streamed = TRUE;
  return fflush (stdout) == 0;
}

/* To be interrupted is how an export without a program ends. */
static gboolean
serve (VkInvocation *invocation, VkExport *export, const char *point_name, const VkExportRequest *request, VkInterrupt *interrupt, GError **error)
{
  GCancellable *cancellable = vk_interrupt_cancellable (interrupt);

  if (invocation->program == NULL)
    return !print_result (invocation, point_name, request, vk_export_disks (export))
           || (vk_export_wait (export, cancellable, error) && vk_export_close (export, error));
  if (vk_export_run (export, point_name, (const char *const *) invocation->program, &invocation->program_status, cancellable, error))
    return vk_export_close (export, error);
  vk_interrupt_claim_error (interrupt, error);
  return FALSE;
}

static gboolean
run_export (VkInvocation *invocation, GError **error)
{
  const ExportOptions *options = invocation->options;
  VkExportRequest request = { 0 };
  g_autofree char *socket = NULL;
  g_autofree char *name = NULL;
  g_autoptr (VkStore) store = NULL;
  g_autoptr (VkPoint) point = NULL;
  g_autoptr (VkInterrupt) interrupt = NULL;
  g_autoptr (VkExport) export = NULL;

  if (!vk_require_store (invocation, error) || !parse_request (invocation, &request, error))
    return FALSE;
  if (options->socket != NULL)
    request.socket = socket = g_canonicalize_filename (options->socket, NULL);
  store = vk_open_store (invocation, FALSE, error);
  point = store ? vk_store_find_point (store, invocation->arguments[0], error) : NULL;
  if (point == NULL)
    return FALSE;
  interrupt = vk_interrupt_new ();
  export = vk_export_open (store, point, &request, error);
  if (export == NULL)
    return FALSE;
  name = vk_point_name (point);
  return serve (invocation, export, name, &request, interrupt, error);
}

const VkCommand vk_command_export = {
  .name = "export",
  .arguments = "POINT",
  .summary = N_("Serve the disks of a restore point over NBD"),
  .options = export_options,
  .option_bytes = sizeof (ExportOptions),
  .runs_program = TRUE,
  .run = run_export,
};
