/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend-exerciser URL COMMAND [ARGUMENT...]: a backend without a repository.
 *
 *   contract            whether it is what backend.h promises, as lines
 *                       "ok - CLAIM" and "not ok - CLAIM"; the place must be empty
 *   create
 *   save TYPE FILE      under the SHA-256 of the file, which is printed
 *   load TYPE NAME [OFFSET LENGTH]
 *   list TYPE           "NAME SIZE" a line
 *   stat TYPE NAME
 *   remove TYPE NAME
 *
 * TYPE is config, key, lock, snapshot, index or data; the NAME of config is "-".
 * EXERCISER_CANCEL_MS cancels after that time.  A failure is a sentence on
 * standard error, and its exit code. */
#include "config.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend-contract.h"
#include "base/digest.h"
#include "base/error.h"

enum
{
  CODE_CANCELLED = 120,
};

static const char *const types[] = { "config", "key", "lock", "snapshot", "index", "data", NULL };

/* What a command was given. */
struct command
{
  VkBackend *backend;
  VkResticType type;
  const char *name; /* NULL for config */
  char **arguments; /* from TYPE on, NULL-terminated */
  GCancellable *cancellable;
};

static gboolean
do_create (struct command *command, GError **error)
{
  return vk_backend_create (command->backend, command->cancellable, error);
}

static gboolean
do_save (struct command *command, GError **error)
{
  g_autofree char *text = NULL;
  g_autofree char *name = NULL;
  g_autoptr (GBytes) content = NULL;
  gsize length;

  if (!g_file_get_contents (command->arguments[1], &text, &length, error))
    return FALSE;
  content = g_bytes_new_take (g_steal_pointer (&text), length);
  name = contract_name_of (content);
  if (!vk_backend_save (command->backend, command->type, command->type == VK_RESTIC_CONFIG ? NULL : name, content, command->cancellable, error))
    return FALSE;
  g_print ("%s\n", name);
  return TRUE;
}

static gboolean
do_load (struct command *command, GError **error)
{
  gboolean is_part = command->arguments[2] != NULL;
  guint64 offset = is_part ? g_ascii_strtoull (command->arguments[2], NULL, 10) : 0;
  gsize length = is_part ? (gsize) g_ascii_strtoull (command->arguments[3], NULL, 10) : 0;
  g_autoptr (GBytes) content = vk_backend_load (command->backend, command->type, command->name, offset, length, command->cancellable, error);

  if (content == NULL)
    return FALSE;
  fwrite (g_bytes_get_data (content, NULL), 1, g_bytes_get_size (content), stdout);
  return TRUE;
}

static gboolean
do_list (struct command *command, GError **error)
{
  g_autoptr (GPtrArray) entries = vk_backend_list (command->backend, command->type, command->cancellable, error);

  for (guint i = 0; entries != NULL && i < entries->len; i++)
    {
      const VkBackendEntry *entry = g_ptr_array_index (entries, i);

      g_print ("%s %" G_GUINT64_FORMAT "\n", entry->name, entry->size);
    }
  return entries != NULL;
}

static gboolean
do_stat (struct command *command, GError **error)
{
  guint64 size;

  if (!vk_backend_stat (command->backend, command->type, command->name, &size, command->cancellable, error))
    return FALSE;
  g_print ("%" G_GUINT64_FORMAT "\n", size);
  return TRUE;
}

static gboolean
do_remove (struct command *command, GError **error)
{
  return vk_backend_remove (command->backend, command->type, command->name, command->cancellable, error);
}

static gboolean
do_contract (struct command *command, GError **error)
{
  contract_run (command->backend);
  return TRUE;
}

static const struct
{
  const char *name;
  gboolean (*run) (struct command *command, GError **error);
  int arguments; /* at least */
} commands[] = {
  { "contract", do_contract, 0 },
  { "create", do_create, 0 },
  { "save", do_save, 2 },
  { "load", do_load, 2 },
  { "list", do_list, 1 },
  { "stat", do_stat, 2 },
  { "remove", do_remove, 2 },
};

static gpointer
cancel_later (gpointer data)
{
  g_usleep (strtoul (g_getenv ("EXERCISER_CANCEL_MS"), NULL, 10) * 1000);
  g_cancellable_cancel (data);
  g_object_unref (data);
  return NULL;
}

static void
take_arguments (struct command *command, char **arguments)
{
  command->arguments = arguments;
  if (arguments[0] == NULL)
    return;
  while (types[command->type] != NULL && strcmp (types[command->type], arguments[0]) != 0)
    command->type++;
  if (types[command->type] == NULL)
    g_error ("%s is no type", arguments[0]);
  command->name = command->type == VK_RESTIC_CONFIG ? NULL : arguments[1];
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (VkBackend) backend = NULL;
  struct command command = { .cancellable = cancellable };
  gboolean ok = FALSE;

  setlocale (LC_ALL, "");
  backend = argc > 2 ? vk_backend_open (argv[1], &error) : NULL;
  command.backend = backend;
  if (g_getenv ("EXERCISER_CANCEL_MS") != NULL)
    g_thread_unref (g_thread_new ("cancel", cancel_later, g_object_ref (cancellable)));
  for (guint i = 0; backend != NULL && i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (commands[i].name, argv[2]) && argc - 3 >= commands[i].arguments)
      {
        take_arguments (&command, argv + 3);
        ok = commands[i].run (&command, &error);
      }
  if (ok)
    return 0;
  g_printerr ("%s\n", error ? error->message : "usage: backend-exerciser URL COMMAND [ARGUMENT...]");
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? CODE_CANCELLED : vk_error_exit_code (error);
}
