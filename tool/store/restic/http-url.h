/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The URL of a server, taken apart: what is secret in it never gets into a
 * message. */
#pragma once

#include <glib.h>

typedef struct
{
  char *base;        /* "https://host:port/path/", always with "/" at the end, without user and query */
  char *host;        /* as in a Host header, "host" or "host:port" */
  char *path;        /* "/path/", percent-encoding as in the URL */
  char *user;        /* decoded, or NULL */
  char *password;    /* decoded, or NULL */
  char *unix_socket; /* path, or NULL for TCP */
  char *shown;       /* for messages: the URL without user and password */
  gboolean tls;
} VkHttpUrl;

/* url begins with http:// or https://, or is http+unix:///SOCKET:/PATH (https+unix), as
 * restic has it.  Messages show it without its password.
 * Returns: (transfer full), or NULL with VK_ERROR_USAGE. */
VkHttpUrl *vk_http_url_parse (const char *url, GError **error);

void vk_http_url_free (VkHttpUrl *url);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkHttpUrl, vk_http_url_free)
