/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "view/nbd-server-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/error.h"
#include "base/json.h"
#include "view/disk-key.h"
#include "view/qcow2-header.h"

enum
{
  START_TIMEOUT_MS = 30000,
  KEY_TIMEOUT_MS = 20000, /* more for each encrypted image: a key is made slow to try */
  START_POLL_MS = 2,
  TERM_AGAIN_MS = 200,
  MAX_CLIENTS = 16,
  /* Only the end of what the program says is kept. */
  MAX_WORDS = 4096,
};

static const char qemu_nbd[] = "qemu-nbd";

struct VkNbdServer
{
  const char *program;
  char *path;        /* of what is served, for messages */
  char *description; /* of the image, for QEMU; or NULL */
  char *dir;         /* our own directory in socket_dir, with the two files: */
  char *socket;
  char *pid_file; /* written by the program once it listens */
  char *uri;
  guint keys;        /* encrypted images that it has to open */
  GSubprocess *process;
  GThread *listener;
  char *words; /* its last line, once it has ended */
};

/* The block graph for QEMU, so that it takes nothing from the images: neither
 * formats nor backing files. */
static JsonObject *
describe_chain (const char *const *chain, gboolean encrypted, gboolean read_only)
{
  JsonObject *node = json_object_new ();
  JsonObject *file = json_object_new ();

  json_object_set_string_member (file, "driver", "file");
  json_object_set_string_member (file, "filename", chain[0]);
  json_object_set_boolean_member (file, "read-only", read_only);
  json_object_set_string_member (node, "driver", "qcow2");
  json_object_set_boolean_member (node, "read-only", read_only);
  json_object_set_object_member (node, "file", file);
  if (encrypted)
    vk_disk_key_describe (node);
  if (chain[1] != NULL)
    json_object_set_object_member (node, "backing", describe_chain (chain + 1, encrypted, TRUE));
  else
    json_object_set_null_member (node, "backing");
  return node;
}

/* Thread: reads standard error to its end, so that the program never has to wait
 * for room in the pipe.  Returns the end of it. */
