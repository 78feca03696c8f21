/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An NBD server that breaks the protocol, lies, or falls silent is found out: the copy
 * fails soon with a sentence, and is never taken for one that is complete. */
#include "config.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "nbd-fixture.h"
#include "transfer/extents.h"
#include "transfer/nbd-sink.h"
#include "transfer/null-sink.h"
#include "transfer/transfer.h"

/* https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md */
enum
{
  OPT_ABORT = 2,
  OPT_GO = 7,
  OPT_STRUCTURED_REPLY = 8,
  OPT_SET_META_CONTEXT = 10,
  REP_ACK = 1,
  REP_INFO = 3,
  REP_META_CONTEXT = 4,
  CMD_READ = 0,
  CMD_DISC = 2,
  CMD_FLUSH = 3,
  CMD_BLOCK_STATUS = 7,
  CHUNK_DONE = 1,
  CHUNK_NONE = 0,
  CHUNK_OFFSET_DATA = 1,
  CHUNK_BLOCK_STATUS = 5,
  CONTEXT_ID = 17,
  MIB = 1024 * 1024,
  SOON_US = 20 * G_USEC_PER_SEC,
};

#define REP_ERR_UNSUP 0x80000001u
#define OPTION_MAGIC G_GUINT64_CONSTANT (0x49484156454F5054)

typedef enum
{
  HONEST,
  NO_STRUCTURED_REPLY,  /* it does not know them */
  READ_IS_SHORT,        /* the reply ends before all was sent */
  READ_IS_ELSEWHERE,    /* data for an offset nobody asked for */
  READ_OF_NOBODY,       /* a reply to no request */
  READ_IS_CUT_OFF,      /* the connection ends within the data */
  READ_STALLS,          /* it does not answer */
  EXTENTS_ARE_EMPTY,    /* an answer without extents */
  EXTENT_HAS_NO_LENGTH, /* of 0 bytes */
  EXTENTS_ARE_MISSING,  /* done, without an answer */
  EXTENTS_GO_BEYOND,    /* the end of the disk */
  EXTENTS_STALL,
  FLUSH_STALLS,
} Lie;

typedef struct
{
  Lie lie;
  guint64 size;
  int listener;
  char *uri;
  GThread *thread;
} Liar;

/* Each of these is FALSE when the client has gone. */
static gboolean
receive (int fd, void *data, gsize length)
{
  for (gsize at = 0; at < length;)
    {
      gssize got = recv (fd, (guint8 *) data + at, length - at, 0);

      if (got <= 0)
        return FALSE;
      at += (gsize) got;
    }
  return TRUE;
}

static gboolean
say (int fd, const GByteArray *bytes)
{
  for (gsize at = 0; at < bytes->len;)
    {
      gssize put = send (fd, bytes->data + at, bytes->len - at, MSG_NOSIGNAL);

      if (put <= 0)
        return FALSE;
      at += (gsize) put;
    }
  return TRUE;
}

static void
add_number (GByteArray *bytes, guint64 value, guint n_bytes)
{
  for (guint i = n_bytes; i > 0; i--)
    {
      guint8 byte = (guint8) (value >> (8 * (i - 1)));

      g_byte_array_append (bytes, &byte, 1);
    }
}

static gboolean
receive_number (int fd, guint n_bytes, guint64 *value)
{
  guint8 bytes[8];

  *value = 0;
  if (!receive (fd, bytes, n_bytes))
    return FALSE;
  for (guint i = 0; i < n_bytes; i++)
    *value = *value << 8 | bytes[i];
  return TRUE;
}

static void
add_option_reply (GByteArray *bytes, guint64 option, guint32 type, const GByteArray *payload)
{
  add_number (bytes, G_GUINT64_CONSTANT (0x3e889045565a9), 8);
  add_number (bytes, option, 4);
  add_number (bytes, type, 4);
  add_number (bytes, payload ? payload->len : 0, 4);
  if (payload != NULL)
    g_byte_array_append (bytes, payload->data, payload->len);
}

