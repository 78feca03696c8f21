/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claim: what the fork server makes does its words with the files that it is given, its end is
 * known, a signal is for it alone, and nothing of it is left when the server ends, but a guard. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/fork-server.h"

static VkTitle title;

/* A process with its standard output in a pipe, and standard input from one. */
typedef struct
{
  VkFork fork;
  int input, output;
} Made;

static void
make (VkForkKind kind, const char *const *words, Made *made)
{
  g_autoptr (GError) error = NULL;
  g_auto (VkFd) null = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  int input[2], output[2];

  g_assert_cmpint (pipe2 (input, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (output, O_CLOEXEC), ==, 0);
  vk_fork_start (kind, words, (const int[]){ input[0], output[1], null }, &made->fork, &error);
  g_assert_no_error (error);
  close (input[0]);
  close (output[1]);
  made->input = input[1];
  made->output = output[0];
}

static char *
read_all (Made *made)
{
  GString *text = g_string_new (NULL);
  char buffer[4096];
  gssize got;

  while ((got = read (made->output, buffer, sizeof buffer)) > 0)
    g_string_append_len (text, buffer, got);
  return g_string_free (text, FALSE);
}

static void
unmake (Made *made)
{
  vk_fd_close (&made->input);
  vk_fd_close (&made->output);
  close (made->fork.status);
}

/* What the processes that are made can be told to do.  Returns: the exit status. */
static int
act (char **words)
{
  char byte;

  if (strcmp (words[0], "say") == 0)
    for (gsize i = 1; words[i] != NULL; i++)
      printf ("%s;", words[i]);
  else if (strcmp (words[0], "show") == 0)
    printf ("%s %s", title.start, title.start + strlen ("show") + 1);
  else if (strcmp (words[0], "where") == 0)
    {
      g_autofree char *directory = g_get_current_dir ();

      printf ("%s %s %d", directory, g_getenv ("RESTIC_PASSWORD") ? "password" : "none", getsid (0) == getpid ());
    }
  else if (strcmp (words[0], "wait") == 0)
    {
      printf ("waits");
      fflush (stdout);
      return read (STDIN_FILENO, &byte, 1) == 1 ? 4 : 5;
    }
  return words[1] && strcmp (words[0], "exit") == 0 ? atoi (words[1]) : 0;
}

static void
test_words (void)
{
  const char *const words[] = { "say", "a<b&c", "", "two words", NULL };
  g_autofree char *said = NULL;
  Made made;

  make (VK_FORK_PART, words, &made);
  said = read_all (&made);
  g_assert_cmpstr (said, ==, "a<b&c;;two words;");
  g_assert_cmpint (vk_fork_read_status (&made.fork), ==, 0);
  unmake (&made);
}

static void
test_status (void)
{
  const char *const words[] = { "exit", "7", NULL };
  int status;
  Made made;

  make (VK_FORK_PART, words, &made);
  status = vk_fork_read_status (&made.fork);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 7);
  /* There is none any more to whom this could go. */
  vk_fork_signal (&made.fork, SIGKILL);
  unmake (&made);
}

/* For ps(1). */
static void
test_title (void)
{
  const char *const words[] = { "show", "it", NULL };
  g_autofree char *said = NULL;
  Made made;

  make (VK_FORK_PART, words, &made);
  said = read_all (&made);
  g_assert_cmpstr (said, ==, "show it");
  unmake (&made);
}

static void
test_place (void)
{
  const char *const words[] = { "where", NULL };
  g_autofree char *here = g_get_current_dir ();
  g_autofree char *expected = g_strdup_printf ("%s password 1", here);

  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *said = NULL;
      Made made;

      make (i == 0 ? VK_FORK_PART : VK_FORK_GUARD, words, &made);
      said = read_all (&made);
      g_assert_cmpstr (said, ==, i == 0 ? expected : "/ none 1");
      unmake (&made);
    }
}

