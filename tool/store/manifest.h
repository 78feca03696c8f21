/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manifest of a restore point: what it holds and how it came about.  Its
 * JSON form is documented in virt-keep-store(5). */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#define VK_MANIFEST_FORMAT "virt-keep manifest"

/* The version of the form that is written, and the newest that is read.  From the
 * second on a manifest is sealed: see base/json.h. */
enum { VK_MANIFEST_VERSION = 2, VK_MANIFEST_SEALED = 2 };

/* More than this is no manifest of ours, in bytes. */
enum { VK_MANIFEST_LIMIT = 16 << 20 };

/* The sizes of chunks that there can be, powers of two, in bytes. */
enum { VK_CHUNK_SIZE_MIN = 512 << 10, VK_CHUNK_SIZE_MAX = 8 << 20 };

typedef struct
{
  char *target;         /* "vda" */
  char *type;           /* source type in the domain XML: "file", "block", "network", ... */
  char *source;         /* where the disk lay, printable */
  char *format;         /* format of the source: "qcow2", "raw", ... */
  guint64 virtual_size; /* bytes */
  char *level;          /* "full", "incremental", "differential" */
  char *base;           /* id of the point whose image this one's backing file is; NULL: full */
  char *reason;         /* why it is full when more was asked for, or NULL */
  gboolean bitmap;      /* the checkpoint covers this disk */
  guint64 bytes_moved;  /* bytes that were read from (pull) or written by (push) QEMU */
  char *image;          /* file name in the point */
  guint64 size;         /* length of the image file in bytes */
  char *sha256;         /* of the closed image file; NULL for a disk in chunks */
  char *secret;         /* UUID of the libvirt secret with whose value the image is encrypted (LUKS), or NULL */
  guint64 chunk_size;   /* bytes: the disk is kept in chunks of that size, each by its SHA-256; 0: an image file */
  guint64 bytes_added;  /* chunks: bytes of those that the store did not have, before compression */
  char *content_sha256; /* chunks: of the SHA-256s (32 bytes each) of the pieces that make up the disk */
} VkManifestDisk;

typedef struct
{
  char *name;   /* file name in the point */
  char *role;   /* "domain-xml", "nvram", "cdrom", ... */
  char *target; /* disk target for copied cdrom and floppy images, or NULL */
  char *source; /* path it was copied from, or NULL */
  guint64 size; /* bytes */
  char *sha256;
} VkManifestFile;

typedef struct
{
  char *target;
  char *reason;  /* stable word */
  char *message; /* sentence */
} VkManifestLeftOut;

/* Whether the guest's agent had frozen its file systems at the instant. */
typedef struct
{
  char *requested;      /* "auto", "require", "never" */
  gboolean frozen;      /* they were, all the time */
  guint64 filesystems;  /* that were frozen, though maybe not long enough */
  guint64 milliseconds; /* for which they were */
  char *reason;         /* why not, or NULL */
} VkManifestQuiesce;

typedef struct
{
  char *id;          /* "20261123T181400Z" */
  char *store_id;
  char *domain_name;
  char *domain_uuid;
  char *host;        /* where libvirt ran */
  char *uri;         /* libvirt connection */
  char *started;     /* UTC, RFC 3339, microseconds */
  char *instant;     /* the moment the disks show */
  char *finished;
  char *domain_state; /* "running", "shut-off", "started-paused" (for the backup) */
  char *mode;        /* "push", "pull", or "direct": the disks were read without libvirt */
  char *level;       /* "full", "copy", "incremental", "differential" */
  char *base;        /* id of the point that an incremental or differential counts from, or NULL */
  char *requested;   /* level that was asked for */
  char *reason;      /* why level is not what was asked for, or NULL */
  char *checkpoint;  /* name, or NULL */
  char *merged;      /* when removed points were last merged into this one, or NULL */
  gboolean synthetic; /* full because its chain was merged in the store; the guest was asked for what had changed */
  char *virt_keep_version;
  char *libvirt_version;
  char *qemu_version;
  GPtrArray *disks;    /* of VkManifestDisk */
  GPtrArray *files;    /* of VkManifestFile */
  GPtrArray *left_out; /* of VkManifestLeftOut */
  GPtrArray *warnings; /* of char * */
  VkManifestQuiesce *quiesce; /* or NULL: not known */
  JsonObject *closed;  /* the proof that QEMU let go, or NULL */
  JsonObject *guest;   /* what the guest told of itself, or NULL: see host/guest-info.h */
} VkManifest;

VkManifest *vk_manifest_new (void);
void vk_manifest_free (VkManifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkManifest, vk_manifest_free)

/* Each adds an empty entry and returns it (transfer none). */
VkManifestDisk *vk_manifest_add_disk (VkManifest *manifest);
VkManifestFile *vk_manifest_add_file (VkManifest *manifest);
VkManifestLeftOut *vk_manifest_add_left_out (VkManifest *manifest);

/* The entry, which is made when there is none yet (transfer none). */
VkManifestQuiesce *vk_manifest_make_quiesce (VkManifest *manifest);

/* The first file with this role, or NULL. */
const VkManifestFile *vk_manifest_find_file (const VkManifest *manifest, const char *role);

/* The disk with this target, or NULL. */
const VkManifestDisk *vk_manifest_find_disk (const VkManifest *manifest, const char *target);

/* Bytes that the point's disk images take. */
guint64 vk_manifest_image_bytes (const VkManifest *manifest);

/* Returns: (transfer full). */
JsonObject *vk_manifest_to_json (const VkManifest *manifest);

/* A copy of its own.  Returns: (transfer full), or NULL with VK_ERROR_STORE set for
 * a manifest that could not be parsed either. */
VkManifest *vk_manifest_copy (const VkManifest *manifest, GError **error);

/* Says that the point, an incremental one until now, has become a full one in the
 * store, and why. */
void vk_manifest_set_synthetic (VkManifest *manifest, const char *reason);

/* Reads a manifest that is not trusted: types, required members and file
 * names (plain names, without directories) are checked.  name is for
 * messages.  Returns: (transfer full), or NULL with VK_ERROR_STORE set; a
 * manifest of a later version names the version of virt-keep that wrote it. */
VkManifest *vk_manifest_parse (const char *text, const char *name, GError **error);

/* The JSON of one disk, file, left-out entry: shared with results. */
JsonArray *vk_manifest_disks_to_json (const VkManifest *manifest);
JsonArray *vk_manifest_left_out_to_json (const VkManifest *manifest);

/* NULL when there is none. */
JsonObject *vk_manifest_quiesce_to_json (const VkManifest *manifest);

/* Now, in UTC, as in the manifest: "2026-11-23T18:14:00.123456Z". */
char *vk_time_now (void);