static gboolean
answer_option (const Liar *liar, int fd, guint64 option)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GByteArray) payload = g_byte_array_new ();

  if (option == OPT_SET_META_CONTEXT)
    {
      add_number (payload, CONTEXT_ID, 4);
      g_byte_array_append (payload, (const guint8 *) VK_CONTEXT_ALLOCATION, strlen (VK_CONTEXT_ALLOCATION));
      add_option_reply (bytes, option, REP_META_CONTEXT, payload);
    }
  else if (option == OPT_GO)
    {
      add_number (payload, 0, 2);
      add_number (payload, liar->size, 8);
      add_number (payload, liar->lie == FLUSH_STALLS ? 1 | 4 : 1, 2); /* has flags; flush */
      add_option_reply (bytes, option, REP_INFO, payload);
    }
  else if (option != OPT_STRUCTURED_REPLY || liar->lie == NO_STRUCTURED_REPLY)
    {
      add_option_reply (bytes, option, REP_ERR_UNSUP, NULL);
      return say (fd, bytes);
    }
  add_option_reply (bytes, option, REP_ACK, NULL);
  return say (fd, bytes);
}

/* TRUE once the client has chosen the export. */
static gboolean
negotiate (const Liar *liar, int fd)
{
  g_autoptr (GByteArray) greeting = g_byte_array_new ();
  guint64 option = 0;
  guint64 value;

  g_byte_array_append (greeting, (const guint8 *) "NBDMAGIC", 8);
  add_number (greeting, OPTION_MAGIC, 8);
  add_number (greeting, 3, 2); /* fixed newstyle, no zeroes */
  if (!say (fd, greeting) || !receive_number (fd, 4, &value))
    return FALSE;
  while (option != OPT_GO)
    {
      g_autofree guint8 *data = NULL;
      guint64 length;

      if (!receive_number (fd, 8, &value) || !receive_number (fd, 4, &option) || !receive_number (fd, 4, &length))
        return FALSE;
      data = g_malloc (length + 1);
      if (!receive (fd, data, length) || option == OPT_ABORT || !answer_option (liar, fd, option))
        return FALSE;
    }
  return TRUE;
}

static void
add_chunk (GByteArray *bytes, guint flags, guint type, guint64 cookie, const GByteArray *payload)
{
  add_number (bytes, 0x668e33ef, 4);
  add_number (bytes, flags, 2);
  add_number (bytes, type, 2);
  add_number (bytes, cookie, 8);
  add_number (bytes, payload ? payload->len : 0, 4);
  if (payload != NULL)
    g_byte_array_append (bytes, payload->data, payload->len);
}

static gboolean
answer_read (const Liar *liar, int fd, guint64 cookie, guint64 offset, guint64 length)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GByteArray) payload = g_byte_array_new ();
  g_autofree guint8 *data = g_malloc (length);

  memset (data, 0x5a, length);
  if (liar->lie == READ_STALLS)
    return TRUE;
  if (liar->lie == NO_STRUCTURED_REPLY)
    {
      add_number (bytes, 0x67446698, 4);
      add_number (bytes, 0, 4);
      add_number (bytes, cookie, 8);
      g_byte_array_append (bytes, data, (guint) length);
      return say (fd, bytes);
    }
  add_number (payload, liar->lie == READ_IS_ELSEWHERE ? offset + length : offset, 8);
  g_byte_array_append (payload, data, (guint) (liar->lie == READ_IS_SHORT ? length / 2 : length));
  add_chunk (bytes, CHUNK_DONE, CHUNK_OFFSET_DATA, liar->lie == READ_OF_NOBODY ? ~cookie : cookie, payload);
  if (liar->lie == READ_IS_CUT_OFF)
    g_byte_array_set_size (bytes, bytes->len - 1000);
  return say (fd, bytes) && liar->lie != READ_IS_CUT_OFF;
}

