/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The place that holds restore points.  This is the interface; image/
 * implements it with plain qcow2 files, restic/ with a restic repository. */
#pragma once

#include <gio/gio.h>

#include "store/domain-lock.h"
#include "store/manifest.h"
#include "store/verdict.h"
#include "transfer/sink.h"
#include "view/lasting-door.h"
#include "view/nbd-server.h"

typedef struct VkStore VkStore;
typedef struct VkPointWriter VkPointWriter;

/* What the command line says about a store beside its URL; all zero for nothing.
 * The strings are not copied and have to live until the store is open. */
typedef struct
{
  const char *password;      /* restic: it itself, before all others, or NULL */
  const char *password_file; /* restic: instead of what the environment says, or NULL; "-" is standard input */
  gboolean no_prompt;        /* restic: do not ask for the password, fail */
  guint retry_lock;          /* restic: seconds to wait for others' locks */
  gsize pack_size;           /* restic: bytes, 0 for the default */
  int compression;           /* restic: level of zstd, 0 for the default, negative for none */
} VkStoreSettings;

/* The password that opening the store would read from a person or from standard input, read
 * now, so that several processes can open it.  *password (transfer full, for
 * vk_store_password_free()) is NULL when it would do neither.  FALSE when there is none to
 * be had; cancellable is for who types. */
gboolean vk_store_read_password (const char *url, const VkStoreSettings *settings, char **password, GCancellable *cancellable, GError **error);
void vk_store_password_free (char *password);

/* What list gives for one restore point. */
typedef struct
{
  char *location;       /* where it is, printable: a directory for an image store */
  char *damage;         /* why it cannot be used, or NULL */
  char *id;             /* its time, also when it is damaged */
  char *domain;         /* what commands call its domain: the name, or the UUID when that is not known */
  VkManifest *manifest; /* NULL when it cannot be read */
  gboolean removed;     /* it is being removed; list never shows such a point */
  gboolean is_protected; /* from prune and forget; also when that cannot be found out */
  char *note;           /* the user's, or NULL */
  VkVerdict *verdict;   /* what prove has found last, or NULL */
  char *annotation_damage; /* why protection, note and verdict cannot be read, or NULL */
} VkPoint;

void vk_point_free (VkPoint *point);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkPoint, vk_point_free)

/* Something that is not as it was stored. */
typedef struct
{
  char *file;         /* where */
  char *message;      /* what */
  GPtrArray *affects; /* of char *: the names of the points that it makes unusable */
} VkDamage;

void vk_damage_free (VkDamage *damage);

/* One disk of a point that has been made independent of removed points. */
typedef struct
{
  char *point; /* its name */
  char *disk;  /* target */
  char *base;  /* id of the point that it builds on now, or NULL: a full image */
  const char *method; /* "in-place", "clone" or "copy": how the bottom of the new image was made */
} VkMerge;

/* Something that a process that is gone has left in a store. */
typedef struct
{
  const char *kind;   /* "half-point", "removal" or "lock": a stable word */
  char *place;        /* the directory of a domain, or the name of a lock */
  char *text;         /* a sentence, without its full stop */
  char *advice;       /* what to do */
  gboolean can_clear; /* by vk_store_clear_leftover(): it is certain what it is */
} VkStoreLeftover;

void vk_store_leftover_free (VkStoreLeftover *leftover);

/* What removing points has done, also when it failed halfway. */
typedef struct
{
  gboolean reclaim;   /* given: take back the room as well where that is a step of its own */
  GPtrArray *removed; /* of char *: their names */
  GPtrArray *merged;  /* of VkMerge */
} VkRemoval;

VkRemoval *vk_removal_new (void);
void vk_removal_free (VkRemoval *removal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkRemoval, vk_removal_free)

/* "NAME@20261123T181400Z", as every command takes it.  Returns: (transfer full). */
char *vk_point_name (const VkPoint *point);

/* How many of points (of VkPoint, of one domain, oldest first), itself among them, a restore of point
 * reads where points are not whole. */
guint vk_point_chain_length (const GPtrArray *points, const VkPoint *point);

