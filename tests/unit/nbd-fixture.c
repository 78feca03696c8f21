/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "nbd-fixture.h"

#include <fcntl.h>
#include <libnbd.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/process.h"

enum
{
  BLOCK_BYTES = 4096,
  READ_BYTES = 1 << 20,
  START_TRIES = 5000,
};

gboolean
test_have_programs (const char *program, ...)
{
  va_list args;
  gboolean have = TRUE;

  va_start (args, program);
  for (; have && program != NULL; program = va_arg (args, const char *))
    {
      g_autofree char *path = g_find_program_in_path (program);
      g_autofree char *reason = g_strdup_printf ("%s is not installed", program);

      have = path != NULL;
      if (!have)
        g_test_skip (reason);
    }
  va_end (args);
  return have;
}

char *
test_directory_new (void)
{
  g_autoptr (GError) error = NULL;
  char *path = g_dir_make_tmp ("virt-keep-test-XXXXXX", &error);

  g_assert_no_error (error);
  return path;
}

void
test_directory_free (char *path)
{
  g_autoptr (GError) error = NULL;

  if (path != NULL)
    vk_tree_remove (path, &error);
  g_assert_no_error (error);
  g_free (path);
}

/* argv: (transfer container) without the terminating NULL. */
static TestServer *
start_server (GPtrArray *argv, char *socket, char *pid_file)
{
  g_autoptr (GPtrArray) arguments = argv;
  g_autoptr (GError) error = NULL;
  TestServer *server = g_new0 (TestServer, 1);

  g_ptr_array_add (arguments, NULL);
  server->uri = g_strconcat ("nbd+unix:///?socket=", socket, NULL);
  server->process = vk_process_start ((const char *const *) arguments->pdata, G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error);
  g_assert_no_error (error);
  for (guint i = 0; !g_file_test (pid_file, G_FILE_TEST_EXISTS); i++)
    {
      g_assert_cmpuint (i, <, START_TRIES);
      g_assert_nonnull (g_subprocess_get_identifier (server->process));
      g_usleep (2000);
    }
  return server;
}

static char *
unused_name (const char *dir)
{
  g_autofree char *uuid = g_uuid_string_random ();

  return g_build_filename (dir, uuid, NULL);
}

static void
add_arguments (GPtrArray *argv, const char *first, va_list rest)
{
  for (const char *argument = first; argument != NULL; argument = va_arg (rest, const char *))
    g_ptr_array_add (argv, g_strdup (argument));
}

TestServer *
test_nbdkit (const char *dir, const char *argument, ...)
{
  g_autofree char *socket = unused_name (dir);
  g_autofree char *pid_file = g_strconcat (socket, ".pid", NULL);
  const char *fixed[] = { "nbdkit", "-f", "-U", socket, "-P", pid_file };
  GPtrArray *argv = g_ptr_array_new_with_free_func (g_free);
  va_list args;

  for (guint i = 0; i < G_N_ELEMENTS (fixed); i++)
    g_ptr_array_add (argv, g_strdup (fixed[i]));
  va_start (args, argument);
  add_arguments (argv, argument, args);
  va_end (args);
  return start_server (argv, socket, pid_file);
}

TestServer *
test_qemu_nbd (const char *dir, const char *argument, ...)
{
  g_autofree char *socket = unused_name (dir);
  g_autofree char *pid_file = g_strconcat (socket, ".pid", NULL);
  const char *fixed[] = { "qemu-nbd", "--persistent", "--socket", socket, "--pid-file", pid_file };
  GPtrArray *argv = g_ptr_array_new_with_free_func (g_free);
  va_list args;

  for (guint i = 0; i < G_N_ELEMENTS (fixed); i++)
    g_ptr_array_add (argv, g_strdup (fixed[i]));
  va_start (args, argument);
  add_arguments (argv, argument, args);
  va_end (args);
  return start_server (argv, socket, pid_file);
}

void
test_server_stop (TestServer *server)
{
  if (server == NULL)
    return;
  g_subprocess_send_signal (server->process, SIGTERM);
  g_subprocess_wait (server->process, NULL, NULL);
  g_object_unref (server->process);
  g_free (server->uri);
  g_free (server);
}

void
test_run (const char *program, ...)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;
  va_list args;

  va_start (args, program);
  add_arguments (argv, program, args);
  va_end (args);
  g_ptr_array_add (argv, NULL);
  process = g_subprocess_newv ((const char *const *) argv->pdata, G_SUBPROCESS_FLAGS_STDOUT_SILENCE, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_wait_check (process, NULL, NULL));
}

void
test_fill (guint8 *bytes, gsize length, guint32 seed)
{
  guint64 state = seed * G_GUINT64_CONSTANT (2654435761) + 1;

  for (gsize i = 0; i < length; i++)
    {
      state = state * G_GUINT64_CONSTANT (6364136223846793005) + G_GUINT64_CONSTANT (1442695040888963407);
      bytes[i] = (guint8) (state >> 56);
    }
}

void
test_write_sparse (const char *path, const guint8 *bytes, gsize length)
{
  static const guint8 zeroes[BLOCK_BYTES];
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (ftruncate (fd, (off_t) length), ==, 0);
  for (gsize at = 0; at < length; at += BLOCK_BYTES)
    {
      gsize block = MIN (BLOCK_BYTES, length - at);

      if (memcmp (bytes + at, zeroes, block) != 0)
        g_assert_cmpint (pwrite (fd, bytes + at, block, (off_t) at), ==, (gssize) block);
    }
  close (fd);
}

guint8 *
test_read_export (const char *uri, gsize *length)
{
  struct nbd_handle *nbd = nbd_create ();
  guint8 *bytes;

  g_assert_nonnull (nbd);
  g_assert_cmpint (nbd_connect_uri (nbd, uri), ==, 0);
  *length = (gsize) nbd_get_size (nbd);
  bytes = g_malloc (*length);
  for (gsize at = 0; at < *length; at += READ_BYTES)
    g_assert_cmpint (nbd_pread (nbd, bytes + at, MIN (READ_BYTES, *length - at), at, 0), ==, 0);
  nbd_shutdown (nbd, 0);
  nbd_close (nbd);
  return bytes;
}

void
test_assert_export (const char *uri, const guint8 *bytes, gsize length)
{
  gsize export_length;
  g_autofree guint8 *export_bytes = test_read_export (uri, &export_length);

  g_assert_cmpuint (export_length, ==, length);
  for (gsize at = 0; at < length; at += BLOCK_BYTES)
    if (memcmp (export_bytes + at, bytes + at, MIN (BLOCK_BYTES, length - at)) != 0)
      g_error ("the export differs in the block at %" G_GSIZE_FORMAT, at);
}