static gboolean
answer_extents (const Liar *liar, int fd, guint64 cookie, guint64 length)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autoptr (GByteArray) payload = g_byte_array_new ();

  if (liar->lie == EXTENTS_STALL)
    return TRUE;
  add_number (payload, CONTEXT_ID, 4);
  if (liar->lie == EXTENTS_GO_BEYOND)
    length = G_MAXUINT32;
  if (liar->lie == EXTENT_HAS_NO_LENGTH)
    length = 0;
  if (liar->lie != EXTENTS_ARE_EMPTY)
    {
      add_number (payload, length, 4);
      add_number (payload, 0, 4);
    }
  if (liar->lie == EXTENTS_ARE_MISSING)
    add_chunk (bytes, CHUNK_DONE, CHUNK_NONE, cookie, NULL);
  else
    add_chunk (bytes, CHUNK_DONE, CHUNK_BLOCK_STATUS, cookie, payload);
  return say (fd, bytes);
}

static gboolean
answer (const Liar *liar, int fd)
{
  guint64 magic, flags, type, cookie, offset, length;

  if (!receive_number (fd, 4, &magic) || !receive_number (fd, 2, &flags) || !receive_number (fd, 2, &type)
      || !receive_number (fd, 8, &cookie) || !receive_number (fd, 8, &offset) || !receive_number (fd, 4, &length))
    return FALSE;
  switch (type)
    {
    case CMD_READ:
      return answer_read (liar, fd, cookie, offset, length);
    case CMD_BLOCK_STATUS:
      return answer_extents (liar, fd, cookie, length);
    case CMD_FLUSH:
      return TRUE;
    default:
      g_assert_cmpuint (type, ==, CMD_DISC);
      return FALSE;
    }
}

static gpointer
serve (gpointer data)
{
  const Liar *liar = data;
  int fd;

  while ((fd = accept (liar->listener, NULL, NULL)) >= 0)
    {
      if (negotiate (liar, fd))
        while (answer (liar, fd))
          ;
      close (fd);
    }
  return NULL;
}

static Liar *
liar_new (const char *dir, Lie lie, guint64 size)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  Liar *liar = g_new0 (Liar, 1);

  g_snprintf (address.sun_path, sizeof address.sun_path, "%s/liar", dir);
  liar->lie = lie;
  liar->size = size;
  liar->uri = g_strconcat ("nbd+unix:///?socket=", address.sun_path, NULL);
  liar->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (liar->listener, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (liar->listener, 4), ==, 0);
  liar->thread = g_thread_new ("liar", serve, liar);
  return liar;
}

static void
liar_free (Liar *liar)
{
  shutdown (liar->listener, SHUT_RDWR);
  g_thread_join (liar->thread);
  close (liar->listener);
  g_free (liar->uri);
  g_free (liar);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Liar, liar_free)

static const struct
{
  const char *name;
  Lie lie;
  const char *words; /* of the failure; NULL: there is none */
} reads[] = {
  { "honest", HONEST, NULL },
  { "no-structured-reply", NO_STRUCTURED_REPLY, NULL },
  { "short", READ_IS_SHORT, "disk 'vda': cannot read" },
  { "elsewhere", READ_IS_ELSEWHERE, "disk 'vda': the connection to its NBD server was lost: nbd_aio_notify_read: " },
  { "of-nobody", READ_OF_NOBODY, "disk 'vda': the connection to its NBD server was lost: nbd_aio_notify_read: " },
  { "cut-off", READ_IS_CUT_OFF, "disk 'vda': the connection to its NBD server was lost" },
  { "stalls", READ_STALLS, "disk 'vda': its NBD server has sent nothing for 1 seconds" },
  { "extents-empty", EXTENTS_ARE_EMPTY, "disk 'vda': the " },
  { "extent-of-no-length", EXTENT_HAS_NO_LENGTH, "disk 'vda': the NBD server cannot tell which blocks" },
  { "extents-missing", EXTENTS_ARE_MISSING, "disk 'vda': the " },
  { "extents-beyond", EXTENTS_GO_BEYOND, NULL },
  { "extents-stall", EXTENTS_STALL, "disk 'vda': its NBD server has sent nothing for 1 seconds" },
};

