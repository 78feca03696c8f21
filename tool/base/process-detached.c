/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that go on after us.  GSubprocess can neither tell a child its own process
 * id, which belongs to the socket that is handed over, nor let it be nobody's child. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process.h"

/* systemd's first descriptor. */
enum { LISTENER_FD = 3, PID_DIGITS = 20 };

/* All that the child needs, made before fork(), after which nothing may be
 * allocated. */
typedef struct
{
  char *program;
  char **argv;
  char **environment;
  char *pid_value; /* in environment: room for the digits after "LISTEN_PID=" */
  int files[LISTENER_FD + 2]; /* what becomes descriptor 0 to 4; -1: closed */
  int answer;      /* gets an errno when exec fails */
} Plan;

static void
write_number (char *text, pid_t number)
{
  char digits[PID_DIGITS];
  gsize length = 0;

  for (; number > 0; number /= 10)
    digits[length++] = (char) ('0' + number % 10);
  while (length > 0)
    *text++ = digits[--length];
  *text = '\0';
}

/* Moves the files to their places.  They are first moved out of the way: one may lie
 * where another one belongs. */
static gboolean
place_files (Plan *plan)
{
  int first_free = (int) G_N_ELEMENTS (plan->files);

  plan->answer = fcntl (plan->answer, F_DUPFD_CLOEXEC, first_free);
  for (int i = 0; i < first_free; i++)
    if (plan->files[i] >= 0)
      plan->files[i] = fcntl (plan->files[i], F_DUPFD_CLOEXEC, first_free);
  for (int i = 0; i < first_free; i++)
    {
      if (plan->files[i] < 0)
        close (i);
      else if (dup2 (plan->files[i], i) < 0)
        return FALSE;
    }
  return TRUE;
}

/* What is open beside them has to end with the exec, whoever opened it how. */
static void
close_others (int from)
{
  long limit = sysconf (_SC_OPEN_MAX);

  for (int fd = from; fd < limit; fd++)
    {
      int flags = fcntl (fd, F_GETFD);

      if (flags >= 0)
        fcntl (fd, F_SETFD, flags | FD_CLOEXEC);
    }
}

/* In the grandchild: async-signal-safe calls only. */
static void
become_program (Plan *plan)
{
  sigset_t none;
  int number;

  sigemptyset (&none);
  for (int i = 1; i < NSIG; i++)
    signal (i, SIG_DFL);
  sigprocmask (SIG_SETMASK, &none, NULL);
  write_number (plan->pid_value, getpid ());
  umask (077);
  if (place_files (plan) && chdir ("/") == 0)
    {
      close_others ((int) G_N_ELEMENTS (plan->files));
      execve (plan->program, plan->argv, plan->environment);
    }
  number = errno;
  if (write (plan->answer, &number, sizeof number) < 0)
    _exit (126);
  _exit (127);
}

/* In the child, which ends at once, so that the program is nobody's child. */
static void
fork_again (Plan *plan, int pid_fd)
{
  pid_t pid;

  setsid ();
  pid = fork ();
  if (pid == 0)
    become_program (plan);
  if (pid < 0 || write (pid_fd, &pid, sizeof pid) != sizeof pid)
    _exit (1);
  _exit (0);
}

/* Returns whether a whole number of length bytes came. */
static gboolean
read_answer (int fd, void *value, gsize length)
{
  gssize got;

  do
    got = read (fd, value, length);
  while (got < 0 && errno == EINTR);
  return got == (gssize) length;
}

static pid_t
run_plan (Plan *plan, GError **error)
{
  int pids[2] = { -1, -1 }, answers[2] = { -1, -1 };
  pid_t child = -1, pid = 0;
  int number = 0;

  if (pipe2 (pids, O_CLOEXEC) == 0 && pipe2 (answers, O_CLOEXEC) == 0)
    {
      plan->answer = answers[1];
      child = fork ();
      if (child == 0)
        fork_again (plan, pids[1]);
      number = errno;
      close (pids[1]);
      close (answers[1]);
    }
  else
    number = errno;
  if (child > 0)
    {
      waitpid (child, NULL, 0);
      if (!read_answer (pids[0], &pid, sizeof pid) || read_answer (answers[0], &number, sizeof number))
        pid = 0;
    }
  close (pids[0]);
  close (answers[0]);
  if (pid == 0)
    g_set_error (error, VK_ERROR, VK_ERROR_FAILED, "cannot start '%s': %s", plan->program, g_strerror (number));
  return pid;
}

static char **
make_environment (const VkProcessDetached *detached)
{
  static const char *const dropped[] = { "RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND", "LISTEN_FDNAMES" };
  char **environment = g_get_environ ();

  for (gsize i = 0; i < G_N_ELEMENTS (dropped); i++)
    environment = g_environ_unsetenv (environment, dropped[i]);
  for (gsize i = 0; detached->variables[i] != NULL; i += 2)
    environment = g_environ_setenv (environment, detached->variables[i], detached->variables[i + 1], TRUE);
  for (gsize i = 0; detached->secrets->environment != NULL && detached->secrets->environment[i] != NULL; i += 2)
    environment = g_environ_setenv (environment, detached->secrets->environment[i], detached->secrets->environment[i + 1], TRUE);
  environment = g_environ_setenv (environment, "LISTEN_FDS", "1", TRUE);
  return g_environ_setenv (environment, "LISTEN_PID", "00000000000000000000", TRUE);
}

/* The value in an environment that is ours.  Returns: (transfer none). */
static char *
find_value (char **environment, const char *name)
{
  gsize length = strlen (name);

  for (gsize i = 0; environment[i] != NULL; i++)
    if (strncmp (environment[i], name, length) == 0 && environment[i][length] == '=')
      return environment[i] + length + 1;
  return NULL;
}

pid_t
vk_process_start_detached (const char *const *argv, const VkProcessDetached *detached, GError **error)
{
  g_autofree char *program = vk_process_find (argv[0], error);
  g_auto (GStrv) environment = make_environment (detached);
  int null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  int log = open (detached->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  Plan plan = { program, (char **) argv, environment, find_value (environment, "LISTEN_PID"), { null, null, log, detached->listener, detached->secrets->fd }, -1 };
  pid_t pid = 0;

  if (program != NULL && (null < 0 || log < 0))
    g_set_error (error, VK_ERROR, VK_ERROR_STORE, "cannot create '%s': %s", detached->log, g_strerror (errno));
  else if (program != NULL)
    pid = run_plan (&plan, error);
  if (null >= 0)
    close (null);
  if (log >= 0)
    close (log);
  if (detached->secrets->fd >= 0)
    close (detached->secrets->fd);
  return pid;
}
