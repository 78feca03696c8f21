/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process that makes others of this program by fork() alone: to start it anew costs the
 * dynamic linking of libvirt and all that it needs, some 40 ms of a processor, which is more than
 * the backup of a domain where nothing has changed. */
#pragma once

#include <glib.h>

/* Where the kernel shows the words of a process to ps(1). */
typedef struct
{
  char *start;
  gsize bytes;
} VkTitle;

/* That of the process whose main() got argv. */
VkTitle vk_title_find (char **argv);

/* Forks the server, which ends when we do.  Only one thread may run yet, and nothing random have
 * been drawn: a fork has neither the other threads nor a state of its own.
 * In a process that vk_fork_start() has made later, this is where it begins: *words (transfer
 * full), NULL in us, is what it is to do in our place.
 * Returns FALSE with VK_ERROR_FAILED set when there can be no server. */
gboolean vk_fork_server_start (const VkTitle *title, char ***words, GError **error);

typedef enum
{
  VK_FORK_PART, /* for a part of our work: in a session of its own, so that it asks nothing on our
                   terminal and a Ctrl-C there is for us to pass on; gets SIGTERM when we end */
  VK_FORK_GUARD, /* goes on after us, in a session of its own and in "/", without passwords, and does not
                    end by the signals that are meant for us */
} VkForkKind;

typedef struct
{
  pid_t pid;
  int status; /* a pipe, from which vk_fork_read_status() reads when the process has ended; the caller's to close */
} VkFork;

/* Has the server make a process that does words (NULL-terminated, with the name of the
 * program), with files as its standard input, output and error.
 * Returns FALSE with VK_ERROR_FAILED set when there is none. */
gboolean vk_fork_start (VkForkKind kind, const char *const *words, const int files[3], VkFork *fork, GError **error);

/* Sends it a signal, unless it has ended. */
void vk_fork_signal (const VkFork *fork, int number);

/* Waits for its end.  Returns: its status as of wait(2), or -1 when the server died before it. */
int vk_fork_read_status (const VkFork *fork);
