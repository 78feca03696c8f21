/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of libvirt's for which QEMU has to answer on its monitor.  libvirt waits for that without
 * limit: when QEMU hangs, or a storage that it waits for, so would we, deaf to every signal. */
#pragma once

#include <gio/gio.h>
#include <libvirt/libvirt.h>

/* Makes the call, in a thread of its own, which is the one that has libvirt's error, and keeps what
 * comes of it in data.  FALSE with *error set. */
typedef gboolean (*VkQuestionFunc) (virDomainPtr domain, gpointer data, GError **error);

/* Runs func.  Returns FALSE with its error; with VK_ERROR_GUEST when QEMU has not answered for as long as nothing may
 * move in a copy (vk_copy_patience()), or for a few seconds after the cancellable that is
 * current (g_cancellable_push_current()) was cancelled; and at once, while an earlier question is
 * unanswered.  func then goes on by itself.  data is the caller's again when TRUE is returned; otherwise
 * free_data (may be NULL) frees it, at the latest when func has come to its end. */
gboolean vk_question_ask (virDomainPtr domain, VkQuestionFunc func, gpointer data, GDestroyNotify free_data, GError **error);
