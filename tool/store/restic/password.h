/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the password of a repository comes from.  It is in no log, no message
 * and no process list. */
#pragma once

#include <gio/gio.h>

typedef struct
{
  const char *password; /* known already, or NULL */
  const char *file;  /* of --password-file, or NULL; "-" is standard input */
  gboolean no_prompt; /* nobody is asked */
  gboolean confirm;  /* for a new repository: a prompt asks twice */
  const char *place; /* what the prompt calls the repository */
} VkPasswordSource;

/* From, in this order: source->password, source->file, RESTIC_PASSWORD_FILE,
 * RESTIC_PASSWORD_COMMAND (its standard output; split into words as a shell
 * does and run without one), RESTIC_PASSWORD, a prompt on the terminal.  One
 * line feed at the end (CR LF too) is not part of it, as with restic; an empty
 * one is refused.
 * Returns: (transfer full), free with vk_restic_password_free(); NULL with
 * VK_ERROR_USAGE when there is nothing of all that and nobody to ask. */
char *vk_restic_password_get (const VkPasswordSource *source, GCancellable *cancellable, GError **error);

/* Whether it comes from standard input or from who types it, so that nobody else can have it
 * after us. */
gboolean vk_restic_password_is_read_once (const VkPasswordSource *source);

/* Overwrites and frees it; NULL is accepted. */
void vk_restic_password_free (char *password);
