/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claim: a child gets its words as they are and of our environment what it may have; what it says
 * comes back; and that holds with many at once, and when they are cancelled. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "base/process.h"

enum { THREADS = 8 };

static void
test_process (void)
{
  const char *const missing[] = { "virt-keep-no-such-program", NULL };
  const char *const failing[] = { "ls", "/nonexistent/virt-keep", NULL };
  const char *const odd[] = { "printf", "%s", "a b;$(id)'\"", NULL };
  g_autoptr (GError) error = NULL;
  g_autofree char *output = NULL;

  g_assert_false (vk_process_run (missing, NULL, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
  g_clear_error (&error);
  g_assert_false (vk_process_run (failing, NULL, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
  g_assert_nonnull (strstr (error->message, "/nonexistent/virt-keep"));
  g_clear_error (&error);
  g_assert_true (vk_process_run (odd, &output, NULL, &error));
  g_assert_cmpstr (output, ==, "a b;$(id)'\"");
}

/* What is written to both pipes is given back, whatever the end. */
static void
test_communicate (void)
{
  const char *const argv[] = { "sh", "-c", "echo said; echo warned >&2; exit 3", NULL };
  g_autoptr (GSubprocess) process = NULL;
  g_autofree char *output = NULL;
  g_autofree char *words = NULL;
  g_autoptr (GError) error = NULL;

  process = vk_process_start (argv, G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &error);
  g_assert_no_error (error);
  g_assert_true (vk_process_communicate (process, NULL, &output, &words, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (output, ==, "said\n");
  g_assert_cmpstr (words, ==, "warned\n");
  g_assert_cmpint (g_subprocess_get_exit_status (process), ==, 3);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (G_USEC_PER_SEC / 10);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* The child would go on for longer than any test. */
static void
test_cancelled (void)
{
  const char *const argv[] = { "sleep", "100000", NULL };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GSubprocess) process = NULL;
  g_autofree char *words = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread;

  process = vk_process_start (argv, G_SUBPROCESS_FLAGS_STDERR_PIPE, &error);
  g_assert_no_error (error);
  thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_false (vk_process_communicate (process, cancellable, NULL, &words, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (words);
  g_thread_join (thread);
  g_assert_true (g_subprocess_wait (process, NULL, NULL));
  g_assert_true (g_subprocess_get_if_signaled (process));
}

/* How often each thread runs a program: under valgrind each takes long. */
static guint
get_turns (void)
{
  const char *valgrind = g_getenv ("VG");

  return valgrind != NULL && *valgrind != '\0' ? 20 : 250;
}

static gpointer
run_in_turn (gpointer cancellable)
{
  const char *const argv[] = { "echo", "here", NULL };

  for (guint i = get_turns (); i > 0; i--)
    {
      g_autofree char *output = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (vk_process_run (argv, &output, cancellable, &error));
      g_assert_no_error (error);
      g_assert_cmpstr (output, ==, "here\n");
    }
  return NULL;
}

/* As verify has its images checked: the cancellable is that of all. */
static void
test_many (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GThread *threads[THREADS];

  for (guint i = 0; i < THREADS; i++)
    threads[i] = g_thread_new ("runner", run_in_turn, cancellable);
  for (guint i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
}

/* Which of the variables that open repositories a child sees. */
static void
test_environment (void)
{
  const char *const names[] = { "RESTIC_PASSWORD", "RESTIC_FROM_PASSWORD_FILE", "RESTIC_REST_PASSWORD", "AWS_SECRET_ACCESS_KEY", "VIRT_KEEP_STORE" };
  const char *const show[] = { "env", NULL };
  g_auto (GStrv) server = NULL;
  g_autofree char *plain = NULL;
  g_autofree char *whole = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    g_setenv (names[i], "canary", TRUE);
  g_assert_true (vk_process_run (show, &plain, NULL, NULL));
  g_assert_nonnull (strstr (plain, "PATH="));
  g_assert_null (strstr (plain, "canary"));
  g_assert_true (vk_process_run_command (show, &whole, NULL, NULL));
  server = vk_process_environment (VK_PASS_SERVER);
  g_assert_null (g_environ_getenv (server, "RESTIC_PASSWORD"));
  g_assert_null (g_environ_getenv (server, "RESTIC_FROM_PASSWORD_FILE"));
  g_assert_nonnull (g_environ_getenv (server, "RESTIC_REST_PASSWORD"));
  g_assert_nonnull (g_environ_getenv (server, "AWS_SECRET_ACCESS_KEY"));
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *line = g_strconcat (names[i], "=canary", NULL);

      g_assert_nonnull (strstr (whole, line));
      g_unsetenv (names[i]);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/process/run", test_process);
  g_test_add_func ("/process/environment", test_environment);
  g_test_add_func ("/process/communicate", test_communicate);
  g_test_add_func ("/process/cancelled", test_cancelled);
  g_test_add_func ("/process/many", test_many);
  return g_test_run ();
}
