/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain's live XML says about backing it up.  Text in, facts out: no
 * connection is needed, so that every kind of domain can be tested. */
#pragma once

#include <glib.h>

#include "base/xml.h"

typedef enum
{
  VK_DISK_TAKEN,     /* takes part in the libvirt backup job */
  VK_DISK_COPIED,    /* a cdrom or floppy image named with --disk: its file is copied as it is */
  VK_DISK_LEFT_OUT,  /* not in the backup, reason says why */
} VkDiskPart;

/* Why a disk is left out; also the stable word in the JSON result. */
typedef enum
{
  VK_LEFT_OUT_NONE,
  VK_LEFT_OUT_EXCLUDED,      /* --exclude, or not among the --disk options */
  VK_LEFT_OUT_CDROM,
  VK_LEFT_OUT_FLOPPY,
  VK_LEFT_OUT_LUN,           /* device='lun': SCSI passthrough */
  VK_LEFT_OUT_EMPTY,         /* no medium */
  VK_LEFT_OUT_READONLY,
  VK_LEFT_OUT_SHAREABLE,     /* other domains may write it at the same instant */
  VK_LEFT_OUT_TRANSIENT,     /* <transient/>: thrown away at shutdown, libvirt refuses blockjobs */
  VK_LEFT_OUT_DIR,           /* type='dir': QEMU's virtual FAT */
  VK_LEFT_OUT_VHOSTUSER,     /* data path outside QEMU */
  VK_LEFT_OUT_VHOSTVDPA,
  VK_LEFT_OUT_UNKNOWN_TYPE,
} VkLeftOutReason;

typedef struct
{
  char *target;      /* "vda"; letters, digits, '_' and ':' only, so it is safe in a file name */
  char *device;      /* "disk", "cdrom", "floppy", "lun" */
  char *type;        /* "file", "block", "network", "volume", ... as in the XML */
  char *format;      /* driver type, "raw" when the XML has none */
  char *source;      /* printable: path, "rbd:pool/image@host:port", "volume:POOL/VOL"; NULL when empty */
  char *path;        /* path on its host for type file and block, otherwise NULL */
  char *alias;       /* "virtio-disk0", NULL in an inactive XML */
  char *node;        /* "libvirt-1-format", QEMU's block node of it; NULL in an inactive XML */
  gboolean readonly;
  gboolean shareable;
  gboolean transient;
  gboolean encrypted;        /* <encryption> in the source, or in that of an image below */
  char *secret_uuid;         /* of the secret that opens it, or NULL */
  char *secret_usage;        /* what the secret is for, in the place of that, or NULL */
  gboolean sliced;           /* it is a part of its image (<slices>) */
  gboolean layered;          /* the live XML shows an image below this one */
  VkDiskPart part;
  VkLeftOutReason reason;
} VkDisk;

typedef struct
{
  char *name;
  char *uuid;             /* NULL in a document that libvirt has not given one yet */
  int id;                 /* -1 when not running */
  gboolean elsewhere;     /* set by who knows: the paths below are those of another host */
  gboolean has_qemu_user; /* a DAC seclabel names the user QEMU runs as */
  guint qemu_uid;
  guint qemu_gid;
  GPtrArray *disks;       /* of VkDisk, in document order */
  char *loader;           /* firmware, NULL */
  char *nvram;            /* path of the NVRAM file or block device, NULL */
  char *kernel, *initrd, *dtb; /* direct boot files, NULL */
  gboolean has_tpm_emulator;   /* swtpm keeps state for it */
  char *tpm_version;      /* "1.2", "2.0", NULL */
} VkDomainXml;

void vk_domain_xml_free (VkDomainXml *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkDomainXml, vk_domain_xml_free)

/* Reads xml (live or inactive).  Returns NULL with VK_ERROR_FAILED set when it
 * is not a domain document, or not one that libvirt can have written. */
VkDomainXml *vk_domain_xml_parse (const char *xml, GError **error);

/* The disk with that target, or NULL.  (transfer none) */
const VkDisk *vk_domain_xml_find_disk (const VkDomainXml *domain, const char *target);

/* The path of a disk of domain that is a file or device of this host, else NULL.
 * (transfer none) */
const char *vk_domain_xml_local_path (const VkDomainXml *domain, const VkDisk *disk);

/* The <domain> element of doc, or NULL with VK_ERROR_FAILED set. */
xmlNode *vk_domain_xml_root (xmlDoc *doc, GError **error);

/* The target of a <disk> element.  Returns: (transfer full), or NULL with
 * VK_ERROR_FAILED set when it has none or one that no libvirt disk can have. */
char *vk_domain_xml_disk_target (xmlNode *disk, GError **error);

/* The user that a DAC label ("+64055:+64055", "libvirt-qemu:kvm") names. */
gboolean vk_domain_xml_parse_label (const char *label, guint *uid, guint *gid);
