/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"

/* A terminal gives no longer line, in bytes. */
enum { LINE_LIMIT = 4096 };

/* Signals that end a process that does not know better. */
static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* What a signal handler has to know. */
static struct
{
  int fd;
  struct termios before;
} terminal;

static void
restore_and_die (int number)
{
  tcsetattr (terminal.fd, TCSANOW, &terminal.before);
  signal (number, SIG_DFL);
  raise (number);
}

/* Signals that somebody handles are left to him: he cancels, and the prompt ends
 * in order. */
static void
guard_signals (struct sigaction *before)
{
  struct sigaction guard = { .sa_handler = restore_and_die };

  sigemptyset (&guard.sa_mask);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    {
      sigaction (signals[i], NULL, &before[i]);
      if (before[i].sa_handler == SIG_DFL)
        sigaction (signals[i], &guard, NULL);
    }
}

static void
unguard_signals (const struct sigaction *before)
{
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    if (before[i].sa_handler == SIG_DFL)
      sigaction (signals[i], &before[i], NULL);
}

/* Nor can the process be stopped (Ctrl-Z): what is typed after it has gone on
 * would be shown, as shells bring the terminal back to their own ways. */
static gboolean
hide (int fd)
{
  struct termios hidden;

  if (tcgetattr (fd, &terminal.before) < 0)
    return FALSE;
  terminal.fd = fd;
  hidden = terminal.before;
  hidden.c_lflag &= ~(tcflag_t) (ECHO | ECHOE | ECHOK | ECHONL);
  hidden.c_lflag |= ICANON;
  hidden.c_cc[VSUSP] = _POSIX_VDISABLE;
  return tcsetattr (fd, TCSAFLUSH, &hidden) == 0;
}

/* FALSE without *error at the end of the input. */
static gboolean
read_line (int fd, char *line, gsize size, GCancellable *cancellable, GError **error)
{
  GPollFD cancel = { .fd = -1 };
  gboolean has_cancel_fd = g_cancellable_make_pollfd (cancellable, &cancel);
  struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = cancel.fd, .events = POLLIN } };
  gssize got = -1;

  while (!g_cancellable_is_cancelled (cancellable))
    {
      if (poll (fds, G_N_ELEMENTS (fds), -1) < 0 && errno != EINTR)
        break;
      if (fds[0].revents == 0)
        continue;
      got = read (fd, line, size - 1);
      if (got >= 0 || errno != EINTR)
        break;
    }
  if (has_cancel_fd)
    g_cancellable_release_fd (cancellable);
  if (g_cancellable_set_error_if_cancelled (cancellable, error) || got <= 0)
    return FALSE;
  line[got] = '\0';
  return TRUE;
}

static char *
ask_on (int fd, const char *question, GCancellable *cancellable, GError **error)
{
  struct sigaction before[G_N_ELEMENTS (signals)];
  char line[LINE_LIMIT];
  char *answer = NULL;

  if (!hide (fd))
    {
      vk_fail (error, VK_ERROR_USAGE, "the terminal cannot hide a password: %s", g_strerror (errno));
      return NULL;
    }
  guard_signals (before);
  if (write (fd, question, strlen (question)) >= 0 && read_line (fd, line, sizeof line, cancellable, error))
    {
      line[strcspn (line, "\r\n")] = '\0';
      answer = g_strdup (line);
    }
  OPENSSL_cleanse (line, sizeof line);
  tcsetattr (fd, TCSAFLUSH, &terminal.before);
  unguard_signals (before);
  /* The line feed that was typed was not shown either. */
  if (write (fd, "\n", 1) < 0)
    g_debug ("the terminal is gone");
  return answer;
}

char *
vk_prompt_secret (const char *question, GCancellable *cancellable, GError **error)
{
  int fd = open ("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  g_autoptr (GError) failure = NULL;
  char *answer;

  if (fd < 0)
    {
      vk_fail (error, VK_ERROR_USAGE,
                           "there is no password for the repository, and no terminal to ask on: set RESTIC_PASSWORD_FILE, RESTIC_PASSWORD_COMMAND or RESTIC_PASSWORD");
      return NULL;
    }
  answer = ask_on (fd, question, cancellable, &failure);
  close (fd);
  if (answer == NULL && failure == NULL)
    vk_fail (&failure, VK_ERROR_USAGE, "no password was typed");
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  return answer;
}