typedef struct
{
  /* Each point holds the whole of every disk, whatever it counts from: there are
   * no chains and no differentials.  QEMU cannot write there itself: pull mode
   * only. */
  gboolean whole_points;
  /* What is stored cannot be read without a password. */
  gboolean encrypted;

  /* All points, or those of the domain with this name or UUID; oldest first
   * within a domain.  Damaged ones are included, half-written ones never. */
  GPtrArray *(*list) (VkStore *store, const char *domain, GError **error);

  /* See vk_store_begin_point(); a store of whole points needs no rebase_disk and no
   * push_target. */
  VkPointWriter *(*begin_point) (VkStore *store, const char *domain_name, const char *domain_uuid, GCancellable *cancellable, GError **error);

  /* Where the lock of a domain lies, which whoever changes its points holds, or NULL with
   * *error set; and the mode of that directory, if it has to be made. */
  char *(*lock_directory) (VkStore *store, const char *domain_name, const char *domain_uuid, GError **error);
  int lock_mode;

  /* See vk_store_domain_directory(); NULL where there are none. */
  char *(*domain_directory) (VkStore *store, const char *domain_name, const char *domain_uuid, GError **error);

  /* See vk_store_find_leftovers() and vk_store_clear_leftover(). */
  GPtrArray *(*find_leftovers) (VkStore *store, const char *domain_uuid, GError **error);
  gboolean (*clear_leftover) (VkStore *store, const VkStoreLeftover *leftover, GError **error);

  /* What comes through the door of open_disk has been compared with its digests. */
  gboolean door_checks;

  /* See vk_store_open_disk(). */
  VkNbdServer *(*open_disk) (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, const char *socket_dir, GError **error);

  /* See vk_store_open_lasting(). */
  VkLastingDoor *(*open_lasting) (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, const VkDoorPlace *place, GError **error);

  /* See vk_store_describe_disk(); NULL where disks are not made of images. */
  char *(*describe_disk) (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, GError **error);

  /* See vk_store_verify(). */
  gboolean (*verify) (VkStore *store, const GPtrArray *points, const char *socket_dir, GPtrArray *damages, GCancellable *cancellable, GError **error);

  /* See vk_store_check_disk(). */
  gboolean (*check_disk) (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error);

  /* See vk_store_check_base(); NULL where a point that is not damaged can always be
   * built on. */
  gboolean (*check_base) (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error);

  /* See vk_store_remove(), vk_store_finish(), vk_store_annotate() and
   * vk_store_record_verdict(). */
  gboolean (*remove) (VkStore *store, const GPtrArray *points, VkRemoval *removal, GCancellable *cancellable, GError **error);
  gboolean (*finish) (VkStore *store, const char *domain, VkRemoval *removal, GCancellable *cancellable, GError **error);
  gboolean (*annotate) (VkStore *store, const VkPoint *point, gboolean is_protected, const char *note, GError **error);
  gboolean (*record_verdict) (VkStore *store, const VkPoint *point, const VkVerdict *verdict, GBytes *screenshot, GError **error);

  /* See vk_store_load_file() and vk_store_copy_file(), which compare the digest. */
  char *(*load_file) (VkStore *store, const VkPoint *point, const VkManifestFile *file, gsize limit, GError **error);
  gboolean (*copy_file) (VkStore *store, const VkPoint *point, const VkManifestFile *file, const char *to_path, GCancellable *cancellable, GError **error);

  /* See vk_store_copy() and vk_store_mount(); NULL where that is not for the store to
   * do. */
  gboolean (*copy) (VkStore *store, const GPtrArray *points, const char *url, const VkStoreSettings *settings, GCancellable *cancellable, GError **error);
  gboolean (*mount) (VkStore *store, const char *directory, GCancellable *cancellable, GError **error);

  void (*free) (VkStore *store);
} VkStoreOps;

struct VkStore
{
  const VkStoreOps *ops;
  char *url; /* as the user may give it again */
  char *id;  /* 8 hexadecimal digits, made when the store is */
};

/* Opens the store that url names: "/path", "image:/path", "restic:URL".  With
 * create, an image store that does not exist is made, unless it is known to be on a file
 * system that is not mounted; a restic store never is.
 * settings may be NULL.
 * Returns: (transfer full), or NULL with VK_ERROR_USAGE for a URL that is none,
 * VK_ERROR_NOT_FOUND when there is no store, VK_ERROR_REFUSED for a wrong
 * password, VK_ERROR_STORE. */
