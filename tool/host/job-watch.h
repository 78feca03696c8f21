/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libvirt tells about a domain while a job runs: its job-completed,
 * block-job, I/O error and lifecycle events, as one stream. */
#pragma once

#include <json-glib/json-glib.h>

#include "host/host.h"

typedef enum
{
  VK_EVENT_JOB_COMPLETED,
  VK_EVENT_BLOCK_JOB,
  VK_EVENT_IO_ERROR,
  VK_EVENT_LIFECYCLE,
} VkEventKind;

/* The event's name in virt-keep-json(5), e.g. "job-completed". */
const char *vk_event_name (VkEventKind kind);

typedef struct
{
  VkEventKind kind;
  const char *word;    /* block job: its end, "completed"; lifecycle: "stopped"; I/O error: its reason, e.g. "enospc" */
  const char *detail;  /* lifecycle: "destroyed", ...; I/O error: what is done, "pause"; NULL */
  const char *disk;    /* block job: target; I/O error: alias of the device; NULL */
  gboolean success;    /* job completed: it did what it was asked for */
  const char *message; /* job completed: libvirt's error text, or NULL */
  gboolean stopped;    /* lifecycle: the guest runs no more */
  gboolean paused_by_io_error; /* lifecycle: suspended for an I/O error */
} VkEvent;

/* Called from the main context.  event and its strings last for the call. */
typedef void (*VkEventFunc) (const VkEvent *event, gpointer user_data);

typedef struct VkJobWatch VkJobWatch;

/* Watches domain until freed.  Returns: (transfer full), or NULL with
 * VK_LIBVIRT_ERROR set. */
VkJobWatch *vk_job_watch_new (VkHost *host, virDomainPtr domain, VkEventFunc func, gpointer user_data, GError **error);
void vk_job_watch_free (VkJobWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkJobWatch, vk_job_watch_free)

/* The event's JSON members, as in virt-keep-json(5).  Returns: (transfer full). */
JsonObject *vk_event_to_json (const VkEvent *event);

/* The event as a line for people, or NULL for one that says nothing to them.
 * Returns: (transfer full). */
char *vk_event_to_text (const VkEvent *event);
