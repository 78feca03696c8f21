/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/samples: a domain document NAME.xml and, beside it, NAME.expected, what
 * virt-keep is to make of it, so that a new sample needs no code.  Lines of
 * NAME.expected begin with the word for what they are about:
 *   live      what is read from NAME.xml
 *   restored  what NAME.xml is after it was rewritten for a restored domain
 *   schema    the first libvirt release whose schema has what NAME.xml uses
 *   #         a comment */
#pragma once

#include "host/domain-xml.h"
#include "host/xml-schema.h"

typedef struct
{
  char *path;         /* of NAME.xml */
  char *xml;          /* what is in it */
  xmlRelaxNG *schema; /* libvirt's, NULL where it is not installed */
} Sample;

/* libvirt's schema for domains, read once for all samples; NULL, with a
 * message, where it is missing.  Returns: (transfer full). */
xmlRelaxNG *samples_load_schema (void);

/* Runs test for each sample, as PREFIX/NAME; its argument is a Sample.  schema
 * may be NULL and is not freed. */
void samples_add_tests (const char *prefix, xmlRelaxNG *schema, GTestDataFunc test);

/* Fails the test unless text is the lines of NAME.expected that begin with word. */
void samples_compare (const Sample *sample, const char *word, const char *text);

/* Fails the test unless libvirt's schema allows the domain document xml; a
 * message where there is none or an older one than the sample needs. */
void samples_validate (const Sample *sample, const char *xml);