VkStore *vk_store_open (const char *url, const VkStoreSettings *settings, gboolean create, GError **error);

/* Makes a store at url and opens it, as above; VK_ERROR_REFUSED when there is one. */
VkStore *vk_store_create (const char *url, const VkStoreSettings *settings, GError **error);

/* url for others to see: without a user and a password that may be in it, and the whole path of
 * an image store.  Returns: (transfer full). */
char *vk_store_shown_url (const char *url);

/* Whether QEMU cannot write into the store that url names, see VkStoreOps. */
gboolean vk_store_is_pull_only (const char *url);

void vk_store_free (VkStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkStore, vk_store_free)

/* Returns: (transfer full) of VkPoint; domain may be NULL for all. */
GPtrArray *vk_store_list (VkStore *store, const char *domain, GError **error);

/* The lock of a domain in this store.  Returns: (transfer full), or NULL with VK_ERROR_BUSY. */
VkDomainLock *vk_store_lock_domain (VkStore *store, const char *domain_name, const char *domain_uuid, GError **error);

/* Whether somebody has that lock, and who in *holder: see vk_domain_lock_is_held(). */
gboolean vk_store_is_busy (VkStore *store, const char *domain_name, const char *domain_uuid, char **holder);

/* The directory that all images of a domain lie in.  Returns: (transfer full), or NULL where
 * there is none, or it cannot be found. */
char *vk_store_domain_directory (VkStore *store, const char *domain_name, const char *domain_uuid);

/* What killed processes have left: unfinished points, removals that were interrupted,
 * locks.  What a process that lives works on is not among it.  domain_uuid: only of this domain, as
 * far as it is of any; or NULL.
 * Returns: (transfer full) of VkStoreLeftover. */
GPtrArray *vk_store_find_leftovers (VkStore *store, const char *domain_uuid, GError **error);

/* Removes or finishes it.  VK_ERROR_BUSY when somebody has begun to work there. */
gboolean vk_store_clear_leftover (VkStore *store, const VkStoreLeftover *leftover, GError **error);

/* Where in the name of a point its time or "latest" begins, behind the last @;
 * NULL when nothing like that ends it, so that all of it is a domain. */
const char *vk_point_name_time (const char *name);

/* The point that name ("DOMAIN", "DOMAIN@latest", "DOMAIN@TIME", DOMAIN a
 * domain's name or UUID) means.  Returns: (transfer full), or NULL with
 * VK_ERROR_NOT_FOUND, VK_ERROR_USAGE when domains share the name, or
 * VK_ERROR_STORE when the point is damaged. */
VkPoint *vk_store_find_point (VkStore *store, const char *name, GError **error);

/* VK_ERROR_USAGE when points are of several domains, which share the name that
 * the user gave. */
gboolean vk_store_refuse_ambiguous (const GPtrArray *points, const char *domain, GError **error);

/* Opens a door to one disk of a point: see view/nbd-server.h for socket_dir.  The
 * store must outlive it. */
VkNbdServer *vk_store_open_disk (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, const char *socket_dir, GError **error);

/* Opens a door that outlives us, see view/lasting-door.h.  While it is open, what the
 * disk is made of cannot be removed: that is VK_ERROR_BUSY then. */
VkLastingDoor *vk_store_open_lasting (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, const VkDoorPlace *place, GError **error);

/* The disk as programs of QEMU's can open it without a door, for as long as no point of its
 * domain is removed; when it cannot be opened any more, it may have another description.
 * Returns: (transfer full) "json:...", or NULL, without *error where there is only the door. */
char *vk_store_describe_disk (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, GError **error);

/* Reads what the disk is made of, its image and those it builds on or its chunks,
 * and compares the digests.  VK_ERROR_STORE names the first damaged one. */
gboolean vk_store_check_disk (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error);

/* Whether a new point can build on the disk of this one, as far as that is found out
 * without reading it. */
gboolean vk_store_check_base (VkStore *store, const VkPoint *point, const VkManifestDisk *disk, GCancellable *cancellable, GError **error);

/* vk_store_check_disk() for every disk of the point. */
gboolean vk_store_check_point (VkStore *store, const VkPoint *point, GCancellable *cancellable, GError **error);

