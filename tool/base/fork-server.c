/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/fork-server.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* Standard input, output and error, and the pipe for the status. */
enum { FILES = 4, STATUS = 3, SERVER_FD = 3, WORDS_BYTES = 128 << 10 };

/* What the server is asked for, followed by the words, each with its NUL. */
typedef struct
{
  enum { ASK_START, ASK_SIGNAL } what;
  VkForkKind kind;
  pid_t pid;
  int number; /* of the signal */
} Request;

typedef struct
{
  pid_t pid;
  int status; /* pipe */
} Child;

typedef struct
{
  int socket, signals;
  sigset_t mask; /* of the process that has started it */
  GArray *children; /* Child */
} Server;

typedef union
{
  char bytes[CMSG_SPACE (FILES * sizeof (int))];
  struct cmsghdr align;
} Control;

/* Our end; -1: there is no server. */
static int server_socket = -1;

/* --- the title -------------------------------------------------------------- */

VkTitle
vk_title_find (char **argv)
{
  gsize last = g_strv_length (argv);

  return (VkTitle){ argv[0], last == 0 ? 0 : (gsize) (argv[last - 1] + strlen (argv[last - 1]) - argv[0]) };
}

/* As far as there is room. */
static void
show_words (const VkTitle *title, char **words)
{
  char *to = title->start;
  gsize left = title->bytes;

  memset (to, '\0', left);
  for (; *words != NULL && left > 0; words++)
    {
      gsize length = MIN (strlen (*words), left);

      memcpy (to, *words, length);
      length = MIN (length + 1, left);
      to += length;
      left -= length;
    }
}

/* --- the server ------------------------------------------------------------- */

/* The server keeps nobody's terminal, pipe or lock open, nor does what it makes. */
static void
leave_files (Server *server)
{
  int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
    if (dup2 (null, i) < 0)
      _exit (1);
  if (server->socket != SERVER_FD && dup3 (server->socket, SERVER_FD, O_CLOEXEC) < 0)
    _exit (1);
  server->socket = SERVER_FD;
  closefrom (SERVER_FD + 1);
}

static void
write_int (int fd, int number)
{
  gssize written;

  /* Whoever is not interested has closed the other end. */
  do
    written = write (fd, &number, sizeof number);
  while (written < 0 && errno == EINTR);
}

static void
close_all (Server *server)
{
  close (server->socket);
  close (server->signals);
  for (guint i = 0; i < server->children->len; i++)
    close (g_array_index (server->children, Child, i).status);
  g_array_unref (server->children);
}

static void
become_part (pid_t parent)
{
  prctl (PR_SET_PDEATHSIG, SIGTERM);
  if (getppid () != parent)
    _exit (1);
}

static void
become_guard (void)
{
  static const char *const dropped[] = { "RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND" };
  static const int ignored[] = { SIGINT, SIGTERM, SIGHUP };

  for (gsize i = 0; i < G_N_ELEMENTS (dropped); i++)
    g_unsetenv (dropped[i]);
  /* A ssh that asks for a password on the screen asks for one that was given before. */
  g_setenv ("SSH_ASKPASS_REQUIRE", "never", TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS (ignored); i++)
    signal (ignored[i], SIG_IGN);
  if (chdir ("/") != 0)
    _exit (1);
}

/* In the new process.  files are above the standard ones, which the server holds open. */
static void
become (Server *server, const Request *request, pid_t parent, const int files[FILES])
{
  close_all (server);
  setsid ();
  if (request->kind == VK_FORK_GUARD)
    become_guard ();
  else
    become_part (parent);
  for (int i = 0; i < FILES; i++)
    {
      if (i < STATUS && dup2 (files[i], i) < 0)
        _exit (1);
      close (files[i]);
    }
  sigprocmask (SIG_SETMASK, &server->mask, NULL);
}

static char **
split_words (const char *text, gsize length)
{
  GPtrArray *words = g_ptr_array_new ();

  for (gsize at = 0; at < length; at += strlen (text + at) + 1)
    g_ptr_array_add (words, g_strdup (text + at));
  g_ptr_array_add (words, NULL);
  return (char **) g_ptr_array_free (words, FALSE);
}

/* Returns whether this is the new process. */
static gboolean
start (Server *server, const Request *request, const int files[FILES])
{
  pid_t parent = getpid ();
  Child child = { fork (), files[STATUS] };

  if (child.pid == 0)
    {
      become (server, request, parent, files);
      return TRUE;
    }
  write_int (files[STATUS], child.pid < 0 ? -errno : child.pid);
  for (int i = 0; i < STATUS; i++)
    close (files[i]);
  if (child.pid > 0)
    g_array_append_val (server->children, child);
  else
    close (files[STATUS]);
  return FALSE;
}

/* Only a child that was not waited for is certain to have its number still. */
static void
pass_signal (Server *server, const Request *request)
{
  for (guint i = 0; i < server->children->len; i++)
    if (g_array_index (server->children, Child, i).pid == request->pid)
      kill (request->pid, request->number);
}

static void
wait_for_children (Server *server)
{
  struct signalfd_siginfo info;
  int status;
  pid_t pid;

  if (read (server->signals, &info, sizeof info) < 0 && errno != EINTR)
    _exit (1);
  while ((pid = waitpid (-1, &status, WNOHANG)) > 0)
    for (guint i = 0; i < server->children->len; i++)
      if (g_array_index (server->children, Child, i).pid == pid)
        {
          write_int (g_array_index (server->children, Child, i).status, status);
          close (g_array_index (server->children, Child, i).status);
          g_array_remove_index_fast (server->children, i);
          break;
        }
}

/* Does what is asked for.  Returns: (transfer full), in a new process what it is to do, NULL
 * in the server. */
