/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Contents, trees, snapshots, keys, configs and locks of a restic repository,
 * well-formed and hostile. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "store/restic/content.h"
#include "store/restic/key.h"
#include "store/restic/lock-conflict.h"
#include "store/restic/repo-config.h"
#include "store/restic/snapshot.h"
#include "store/restic/tree.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static VkResticId
id_of (const char *text)
{
  VkResticId id;

  g_assert_true (vk_restic_id_parse (text, &id));
  return id;
}

static VkResticId
numbered_id (guint number)
{
  VkResticId id;

  vk_restic_id_of (&number, sizeof number, &id);
  return id;
}

/* --- contents ------------------------------------------------------------- */

/* A plain array beside the list, with runs of every length. */
static void
test_content (void)
{
  g_autoptr (VkContent) content = vk_content_new ();
  g_autoptr (GArray) plain = g_array_new (FALSE, FALSE, sizeof (VkResticId));

  for (guint i = 0; i < 2000; i++)
    {
      VkResticId id = numbered_id ((guint) g_test_rand_int_range (0, 3));
      guint count = (guint) g_test_rand_int_range (0, 5);

      vk_content_append (content, &id, count);
      for (guint j = 0; j < count; j++)
        g_array_append_val (plain, id);
    }
  g_assert_cmpuint (vk_content_length (content), ==, plain->len);
  for (guint i = 0; i < plain->len; i++)
    {
      guint64 count;
      const VkResticId *id = vk_content_get_run (content, i, &count);

      g_assert_true (vk_restic_id_equal (id, &g_array_index (plain, VkResticId, i)));
      for (guint64 j = i; j < i + count; j++)
        g_assert_true (vk_restic_id_equal (id, &g_array_index (plain, VkResticId, j)));
      g_assert_true (vk_restic_id_equal (vk_content_get (content, i), id));
    }
}

/* 1 TiB in chunks of 1 MiB, half of it never written to. */
static void
test_content_memory (void)
{
  g_autoptr (VkContent) content = vk_content_new ();
  VkResticId zero = numbered_id (G_MAXUINT);

  for (guint i = 0; i < 512; i++)
    {
      for (guint j = 0; j < 1024; j++)
        {
          VkResticId id = numbered_id (i * 1024 + j);

          vk_content_append (content, &id, 1);
        }
      vk_content_append (content, &zero, 2 * 1024);
    }
  g_assert_cmpuint (vk_content_length (content), ==, 3 * 512 * 1024);
  g_assert_cmpuint (vk_content_memory (content), <, 512 * 1024 * 37);
}

/* --- trees ---------------------------------------------------------------- */

#define NODE(name, more) "{\"name\":\"" name "\",\"type\":\"file\",\"mode\":420,\"mtime\":\"2026-11-24T00:00:00Z\",\"uid\":1,\"gid\":2" more "}"

static GPtrArray *
parse_tree (const char *text)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *nodes = vk_tree_parse (text, strlen (text), &error);

  if (nodes == NULL)
    g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
  return nodes;
}

static void
test_tree_parse (void)
{
  g_autoptr (GPtrArray) nodes = parse_tree ("{\"nodes\":[" NODE ("a", ",\"size\":3,\"links\":1,\"content\":[\"" ID_A "\",\"" ID_A "\",\"" ID_B "\"]") ","
                                            NODE ("b\\u0026", ",\"content\":null,\"subtree\":\"" ID_C "\",\"extended_attributes\":[{\"name\":\"x\",\"value\":\"y\"}]") "]}\n");
  g_autoptr (GPtrArray) none = parse_tree ("{\"nodes\":null}");
  const VkTreeNode *a = g_ptr_array_index (nodes, 0);
  const VkTreeNode *b = g_ptr_array_index (nodes, 1);
  VkResticId id_a = id_of (ID_A), id_c = id_of (ID_C);

  g_assert_cmpuint (nodes->len, ==, 2);
  g_assert_cmpstr (a->name, ==, "a");
  g_assert_cmpuint (a->mode, ==, 0644);
  g_assert_cmpuint (a->size, ==, 3);
  g_assert_cmpuint (vk_content_length (a->content), ==, 3);
  g_assert_true (vk_restic_id_equal (vk_content_get (a->content, 1), &id_a));
  g_assert_cmpstr (b->name, ==, "b&");
  g_assert_null (b->content);
  g_assert_true (b->has_subtree && vk_restic_id_equal (&b->subtree, &id_c));
  g_assert_cmpuint (none->len, ==, 0);
}