/* Compares everything that belongs to points (of VkPoint) with the manifests:
 * presence, sizes, digests, the structure of the images, and what they build
 * on.  With socket_dir (see view/nbd-server.h) every disk is also read to its
 * end through the door that a restore takes.  What is wrong is added to damages
 * (of VkDamage).  FALSE, with *error, only when it could not be found out. */
gboolean vk_store_verify (VkStore *store, const GPtrArray *points, const char *socket_dir, GPtrArray *damages, GCancellable *cancellable, GError **error);

/* Removes points (of VkPoint), a domain at a time, and with them what an earlier
 * removal there has left undone.  Points that build on them are made
 * independent of them; each of those opens and reads the same at every moment,
 * whatever happens.
 * Before anything of a domain is touched: VK_ERROR_BUSY, VK_ERROR_REFUSED when a point is
 * protected or a damaged one builds on it, VK_ERROR_STORE when space is lacking
 * or an image is damaged.  Afterwards a failure leaves points of which list
 * shows none, and which the next call of this or vk_store_finish() removes. */
gboolean vk_store_remove (VkStore *store, const GPtrArray *points, VkRemoval *removal, GCancellable *cancellable, GError **error);

/* Finishes or takes back what was begun when a removal in that domain (NULL:
 * any) was interrupted.  A failure in one domain does not keep it from the
 * others. */
gboolean vk_store_finish (VkStore *store, const char *domain, VkRemoval *removal, GCancellable *cancellable, GError **error);

/* The longest note, in bytes. */
enum { VK_NOTE_LIMIT = 1000 };

/* Protects the point from removal or not, and gives it a note (NULL: none), one
 * line of UTF-8.  VK_ERROR_USAGE for another note. */
gboolean vk_store_annotate (VkStore *store, const VkPoint *point, gboolean is_protected, const char *note, GError **error);

/* Keeps the verdict, in the place of an earlier one, and screenshot (PNG; NULL: none)
 * beside it, while others may be at work in the store.  VK_ERROR_NOT_FOUND when the point has
 * been removed meanwhile. */
gboolean vk_store_record_verdict (VkStore *store, const VkPoint *point, const VkVerdict *verdict, GBytes *screenshot, GError **error);

/* Copies points (of VkPoint), all of them for NULL, into the store at url, opened
 * with settings.  VK_ERROR_REFUSED where a store is copied by other means. */
gboolean vk_store_copy (VkStore *store, const GPtrArray *points, const char *url, const VkStoreSettings *settings, GCancellable *cancellable, GError **error);

/* Shows the points as files below directory until cancelled.  VK_ERROR_REFUSED as
 * above. */
gboolean vk_store_mount (VkStore *store, const char *directory, GCancellable *cancellable, GError **error);

/* Whether text can be a note. */
gboolean vk_note_check (const char *text, GError **error);

/* A small text file of the point, of at most limit bytes, NUL-terminated and checked
 * against the manifest.  Returns: (transfer full). */
char *vk_store_load_file (VkStore *store, const VkPoint *point, const VkManifestFile *file, gsize limit, GError **error);

/* Copies a file of the point to to_path, which must not exist (mode 0600), syncs
 * the copy and checks it against the manifest.  Nothing is left on failure. */
gboolean vk_store_copy_file (VkStore *store, const VkPoint *point, const VkManifestFile *file, const char *to_path, GCancellable *cancellable, GError **error);

/* --- writing a point ------------------------------------------------------ */

typedef struct
{
  gboolean (*open) (VkPointWriter *writer, gboolean qemu_writes, GError **error);
  char *(*push_target) (VkPointWriter *writer, const char *disk, guint64 size, const VkPoint *base, const char *secret, GError **error);
  VkSink *(*open_sink) (VkPointWriter *writer, const char *disk, guint64 size, const VkPoint *base, const char *secret, const char *socket_dir, GError **error);
  gboolean (*rebase_disk) (VkPointWriter *writer, const char *disk, const VkPoint *base, char **onto, GCancellable *cancellable, GError **error);
  gboolean (*close_sinks) (VkPointWriter *writer, GError **error);
  gboolean (*seal_disk) (VkPointWriter *writer, VkManifestDisk *disk, GCancellable *cancellable, GError **error);
  gboolean (*add_file) (VkPointWriter *writer, const char *name, const char *content, VkManifestFile *file, GError **error);
  gboolean (*copy_file) (VkPointWriter *writer, const char *name, const char *from_path, VkManifestFile *file, GError **error);
  gboolean (*commit) (VkPointWriter *writer, const VkManifest *manifest, GError **error);
  /* See vk_point_writer_make_full(); NULL where points never build on each other. */
  gboolean (*make_full) (VkPointWriter *writer, const char *reason, VkManifest *manifest, GCancellable *cancellable, GError **error);
  void (*free) (VkPointWriter *writer);
} VkPointWriterOps;

