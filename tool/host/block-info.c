/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "host/block-info.h"

#include <glib/gi18n.h>

#include "base/error.h"
#include "host/question.h"

typedef struct
{
  char *target;
  virDomainBlockInfo info;
  virDomainBlockJobInfo job;
  gboolean has_job;
  guint64 speed;
} Order;

static Order *
order_new (const char *target)
{
  Order *order = g_new0 (Order, 1);

  order->target = g_strdup (target);
  return order;
}

static void
order_free (gpointer data)
{
  Order *order = data;

  g_free (order->target);
  g_free (order);
}

static gboolean
ask_info (virDomainPtr domain, gpointer data, GError **error)
{
  const char *name = virDomainGetName (domain);
  Order *order = data;

  if (virDomainGetBlockInfo (domain, order->target, &order->info, 0) == 0)
    return TRUE;
  vk_set_libvirt_error (error, NULL, "cannot ask for the size of the disk '%s' of '%s'", order->target, name);
  return FALSE;
}

static gboolean
ask_job (virDomainPtr domain, gpointer data, GError **error)
{
  Order *order = data;

  order->has_job = virDomainGetBlockJobInfo (domain, order->target, &order->job, 0) == 1;
  return TRUE;
}

static gboolean
set_speed (virDomainPtr domain, gpointer data, GError **error)
{
  const char *name = virDomainGetName (domain);
  Order *order = data;

  if (virDomainBlockJobSetSpeed (domain, order->target, order->speed, VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES) == 0)
    return TRUE;
  vk_set_libvirt_error (error, N_("leave --max-rate away, or use --mode pull"), "QEMU cannot be held to --max-rate on the disk '%s' of '%s'", order->target, name);
  return FALSE;
}

gboolean
vk_block_info_get (virDomainPtr domain, const char *target, virDomainBlockInfo *info, GError **error)
{
  Order *order = order_new (target);

  if (!vk_question_ask (domain, ask_info, order, order_free, error))
    return FALSE;
  *info = order->info;
  order_free (order);
  return TRUE;
}

gboolean
vk_block_job_get (virDomainPtr domain, const char *target, virDomainBlockJobInfo *info)
{
  Order *order = order_new (target);
  gboolean has_job;

  if (!vk_question_ask (domain, ask_job, order, order_free, NULL))
    return FALSE;
  *info = order->job;
  has_job = order->has_job;
  order_free (order);
  return has_job;
}

gboolean
vk_block_job_set_speed (virDomainPtr domain, const char *target, guint64 speed, GError **error)
{
  Order *order = order_new (target);

  order->speed = speed;
  if (!vk_question_ask (domain, set_speed, order, order_free, error))
    return FALSE;
  order_free (order);
  return TRUE;
}
