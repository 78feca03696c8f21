/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domainbackup and domaincheckpoint documents, made by filling templates.
 *
 * A template is a libvirt document with holes, written ${name}, in attribute
 * values and in text.  Filling sets them through libxml2, so no value needs
 * escaping by anybody.  An attribute whose hole has no value is dropped, and
 * so is an element whose text is such a hole.  The element whose name
 * attribute is ${disk} is repeated for each disk taken, the one whose name
 * attribute is ${left-out-disk} for each disk left out; there has to be exactly
 * one of each, so that no disk is lost.  Comments, where the built-in templates
 * name their holes, are dropped.
 *
 * The built-in templates are a GResource under /virt-keep/xml-templates/; a
 * file of the same name in a directory given with --templates replaces one.  A
 * replacement is validated, filled, against libvirt's RNG schema. */
#pragma once

#include <glib.h>

typedef struct
{
  const char *disk;        /* target */
  gboolean left_out;       /* not part of the backup; the fields below are then unused */
  const char *target_file; /* push: the image QEMU writes */
  const char *target_format; /* push: "qcow2" */
  const char *scratch_file;  /* pull: where QEMU keeps what the guest overwrites */
  const char *export_name;   /* pull: NBD export name */
  const char *secret_uuid; /* of the secret with which the scratch file (pull) or the image (push) is encrypted, or NULL */
  const char *secret_usage; /* the same by what the secret is for, or NULL */
  const char *incremental; /* checkpoint that this disk's changes are counted from, NULL: full */
} VkBackupXmlDisk;

/* An NBD server on TCP in the place of the unix socket. */
typedef struct
{
  const char *address; /* a number */
  guint port;
  gboolean tls;
} VkBackupXmlServer;

typedef struct
{
  gboolean pull;
  const char *socket;      /* pull: path of the NBD unix socket */
  const VkBackupXmlServer *server; /* pull: or NULL */
  const VkBackupXmlDisk *disks;
  gsize n_disks;
} VkBackupXml;

typedef struct
{
  const char *disk;
  gboolean bitmap;         /* FALSE: checkpoint='no' */
} VkCheckpointXmlDisk;

typedef struct
{
  const char *name;        /* virt-keep-<store id>-<UTC time> */
  const char *description; /* what a person sees in virsh checkpoint-dumpxml */
  const VkCheckpointXmlDisk *disks;
  gsize n_disks;
} VkCheckpointXml;

/* The documents for virDomainBackupBegin().  templates_dir may be NULL.
 * Returns: (transfer full), or NULL with VK_ERROR_REFUSED set to a sentence
 * with file and line of what is wrong in a replaced template. */
char *vk_backup_xml_build (const VkBackupXml *backup, const char *templates_dir, GError **error);
char *vk_checkpoint_xml_build (const VkCheckpointXml *checkpoint, const char *templates_dir, GError **error);
