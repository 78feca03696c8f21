/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The restic core on a command line, for core.sh: what takes a password takes it
 * as restic does.
 *
 *   repo-tool init REPO
 *   repo-tool save REPO FILE CHUNK-BYTES    prints the snapshot's id
 *   repo-tool dump REPO SNAPSHOT PATH       to standard output
 *   repo-tool list REPO                     id, hostname, tags, paths, damage
 *   repo-tool index REPO                    the number of blobs
 *   repo-tool lock REPO shared|exclusive SECONDS
 *                                           says "locked", holds it until the end of its input
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "restic-fixture.h"
#include "store/restic/password.h"

static VkRestic *
open_repository (const char *url, gboolean create, GError **error)
{
  VkPasswordSource source = { .confirm = create, .place = url };
  VkBackend *backend = vk_backend_open (url, error);
  char *password;
  VkRestic *repo;

  if (backend == NULL)
    return NULL;
  password = vk_restic_password_get (&source, NULL, error);
  if (password == NULL)
    {
      vk_backend_free (backend);
      return NULL;
    }
  repo = create ? vk_restic_create (backend, password, NULL, NULL, error) : vk_restic_open (backend, password, NULL, NULL, error);
  vk_restic_password_free (password);
  return repo;
}

static gboolean
run_init (char **arguments, GError **error)
{
  g_autoptr (VkRestic) repo = open_repository (arguments[0], TRUE, error);

  return repo != NULL;
}

static gboolean
run_save (char **arguments, GError **error)
{
  g_autoptr (VkRestic) repo = open_repository (arguments[0], FALSE, error);
  g_autoptr (VkResticLock) lock = NULL;
  g_autoptr (VkResticSaver) saver = NULL;
  VkResticSaverOptions options = { .pack_size = VK_PACK_SIZE_MIN };
  char id_text[VK_RESTIC_ID_DIGITS + 1];
  g_autofree char *disk = NULL;
  VkResticId id;
  gsize length;

  if (repo == NULL || !g_file_get_contents (arguments[1], &disk, &length, error))
    return FALSE;
  lock = vk_restic_lock_take (repo, FALSE, 0, NULL, error);
  if (lock == NULL || !vk_restic_load_index (repo, NULL, error))
    return FALSE;
  options.lock = lock;
  saver = vk_restic_saver_new (repo, &options, NULL);
  if (!restic_save_point (repo, lock, saver, (const guint8 *) disk, length, strtoul (arguments[2], NULL, 10), &id, error))
    return FALSE;
  vk_restic_id_format (&id, id_text);
  puts (id_text);
  return TRUE;
}

static gboolean
run_dump (char **arguments, GError **error)
{
  g_autoptr (VkRestic) repo = open_repository (arguments[0], FALSE, error);
  g_autoptr (GByteArray) file = NULL;
  VkResticId id;

  if (repo == NULL || !vk_restic_id_parse (arguments[1], &id))
    return FALSE;
  file = restic_load_file (repo, &id, arguments[2], error);
  return file != NULL && fwrite (file->data, 1, file->len, stdout) == file->len;
}

static gboolean
run_list (char **arguments, GError **error)
{
  g_autoptr (VkRestic) repo = open_repository (arguments[0], FALSE, error);
  g_autoptr (GPtrArray) snapshots = repo ? vk_snapshot_list (repo, NULL, error) : NULL;

  for (guint i = 0; snapshots != NULL && i < snapshots->len; i++)
    {
      const VkSnapshot *snapshot = g_ptr_array_index (snapshots, i);
      g_autofree char *id = vk_restic_id_to_string (&snapshot->id);
      g_autofree char *tags = snapshot->tags ? g_strjoinv (",", snapshot->tags) : NULL;
      g_autofree char *paths = snapshot->paths ? g_strjoinv (",", snapshot->paths) : NULL;

      printf ("%s %s %s %s %s\n", id, snapshot->hostname, tags, paths, snapshot->damage ? snapshot->damage : "");
    }
  return snapshots != NULL;
}

static gboolean
run_index (char **arguments, GError **error)
{
  g_autoptr (VkRestic) repo = open_repository (arguments[0], FALSE, error);
  guint64 blobs;
  gsize memory;

  if (repo == NULL || !vk_restic_load_index (repo, NULL, error))
    return FALSE;
  vk_restic_index_stats (repo, &blobs, &memory);
  printf ("%" G_GUINT64_FORMAT "\n", blobs);
  return TRUE;
}

static gboolean
run_lock (char **arguments, GError **error)
{
  g_autoptr (VkRestic) repo = open_repository (arguments[0], FALSE, error);
  g_autoptr (VkResticLock) lock = NULL;

  if (repo == NULL)
    return FALSE;
  lock = vk_restic_lock_take (repo, strcmp (arguments[1], "exclusive") == 0, (guint) strtoul (arguments[2], NULL, 10), NULL, error);
  if (lock == NULL)
    return FALSE;
  puts ("locked");
  fflush (stdout);
  while (getchar () != EOF)
    ;
  return TRUE;
}

static const struct
{
  const char *name;
  int arguments;
  gboolean (*run) (char **arguments, GError **error);
} commands[] = {
  { "init", 1, run_init }, { "save", 3, run_save }, { "dump", 3, run_dump },
  { "list", 1, run_list }, { "index", 1, run_index }, { "lock", 3, run_lock },
};

int
main (int argc, char **argv)
{
  for (gsize i = 0; argc > 1 && i < G_N_ELEMENTS (commands); i++)
    {
      g_autoptr (GError) error = NULL;

      if (strcmp (argv[1], commands[i].name) != 0 || argc != commands[i].arguments + 2)
        continue;
      if (commands[i].run (argv + 2, &error))
        return 0;
      fprintf (stderr, "repo-tool: %s\n", error ? error->message : "wrong arguments");
      return 1;
    }
  fputs ("repo-tool: wrong arguments\n", stderr);
  return 2;
}