static void
test_tree_hostile (void)
{
  static const char *const texts[] = {
    "", "[]", "{\"nodes\":{}}", "{\"nodes\":[{}]}", "{\"nodes\":[null]}", "{\"nodes\":[" NODE ("..", "") "]}", "{\"nodes\":[" NODE ("a/b", "") "]}",
    "{\"nodes\":[" NODE ("", "") "]}", "{\"nodes\":[" NODE ("a\\u0000", "") "]}", "{\"nodes\":[" NODE ("a", ",\"size\":-1") "]}", "{\"nodes\":[" NODE ("a", ",\"content\":[\"" ID_A) ,
    "{\"nodes\":[" NODE ("a", ",\"content\":[\"aa\"]") "]}", "{\"nodes\":[" NODE ("a", ",\"content\":[[]]") "]}", "{\"nodes\":[" NODE ("a", ",\"subtree\":5") "]}", "{\"nodes\":[]}x",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    if (parse_tree (texts[i]) != NULL)
      g_error ("accepted: %s", texts[i]);
}

static gboolean
tree_accepts (VkTreeWriter *writer, const char *name, guint64 size, guint64 content_bytes)
{
  g_autoptr (VkTreeNode) node = vk_tree_node_new_file (name, size, "2026-11-24T00:00:00Z", NULL);

  return vk_tree_writer_add (writer, node, content_bytes, NULL);
}

static void
test_tree_rules (void)
{
  g_autoptr (VkTreeWriter) writer = vk_tree_writer_new ();

  g_assert_true (tree_accepts (writer, "b<&>", 5, 5));
  g_assert_false (tree_accepts (writer, "a", 0, 0));
  g_assert_false (tree_accepts (writer, "b<&>", 0, 0));
  g_assert_false (tree_accepts (writer, "c", 5, 4));
  g_assert_false (tree_accepts (writer, "c\"", 0, 0));
  g_assert_false (tree_accepts (writer, "c\\", 0, 0));
  g_assert_false (tree_accepts (writer, "c/d", 0, 0));
  g_assert_false (tree_accepts (writer, "c\n", 0, 0));
  g_assert_false (tree_accepts (writer, "\xc3\xa9", 0, 0));
  g_assert_false (tree_accepts (writer, "", 0, 0));
  g_assert_true (tree_accepts (writer, "c", 0, 0));
}

/* --- snapshots, keys, configs, locks -------------------------------------- */

static void
test_snapshot_parse (void)
{
  static const char text[] = "{\"time\":\"2026-11-24T20:00:00.123456789+01:00\",\"parent\":\"" ID_B "\",\"tree\":\"" ID_A "\",\"paths\":[\"/a\",\"/b\"],\"hostname\":\"h\",\"username\":\"u\","
                             "\"uid\":1000,\"gid\":100,\"tags\":[\"x\"],\"original\":\"" ID_C "\",\"program_version\":\"restic 0.17\",\"summary\":{\"files_new\":1}}";
  static const char minimal_text[] = "{\"time\":\"2026-11-24T20:00:00Z\",\"tree\":\"" ID_A "\",\"paths\":null}";
  g_autoptr (VkSnapshot) snapshot = vk_snapshot_parse (text, strlen (text), NULL);
  g_autoptr (VkSnapshot) minimal = vk_snapshot_parse (minimal_text, strlen (minimal_text), NULL);

  g_assert_nonnull (snapshot);
  g_assert_cmpint (snapshot->unix_us, ==, G_GINT64_CONSTANT (1795546800123456));
  g_assert_cmpstr (snapshot->parent, ==, ID_B);
  g_assert_cmpuint (g_strv_length (snapshot->paths), ==, 2);
  g_assert_true (vk_snapshot_has_tag (snapshot, "x"));
  g_assert_false (vk_snapshot_has_tag (snapshot, "y"));
  g_assert_cmpstr (snapshot->original, ==, ID_C);
  g_assert_nonnull (minimal);
  g_assert_cmpstr (minimal->hostname, ==, "");
  g_assert_false (vk_snapshot_has_tag (minimal, "x"));
}

static void
test_snapshot_hostile (void)
{
  static const char *const texts[] = {
    "", "[]", "{}", "{\"time\":\"2026-11-24T20:00:00Z\"}", "{\"time\":\"yesterday\",\"tree\":\"" ID_A "\"}", "{\"time\":5,\"tree\":\"" ID_A "\"}",
    "{\"time\":\"2026-11-24T20:00:00Z\",\"tree\":\"" ID_A "\",\"tags\":\"x\"}", "{\"time\":\"2026-11-24T20:00:00Z\",\"tree\":\"" ID_A "\",\"paths\":[5]}",
    "{\"time\":\"2026-11-24T20:00:00Z\",\"tree\":\"x\"}", "{\"time\":\"2026-11-24T20:00:00Z\",\"tree\":\"" ID_A "\",\"uid\":-1}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (vk_snapshot_parse (texts[i], strlen (texts[i]), &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
    }
}

/* The cheapest costs there are: this is not about scrypt. */
static const VkScryptCost cheap = { 2, 1, 1 };

static void
test_key_round_trip (void)
{
  VkResticKey master, again;
  g_autoptr (GBytes) text = NULL;
  g_autoptr (VkKeyFile) file = NULL;
  g_autoptr (GError) error = NULL;

  vk_restic_random (&master, sizeof master);
  text = vk_key_file_make (&master, "secret", &cheap, NULL);
  g_assert_null (g_strstr_len (g_bytes_get_data (text, NULL), (gssize) g_bytes_get_size (text), "secret"));
  file = vk_key_file_parse (g_bytes_get_data (text, NULL), g_bytes_get_size (text), "a key", NULL);
  g_assert_true (vk_key_file_open (file, "secret", "a key", &again, NULL));
  g_assert_cmpmem (&again, sizeof again, &master, sizeof master);
  g_assert_false (vk_key_file_open (file, "Secret", "a key", &again, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
}

static void
test_key_hostile (void)
{
  static const char *const texts[] = {
    "", "[]", "{}", "{\"kdf\":\"scrypt\"}", "{\"kdf\":\"md5\",\"N\":2,\"r\":1,\"p\":1,\"salt\":\"AAAA\",\"data\":\"AAAA\"}", "{\"kdf\":\"scrypt\",\"N\":2,\"r\":1,\"p\":1,\"salt\":\"\",\"data\":\"AAAA\"}",
    "{\"kdf\":\"scrypt\",\"N\":-2,\"r\":1,\"p\":1,\"salt\":\"AAAA\",\"data\":\"AAAA\"}", "{\"kdf\":\"scrypt\",\"N\":\"2\",\"r\":1,\"p\":1,\"salt\":\"AAAA\",\"data\":\"AAAA\"}",
  };
  static const char short_data[] = "{\"kdf\":\"scrypt\",\"N\":2,\"r\":1,\"p\":1,\"salt\":\"AAAA\",\"data\":\"AAAA\"}";
  g_autoptr (VkKeyFile) file = vk_key_file_parse (short_data, strlen (short_data), "a key", NULL);
  VkResticKey master;

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (vk_key_file_parse (texts[i], strlen (texts[i]), "a key", &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
    }
  g_assert_nonnull (file);
  g_assert_false (vk_key_file_open (file, "secret", "a key", &master, NULL));
}

static VkError
config_error (const char *text)
{
  g_autoptr (GError) error = NULL;
  VkRepoConfig config;

  g_assert_false (vk_repo_config_parse (text, strlen (text), &config, &error));
  g_assert_true (error->domain == VK_ERROR);
  return (VkError) error->code;
}

static void
test_config (void)
{
  static const char good[] = "{\"version\":2,\"id\":\"" ID_A "\",\"chunker_polynomial\":\"25b468838dcb75\"}";
  VkRepoConfig config;

  g_assert_true (vk_repo_config_parse (good, strlen (good), &config, NULL));
  g_assert_cmpstr (config.id, ==, ID_A);
  g_assert_cmphex (config.chunker_polynomial, ==, G_GUINT64_CONSTANT (0x25b468838dcb75));
  g_assert_cmpint (config_error ("{\"version\":1,\"id\":\"" ID_A "\",\"chunker_polynomial\":\"25b468838dcb75\"}"), ==, VK_ERROR_REFUSED);
  g_assert_cmpint (config_error ("{\"version\":3,\"id\":\"" ID_A "\",\"chunker_polynomial\":\"25b468838dcb75\"}"), ==, VK_ERROR_REFUSED);
  g_assert_cmpint (config_error ("{\"version\":2,\"id\":\"../../etc\",\"chunker_polynomial\":\"25b468838dcb75\"}"), ==, VK_ERROR_DAMAGED);
  g_assert_cmpint (config_error ("{\"version\":2,\"id\":\"" ID_A "\",\"chunker_polynomial\":\"x\"}"), ==, VK_ERROR_DAMAGED);
  g_assert_cmpint (config_error ("{\"version\":\"2\"}"), ==, VK_ERROR_DAMAGED);
  g_assert_cmpint (config_error (""), ==, VK_ERROR_DAMAGED);
}

static void
test_lock_parse (void)
{
  static const char text[] = "{\"time\":\"2026-11-24T20:00:00Z\",\"exclusive\":true,\"hostname\":\"h\",\"username\":\"u\",\"pid\":5}";
  static const char *const bad[] = { "", "[]", "{\"exclusive\":1}", "{\"pid\":-1}", "{\"hostname\":[]}" };
  g_autoptr (VkLockHolder) holder = vk_lock_holder_parse (text, strlen (text), NULL);

  g_assert_true (holder->exclusive);
  g_assert_cmpuint (holder->pid, ==, 5);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (vk_lock_holder_parse (bad[i], strlen (bad[i]), &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_DAMAGED);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/restic/files/content/like a plain array", test_content);
  g_test_add_func ("/restic/files/content/little more than its ids", test_content_memory);
  g_test_add_func ("/restic/files/tree/read", test_tree_parse);
  g_test_add_func ("/restic/files/tree/hostile ones are refused", test_tree_hostile);
  g_test_add_func ("/restic/files/tree/only what restic accepts is written", test_tree_rules);
  g_test_add_func ("/restic/files/snapshot/read", test_snapshot_parse);
  g_test_add_func ("/restic/files/snapshot/hostile ones are refused", test_snapshot_hostile);
  g_test_add_func ("/restic/files/key/what is made can be opened", test_key_round_trip);
  g_test_add_func ("/restic/files/key/hostile ones are refused", test_key_hostile);
  g_test_add_func ("/restic/files/config", test_config);
  g_test_add_func ("/restic/files/lock", test_lock_parse);
  return g_test_run ();
}
