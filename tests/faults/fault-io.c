/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk that fails, for the tests: loaded (LD_PRELOAD) into virt-keep, into the
 * programs that it starts, and into QEMU.
 *
 * VIRT_KEEP_FAULT names a directory.  While it holds a file "plan", one line
 *
 *     CALLS FROM TO ERROR PROGRAM PATTERN
 *
 * the FROM-th to TO-th of the calls of programs whose names match PROGRAM to files whose
 * paths match PATTERN, as a shell's case would have it, fail with ERROR, such as EIO, or hang until the plan is changed or removed: HANG.  CALLS are
 * kinds of calls, with commas between them: open (to write, or to create), read, write,
 * sync, link, rename, unlink, mkdir.  "count" gets a byte for each call of those
 * kinds, from all processes, "struck" a line for each one that failed or hangs.
 *
 * A sync that fails has lost what was written: as the kernel does, each other descriptor that
 * was open on the file then is told EIO once, by its next sync, and none that is opened later.
 * "lost" gets the path of the file, and is never emptied. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 1024, DESCRIPTORS = 4096, HANG_NANOSECONDS = 20 * 1000 * 1000 };

#define NEXT(name) ((__typeof__ (&name)) dlsym (RTLD_NEXT, #name))

struct plan
{
  char calls[TEXT_BYTES];
  long from;
  long to;
  int error; /* errno, 0: hang */
  char program[64];
  char pattern[TEXT_BYTES];
};

static int
error_named (const char *name)
{
  static const struct
  {
    const char *name;
    int error;
  } errors[] = { { "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EROFS", EROFS }, { "EDQUOT", EDQUOT }, { "ESTALE", ESTALE }, { "EACCES", EACCES }, { "HANG", 0 } };

  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    if (strcmp (errors[i].name, name) == 0)
      return errors[i].error;
  fprintf (stderr, "fault-io: no error is called '%s'\n", name);
  abort ();
}

/* System calls of its own: the functions are those below. */
static int
open_own (const char *name, int flags)
{
  const char *dir = getenv ("VIRT_KEEP_FAULT");
  char path[TEXT_BYTES];

  if (dir == NULL)
    return -1;
  snprintf (path, sizeof path, "%s/%s", dir, name);
  return (int) syscall (SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0666);
}

static bool
read_plan (struct plan *plan)
{
  int fd = open_own ("plan", O_RDONLY);
  char text[2 * TEXT_BYTES + 128];
  char error[32];
  long length;

  if (fd < 0)
    return false;
  length = syscall (SYS_read, fd, text, sizeof text - 1);
  syscall (SYS_close, fd);
  if (length <= 0)
    return false;
  text[length] = '\0';
  if (sscanf (text, "%1023s %ld %ld %31s %63s %1023s", plan->calls, &plan->from, &plan->to, error, plan->program, plan->pattern) != 6)
    return false;
  plan->error = error_named (error);
  return true;
}