static gpointer
listen_to (gpointer data)
{
  g_autoptr (GInputStream) pipe = data;
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[1024];
  gssize got;

  while ((got = g_input_stream_read (pipe, buffer, sizeof buffer, NULL, NULL)) > 0)
    {
      g_string_append_len (text, buffer, got);
      if (text->len > MAX_WORDS)
        g_string_erase (text, 0, (gssize) text->len - MAX_WORDS);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* What the ended program said, or "".  Returns: (transfer none). */
static const char *
last_words (VkNbdServer *server)
{
  g_autofree char *text = NULL;

  if (server->listener != NULL)
    {
      text = g_thread_join (g_steal_pointer (&server->listener));
      server->words = vk_nbd_server_words (server->program, server->description, text);
    }
  return server->words ? server->words : "";
}

static const char *
words_or_none (VkNbdServer *server)
{
  const char *words = last_words (server);

  return *words ? words : "it said nothing";
}

/* GSubprocess forgets the id of a process that has ended. */
static gboolean
has_ended (VkNbdServer *server)
{
  return g_subprocess_get_identifier (server->process) == NULL;
}

static gboolean
set_start_error (VkNbdServer *server, GError **error)
{
  const char *words = words_or_none (server);

  if (!vk_disk_key_is_wrong (words, server->path, error))
    vk_fail (error, VK_ERROR_STORE, "%s cannot open '%s': %s", server->program, server->path, words);
  return FALSE;
}

static gboolean
wait_for_start (VkNbdServer *server, GError **error)
{
  gint64 patience_ms = START_TIMEOUT_MS + (gint64) KEY_TIMEOUT_MS * server->keys;
  gint64 deadline = g_get_monotonic_time () + patience_ms * 1000;

  while (!g_file_test (server->pid_file, G_FILE_TEST_EXISTS))
    {
      if (has_ended (server))
        return set_start_error (server, error);
      if (g_get_monotonic_time () > deadline)
        return vk_fail (error, VK_ERROR_STORE, "%s did not open '%s' within %" PRId64 " seconds", server->program, server->path, patience_ms / 1000);
      g_usleep (START_POLL_MS * 1000);
    }
  return TRUE;
}

/* Makes the names in a directory of the server's own, which no other server
 * can have. */
static gboolean
make_socket_dir (VkNbdServer *server, const char *socket_dir, GError **error)
{
  g_autofree char *template = g_build_filename (socket_dir, "nbd-XXXXXX", NULL);
  g_autofree char *escaped = NULL;

  if (g_mkdtemp (template) == NULL)
    {
      int number = errno;

      return vk_fail (error, VK_ERROR_STORE, "cannot create a directory in '%s': %s", socket_dir, g_strerror (number));
    }
  server->dir = g_steal_pointer (&template);
  server->socket = g_build_filename (server->dir, "socket", NULL);
  server->pid_file = g_build_filename (server->dir, "pid", NULL);
  escaped = g_uri_escape_string (server->socket, "/", FALSE);
  server->uri = g_strdup_printf ("nbd+unix:///?socket=%s", escaped);
  if (strlen (server->socket) < sizeof ((struct sockaddr_un *) NULL)->sun_path)
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "the directory name '%s' is too long for a socket in it: choose a shorter one", socket_dir);
}

VkNbdServer *
vk_nbd_server_prepare (const char *program, const char *path, const char *socket_dir, GError **error)
{
  g_autoptr (VkNbdServer) server = g_new0 (VkNbdServer, 1);

  server->program = program;
  server->path = g_strdup (path);
  return make_socket_dir (server, socket_dir, error) ? g_steal_pointer (&server) : NULL;
}

const char *
vk_nbd_server_socket (VkNbdServer *server)
{
  return server->socket;
}

const char *
vk_nbd_server_pid_file (VkNbdServer *server)
{
  return server->pid_file;
}

gboolean
vk_nbd_server_launch (VkNbdServer *server, const char *const *argv, const VkProcessSecrets *secrets, GError **error)
{
  server->process = vk_process_start_with (argv, G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE, secrets, error);
  if (server->process == NULL)
    return FALSE;
  server->listener = g_thread_new (server->program, listen_to, g_object_ref (g_subprocess_get_stderr_pipe (server->process)));
  return wait_for_start (server, error);
}

/* Starts qemu-nbd with options (NULL-terminated), the key for secret, and the image. */
static gboolean
start (VkNbdServer *server, const char *const *options, const char *image, const char *secret, GError **error)
{
  VkProcessSecrets secrets = { .fd = -1 };
  const char *fixed[] = { server->program, "--persistent", NULL };
  g_autoptr (GPtrArray) argv = vk_process_argv_new (fixed);

  g_ptr_array_add (argv, g_strdup_printf ("--shared=%d", MAX_CLIENTS));
  g_ptr_array_add (argv, g_strconcat ("--socket=", server->socket, NULL));
  g_ptr_array_add (argv, g_strconcat ("--pid-file=", server->pid_file, NULL));
  for (guint i = 0; options[i] != NULL; i++)
    g_ptr_array_add (argv, g_strdup (options[i]));
  vk_disk_key_add_object (argv, secret);
  g_ptr_array_add (argv, g_strdup ("--"));
  g_ptr_array_add (argv, g_strdup (image));
  g_ptr_array_add (argv, NULL);
  secrets.fd = vk_disk_key_open (secret, error);
  if (secret != NULL && secrets.fd < 0)
    return FALSE;
  return vk_nbd_server_launch (server, (const char *const *) argv->pdata, &secrets, error);
}

/* Whether the file may be given to QEMU, whose JSON is UTF-8 only. */
static gboolean
check_image (const char *path, GError **error)
{
  g_autofree char *shown = NULL;

  if (g_utf8_validate (path, -1, NULL))
    return vk_qcow2_check (path, error);
  shown = g_filename_display_name (path);
  return vk_fail (error, VK_ERROR_STORE, "cannot serve '%s': QEMU takes only file names in UTF-8, so rename it or a directory above it", shown);
}

/* The chain for QEMU, once its members have been looked at.  Returns: (transfer full). */
static char *
describe_checked (const char *const *chain, const char *secret, gboolean read_only, gboolean shared, GError **error)
{
  g_autoptr (JsonObject) description = NULL;
  g_autofree char *json = NULL;

  for (guint i = 0; chain[i] != NULL; i++)
    if (!check_image (chain[i], error))
      return NULL;
  description = describe_chain (chain, secret != NULL, read_only);
  if (shared)
    json_object_set_boolean_member (description, "force-share", TRUE);
  json = vk_json_to_string (description, FALSE);
  return g_strconcat ("json:", json, NULL);
}

char *
vk_nbd_describe_chain (const char *const *chain, const char *secret, GError **error)
{
  return describe_checked (chain, secret, TRUE, FALSE, error);
}

/* chain: the image and its backing files.  shared: without regard to QEMU's
 * locks on them. */
static VkNbdServer *
serve (const char *const *chain, const char *secret, gboolean read_only, gboolean shared, const char *socket_dir, GError **error)
{
  g_autoptr (VkNbdServer) server = NULL;
  static const char *const read_options[] = { "--read-only", "--cache=writeback", NULL };
  static const char *const write_options[] = { "--discard=unmap", "--cache=unsafe", NULL };
  g_autofree char *description = describe_checked (chain, secret, read_only, shared, error);

  if (description == NULL)
    return NULL;
  server = vk_nbd_server_prepare (qemu_nbd, chain[0], socket_dir, error);
  if (server == NULL)
    return NULL;
  server->description = g_steal_pointer (&description);
  server->keys = secret ? g_strv_length ((char **) chain) : 0;
  return start (server, read_only ? read_options : write_options, server->description, secret, error) ? g_steal_pointer (&server) : NULL;
}

VkNbdServer *
vk_nbd_server_read (const char *const *chain, const char *secret, const char *socket_dir, GError **error)
{
  return serve (chain, secret, TRUE, FALSE, socket_dir, error);
}

VkNbdServer *
vk_nbd_server_read_shared (const char *const *chain, const char *secret, const char *socket_dir, GError **error)
{
  return serve (chain, secret, TRUE, TRUE, socket_dir, error);
}

VkNbdServer *
vk_nbd_server_write (const char *path, const char *const *chain_below, const char *secret, const char *socket_dir, GError **error)
{
  g_autoptr (GPtrArray) chain = g_ptr_array_new ();

  g_ptr_array_add (chain, (gpointer) path);
  for (guint i = 0; chain_below != NULL && chain_below[i] != NULL; i++)
    g_ptr_array_add (chain, (gpointer) chain_below[i]);
  g_ptr_array_add (chain, NULL);
  return serve ((const char *const *) chain->pdata, secret, FALSE, FALSE, socket_dir, error);
}

VkNbdServer *
vk_nbd_server_source (const char *path, const char *format, const char *bitmap, const char *socket_dir, GError **error)
{
  g_autoptr (VkNbdServer) server = vk_nbd_server_prepare (qemu_nbd, path, socket_dir, error);
  g_autofree char *format_option = g_strconcat ("--format=", format, NULL);
  g_autofree char *bitmap_option = bitmap ? g_strconcat ("--bitmap=", bitmap, NULL) : NULL;
  const char *options[] = { "--read-only", format_option, bitmap_option, NULL };

  if (server == NULL)
    return NULL;
  server->description = g_strdup (path);
  return start (server, options, path, NULL, error) ? g_steal_pointer (&server) : NULL;
}

VkNbdServer *
vk_nbd_server_target (const char *target, const char *format, const char *socket_dir, GError **error)
{
  g_autoptr (VkNbdServer) server = vk_nbd_server_prepare (qemu_nbd, target, socket_dir, error);
  g_autofree char *format_option = g_strconcat ("--format=", format, NULL);
  const char *options[] = { format_option, "--discard=unmap", "--cache=writeback", NULL };

  if (server == NULL)
    return NULL;
  server->description = g_strdup (target);
  return start (server, options, target, NULL, error) ? g_steal_pointer (&server) : NULL;
}

const char *
vk_nbd_server_uri (VkNbdServer *server)
{
  return server->uri;
}

void
vk_nbd_server_set_uri (VkNbdServer *server, char *uri)
{
  g_free (server->uri);
  server->uri = uri;
}

GSubprocess *
vk_nbd_server_process (VkNbdServer *server)
{
  return server->process;
}

/* qemu-nbd forgets a SIGTERM that comes just before its main loop, so that it is told
 * again.  It writes what it still has, which hangs where the store hangs. */
static void
end_program (VkNbdServer *server)
{
  guint64 patience;

  vk_flush_patience (&patience, NULL);
  for (guint64 ms = 0; !has_ended (server); ms += START_POLL_MS)
    {
      if (ms / 1000 >= patience)
        g_subprocess_force_exit (server->process);
      else if (ms % TERM_AGAIN_MS == 0)
        g_subprocess_send_signal (server->process, SIGTERM);
      g_usleep (START_POLL_MS * 1000);
    }
  g_subprocess_wait (server->process, NULL, NULL);
}

void
vk_nbd_server_explain (VkNbdServer *server, GError **error)
{
  const char *words;

  end_program (server);
  words = last_words (server);
  if (*words == '\0')
    return;
  g_clear_error (error);
  vk_fail (error, VK_ERROR_STORE, "%s cannot be read: %s", server->path, words);
}

gboolean
vk_nbd_server_stop (VkNbdServer *server, GError **error)
{
  gboolean ended_before = has_ended (server);

  end_program (server);
  if (!ended_before && g_subprocess_get_successful (server->process))
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "%s %s while it served '%s': %s", server->program, ended_before ? "ended" : "failed", server->path, words_or_none (server));
}

void
vk_nbd_server_free (VkNbdServer *server)
{
  if (server == NULL)
    return;
  if (server->process != NULL)
    {
      g_subprocess_force_exit (server->process);
      g_subprocess_wait (server->process, NULL, NULL);
    }
  if (server->listener != NULL)
    g_free (g_thread_join (server->listener));
  if (server->dir != NULL)
    {
      g_unlink (server->socket);
      g_unlink (server->pid_file);
      g_rmdir (server->dir);
    }
  g_clear_object (&server->process);
  g_free (server->words);
  g_free (server->uri);
  g_free (server->pid_file);
  g_free (server->socket);
  g_free (server->dir);
  g_free (server->description);
  g_free (server->path);
  g_free (server);
}