static void
test_read (gconstpointer data)
{
  guint index = GPOINTER_TO_UINT (data);
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (Liar) liar = liar_new (dir, reads[index].lie, 3 * MIB + 512);
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  VkTransferOptions options = { .disk = "vda", .uri = liar->uri, .max_connections = 4 };
  g_autoptr (VkSink) sink = vk_null_sink_new ();
  g_autoptr (VkTransferProgress) progress = vk_transfer_progress_new ();
  g_autoptr (GError) error = NULL;
  gint64 began = g_get_monotonic_time ();
  gboolean done = vk_transfer_run (&options, sink, progress, NULL, &error);
  guint64 moved;

  g_assert_cmpint (g_get_monotonic_time () - began, <, SOON_US);
  vk_transfer_progress_get (progress, NULL, NULL, &moved);
  if (reads[index].words == NULL)
    {
      g_assert_no_error (error);
      g_assert_true (done);
      g_assert_cmpuint (moved, ==, liar->size);
      return;
    }
  g_assert_false (done);
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
  g_test_message ("%s", error->message);
  if (!g_str_has_prefix (error->message, reads[index].words))
    g_error ("'%s' does not say '%s'", error->message, reads[index].words);
}

static void
check_size (guint64 size)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (Liar) liar = liar_new (dir, HONEST, size);
  g_autoptr (GError) error = NULL;
  guint64 said;

  g_assert_false (vk_transfer_export_size (liar->uri, &said, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_FAILED);
  g_assert_true (g_str_has_suffix (error->message, ": it gives no size that a disk can have"));
}

static void
test_size (void)
{
  check_size (G_MAXUINT64);
  check_size (G_GUINT64_CONSTANT (1) << 63);
}

static void
test_flush_stalls (void)
{
  g_autoptr (TestDirectory) dir = test_directory_new ();
  g_autoptr (TestDirectory) other_dir = test_directory_new ();
  g_autoptr (Liar) source = liar_new (dir, EXTENTS_GO_BEYOND, 0);
  g_autoptr (Liar) target = liar_new (other_dir, FLUSH_STALLS, 0);
  VkTransferOptions options = { .disk = "vda", .uri = source->uri, .max_connections = 1 };
  g_autoptr (GError) error = NULL;
  g_autoptr (VkSink) sink = vk_nbd_sink_new (target->uri, "/store/vda.qcow2", 0, 1, TRUE, &error);

  g_assert_no_error (error);
  g_assert_false (vk_transfer_run (&options, sink, NULL, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_STORE);
  g_assert_cmpstr (error->message, ==, "/store/vda.qcow2: its NBD server could not finish: no answer within 6 seconds");
}

static void
test_patience_is_no_number (void)
{
  VkTransferOptions options = { .disk = "vda", .uri = "nbd+unix:///?socket=/nonexistent", .max_connections = 1 };
  g_autoptr (VkSink) sink = vk_null_sink_new ();
  g_autoptr (GError) error = NULL;

  g_setenv ("VIRT_KEEP_COPY_STALL_SECONDS", "10m", TRUE);
  g_assert_false (vk_transfer_run (&options, sink, NULL, NULL, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
  g_setenv ("VIRT_KEEP_COPY_STALL_SECONDS", "1", TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_setenv ("VIRT_KEEP_COPY_STALL_SECONDS", "1", TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (reads); i++)
    {
      g_autofree char *path = g_strconcat ("/nbd/lies/", reads[i].name, NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_read);
    }
  g_test_add_func ("/nbd/lies/size", test_size);
  g_test_add_func ("/nbd/lies/flush-stalls", test_flush_stalls);
  g_test_add_func ("/nbd/lies/patience-is-no-number", test_patience_is_no_number);
  return g_test_run ();
}
