/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration files.  What the sections and keys mean is their readers' business:
 * here they are only found. */
#pragma once

#include <glib.h>

typedef struct
{
  const char *file; /* the path it stands in */
  const char *group; /* its heading as it stands there */
  char *kind;       /* the first word of the heading: "store" */
  char *name;       /* the rest of it, may be a pattern: "web-*"; NULL: there is none */
} VkConfigSection;

typedef struct VkConfig VkConfig;

/* Reads the file, or, where that is NULL, what $VIRT_KEEP_CONFIG names, or else the
 * user's and the system's, of which the user's comes first.  One of the latter two that
 * does not exist is as good as empty; an empty $VIRT_KEEP_CONFIG stands for no file.
 * Returns: (transfer full), or NULL with VK_ERROR_USAGE set that names file and line. */
VkConfig *vk_config_load (const char *file, GError **error);
void vk_config_free (VkConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkConfig, vk_config_free)

/* Paths of the files that were read.  Returns: (transfer none) of char *. */
const GPtrArray *vk_config_files (const VkConfig *config);

/* All sections, those that come first when two say the same first.
 * Returns: (transfer none) of VkConfigSection. */
const GPtrArray *vk_config_sections (const VkConfig *config);

/* The keys of a section.  Returns: (transfer full). */
char **vk_config_keys (const VkConfig *config, const VkConfigSection *section);

/* The first section of this kind that has the key and is about name: one with just that
 * name comes before one with a pattern (* and ?) that matches.  name NULL: one without a
 * name.  Returns: (transfer none), or NULL. */
const VkConfigSection *vk_config_find (const VkConfig *config, const char *kind, const char *name, const char *key);

/* Whether there is a section of this kind with just this name. */
gboolean vk_config_has (const VkConfig *config, const char *kind, const char *name);

/* The values of a key that the section has, without the space around them.  Each sets
 * VK_ERROR_USAGE, naming the place, when the value is no such thing.
 * Returns: (transfer full). */
char *vk_config_string (const VkConfig *config, const VkConfigSection *section, const char *key, GError **error);
char **vk_config_list (const VkConfig *config, const VkConfigSection *section, const char *key, GError **error);
gboolean vk_config_boolean (const VkConfig *config, const VkConfigSection *section, const char *key, gboolean *value, GError **error);
gboolean vk_config_integer (const VkConfig *config, const VkConfigSection *section, const char *key, int *value, GError **error);
