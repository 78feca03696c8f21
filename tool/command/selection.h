/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which domains a command is for that takes several. */
#pragma once

#include "host/policy.h"

typedef struct
{
  gboolean all;                    /* every domain of the connection */
  const char *const *words;        /* else names, UUIDs, ids, and patterns with * ? [] for names; NULL-terminated */
  const char *const *excluded;     /* such patterns, for what all and patterns choose; or NULL */
  const char *const *selectors;    /* "KEY=VALUE" of policies, all of which what all and patterns choose must have; or NULL */
} VkSelectionRequest;

typedef struct
{
  char *name;
  char *uuid;
  VkPolicy *policy; /* NULL when it cannot be read */
  GError *failure;  /* why it cannot */
} VkSelected;

typedef struct
{
  char *name;
  char *uuid;
  const char *reason;   /* a stable word: "excluded", "booted" or "no-disk" */
  char *message;        /* the same for people */
} VkLeftOutDomain;

typedef struct
{
  GPtrArray *domains;   /* of VkSelected, each domain once: first those that were named, in that order, then those
                           of each pattern by name */
  GPtrArray *left_out;  /* of VkLeftOutDomain */
} VkSelection;

void vk_selection_free (VkSelection *selection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VkSelection, vk_selection_free)

/* Whether word can be a pattern: it has one of the characters of patterns. */
gboolean vk_selection_is_pattern (const char *word);

/* A word that is the name of a domain stands for it, even if it looks like a pattern.
 * VK_ERROR_NOT_FOUND for a word that stands for no domain, and when the selectors leave none;
 * VK_ERROR_USAGE for a domain that is named twice.  Returns: (transfer full). */
VkSelection *vk_selection_new (VkHost *host, const VkSelectionRequest *request, GError **error);
