/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the steps of a backup share. */
#pragma once

#include "backup/backup.h"
#include "backup/guard.h"
#include "host/backup-job.h"
#include "host/domain-xml.h"
#include "host/freeze.h"
#include "remote/ssh.h"
#include "transfer/transfer.h"

typedef struct
{
  const VkDisk *disk;
  guint64 size;           /* virtual size in bytes */
  gboolean bitmap;        /* the new checkpoint covers it */
  const VkManifestDisk *base; /* its image in the base point: it is incremental; NULL: full */
  guint64 dirty;          /* bytes that changed since base */
  char *secret;           /* UUID of the libvirt secret with which its image is encrypted, or NULL */
  char *reason;           /* why it is full although there is a base point, or NULL */
  char *base_id;          /* the point that its image builds on in the end */
  char *image;            /* push: the file QEMU writes */
  char *scratch;          /* pull: the file QEMU keeps overwritten data in */
  VkSink *sink;           /* pull */
  VkTransferProgress *progress; /* pull */
  char *bitmap_context;   /* pull: what marks changed blocks, or NULL */
  VkNbdServer *source;    /* shut off: what serves the disk */
  guint64 max_rate;       /* its own limit in bytes per second; 0: none */
  guint64 rate;           /* the one that holds now, for the progress; 0: none */
  VkRateLimit *limit;     /* pull, shut off: of its transfer, or NULL */
  guint64 moved;          /* bytes */
} VkBackupDisk;

typedef enum
{
  VK_STATE_RUNNING,        /* or paused: QEMU is there */
  VK_STATE_SHUT_OFF,       /* the disks are read without libvirt */
  VK_STATE_STARTED_PAUSED, /* by us, for this backup */
} VkDomainState;

typedef struct
{
  VkHost *host;
  VkStore *store;
  const VkBackupRequest *request;
  VkReporter *reporter;
  VkManifest *manifest;
  GCancellable *cancellable;

  virDomainPtr domain;
  VkDomainState state;
  VkDomainXml *xml;
  char *live_xml;
  GPtrArray *points;      /* of VkPoint: the domain's in the store, listed under its lock */
  const VkPoint *base;    /* one of them, from which an incremental counts, or NULL */
  char *long_chain;       /* why the point is to be made a full one in the store, or NULL */
  GPtrArray *disks;       /* of VkBackupDisk: the ones the job is about */
  VkRateLimit *limit;     /* pull, shut off: of all transfers together, or NULL */
  VkPointWriter *writer;
  VkBackupJob *job;
  VkFreeze *freeze;       /* while the guest is frozen */
  gboolean hooked;        /* pre-freeze has run, and thawed has not */
  gboolean still_frozen;  /* it could not be thawed */
  gboolean stored;        /* the point is committed */
  char *checkpoint;       /* name, once libvirt may have made it; the base's when unchanged */
  gboolean unchanged;     /* nothing has changed since base, and there is no job */
  gboolean may_be_open;   /* libvirt has been asked for the job, and QEMU not yet whether it has let go */
  char *run_dir;          /* private: our sockets */
  char *qemu_dir;         /* private, on the host of QEMU: its socket.  The same where that is this host */
  char *scratch_dir;      /* private, on the host of QEMU: scratch files */
  char *scratch_stem;     /* pull: with what the paths of scratch files begin */
  char *data_address;     /* TLS, TCP: where we connect */
  char *data_number;      /* the same as a number, where QEMU listens */
  guint data_port;
  guint ports_tried;
  VkSsh *ssh;             /* to the host of QEMU, or NULL */
  gint64 room_seen;       /* when it was last looked at from another host, monotonic microseconds */
  guint64 scratch_reserve; /* bytes that are to stay free beside them; 0: it is not looked */
  gboolean guest_ran;     /* before the job */
  VkGuard *guard;         /* over the job, or NULL */
} VkBackup;

/* Runs a step that may take long and does not run the main context. */
typedef gboolean (*VkBackupStep) (VkBackup *backup, GError **error);
gboolean vk_backup_run_step (VkBackup *backup, VkBackupStep step, GError **error);