/* Two at a time, of which one is killed. */
static void
test_signal (void)
{
  const char *const words[] = { "wait", NULL };
  char text[5];
  Made killed, other;
  int status;

  make (VK_FORK_PART, words, &killed);
  make (VK_FORK_PART, words, &other);
  g_assert_cmpint (read (other.output, text, sizeof text), ==, sizeof text);
  vk_fork_signal (&killed.fork, SIGTERM);
  status = vk_fork_read_status (&killed.fork);
  g_assert_true (WIFSIGNALED (status));
  g_assert_cmpint (WTERMSIG (status), ==, SIGTERM);
  g_assert_cmpint (write (other.input, "x", 1), ==, 1);
  status = vk_fork_read_status (&other.fork);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 4);
  unmake (&killed);
  unmake (&other);
}

/* None of them holds the files of another one open. */
static void
test_many (void)
{
  enum { MANY = 40 };
  const char *const words[] = { "wait", NULL };
  Made made[MANY];

  for (guint i = 0; i < MANY; i++)
    make (VK_FORK_PART, words, &made[i]);
  for (guint i = 0; i < MANY; i++)
    {
      int status;

      vk_fd_close (&made[i].input);
      status = vk_fork_read_status (&made[i].fork);
      g_assert_true (WIFEXITED (status));
      g_assert_cmpint (WEXITSTATUS (status), ==, 5);
      unmake (&made[i]);
    }
}

static void
test_too_long (void)
{
  g_autofree char *word = g_strnfill (1 << 20, 'x');
  const char *const words[] = { "say", word, NULL };
  g_autoptr (GError) error = NULL;
  VkFork fork;

  g_assert_false (vk_fork_start (VK_FORK_PART, words, (const int[]){ 0, 1, 2 }, &fork, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
}

/* Whoever has started the server is killed: it ends, and with it all but a guard. */
static void
test_orphans (void)
{
  const char *const words[] = { "wait", NULL };
  g_auto (GStrv) forked = NULL;
  int ready[2], kept[2], gone[2];
  char text[6];
  pid_t pid;

  g_assert_cmpint (pipe2 (ready, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (kept, O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (gone, O_CLOEXEC), ==, 0);
  pid = fork ();
  if (pid == 0)
    {
      VkFork part, guard;

      if (!vk_fork_server_start (&title, &forked, NULL))
        _exit (1);
      if (forked != NULL)
        _exit (act (forked));
      if (vk_fork_start (VK_FORK_PART, words, (const int[]){ kept[0], gone[1], gone[1] }, &part, NULL)
          && vk_fork_start (VK_FORK_GUARD, words, (const int[]){ kept[0], ready[1], ready[1] }, &guard, NULL))
        raise (SIGKILL);
      _exit (1);
    }
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  close (kept[0]);
  close (gone[1]);
  close (ready[1]);
  /* What the part may have said before, and its end. */
  while (read (gone[0], text, sizeof text) > 0)
    ;
  g_assert_cmpint (read (ready[0], text, 5), ==, 5);
  close (kept[1]);
  g_assert_cmpint (read (ready[0], text, 1), ==, 0);
  close (ready[0]);
  close (gone[0]);
}

int
main (int argc, char **argv)
{
  g_auto (GStrv) words = NULL;

  g_setenv ("RESTIC_PASSWORD", "secret", TRUE);
  title = vk_title_find (argv);
  if (!vk_fork_server_start (&title, &words, NULL))
    return 1;
  if (words != NULL)
    return act (words);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fork-server/words", test_words);
  g_test_add_func ("/fork-server/status", test_status);
  g_test_add_func ("/fork-server/title", test_title);
  g_test_add_func ("/fork-server/place", test_place);
  g_test_add_func ("/fork-server/signal", test_signal);
  g_test_add_func ("/fork-server/many", test_many);
  g_test_add_func ("/fork-server/too-long", test_too_long);
  g_test_add_func ("/fork-server/orphans", test_orphans);
  return g_test_run ();
}
