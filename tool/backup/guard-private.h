/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What backup and guard say to each other, behind the order, which is a JSON document in
 * one line. */
#pragma once

enum
{
  VK_GUARD_BEGINNING = 'b',
  VK_GUARD_REFUSED = 'n',
  VK_GUARD_BEGUN = 'r',
  VK_GUARD_DISMISSED = 'e',
  VK_GUARD_ACTED = 's',  /* from the guard */
  VK_GUARD_FAILED = 'f', /* from the guard, and behind it why it cannot do its work */
};
