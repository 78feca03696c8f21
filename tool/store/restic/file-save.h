/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small files of a point into a repository. */
#pragma once

#include "store/restic/content.h"
#include "store/restic/saver.h"

typedef struct
{
  VkContent *content;
  guint64 size; /* bytes: the sum of the lengths of its blobs */
  char *sha256;
} VkSavedFile;

void vk_saved_file_clear (VkSavedFile *file);

/* Saves length bytes as a file.  *file is to be cleared after a success. */
gboolean vk_file_save_data (VkResticSaver *saver, const void *data, gsize length, VkSavedFile *file, GError **error);

/* The same with what the local regular file path holds, a piece at a time. */
gboolean vk_file_save_copy (VkResticSaver *saver, const char *path, VkSavedFile *file, GError **error);
