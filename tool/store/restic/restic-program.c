/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/restic-program.h"

#include <signal.h>

#include "base/error.h"
#include "base/process.h"

/* Variables that say to restic what we say in others. */
static const char *const conflicting[] = { "RESTIC_REPOSITORY_FILE", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND", "RESTIC_FROM_REPOSITORY_FILE",
                                           "RESTIC_FROM_PASSWORD_FILE", "RESTIC_FROM_PASSWORD_COMMAND" };

static char **
set_repository (char **environment, const char *prefix, VkResticStore *store)
{
  g_autofree char *repository = g_strconcat (prefix, "REPOSITORY", NULL);
  g_autofree char *password = g_strconcat (prefix, "PASSWORD", NULL);

  environment = g_environ_setenv (environment, repository, vk_restic_backend (store->repo)->restic_url, TRUE);
  return g_environ_setenv (environment, password, store->password, TRUE);
}

static char **
make_environment (VkResticStore *store, VkResticStore *from)
{
  char **environment = g_get_environ ();

  for (gsize i = 0; i < G_N_ELEMENTS (conflicting); i++)
    environment = g_environ_unsetenv (environment, conflicting[i]);
  environment = set_repository (environment, "RESTIC_", store);
  return from ? set_repository (environment, "RESTIC_FROM_", from) : environment;
}

/* Only restic 0.16 and later can wait for locks itself.  A moment with an exclusive
 * lock says that nobody has one. */
static gboolean
wait_for_others (VkResticStore *store, GCancellable *cancellable, GError **error)
{
  g_autoptr (VkResticLock) lock = NULL;

  if (store->retry_lock == 0)
    return TRUE;
  lock = vk_restic_lock_take (store->repo, TRUE, store->retry_lock, cancellable, error);
  return lock != NULL;
}

static void
stop (GCancellable *cancellable, gpointer user_data)
{
  /* restic removes its locks and its mount, and ends. */
  g_subprocess_send_signal (user_data, SIGINT);
}

static gboolean
wait_for_end (GSubprocess *process, const char *command, GCancellable *cancellable, GError **error)
{
  gulong handler = cancellable ? g_cancellable_connect (cancellable, G_CALLBACK (stop), process, NULL) : 0;
  gboolean ended = g_subprocess_wait (process, NULL, error);

  g_cancellable_disconnect (cancellable, handler);
  if (!ended || g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (g_subprocess_get_successful (process))
    return TRUE;
  return vk_fail (error, VK_ERROR_STORE, "restic %s failed: it has said why", command);
}

static gboolean
run (char **environment, const char *const *arguments, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autoptr (GSubprocess) process = NULL;
  const char *style = g_getenv ("VIRT_KEEP_S3_BUCKET_LOOKUP");
  g_autofree char *lookup = style && *style ? g_strconcat ("--option=s3.bucket-lookup=", style, NULL) : NULL;

  g_ptr_array_add (argv, (gpointer) "restic");
  if (lookup != NULL)
    g_ptr_array_add (argv, lookup);
  for (const char *const *argument = arguments; *argument != NULL; argument++)
    g_ptr_array_add (argv, (gpointer) *argument);
  g_ptr_array_add (argv, NULL);
  process = vk_process_start_shown ((const char *const *) argv->pdata, environment, error);
  return process != NULL && wait_for_end (process, arguments[0], cancellable, error);
}

gboolean
vk_restic_program_run (VkResticStore *store, const char *const *arguments, GCancellable *cancellable, GError **error)
{
  g_auto (GStrv) environment = make_environment (store, NULL);

  vk_restic_store_unlock (store);
  return wait_for_others (store, cancellable, error) && run (environment, arguments, cancellable, error);
}

gboolean
vk_restic_program_copy (VkResticStore *store, VkResticStore *target, const char *const *arguments, GCancellable *cancellable, GError **error)
{
  g_auto (GStrv) environment = make_environment (target, store);

  return run (environment, arguments, cancellable, error);
}
