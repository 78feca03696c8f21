/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a libvirt URI to the words that ssh is started with.  Text in, text out. */
#pragma once

#include <glib.h>

/* Whether libvirt itself goes through ssh for this URI: qemu+ssh, qemu+libssh, qemu+libssh2. */
gboolean vk_ssh_is_named (const char *uri);

/* What is to be put in front of what ssh is to do: the program and its options, from the
 * user, the host, the port and the parameters (https://libvirt.org/uri.html: command, keyfile,
 * no_verify, no_tty, known_hosts, known_hosts_verify) of uri.  attended: somebody may be
 * asked for a password.  *host: (transfer full) the host, to be put behind "--".
 * Returns: (transfer full), NULL-terminated, or NULL with VK_ERROR_REFUSED. */
char **vk_ssh_words (const char *uri, gboolean attended, char **host, GError **error);

/* The one word that the shell of whoever logs in there takes apart again: sh with script and
 * arguments (NULL-terminated), which are its $1, $2, ...  Returns: (transfer full). */
char *vk_ssh_remote_command (const char *script, const char *const *arguments);
