/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the files of a restic repository lie: a directory, a REST server, S3.
 * A backend knows names and bytes, and nothing of what is in them. */
#pragma once

#include <gio/gio.h>

/* The kinds of files of a repository; restic's design document, "Repository
 * Layout". */
typedef enum
{
  VK_RESTIC_CONFIG, /* one, without a name */
  VK_RESTIC_KEY,
  VK_RESTIC_LOCK,
  VK_RESTIC_SNAPSHOT,
  VK_RESTIC_INDEX,
  VK_RESTIC_DATA, /* packs */
} VkResticType;

enum
{
  VK_BACKEND_MAX_FILE = 1024 * 1024 * 1024, /* the largest file that is loaded as a whole, in bytes */
};

typedef struct VkBackend VkBackend;

/* What list gives for one file. */
typedef struct
{
  char *name;   /* 64 hexadecimal digits, lower case */
  guint64 size; /* bytes */
} VkBackendEntry;

void vk_backend_entry_free (VkBackendEntry *entry);

/* All of these may be called from several threads at once.  name is NULL for
 * VK_RESTIC_CONFIG and 64 lower-case hexadecimal digits otherwise. */
typedef struct
{
  /* Makes what an empty repository consists of, apart from its config file.
   * Does nothing to what is there already. */
  gboolean (*create) (VkBackend *backend, GCancellable *cancellable, GError **error);

  /* All files of that kind; what has no name of a file of a repository is
   * passed over.  Returns: (transfer full) of VkBackendEntry. */
  GPtrArray *(*list) (VkBackend *backend, VkResticType type, GCancellable *cancellable, GError **error);

  /* length bytes at offset of the file, all from there for length 0.  Fewer
   * than were asked for, or all when they are more than VK_BACKEND_MAX_FILE,
   * are VK_ERROR_STORE; no such file VK_ERROR_NOT_FOUND.
   * Returns: (transfer full). */
  GBytes *(*load) (VkBackend *backend, VkResticType type, const char *name, guint64 offset, gsize length, GCancellable *cancellable, GError **error);

  /* Stores the file in one step: it is complete and durable on success, and
   * does not exist after a failure, as far as that can be brought about.
   * A file that exists with the same content is a success; config is never
   * replaced (VK_ERROR_REFUSED). */
  gboolean (*save) (VkBackend *backend, VkResticType type, const char *name, GBytes *content, GCancellable *cancellable, GError **error);

  /* Size in bytes; VK_ERROR_NOT_FOUND when there is no such file. */
  gboolean (*stat) (VkBackend *backend, VkResticType type, const char *name, guint64 *size, GCancellable *cancellable, GError **error);

  /* Whether list shows whatever anybody has stored before it was called, however lately.
   * NULL where nobody can know. */
  gboolean (*lists_at_once) (VkBackend *backend);

  /* No such file is a success. */
  gboolean (*remove) (VkBackend *backend, VkResticType type, const char *name, GCancellable *cancellable, GError **error);

  void (*free) (VkBackend *backend);
} VkBackendOps;

struct VkBackend
{
  const VkBackendOps *ops;
  char *location;      /* for messages, without user name and password */
  char *restic_url;    /* what restic's -r takes, e.g. "/srv/repo", "rest:https://…"; may hold a password */
  guint parallel;      /* how many calls at once make sense: few on a disk, more over a network */
};

/* Opens the backend that url names, as restic's -r does: "/path",
 * "rest:http://…", "s3:https://…".  Nothing is read or made yet.
 * Returns: (transfer full), or NULL with VK_ERROR_USAGE. */
VkBackend *vk_backend_open (const char *url, GError **error);
void vk_backend_free (VkBackend *backend);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkBackend, vk_backend_free)

/* The name of the directory of that type: "data", "keys", ...  NULL for the
 * config file. */
const char *vk_restic_type_directory (VkResticType type);

/* See VkBackendOps. */
gboolean vk_backend_create (VkBackend *backend, GCancellable *cancellable, GError **error);
GPtrArray *vk_backend_list (VkBackend *backend, VkResticType type, GCancellable *cancellable, GError **error);
GBytes *vk_backend_load (VkBackend *backend, VkResticType type, const char *name, guint64 offset, gsize length, GCancellable *cancellable, GError **error);
gboolean vk_backend_save (VkBackend *backend, VkResticType type, const char *name, GBytes *content, GCancellable *cancellable, GError **error);
gboolean vk_backend_stat (VkBackend *backend, VkResticType type, const char *name, guint64 *size, GCancellable *cancellable, GError **error);
gboolean vk_backend_lists_at_once (VkBackend *backend);
gboolean vk_backend_remove (VkBackend *backend, VkResticType type, const char *name, GCancellable *cancellable, GError **error);

/* The parts of vk_backend_open(), one a file. */
VkBackend *vk_backend_local_new (const char *path, GError **error);
VkBackend *vk_backend_rest_new (const char *url, GError **error);
VkBackend *vk_backend_s3_new (const char *url, GError **error);
