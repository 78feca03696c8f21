/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NBD servers and disks of known content for the tests that copy them. */
#pragma once

#include <gio/gio.h>

/* Whether programs (NULL-terminated) are installed; skips the test when not. */
gboolean test_have_programs (const char *program, ...) G_GNUC_NULL_TERMINATED;

/* A new directory below the temporary one.  Returns: (transfer full). */
char *test_directory_new (void);

/* Removes the directory with all that is in it, and frees the name. */
void test_directory_free (char *path);
typedef char TestDirectory;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestDirectory, test_directory_free)

typedef struct
{
  GSubprocess *process;
  char *uri;
} TestServer;

/* Starts nbdkit or qemu-nbd with the arguments (NULL-terminated) on a socket of
 * its own in dir, and waits until it serves. */
TestServer *test_nbdkit (const char *dir, const char *argument, ...) G_GNUC_NULL_TERMINATED;
TestServer *test_qemu_nbd (const char *dir, const char *argument, ...) G_GNUC_NULL_TERMINATED;

/* SIGTERM, and waits. */
void test_server_stop (TestServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestServer, test_server_stop)

/* Runs a program, which must succeed. */
void test_run (const char *program, ...) G_GNUC_NULL_TERMINATED;

/* Pseudo-random bytes, always the same ones. */
void test_fill (guint8 *bytes, gsize length, guint32 seed);

/* Writes bytes to a new file; blocks of 4096 zeroes become holes. */
void test_write_sparse (const char *path, const guint8 *bytes, gsize length);

/* All bytes of an NBD export.  Returns: (transfer full). */
guint8 *test_read_export (const char *uri, gsize *length);

/* Asserts that the export is exactly these bytes. */
void test_assert_export (const char *uri, const guint8 *bytes, gsize length);
