/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files about a command for several domains share. */
#pragma once

#include "command/many-job.h"
#include "command/many.h"

/* A store that domains go to. */
typedef struct
{
  char *url;          /* NULL: none was named */
  char *password;     /* that a person or standard input has given, or NULL */
  GHashTable *newest; /* UUID of a domain to the GDateTime of its newest point there; NULL: nobody has looked */
  GError *failure;    /* why nothing can be stored there, or NULL */
} VkManyStore;

typedef struct VkMany VkMany;

/* One of the domains. */
typedef struct
{
  VkMany *many;
  const VkSelected *domain;
  VkInvocation own;       /* the command line for it alone */
  GError *failure;        /* why it cannot even begin, or NULL */
  const VkManyStore *store; /* NULL with failure */
  VkManyJob *job;         /* while it runs */
  JsonObject *result;     /* from then on: the document of its process */
} VkMember;

struct VkMany
{
  VkInvocation *invocation;
  const VkManyRequest *request;
  GCancellable *cancellable;
  GArray *members;        /* of VkMember */
  GPtrArray *stores;      /* of VkManyStore */
  char *input_password;   /* that was read from standard input, or NULL */
};

VkMember *vk_many_member (const VkMany *many, guint i);

void vk_many_store_free (VkManyStore *store);

/* Finds out where each domain goes, and makes that ready: the passwords are asked for, image
 * stores made, and, where the order wants it, the points listed.  What cannot be is the failure
 * of those that it is for; of the call when it is for all of them. */
gboolean vk_many_prepare (VkMany *many, GError **error);

/* Brings them into the order of the request. */
void vk_many_sort (VkMany *many);

/* Fills in result and text.  VK_ERROR_SOME_FAILED and so on: see vk_many_run(). */
gboolean vk_many_report (const VkMany *many, GError **error);