static bool
has_word (const char *words, const char *word)
{
  size_t length = strlen (word);

  for (const char *at = words; (at = strstr (at, word)) != NULL; at++)
    if ((at == words || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
      return true;
  return false;
}

/* The number of this call among those of all processes. */
static long
count_call (void)
{
  int fd = open_own ("count", O_WRONLY | O_APPEND | O_CREAT);
  long number = 0;

  if (fd >= 0 && syscall (SYS_write, fd, ".", 1) == 1)
    number = syscall (SYS_lseek, fd, 0, SEEK_CUR);
  syscall (SYS_close, fd);
  return number;
}

static void
note_struck (const char *call, const char *path, long number)
{
  int fd = open_own ("struck", O_WRONLY | O_APPEND | O_CREAT);
  char line[2 * TEXT_BYTES];
  int length = snprintf (line, sizeof line, "%ld %s %s\n", number, call, path);

  if (fd < 0 || syscall (SYS_write, fd, line, length) != length)
    abort ();
  syscall (SYS_close, fd);
}

/* How much of "lost" a descriptor has been told of, or was there when it was opened. */
static long told[DESCRIPTORS];

static void
tell_all (int fd)
{
  int lost = open_own ("lost", O_RDONLY);

  if (fd >= 0 && fd < DESCRIPTORS)
    told[fd] = lost < 0 ? 0 : syscall (SYS_lseek, lost, 0, SEEK_END);
  if (lost >= 0)
    syscall (SYS_close, lost);
}

static void
note_lost (const char *path)
{
  int lost = open_own ("lost", O_WRONLY | O_APPEND | O_CREAT);
  char line[TEXT_BYTES + 1];
  int length = snprintf (line, sizeof line, "%s\n", path);

  if (lost < 0 || syscall (SYS_write, lost, line, length) != length)
    abort ();
  syscall (SYS_close, lost);
}

/* Whether the file at path has lost something that this descriptor has not been told of. */
static bool
has_lost (int fd, const char *path)
{
  int own = fd >= 0 && fd < DESCRIPTORS ? open_own ("lost", O_RDONLY) : -1;
  FILE *lost = own < 0 ? NULL : fdopen (own, "r");
  char line[TEXT_BYTES + 1];
  bool found = false;

  if (lost == NULL)
    return false;
  fseek (lost, told[fd], SEEK_SET);
  while (!found && fgets (line, sizeof line, lost) != NULL)
    found = strncmp (line, path, strlen (path)) == 0 && line[strlen (path)] == '\n';
  fclose (lost);
  tell_all (fd);
  return found;
}

/* True with errno set when the call is to fail. */
static bool
strikes (const char *call, const char *path)
{
  const struct timespec while_hanging = { 0, HANG_NANOSECONDS };
  int saved = errno;
  struct plan plan, now;
  long number;

  errno = saved;
  if (!read_plan (&plan) || fnmatch (plan.program, program_invocation_short_name, 0) != 0 || fnmatch (plan.pattern, path, 0) != 0 || !has_word (plan.calls, call))
    {
      errno = saved;
      return false;
    }
  number = count_call ();
  if (number < plan.from || number > plan.to)
    {
      errno = saved;
      return false;
    }
  note_struck (call, path, number);
  errno = plan.error;
  if (plan.error != 0)
    return true;
  while (read_plan (&now) && now.error == 0)
    nanosleep (&while_hanging, NULL);
  errno = saved;
  return false;
}

static bool
strikes_fd (const char *call, int fd)
{
  int saved = errno;
  char link[64];
  char path[PATH_MAX + 1];
  ssize_t length;

  if (getenv ("VIRT_KEEP_FAULT") == NULL)
    return false;
  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  length = syscall (SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  errno = saved;
  if (length <= 0 || path[0] != '/')
    return false;
  path[length] = '\0';
  return strikes (call, path);
}

/* The same for a sync. */
static bool
strikes_sync (int fd)
{
  int saved = errno;
  char link[64];
  char path[PATH_MAX + 1];
  bool failed = strikes_fd ("sync", fd);
  int number = errno;
  ssize_t length;

  if (getenv ("VIRT_KEEP_FAULT") == NULL)
    return failed;
  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  length = syscall (SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = '\0';
  if (failed)
    {
      note_lost (path);
      tell_all (fd);
      errno = number;
      return true;
    }
  failed = has_lost (fd, path);
  errno = failed ? EIO : saved;
  return failed;
}

static bool
strikes_at (const char *call, int dir, const char *name)
{
  int saved = errno;
  char link[64];
  char path[2 * PATH_MAX + 2];
  ssize_t length;

  if (name[0] == '/')
    return strikes (call, name);
  snprintf (link, sizeof link, dir == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dir);
  length = syscall (SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX);
  errno = saved;
  if (length <= 0)
    return false;
  snprintf (path + length, sizeof path - (size_t) length, "/%s", name);
  return strikes (call, path);
}

/* ---- the calls --------------------------------------------------------------- */

#define FD_CALL(result, name, kind, parameters, arguments) \
  result name parameters \
  { \
    return strikes_fd (kind, fd) ? -1 : NEXT (name) arguments; \
  }

FD_CALL (ssize_t, read, "read", (int fd, void *data, size_t length), (fd, data, length))
FD_CALL (ssize_t, pread, "read", (int fd, void *data, size_t length, off_t offset), (fd, data, length, offset))
FD_CALL (ssize_t, pread64, "read", (int fd, void *data, size_t length, off64_t offset), (fd, data, length, offset))
FD_CALL (ssize_t, preadv, "read", (int fd, const struct iovec *vector, int n, off_t offset), (fd, vector, n, offset))
FD_CALL (ssize_t, preadv64, "read", (int fd, const struct iovec *vector, int n, off64_t offset), (fd, vector, n, offset))
FD_CALL (ssize_t, write, "write", (int fd, const void *data, size_t length), (fd, data, length))
FD_CALL (ssize_t, pwrite, "write", (int fd, const void *data, size_t length, off_t offset), (fd, data, length, offset))
FD_CALL (ssize_t, pwrite64, "write", (int fd, const void *data, size_t length, off64_t offset), (fd, data, length, offset))
FD_CALL (ssize_t, writev, "write", (int fd, const struct iovec *vector, int n), (fd, vector, n))
FD_CALL (ssize_t, pwritev, "write", (int fd, const struct iovec *vector, int n, off_t offset), (fd, vector, n, offset))
FD_CALL (ssize_t, pwritev64, "write", (int fd, const struct iovec *vector, int n, off64_t offset), (fd, vector, n, offset))
FD_CALL (int, ftruncate, "write", (int fd, off_t length), (fd, length))
FD_CALL (int, ftruncate64, "write", (int fd, off64_t length), (fd, length))

#define SYNC_CALL(name) \
  int name (int fd) \
  { \
    return strikes_sync (fd) ? -1 : NEXT (name) (fd); \
  }

SYNC_CALL (fsync)
SYNC_CALL (fdatasync)
SYNC_CALL (syncfs)

#define PATH_CALL(name, kind, dir, path, parameters, arguments) \
  int name parameters \
  { \
    return strikes_at (kind, dir, path) ? -1 : NEXT (name) arguments; \
  }

PATH_CALL (rename, "rename", AT_FDCWD, to, (const char *from, const char *to), (from, to))
PATH_CALL (renameat, "rename", to_dir, to, (int from_dir, const char *from, int to_dir, const char *to), (from_dir, from, to_dir, to))
PATH_CALL (renameat2, "rename", to_dir, to, (int from_dir, const char *from, int to_dir, const char *to, unsigned flags), (from_dir, from, to_dir, to, flags))
PATH_CALL (link, "link", AT_FDCWD, to, (const char *from, const char *to), (from, to))
PATH_CALL (linkat, "link", to_dir, to, (int from_dir, const char *from, int to_dir, const char *to, int flags), (from_dir, from, to_dir, to, flags))
PATH_CALL (unlink, "unlink", AT_FDCWD, path, (const char *path), (path))
PATH_CALL (unlinkat, "unlink", dir, path, (int dir, const char *path, int flags), (dir, path, flags))
PATH_CALL (rmdir, "unlink", AT_FDCWD, path, (const char *path), (path))
PATH_CALL (remove, "unlink", AT_FDCWD, path, (const char *path), (path))
PATH_CALL (mkdir, "mkdir", AT_FDCWD, path, (const char *path, mode_t mode), (path, mode))
PATH_CALL (mkdirat, "mkdir", dir, path, (int dir, const char *path, mode_t mode), (dir, path, mode))

static mode_t
mode_of (int flags, va_list arguments)
{
  return flags & (O_CREAT | O_TMPFILE) ? va_arg (arguments, mode_t) : 0;
}

static int
opened (int fd)
{
  int saved = errno;

  if (getenv ("VIRT_KEEP_FAULT") != NULL)
    tell_all (fd);
  errno = saved;
  return fd;
}

static bool
open_strikes (int dir, const char *path, int flags)
{
  return ((flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT) && strikes_at ("open", dir, path);
}

#define OPEN_CALL(name) \
  int name (const char *path, int flags, ...) \
  { \
    va_list arguments; \
    mode_t mode; \
    va_start (arguments, flags); \
    mode = mode_of (flags, arguments); \
    va_end (arguments); \
    return open_strikes (AT_FDCWD, path, flags) ? -1 : opened (NEXT (name) (path, flags, mode)); \
  }

#define OPENAT_CALL(name) \
  int name (int dir, const char *path, int flags, ...) \
  { \
    va_list arguments; \
    mode_t mode; \
    va_start (arguments, flags); \
    mode = mode_of (flags, arguments); \
    va_end (arguments); \
    return open_strikes (dir, path, flags) ? -1 : opened (NEXT (name) (dir, path, flags, mode)); \
  }

OPEN_CALL (open)
OPEN_CALL (open64)
OPENAT_CALL (openat)
OPENAT_CALL (openat64)