/* Notes a warning for the result, and shows it. */
void vk_backup_warn (VkBackup *backup, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Step 1: everything before the store is touched.  may_start: --start-paused
 * counts. */
gboolean vk_backup_inspect (VkBackup *backup, gboolean may_start, GError **error);

/* Stops a domain that the backup has started paused, unless somebody has let the
 * guest run. */
void vk_backup_stop_paused (VkBackup *backup);

/* Gives the disks the limits that the request has for them.  VK_ERROR_NOT_FOUND for one
 * of a disk that is not taken. */
gboolean vk_backup_take_rates (VkBackup *backup, GError **error);

/* Makes the limits of the transfers. */
void vk_backup_make_limits (VkBackup *backup);

/* Push: has QEMU keep to the limits, which are divided anew among the disks that
 * still run.  For the begin of the job, and for every now and then. */
gboolean vk_backup_set_speeds (VkBackup *backup, GError **error);

/* Lists the points. */
gboolean vk_backup_list_points (VkBackup *backup, GError **error);

/* Says in the manifest whether the guest can be frozen, and why not.  FALSE with
 * VK_ERROR_REFUSED when it has to be. */
gboolean vk_backup_check_quiesce (VkBackup *backup, GError **error);

/* Thaws what an earlier backup of the domain, which was killed, has left frozen. */
void vk_backup_thaw_leftover (VkBackup *backup);

/* Freezes the guest as was asked for.  TRUE also when it is not, and need not be. */
gboolean vk_backup_freeze (VkBackup *backup, GError **error);

/* Thaws it, whatever happened in between, and says in the manifest how that was.
 * FALSE when it has to have been frozen all the time, and was not.  A guest that stays
 * frozen is still_frozen. */
gboolean vk_backup_thaw (VkBackup *backup, GError **error);

/* Tries once more to thaw a guest that is still_frozen; VK_ERROR_FROZEN. */
gboolean vk_backup_thaw_finally (VkBackup *backup, GError **error);

/* Runs step for each of them, until one fails. */
gboolean vk_backup_each (VkBackup **backups, guint n, VkBackupStep step, GError **error);

/* The instant: freezes the guests, begins the jobs, thaws the guests. */
gboolean vk_backup_take_instant (VkBackup **backups, guint n, VkBackupSpread *spread, GError **error);

/* The hooks of --hook-dir.  Whether they could be run (VK_ERROR_REFUSED); before the freeze; when
 * the guest is frozen; when it is thawed, if they were run before the freeze; and at the end, which
 * reason made a failure. */
gboolean vk_backup_check_hooks (VkBackup *backup, GError **error);
gboolean vk_backup_hook_before (VkBackup *backup, GError **error);
gboolean vk_backup_hook_frozen (VkBackup *backup, GError **error);
void vk_backup_hook_thawed (VkBackup *backup);
void vk_backup_hook_end (VkBackup *backup, const GError *reason);

/* Asks the guest what it is, for the manifest. */
void vk_backup_describe_guest (VkBackup *backup);

/* Whether it looks as if nothing had changed since the base point; and whether that is so at this
 * instant, which then is the point's: unchanged. */
gboolean vk_backup_may_be_unchanged (const VkBackup *backup);
gboolean vk_backup_is_unchanged (VkBackup *backup);

/* Begins the job with the documents that the templates give. */
gboolean vk_backup_begin_job (VkBackup *backup, GError **error);

/* Reads the disks of a domain that is shut off. */
gboolean vk_backup_direct (VkBackup *backup, GError **error);

/* Runs one transfer a disk into the store, from where uri_of() says, and
 * watches the job, if there is one, meanwhile. */
typedef char *(*VkDiskUriFunc) (const VkBackup *backup, const VkBackupDisk *disk);
gboolean vk_backup_transfer (VkBackup *backup, VkDiskUriFunc uri_of, GError **error);

/* Opens the store's end of the transfers, and closes it after they ended. */
gboolean vk_backup_open_sinks (VkBackup *backup, GError **error);
gboolean vk_backup_close_sinks (VkBackup *backup, GError **error);

/* What the begin of the job needs, in either mode. */
gboolean vk_backup_push_prepare (VkBackup *backup, GError **error);
gboolean vk_backup_pull_prepare (VkBackup *backup, GError **error);

/* Step 6 in either mode: from after the begin of the job to its end. */
gboolean vk_backup_push (VkBackup *backup, GError **error);
gboolean vk_backup_pull (VkBackup *backup, GError **error);

/* The base point of this disk's image: NULL for a full one. */
const VkPoint *vk_backup_disk_base (const VkBackup *backup, const VkBackupDisk *disk);

/* Makes run_dir, if there is none yet. */
gboolean vk_backup_make_run_dir (VkBackup *backup, GError **error);

/* Makes, and removes with everything in it, the private directories that QEMU
 * can use. */
gboolean vk_backup_make_run_dirs (VkBackup *backup, GError **error);
void vk_backup_remove_run_dirs (VkBackup *backup);

/* Whether one can log in to the host of the domain: it is another one, and libvirt goes through ssh. */
gboolean vk_backup_has_ssh (const VkBackup *backup);

/* Logs in there, if that has not been done yet. */
gboolean vk_backup_connect_host (VkBackup *backup, GError **error);

/* The same as vk_backup_make_run_dirs() on the other host, with QEMU's socket forwarded to
 * this one; and their end, and that of ssh.  Where one cannot log in, scratch files lie directly in the
 * place for them: libvirt makes and removes them. */
gboolean vk_backup_make_remote_dirs (VkBackup *backup, GError **error);
void vk_backup_remove_remote_dirs (VkBackup *backup);

/* Whether another port is to be tried after the job could not be begun. */
gboolean vk_backup_next_port (VkBackup *backup, const GError *failure);

/* Says in *error, that the disks could not be read, what ssh has to do with it. */
void vk_backup_blame_ssh (VkBackup *backup, GError **error);

/* What their names begin with.  Returns: (transfer full). */
char *vk_run_dir_prefix (const char *store_id, const char *domain_uuid);

/* Pull: whether there is room for scratch files, before the job and during it.
 * VK_ERROR_SCRATCH when not. */
gboolean vk_backup_check_scratch (VkBackup *backup, GError **error);
gboolean vk_backup_watch_scratch (VkBackup *backup, GError **error);

/* Ends the job of a pull backup that has failed with *error, and resumes the guest if the
 * scratch files have stopped it.  *error becomes the true cause where that is the lack of
 * room. */
void vk_backup_end_failed_pull (VkBackup *backup, GError **error);

/* Has the job that is about to begin watched over; a warning when that cannot be.
 * And has it no longer watched. */
void vk_backup_start_guard (VkBackup *backup);
void vk_backup_dismiss_guard (VkBackup *backup);

/* Where QEMU listens in pull mode, and where we connect.  Returns: (transfer full). */
char *vk_backup_server_socket (const VkBackup *backup);
char *vk_backup_client_socket (const VkBackup *backup);

/* Adds domain and checkpoint XML, firmware variables, boot files and TPM state
 * to the point. */
gboolean vk_backup_add_guest_files (VkBackup *backup, GError **error);

/* Ends what a killed backup of this domain into this store left: its job, its
 * checkpoints, its private directories. */
gboolean vk_backup_clean_leftovers (VkBackup *backup, GError **error);

/* VK_ERROR_STORE or VK_ERROR_REFUSED when QEMU could not get at the directories in which it
 * is to write. */
gboolean vk_backup_check_reach (VkBackup *backup, GError **error);

/* Step 7: asks QEMU whether it has let go of the job's files.  FALSE with
 * VK_ERROR_NOT_CLOSED when it has not. */
gboolean vk_backup_prove_closed (VkBackup *backup, GError **error);

/* The same after a job that did not begin, or not end well, and is gone; what stays open is a
 * warning then.  Nothing where step 7 has been taken. */
void vk_backup_close_failed (VkBackup *backup);

/* Step 8, after the copy: images durable and hashed, the point committed. */
gboolean vk_backup_complete_point (VkBackup *backup, GError **error);

/* Steps 9 and 10, after the commit; what fails in them is a warning. */
void vk_backup_retire_checkpoints (VkBackup *backup);
void vk_backup_shorten_chain (VkBackup *backup);
