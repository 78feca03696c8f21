/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Child programs: started from an argument vector, never through a shell, and
 * ended by the kernel when virt-keep dies (also by SIGKILL). */
#pragma once

#include <gio/gio.h>

/* Starts argv[0], searched in PATH, with the flags of GSubprocess.  The child
 * is killed when the thread that started it ends.
 * Returns: (transfer full), or NULL with VK_ERROR_REFUSED set to a sentence that names the
 * package to install when the program is missing, VK_ERROR_FAILED otherwise. */
GSubprocess *vk_process_start (const char *const *argv, GSubprocessFlags flags, GError **error);

/* What of our environment a child gets that opens restic repositories. */
typedef enum
{
  VK_PASS_NOTHING, /* neither passwords, nor what admits to a server, nor addresses that may hold that */
  VK_PASS_SERVER,  /* what admits to the server of a repository, but not what opens the repository */
  VK_PASS_ALL,     /* as it is: a program that the user named */
} VkPass;

/* What a child gets that must not stand among its arguments, where everybody on
 * the host can read it. */
typedef struct
{
  const char *const *environment; /* names and values in turn, NULL-terminated; or NULL */
  int fd;                         /* taken over; the child has it as VK_PROCESS_FD.  -1: none */
  VkPass pass;
} VkProcessSecrets;

enum { VK_PROCESS_FD = 3 };

/* The beginning of an argument vector, to which more strings can be added, and at last
 * NULL.  Returns: (transfer full), an array that owns its strings. */
GPtrArray *vk_process_argv_new (const char *const *words);

/* The same as vk_process_start(), with secrets. */
GSubprocess *vk_process_start_with (const char *const *argv, GSubprocessFlags flags, const VkProcessSecrets *secrets, GError **error);

/* The same with environment in the place of ours, standard output going where
 * standard error goes: the program's words are for people, ours may be for a
 * program.  It gets SIGINT when the thread ends, and is to be ended by that. */
GSubprocess *vk_process_start_shown (const char *const *argv, char **environment, GError **error);

/* Starts a program of the user's: with standard input and output of ours, and with
 * environment (names and values in turn, NULL-terminated) besides all of ours.  A Ctrl-C is
 * for it as well.  Otherwise as vk_process_start(). */
GSubprocess *vk_process_start_command (const char *const *argv, const char *const *environment, GError **error);

/* Starts a hook: in a process group of its own, which has the process's id, so that it can be
 * ended with all that it has started; with environment in the place of ours, a pipe as standard input,
 * and standard output going where standard error goes.  It is killed when the thread ends. */
GSubprocess *vk_process_start_hook (const char *const *argv, char **environment, GError **error);

/* Reads what the process writes into its pipes, and waits for its end.  *output and *words (either
 * may be NULL; transfer full, NUL-terminated) get what stood on standard output and on standard
 * error, NULL where that is no pipe.  Any thread may do this, but one at a time for a process.  On
 * failure, also when it is cancelled, the process is killed. */
gboolean vk_process_communicate (GSubprocess *process, GCancellable *cancellable, char **output, char **words, GError **error);

/* Runs argv to its end.  Its standard output, if wanted, is given back in
 * *output (transfer full, NUL-terminated).  A non-zero exit is VK_ERROR_FAILED
 * with the program's own last line of standard error. */
gboolean vk_process_run (const char *const *argv, char **output, GCancellable *cancellable, GError **error);

/* The same, with secrets. */
gboolean vk_process_run_with (const char *const *argv, const VkProcessSecrets *secrets, char **output, GCancellable *cancellable, GError **error);

/* The same, for a program that the user names: with all of our environment. */
gboolean vk_process_run_command (const char *const *argv, char **output, GCancellable *cancellable, GError **error);

/* A program that goes on after us, as the server of a socket. */
typedef struct
{
  int listener;                   /* a listening socket, which stays ours */
  const char *log;                /* path of the file that gets what it says; made, or written on */
  const char *const *variables;   /* names and values in turn, NULL-terminated */
  const VkProcessSecrets *secrets; /* fd: the program has it as VK_PROCESS_DETACHED_FD */
  const GArray *held;             /* of int: descriptors that it has open without knowing, or NULL */
} VkProcessDetached;

enum { VK_PROCESS_DETACHED_FD = 4 };

/* Starts argv[0] in a session of its own, with nothing of ours open, and with the
 * socket in the way in which systemd hands over one.  Of our environment it gets
 * what secrets->pass says.  It is no child of ours, but until
 * vk_process_let_go() a guard ends it when we end, even by SIGKILL.
 * Errors as above. */
typedef struct
{
  pid_t guard; /* 0: it has been let go */
  int pipe;
} VkDetached;

gboolean vk_process_start_detached (const char *const *argv, const VkProcessDetached *how, VkDetached *detached, GError **error);

/* From now on it ends when it wants to. */
void vk_process_let_go (VkDetached *detached);

/* Ends it, if it has not been let go. */
void vk_process_give_up (VkDetached *detached);

/* Our environment for a child.  Returns: (transfer full), for g_strfreev(). */
char **vk_process_environment (VkPass pass);

/* The path of a program, or NULL with VK_ERROR_REFUSED that names the package.
 * Returns: (transfer full). */
char *vk_process_find (const char *program, GError **error);
