/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/password.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"
#include "base/process.h"
#include "store/restic/prompt.h"

/* No password is longer, in bytes. */
enum { PASSWORD_LIMIT = 64 << 10 };

void
vk_restic_password_free (char *password)
{
  if (password == NULL)
    return;
  OPENSSL_cleanse (password, strlen (password));
  g_free (password);
}

/* Takes password (transfer full) without the line feed at its end. */
static char *
accept_password (char *password, const char *place, GError **error)
{
  gsize length = strlen (password);

  if (length > 0 && password[length - 1] == '\n')
    password[--length] = '\0';
  if (length > 0 && password[length - 1] == '\r')
    password[--length] = '\0';
  if (length > 0)
    return password;
  vk_restic_password_free (password);
  vk_fail (error, VK_ERROR_USAGE, "%s gives an empty password: restic repositories have none without", place);
  return NULL;
}

static char *
read_standard_input (GError **error)
{
  char buffer[PASSWORD_LIMIT];
  gsize length = 0;
  gssize got;
  char *password = NULL;

  do
    {
      got = read (STDIN_FILENO, buffer + length, sizeof buffer - length);
      if (got > 0)
        length += (gsize) got;
    }
  while ((got > 0 && length < sizeof buffer) || (got < 0 && errno == EINTR));
  if (got < 0)
    vk_fail (error, VK_ERROR_USAGE, "the password cannot be read from standard input: %s", g_strerror (errno));
  else if (got > 0 || memchr (buffer, 0, length) != NULL)
    vk_fail (error, VK_ERROR_USAGE, "what standard input gives is no password: it is longer than any, or holds a NUL byte");
  else
    password = g_strndup (buffer, length);
  OPENSSL_cleanse (buffer, sizeof buffer);
  return password ? accept_password (password, "standard input", error) : NULL;
}

static char *
read_password_file (const char *path, const char *place, GError **error)
{
  char *password = vk_file_read (path, PASSWORD_LIMIT, NULL, error);

  if (password != NULL)
    return accept_password (password, place, error);
  g_prefix_error (error, "%s: ", place);
  return NULL;
}

static char *
run_password_command (const char *command, GCancellable *cancellable, GError **error)
{
  static const char place[] = "RESTIC_PASSWORD_COMMAND";
  g_auto (GStrv) argv = NULL;
  g_autoptr (GError) failure = NULL;
  char *password = NULL;

  if (!g_shell_parse_argv (command, NULL, &argv, &failure))
    {
      vk_fail (error, VK_ERROR_USAGE, "%s cannot be split into words: %s", place, failure->message);
      return NULL;
    }
  if (!vk_process_run_command ((const char *const *) argv, &password, cancellable, error))
    {
      g_prefix_error (error, "%s: ", place);
      return NULL;
    }
  return accept_password (password, place, error);
}

static char *
ask_twice (const char *place, GCancellable *cancellable, GError **error)
{
  g_autofree char *question = g_strdup_printf ("Password for the new repository %s: ", place);
  char *password = vk_prompt_secret (question, cancellable, error);
  char *again;
  gboolean same;

  if (password == NULL)
    return NULL;
  again = vk_prompt_secret ("The same password again: ", cancellable, error);
  same = again != NULL && strcmp (password, again) == 0;
  if (again != NULL && !same)
    vk_fail (error, VK_ERROR_USAGE, "the two passwords are not the same: try again");
  vk_restic_password_free (again);
  if (same)
    return password;
  vk_restic_password_free (password);
  return NULL;
}

static char *
ask (const VkPasswordSource *source, GCancellable *cancellable, GError **error)
{
  g_autofree char *question = g_strdup_printf ("Password for the repository %s: ", source->place);
  char *password = source->confirm ? ask_twice (source->place, cancellable, error) : vk_prompt_secret (question, cancellable, error);

  return password ? accept_password (password, "the terminal", error) : NULL;
}

static gboolean
is_set (const char *variable)
{
  return variable != NULL && *variable != '\0';
}

gboolean
vk_restic_password_is_read_once (const VkPasswordSource *source)
{
  if (source->password != NULL)
    return FALSE;
  if (source->file != NULL)
    return strcmp (source->file, "-") == 0;
  return !is_set (g_getenv ("RESTIC_PASSWORD_FILE")) && !is_set (g_getenv ("RESTIC_PASSWORD_COMMAND")) && !is_set (g_getenv ("RESTIC_PASSWORD"));
}

char *
vk_restic_password_get (const VkPasswordSource *source, GCancellable *cancellable, GError **error)
{
  const char *file = g_getenv ("RESTIC_PASSWORD_FILE");
  const char *command = g_getenv ("RESTIC_PASSWORD_COMMAND");
  const char *password = g_getenv ("RESTIC_PASSWORD");

  if (source->password != NULL)
    return g_strdup (source->password);
  if (g_strcmp0 (source->file, "-") == 0)
    return read_standard_input (error);
  if (source->file != NULL)
    return read_password_file (source->file, "the password file", error);
  if (is_set (file))
    return read_password_file (file, "RESTIC_PASSWORD_FILE", error);
  if (is_set (command))
    return run_password_command (command, cancellable, error);
  if (is_set (password))
    return g_strdup (password);
  if (source->no_prompt)
    {
      vk_fail (error, VK_ERROR_USAGE, "there is no password for the repository %s: set RESTIC_PASSWORD_FILE or give --password-file", source->place);
      return NULL;
    }
  return ask (source, cancellable, error);
}
