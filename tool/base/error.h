/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two error domains of virt-keep and the exit codes they lead to. */
#pragma once

#include <glib.h>
#include <libvirt/virterror.h>

/* virt-keep's own failures.  Each class has one exit code, see
 * vk_error_exit_code(); both are part of the documented interface. */
#define VK_ERROR (vk_error_quark ())
GQuark vk_error_quark (void);

typedef enum
{
  VK_ERROR_FAILED,      /* anything without a class of its own */
  VK_ERROR_USAGE,       /* the command line is wrong */
  VK_ERROR_NOT_FOUND,   /* no such domain, disk, restore point or store */
  VK_ERROR_BUSY,        /* another virt-keep is at work on the domain */
  VK_ERROR_REFUSED,     /* refused before anything was started or written */
  VK_ERROR_GUEST,       /* the guest went away or was paused during the job */
  VK_ERROR_ABORTED,     /* somebody else aborted the job */
  VK_ERROR_CONNECTION,  /* libvirt cannot be reached, or went away */
  VK_ERROR_STORE,       /* the store or target cannot be written or read */
  VK_ERROR_NOT_CLOSED,  /* QEMU could not be shown to have let go */
  VK_ERROR_UNCHANGED,   /* nothing was done: less has changed than --threshold says */
  VK_ERROR_DAMAGED,     /* verify found damage */
  VK_ERROR_NOT_PROVEN,  /* prove has seen a machine that does not come up */
  VK_ERROR_FROZEN,      /* the file systems of the guest may still be frozen */
  VK_ERROR_HOOK,        /* a program of --hook-dir failed */
  VK_ERROR_INTERRUPTED, /* SIGINT: stopped by the user */
  VK_ERROR_TERMINATED,  /* SIGTERM: stopped by the system */
  VK_ERROR_HUNG_UP,     /* SIGHUP: the terminal is gone */
  VK_ERROR_SCRATCH,     /* there is no room for scratch files */
  VK_ERROR_SOME_FAILED, /* of several domains some were backed up, and some not */
  VK_ERROR_ALL_FAILED,  /* of several domains none was backed up */
} VkError;

/* Sets *error (which may be NULL) to a sentence in the language of the user: format is
 * looked up in the catalogue of messages.  Returns: FALSE. */
gboolean vk_fail (GError **error, VkError code, const char *format, ...) G_GNUC_PRINTF (3, 4);
#ifdef __clang_analyzer__
/* It sees one file at a time, and would go on with what is missing after "return vk_fail (...)". */
#define vk_fail(...) (vk_fail (__VA_ARGS__), FALSE)
#endif

/* A failure that libvirt reported; the code is libvirt's virErrorNumber. */
#define VK_LIBVIRT_ERROR (vk_libvirt_error_quark ())
GQuark vk_libvirt_error_quark (void);

/* Sets *error (which may be NULL) from libvirt's last error on this thread:
 * "CONTEXT: libvirt's words", followed by ": HINT" when hint is not NULL; both are looked
 * up as in vk_fail().  A call in which the connection broke is VK_ERROR_CONNECTION.
 * Call it directly after the libvirt call that failed: any other one, even
 * virDomainGetName() among the arguments, makes libvirt forget its error. */
void vk_set_libvirt_error (GError **error, const char *hint, const char *context_format, ...) G_GNUC_PRINTF (3, 4);

/* The process exit code for error; 0 for NULL. */
int vk_error_exit_code (const GError *error);

/* A stable lower-case word for the class of error, as in JSON results:
 * "failed", "usage", "not-found", ... */
const char *vk_error_class_name (const GError *error);
