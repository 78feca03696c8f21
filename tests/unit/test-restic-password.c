/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the password of a repository comes from, the terminal included. */
#include "config.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "store/restic/password.h"

typedef struct
{
  char *dir;
  char *file;
} Fixture;

static void
forget_all (void)
{
  static const char *const names[] = { "RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_getenv (names[i]) != NULL)
      g_unsetenv (names[i]);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  forget_all ();
  fixture->dir = g_dir_make_tmp ("virt-keep-test-XXXXXX", NULL);
  fixture->file = g_build_filename (fixture->dir, "pass word", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  forget_all ();
  g_assert_true (vk_tree_remove (fixture->dir, NULL));
  g_free (fixture->dir);
  g_free (fixture->file);
}

static void
expect (const char *file, const char *expected)
{
  VkPasswordSource source = { .file = file, .place = "/repo" };
  g_autoptr (GError) error = NULL;
  char *password = vk_restic_password_get (&source, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (password, ==, expected);
  vk_restic_password_free (password);
}

static void
expect_error (const char *file, VkError code)
{
  VkPasswordSource source = { .file = file, .place = "/repo" };
  g_autoptr (GError) error = NULL;

  g_assert_null (vk_restic_password_get (&source, NULL, &error));
  g_assert_error (error, VK_ERROR, (int) code);
}

static void
test_sources (Fixture *fixture, gconstpointer data)
{
  g_autofree char *command = g_strdup_printf ("cat '%s'", fixture->file);

  g_assert_true (g_file_set_contents (fixture->file, "of the file\r\n", -1, NULL));
  g_setenv ("RESTIC_PASSWORD", " of the environment ", TRUE);
  expect (NULL, " of the environment ");
  g_setenv ("RESTIC_PASSWORD_COMMAND", command, TRUE);
  expect (NULL, "of the file");
  g_setenv ("RESTIC_PASSWORD_COMMAND", "printf '%s' \"a  b\"", TRUE);
  expect (NULL, "a  b");
  g_setenv ("RESTIC_PASSWORD_FILE", fixture->file, TRUE);
  expect (NULL, "of the file");
  g_assert_true (g_file_set_contents (fixture->file, "two\n\n", -1, NULL));
  expect (fixture->file, "two\n");
}

static void
test_errors (Fixture *fixture, gconstpointer data)
{
  expect_error (fixture->file, VK_ERROR_NOT_FOUND);
  g_assert_true (g_file_set_contents (fixture->file, "\n", -1, NULL));
  expect_error (fixture->file, VK_ERROR_USAGE);
  g_setenv ("RESTIC_PASSWORD_COMMAND", "false", TRUE);
  expect_error (NULL, VK_ERROR_FAILED);
  g_setenv ("RESTIC_PASSWORD_COMMAND", "no-such-program-as-this", TRUE);
  expect_error (NULL, VK_ERROR_REFUSED);
  g_setenv ("RESTIC_PASSWORD_COMMAND", "cat 'unfinished", TRUE);
  expect_error (NULL, VK_ERROR_USAGE);
  g_setenv ("RESTIC_PASSWORD_COMMAND", "true", TRUE);
  expect_error (NULL, VK_ERROR_USAGE);
}

/* --- the terminal --------------------------------------------------------- */

/* A child process with a terminal of its own, on which it asks. */
struct child
{
  int terminal;
  pid_t pid;
  GString *shown;
};

static void
start (struct child *child, gboolean confirm)
{
  child->shown = g_string_new (NULL);
  child->pid = forkpty (&child->terminal, NULL, NULL, NULL);
  g_assert_cmpint (child->pid, >=, 0);
  if (child->pid == 0)
    {
      VkPasswordSource source = { .confirm = confirm, .place = "/repo" };
      char *password = vk_restic_password_get (&source, NULL, NULL);
      gboolean right = password != NULL && strcmp (password, "se cret") == 0;

      vk_restic_password_free (password);
      _exit (right ? 42 : 1);
    }
}

/* Waits for words on the terminal. */
static void
wait_for (struct child *child, const char *words)
{
  while (strstr (child->shown->str, words) == NULL)
    {
      struct pollfd fd = { .fd = child->terminal, .events = POLLIN };
      char buffer[256];
      gssize got;

      g_assert_cmpint (poll (&fd, 1, 10000), ==, 1);
      got = read (child->terminal, buffer, sizeof buffer);
      g_assert_cmpint (got, >, 0);
      g_string_append_len (child->shown, buffer, got);
    }
}

static void
type (struct child *child, const char *text)
{
  g_assert_cmpint (write (child->terminal, text, strlen (text)), ==, strlen (text));
}

static gboolean
is_hidden (const struct child *child)
{
  struct termios state;

  g_assert_cmpint (tcgetattr (child->terminal, &state), ==, 0);
  return (state.c_lflag & ECHO) == 0;
}

/* The exit code, or minus the signal. */
static int
finish (struct child *child)
{
  int status;

  g_assert_cmpint (waitpid (child->pid, &status, 0), ==, child->pid);
  close (child->terminal);
  g_string_free (child->shown, TRUE);
  return WIFEXITED (status) ? WEXITSTATUS (status) : -WTERMSIG (status);
}

static void
test_prompt (Fixture *fixture, gconstpointer data)
{
  struct child child;

  start (&child, FALSE);
  wait_for (&child, "repository /repo: ");
  g_assert_true (is_hidden (&child));
  type (&child, "se cret\n");
  wait_for (&child, "\n");
  g_assert_null (strstr (child.shown->str, "cret"));
  g_assert_cmpint (finish (&child), ==, 42);
}

static void
test_prompt_twice (Fixture *fixture, gconstpointer data)
{
  struct child child;

  start (&child, TRUE);
  wait_for (&child, "/repo: ");
  type (&child, "se cret\n");
  wait_for (&child, "again: ");
  type (&child, "se cret\n");
  g_assert_cmpint (finish (&child), ==, 42);
  start (&child, TRUE);
  wait_for (&child, "/repo: ");
  type (&child, "se cret\n");
  wait_for (&child, "again: ");
  type (&child, "sekret\n");
  g_assert_cmpint (finish (&child), ==, 1);
}

/* What is typed after the process has been killed is seen again. */
static void
test_prompt_killed (Fixture *fixture, gconstpointer data)
{
  struct child child;

  start (&child, FALSE);
  wait_for (&child, "/repo: ");
  g_assert_true (is_hidden (&child));
  g_assert_cmpint (kill (child.pid, SIGTERM), ==, 0);
  for (guint i = 0; i < 500 && is_hidden (&child); i++)
    g_usleep (10000);
  g_assert_false (is_hidden (&child));
  g_assert_cmpint (finish (&child), ==, -SIGTERM);
}

static void
test_prompt_end (Fixture *fixture, gconstpointer data)
{
  struct child child;

  start (&child, FALSE);
  wait_for (&child, "/repo: ");
  type (&child, "\x04");
  g_assert_cmpint (finish (&child), ==, 1);
}

static void
add (const char *name, void (*test) (Fixture *, gconstpointer))
{
  g_autofree char *path = g_strconcat ("/restic/password/", name, NULL);

  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("it is asked for and not shown", test_prompt);
  add ("a new one is asked for twice", test_prompt_twice);
  add ("a signal leaves the terminal as it was", test_prompt_killed);
  add ("Ctrl-D ends it", test_prompt_end);
  /* After those that fork: running a command leaves threads behind. */
  add ("file before command before environment", test_sources);
  add ("what gives none is an error", test_errors);
  return g_test_run ();
}