struct VkPointWriter
{
  const VkPointWriterOps *ops;
  char *id;        /* the point's time, unique for the domain in this store */
  char *directory; /* where QEMU's own files of this domain lie in the store, NULL where QEMU writes none */
};

/* Locks the domain in this store and chooses the id of a new point; nothing
 * is written yet.  VK_ERROR_BUSY when another virt-keep holds the domain's
 * lock.  Freeing the writer before commit leaves nothing behind.  Everything that
 * the writer does ends early when cancellable is cancelled.
 * Returns: (transfer full). */
VkPointWriter *vk_store_begin_point (VkStore *store, const char *domain_name, const char *domain_uuid, GCancellable *cancellable, GError **error);

/* The id of a new point: now, but always later than newest (NULL: there is none),
 * so that the order of points survives a clock that was set back.
 * Returns: (transfer full), or NULL with VK_ERROR_STORE when newest is no time. */
char *vk_point_new_id (const char *newest, GError **error);

/* Removes what killed backups of this domain left and makes the new point's
 * place, invisible to list.  qemu_writes: QEMU's user has to reach it. */
gboolean vk_point_writer_open (VkPointWriter *writer, gboolean qemu_writes, GError **error);

/* Push: an empty image of size bytes for QEMU to write to; with base, one
 * that shows that point's image where it is not written.  secret: with which it is encrypted,
 * see view/disk-key.h, or NULL.
 * Returns: (transfer full) its absolute path. */
char *vk_point_writer_push_target (VkPointWriter *writer, const char *disk, guint64 size, const VkPoint *base, const char *secret, GError **error);

/* Pull: where a transfer of size bytes goes; base and secret as above; where the store encrypts
 * everything, there is no use for the latter.
 * Returns: (transfer full). */
VkSink *vk_point_writer_open_sink (VkPointWriter *writer, const char *disk, guint64 size, const VkPoint *base, const char *secret, const char *socket_dir, GError **error);

/* Makes, where points are not whole, an image that was written on top of base count from the full image
 * under base instead: a differential.  *onto gets (transfer full) the id of
 * that image's point. */
gboolean vk_point_writer_rebase_disk (VkPointWriter *writer, const char *disk, const VkPoint *base, char **onto, GCancellable *cancellable, GError **error);

/* All sinks are finished and freed: closes what was behind them. */
gboolean vk_point_writer_close_sinks (VkPointWriter *writer, GError **error);

/* The disk's image is complete and closed: makes it durable and fills in
 * image, size and sha256 of disk.  May be called on several threads at once,
 * each for another disk. */
gboolean vk_point_writer_seal_disk (VkPointWriter *writer, VkManifestDisk *disk, GCancellable *cancellable, GError **error);

/* Adds a small text, or a copy of a local file, as name; fills in name, size
 * and sha256 of file. */
gboolean vk_point_writer_add_file (VkPointWriter *writer, const char *name, const char *content, VkManifestFile *file, GError **error);
gboolean vk_point_writer_copy_file (VkPointWriter *writer, const char *name, const char *from_path, VkManifestFile *file, GError **error);

/* Writes the manifest and makes the point visible, durable and complete in
 * one step. */
gboolean vk_point_writer_commit (VkPointWriter *writer, const VkManifest *manifest, GError **error);

/* After commit: makes the point, an incremental one until now, a full one without
 * the guest, of what it builds on, which stays.  reason goes into its manifest;
 * manifest, which was committed, is made the same.  On failure, such as
 * VK_ERROR_STORE when space is lacking, which is found out first, and at every moment before,
 * the point is what it was. */
gboolean vk_point_writer_make_full (VkPointWriter *writer, const char *reason, VkManifest *manifest, GCancellable *cancellable, GError **error);

void vk_point_writer_free (VkPointWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkPointWriter, vk_point_writer_free)
