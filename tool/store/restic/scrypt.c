/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What opening a repository takes is scrypt, and libcrypto, like every other library that
 * has it, works on its lanes one after the other.  They are independent (RFC 7914, section
 * 6): here each processor has one of its own.  Only the mixing is done here; PBKDF2, on both
 * sides of it, is libcrypto's. */
#include "config.h"

#include "store/restic/scrypt.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

enum
{
  SALSA_WORDS = 16, /* of 32 bits */
  SALSA_ROUNDS = 8,
};

/* A derivation that several threads are at. */
struct mixing
{
  gsize n;
  gsize r;
  guint lanes;
  gsize lane_words; /* of 32 bits */
  guint32 *blocks;  /* lanes of lane_words each */
  gint next;        /* lane that nobody is at; atomic */
};

static inline guint32
rotate (guint32 word, guint bits)
{
  return word << bits | word >> (32 - bits);
}

static inline void
quarter_round (guint32 *x, guint a, guint b, guint c, guint d)
{
  x[b] ^= rotate (x[a] + x[d], 7);
  x[c] ^= rotate (x[b] + x[a], 9);
  x[d] ^= rotate (x[c] + x[b], 13);
  x[a] ^= rotate (x[d] + x[c], 18);
}

/* RFC 7914, section 3. */
static inline void
salsa20_8 (guint32 *block)
{
  guint32 x[SALSA_WORDS];

  memcpy (x, block, sizeof x);
  for (guint i = 0; i < SALSA_ROUNDS; i += 2)
    {
      quarter_round (x, 0, 4, 8, 12);
      quarter_round (x, 5, 9, 13, 1);
      quarter_round (x, 10, 14, 2, 6);
      quarter_round (x, 15, 3, 7, 11);
      quarter_round (x, 0, 1, 2, 3);
      quarter_round (x, 5, 6, 7, 4);
      quarter_round (x, 10, 11, 8, 9);
      quarter_round (x, 15, 12, 13, 14);
    }
  for (guint i = 0; i < SALSA_WORDS; i++)
    block[i] += x[i];
}

/* RFC 7914, section 4, of in, or of in xor with where with is not NULL.  out is another
 * place. */
static inline void
block_mix (const guint32 *in, const guint32 *with, guint32 *out, gsize r)
{
  guint32 x[SALSA_WORDS] = { 0 };

  for (gsize i = 0; i <= 2 * r; i++)
    {
      /* It begins with the last of them. */
      gsize from = (i == 0 ? 2 * r - 1 : i - 1) * SALSA_WORDS;

      for (guint j = 0; j < SALSA_WORDS; j++)
        x[j] ^= with != NULL ? in[from + j] ^ with[from + j] : in[from + j];
      if (i == 0)
        continue;
      salsa20_8 (x);
      /* The even ones come first, and then the odd ones. */
      memcpy (out + ((i - 1) / 2 + ((i - 1) % 2) * r) * SALSA_WORDS, x, sizeof x);
    }
}

/* RFC 7914, section 5, of block.  table has room for n of them, and for one more, which is
 * where every other step leaves its result. */
static void
ro_mix (guint32 *block, guint32 *table, gsize n, gsize r)
{
  gsize words = 2 * r * SALSA_WORDS;
  gsize number = words - SALSA_WORDS; /* word that says which block of the table is next */
  guint32 *spare = table + n * words;

  memcpy (table, block, words * sizeof *block);
  for (gsize i = 0; i < n - 1; i++)
    block_mix (table + i * words, NULL, table + (i + 1) * words, r);
  block_mix (table + (n - 1) * words, NULL, block, r);
  for (gsize i = 0; i < n; i += 2)
    {
      block_mix (block, table + (block[number] & (n - 1)) * words, spare, r);
      block_mix (spare, table + (spare[number] & (n - 1)) * words, block, r);
    }
}

/* --- the lanes -------------------------------------------------------------- */

/* Between the order of scrypt, which is little-endian, and the machine's. */
static void
order_bytes (guint32 *words, gsize count)
{
  for (gsize i = 0; i < count; i++)
    words[i] = GUINT32_FROM_LE (words[i]);
}

/* A thread: mixes lanes until there are no more.  The table is the kernel's memory, which
 * nobody else sees before it is cleared, and in large pages: it is read at random. */
static gpointer
mix_lanes (gpointer user_data)
{
  struct mixing *mixing = user_data;
  gsize bytes = (mixing->n + 1) * mixing->lane_words * sizeof (guint32);
  void *table = mmap (NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  guint lane;

  if (table == MAP_FAILED)
    return NULL;
  madvise (table, bytes, MADV_HUGEPAGE);
  while ((lane = (guint) g_atomic_int_add (&mixing->next, 1)) < mixing->lanes)
    {
      guint32 *block = mixing->blocks + lane * mixing->lane_words;

      order_bytes (block, mixing->lane_words);
      ro_mix (block, table, mixing->n, mixing->r);
      order_bytes (block, mixing->lane_words);
    }
  munmap (table, bytes);
  return NULL;
}

/* No more than what makes the longest of them shorter: of three threads and four, six lanes
 * keep either busy for as long as two lanes take. */
static guint
count_threads (const struct mixing *mixing, guint64 memory_limit)
{
  guint64 fitting = memory_limit / (mixing->n * mixing->lane_words * sizeof (guint32));
  guint most = (guint) CLAMP (fitting, 1, MIN (g_get_num_processors (), mixing->lanes));
  guint rounds = (mixing->lanes + most - 1) / most;

  return (mixing->lanes + rounds - 1) / rounds;
}

/* FALSE when none of the threads had memory.  One is enough for all lanes, if need be this
 * one. */
static gboolean
mix (struct mixing *mixing, guint64 memory_limit)
{
  guint others = count_threads (mixing, memory_limit) - 1;
  g_autofree GThread **threads = g_new (GThread *, others);

  for (guint i = 0; i < others; i++)
    threads[i] = g_thread_try_new ("scrypt", mix_lanes, mixing, NULL);
  mix_lanes (mixing);
  for (guint i = 0; i < others; i++)
    if (threads[i] != NULL)
      g_thread_join (threads[i]);
  return (guint) mixing->next >= mixing->lanes;
}

gboolean
vk_scrypt (const char *password, const void *salt, gsize salt_length, const VkScryptCost *cost, guint64 memory_limit, void *key, gsize length, GError **error)
{
  struct mixing mixing = { .n = cost->n, .r = cost->r, .lanes = (guint) cost->p, .lane_words = 2 * cost->r * SALSA_WORDS };
  gsize bytes = mixing.lanes * mixing.lane_words * sizeof (guint32);
  int characters = (int) strlen (password);
  gboolean ok;

  mixing.blocks = g_malloc (bytes);
  ok = PKCS5_PBKDF2_HMAC (password, characters, salt, (int) salt_length, 1, EVP_sha256 (), (int) bytes, (guint8 *) mixing.blocks) == 1
       && mix (&mixing, memory_limit)
       && PKCS5_PBKDF2_HMAC (password, characters, (const guint8 *) mixing.blocks, (int) bytes, 1, EVP_sha256 (), (int) length, key) == 1;
  OPENSSL_cleanse (mixing.blocks, bytes);
  g_free (mixing.blocks);
  if (!ok)
    return vk_fail (error, VK_ERROR_FAILED, "there is no memory to derive a key with scrypt, which takes %" PRIu64 " bytes", cost->n * cost->r * 128);
  return TRUE;
}
