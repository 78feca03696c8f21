/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that go on after us.  GSubprocess can neither tell a child its own process
 * id, which belongs to the socket that is handed over, nor let it be nobody's child. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/process.h"

/* systemd's first descriptor. */
enum { LISTENER_FD = 3, PID_DIGITS = 20 };

/* How often a program is told to end that need not last; then it is killed. */
enum { TERM_ATTEMPTS = 50, TERM_AGAIN_MS = 100 };

/* All that the child needs, made before fork(), after which nothing may be
 * allocated. */
typedef struct
{
  char *program;
  char **argv;
  char **environment;
  char *pid_value; /* in environment: room for the digits after "LISTEN_PID=" */
  int files[LISTENER_FD + 2]; /* what becomes descriptor 0 to 4; -1: closed */
  const GArray *held;
  int answer;      /* gets an errno when the program cannot be started */
  pid_t *pid;      /* of the program, in memory that the processes share */
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

static void
keep_held (const GArray *held)
{
  for (guint i = 0; held != NULL && i < held->len; i++)
    fcntl (g_array_index (held, int, i), F_SETFD, 0);
}

/* Tells us errno and ends the process. */
static void G_GNUC_NORETURN
fail (Plan *plan)
{
  int number = errno;

  _exit (write (plan->answer, &number, sizeof number) == sizeof number ? 1 : 2);
}

/* In the program's process: async-signal-safe calls only. */
static void
become_program (Plan *plan)
{
  sigset_t none;

  sigemptyset (&none);
  for (int i = 1; i < NSIG; i++)
    signal (i, SIG_DFL);
  sigprocmask (SIG_SETMASK, &none, NULL);
  write_number (plan->pid_value, getpid ());
  umask (077);
  if (place_files (plan) && chdir ("/") == 0)
    {
      /* What is open beside them has to end with the exec, whoever opened it how. */
      close_range (G_N_ELEMENTS (plan->files), ~0U, CLOSE_RANGE_CLOEXEC);
      keep_held (plan->held);
      execve (plan->program, plan->argv, plan->environment);
    }
  fail (plan);
}

/* In the child: waits for a word from us, and ends the program when none comes.  It holds
 * nothing else open: what the program closes has to be closed. */
static void
guard (pid_t pid, int pipe)
{
  struct pollfd program = { .events = POLLIN };
  char word;
  gssize got;

  if (pipe > 0)
    close_range (0, (unsigned int) pipe - 1, 0);
  close_range ((unsigned int) pipe + 1, ~0U, 0);
  program.fd = (int) syscall (SYS_pidfd_open, pid, 0);
  do
    got = read (pipe, &word, 1);
  while (got < 0 && errno == EINTR);
  /* qemu-nbd forgets a SIGTERM that comes just before its main loop. */
  for (guint i = 0; got != 1 && i < TERM_ATTEMPTS; i++)
    {
      kill (pid, i + 1 < TERM_ATTEMPTS ? SIGTERM : SIGKILL);
      /* A kernel before 5.3 cannot tell when it has ended. */
      if (program.fd < 0 || poll (&program, 1, TERM_AGAIN_MS) > 0)
        break;
    }
  _exit (0);
}

/* In a process between guard and program, which ends at once: nbdkit, with a socket that
 * it is handed, ends when its parent does, and has to be nobody's child from the
 * beginning. */
static void
fork_orphan (Plan *plan, int orphaned[2])
{
  char word;
  pid_t pid = fork ();

  if (pid < 0)
    fail (plan);
  if (pid > 0)
    {
      *plan->pid = pid;
      _exit (0);
    }
  close (orphaned[1]);
  while (read (orphaned[0], &word, 1) < 0 && errno == EINTR)
    ;
  become_program (plan);
}

static void
fork_again (Plan *plan, int pipe, int our_end)
{
  int orphaned[2];
  pid_t parent;

  setsid ();
  close (our_end);
  for (int i = 1; i < NSIG; i++)
    signal (i, SIG_DFL);
  if (pipe2 (orphaned, O_CLOEXEC) < 0)
    fail (plan);
  parent = fork ();
  if (parent < 0)
    fail (plan);
  if (parent == 0)
    fork_orphan (plan, orphaned);
  waitpid (parent, NULL, 0);
  if (*plan->pid == 0)
    _exit (1);
  guard (*plan->pid, pipe);
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

static void
close_pipe (int pipe[2])
{
  for (guint i = 0; i < 2; i++)
    if (pipe[i] >= 0)
      close (pipe[i]);
}

/* Forks, and hears whether the program was started: 0, or why not. */
static int
run_plan (Plan *plan, VkDetached *detached)
{
  int answers[2] = { -1, -1 }, word[2] = { -1, -1 };
  int number = 0;

  plan->pid = mmap (NULL, sizeof *plan->pid, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (plan->pid == MAP_FAILED)
    return errno;
  detached->guard = -1;
  if (pipe2 (answers, O_CLOEXEC) == 0 && pipe2 (word, O_CLOEXEC) == 0)
    {
      plan->answer = answers[1];
      detached->guard = fork ();
      if (detached->guard == 0)
        fork_again (plan, word[0], word[1]);
    }
  if (detached->guard > 0)
    {
      close (answers[1]);
      answers[1] = -1;
      detached->pipe = word[1];
      word[1] = -1;
      /* Nothing comes when the program has been started: its end is closed then. */
      if (!read_answer (answers[0], &number, sizeof number))
        number = *plan->pid ? 0 : ECHILD;
    }
  else
    number = errno;
  close_pipe (answers);
  close_pipe (word);
  munmap (plan->pid, sizeof *plan->pid);
  return number;
}

static void
end_guard (VkDetached *detached)
{
  close (detached->pipe);
  while (waitpid (detached->guard, NULL, 0) < 0 && errno == EINTR)
    ;
  detached->guard = 0;
}

void
vk_process_let_go (VkDetached *detached)
{
  gssize written;

  if (detached->guard <= 0)
    return;
  do
    written = write (detached->pipe, "", 1);
  while (written < 0 && errno == EINTR);
  end_guard (detached);
}

void
vk_process_give_up (VkDetached *detached)
{
  if (detached->guard > 0)
    end_guard (detached);
}

static char **
make_environment (const VkProcessDetached *how)
{
  char **environment = g_environ_unsetenv (vk_process_environment (how->secrets->pass), "LISTEN_FDNAMES");

  for (gsize i = 0; how->variables[i] != NULL; i += 2)
    environment = g_environ_setenv (environment, how->variables[i], how->variables[i + 1], TRUE);
  for (gsize i = 0; how->secrets->environment != NULL && how->secrets->environment[i] != NULL; i += 2)
    environment = g_environ_setenv (environment, how->secrets->environment[i], how->secrets->environment[i + 1], TRUE);
  environment = g_environ_setenv (environment, "LISTEN_FDS", "1", TRUE);
  return g_environ_setenv (environment, "LISTEN_PID", "00000000000000000000", TRUE);
}

/* The value in an environment of ours, which has it.  Returns: (transfer none). */
static char *
find_value (char **environment, const char *name)
{
  gsize length = strlen (name);

  for (gsize i = 0; environment[i] != NULL; i++)
    if (strncmp (environment[i], name, length) == 0 && environment[i][length] == '=')
      return environment[i] + length + 1;
  g_assert_not_reached ();
}

/* Copies that do not lie where the files are to go.  Returns: (transfer full). */
static GArray *
copy_held (const GArray *held)
{
  GArray *copies = g_array_new (FALSE, FALSE, sizeof (int));

  for (guint i = 0; held != NULL && i < held->len; i++)
    {
      int copy = fcntl (g_array_index (held, int, i), F_DUPFD_CLOEXEC, LISTENER_FD + 2);

      if (copy >= 0)
        g_array_append_val (copies, copy);
    }
  return copies;
}

static void
close_held (GArray *held)
{
  for (guint i = 0; i < held->len; i++)
    close (g_array_index (held, int, i));
  g_array_unref (held);
}

gboolean
vk_process_start_detached (const char *const *argv, const VkProcessDetached *how, VkDetached *detached, GError **error)
{
  g_autofree char *program = vk_process_find (argv[0], error);
  g_auto (GStrv) environment = make_environment (how);
  GArray *held = copy_held (how->held);
  int null = open ("/dev/null", O_RDWR | O_CLOEXEC);
  int log = open (how->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  Plan plan = { program, (char **) argv, environment, find_value (environment, "LISTEN_PID"), { null, null, log, how->listener, how->secrets->fd }, held, -1, NULL };
  int number = null < 0 || log < 0 ? errno : 0;

  if (program != NULL && number == 0)
    number = run_plan (&plan, detached);
  if (program != NULL && number != 0)
    {
      vk_process_give_up (detached);
      vk_fail (error, VK_ERROR_FAILED, "cannot start '%s' with its log in '%s': %s", program, how->log, g_strerror (number));
    }
  if (null >= 0)
    close (null);
  if (log >= 0)
    close (log);
  if (how->secrets->fd >= 0)
    close (how->secrets->fd);
  close_held (held);
  return program != NULL && number == 0;
}