static char **
answer (Server *server, char *room)
{
  Request request;
  struct iovec parts[] = { { &request, sizeof request }, { room, WORDS_BYTES } };
  Control control = { 0 };
  struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
  struct cmsghdr *header;
  int files[FILES];
  gssize got;

  do
    got = recvmsg (server->socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  if (got < (gssize) sizeof request)
    _exit (0);
  header = CMSG_FIRSTHDR (&message);
  if (request.what == ASK_SIGNAL)
    pass_signal (server, &request);
  else if (header != NULL && header->cmsg_len == CMSG_LEN (sizeof files))
    {
      memcpy (files, CMSG_DATA (header), sizeof files);
      if (start (server, &request, files))
        return split_words (room, (gsize) got - sizeof request);
    }
  return NULL;
}

/* Signals of the terminal and of who ends our process group are for us, and the server ends
 * after us: it blocks them.  Returns: (transfer full), what a new process is to do. */
static char **
serve (int socket, const sigset_t *mask)
{
  Server server = { .socket = socket, .mask = *mask, .children = g_array_new (FALSE, FALSE, sizeof (Child)) };
  g_autofree char *room = g_malloc (WORDS_BYTES);
  char **words = NULL;
  sigset_t ended;

  leave_files (&server);
  setsid ();
  /* Ignored, there would be nothing to wait for. */
  signal (SIGCHLD, SIG_DFL);
  sigemptyset (&ended);
  sigaddset (&ended, SIGCHLD);
  server.signals = signalfd (-1, &ended, SFD_CLOEXEC);
  if (server.signals < 0)
    _exit (1);
  while (words == NULL)
    {
      struct pollfd polled[] = { { .fd = server.socket, .events = POLLIN }, { .fd = server.signals, .events = POLLIN } };

      if (poll (polled, G_N_ELEMENTS (polled), -1) < 0)
        continue;
      if (polled[1].revents != 0)
        wait_for_children (&server);
      if (polled[0].revents != 0)
        words = answer (&server, room);
    }
  return words;
}

/* --- the process that has started it ---------------------------------------- */

gboolean
vk_fork_server_start (const VkTitle *title, char ***words, GError **error)
{
  sigset_t all, mask;
  int pair[2];
  pid_t pid;

  *words = NULL;
  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return vk_fail (error, VK_ERROR_FAILED, "cannot make a socket: %s", g_strerror (errno));
  sigfillset (&all);
  sigprocmask (SIG_SETMASK, &all, &mask);
  pid = fork ();
  if (pid == 0)
    {
      server_socket = -1;
      *words = serve (pair[1], &mask);
      show_words (title, *words);
      return TRUE;
    }
  sigprocmask (SIG_SETMASK, &mask, NULL);
  close (pair[1]);
  if (pid > 0)
    {
      server_socket = pair[0];
      return TRUE;
    }
  close (pair[0]);
  return vk_fail (error, VK_ERROR_FAILED, "cannot start a process: %s", g_strerror (errno));
}

static gboolean
ask (const Request *request, const GString *words, const int files[FILES])
{
  struct iovec parts[] = { { (gpointer) request, sizeof *request }, { words ? words->str : NULL, words ? words->len : 0 } };
  Control control = { 0 };
  struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
  struct cmsghdr *header;
  gssize sent;

  if (files != NULL)
    {
      message.msg_control = control.bytes;
      message.msg_controllen = sizeof control.bytes;
      header = CMSG_FIRSTHDR (&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN (FILES * sizeof (int));
      memcpy (CMSG_DATA (header), files, FILES * sizeof (int));
    }
  do
    sent = sendmsg (server_socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent >= 0;
}

/* Returns FALSE when the other end was closed before there was one. */
static gboolean
read_int (int fd, int *number)
{
  gssize got;

  do
    got = read (fd, number, sizeof *number);
  while (got < 0 && errno == EINTR);
  return got == (gssize) sizeof *number;
}

gboolean
vk_fork_start (VkForkKind kind, const char *const *words, const int files[3], VkFork *fork, GError **error)
{
  Request request = { .what = ASK_START, .kind = kind };
  g_autoptr (GString) text = g_string_new (NULL);
  g_auto (VkFd) status = -1;
  g_auto (VkFd) theirs = -1;
  int pair[2], number;

  for (gsize i = 0; words[i] != NULL; i++)
    g_string_append_len (text, words[i], (gssize) strlen (words[i]) + 1);
  if (text->len > WORDS_BYTES)
    return vk_fail (error, VK_ERROR_FAILED, "cannot start a process: %s", g_strerror (E2BIG));
  if (pipe2 (pair, O_CLOEXEC) < 0)
    return vk_fail (error, VK_ERROR_FAILED, "cannot make a pipe: %s", g_strerror (errno));
  status = pair[0];
  theirs = pair[1];
  if (!ask (&request, text, (const int[]){ files[0], files[1], files[2], theirs }))
    return vk_fail (error, VK_ERROR_FAILED, "cannot start a process: %s", g_strerror (errno));
  close (vk_fd_steal (&theirs));
  if (!read_int (status, &number))
    return vk_fail (error, VK_ERROR_FAILED, "cannot start a process: the one that makes them is gone");
  if (number < 0)
    return vk_fail (error, VK_ERROR_FAILED, "cannot start a process: %s", g_strerror (-number));
  fork->pid = number;
  fork->status = vk_fd_steal (&status);
  return TRUE;
}

void
vk_fork_signal (const VkFork *fork, int number)
{
  Request request = { .what = ASK_SIGNAL, .pid = fork->pid, .number = number };

  ask (&request, NULL, NULL);
}

int
vk_fork_read_status (const VkFork *fork)
{
  int status;

  return read_int (fork->status, &status) ? status : -1;
}
