/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/key.h"

#include <glib/gi18n.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "store/manifest.h"
#include "store/restic/id.h"
#include "store/restic/json-reader.h"
#include "store/restic/password.h"

enum { SALT_BYTES = 64 };

void
vk_key_file_free (VkKeyFile *file)
{
  g_clear_pointer (&file->salt, g_bytes_unref);
  g_clear_pointer (&file->data, g_bytes_unref);
  g_free (file);
}

/* The base64 of member. */
static GBytes *
get_bytes (JsonObject *object, const char *member, GError **error)
{
  g_autofree char *text = NULL;
  guint8 *bytes;
  gsize got;

  if (!vk_json_get_string (object, member, "", &text, error))
    return NULL;
  bytes = g_base64_decode (text, &got);
  if (got > 0)
    return g_bytes_new_take (bytes, got);
  g_free (bytes);
  vk_fail (error, VK_ERROR_STORE, "\"%s\" is not what it should be", member);
  return NULL;
}

static gboolean
read_key_file (JsonObject *object, VkKeyFile *file, GError **error)
{
  g_autofree char *kdf = NULL;

  if (!vk_json_get_string (object, "kdf", "", &kdf, error)
      || !vk_json_get_uint64 (object, "N", 0, &file->cost.n, error)
      || !vk_json_get_uint64 (object, "r", 0, &file->cost.r, error)
      || !vk_json_get_uint64 (object, "p", 0, &file->cost.p, error))
    return FALSE;
  if (strcmp (kdf, "scrypt") != 0)
    return vk_fail (error, VK_ERROR_STORE, "its key is derived with '%s', which is not known", kdf);
  file->salt = get_bytes (object, "salt", error);
  file->data = file->salt ? get_bytes (object, "data", error) : NULL;
  return file->data != NULL;
}

/* Damage, whatever class the helpers give it. */
static void
set_damaged_error (GError **error, const char *name, const GError *failure)
{
  vk_fail (error, VK_ERROR_DAMAGED, "the key file %s is damaged: %s", name, failure->message);
}

VkKeyFile *
vk_key_file_parse (const void *text, gsize length, const char *name, GError **error)
{
  g_autoptr (VkKeyFile) file = g_new0 (VkKeyFile, 1);
  g_autoptr (GError) failure = NULL;
  g_autoptr (JsonObject) object = vk_json_parse_length (text, length, "its text", &failure);

  if (object != NULL && read_key_file (object, file, &failure))
    return g_steal_pointer (&file);
  set_damaged_error (error, name, failure);
  return NULL;
}

/* The next value, base64 of length bytes, to target. */
static void
read_secret (VkJsonReader *reader, guint8 *target, gsize length)
{
  const char *text = vk_json_reader_string (reader, NULL);
  guint8 *bytes;
  gsize got;

  if (text == NULL)
    return;
  bytes = g_base64_decode (text, &got);
  if (got == length)
    memcpy (target, bytes, length);
  else
    vk_json_reader_fail (reader, "a key in it has another length than it should");
  OPENSSL_cleanse (bytes, got);
  g_free (bytes);
}

static void
read_mac_keys (VkJsonReader *reader, VkResticKey *master, guint *found)
{
  const char *member;

  vk_json_reader_object (reader);
  while ((member = vk_json_reader_member (reader)) != NULL)
    {
      (*found)++;
      if (strcmp (member, "k") == 0)
        read_secret (reader, master->mac_k, sizeof master->mac_k);
      else if (strcmp (member, "r") == 0)
        read_secret (reader, master->mac_r, sizeof master->mac_r);
      else
        vk_json_reader_skip (reader);
    }
}

/* With the reader rather than json-glib, which leaves copies of secrets in
 * memory. */
static gboolean
read_master_key (const void *text, gsize length, VkResticKey *master, GError **error)
{
  enum { KEYS = 3 };
  g_autoptr (VkJsonReader) reader = vk_json_reader_new_for_text (text, length);
  guint found = 0;
  const char *member;

  vk_json_reader_object (reader);
  while ((member = vk_json_reader_member (reader)) != NULL)
    {
      if (strcmp (member, "mac") == 0)
        read_mac_keys (reader, master, &found);
      else if (strcmp (member, "encrypt") == 0)
        {
          found++;
          read_secret (reader, master->encrypt, sizeof master->encrypt);
        }
      else
        vk_json_reader_skip (reader);
    }
  if (found < KEYS)
    vk_json_reader_fail (reader, "a key in it is missing");
  return vk_json_reader_end (reader, error);
}

gboolean
vk_key_file_open (const VkKeyFile *file, const char *password, const char *name, VkResticKey *master, GError **error)
{
  g_auto (VkResticKey) key = { 0 };
  g_autoptr (VkCrypto) crypto = NULL;
  gsize sealed_length;
  const guint8 *sealed = g_bytes_get_data (file->data, &sealed_length);
  gsize salt_length;
  const void *salt = g_bytes_get_data (file->salt, &salt_length);
  g_autofree guint8 *text = g_malloc (sealed_length);
  g_autoptr (GError) failure = NULL;
  gboolean ok;

  if (!vk_restic_key_derive (password, &file->cost, salt, salt_length, &key, error))
    {
      g_prefix_error (error, _("the key file %s: "), name);
      return FALSE;
    }
  crypto = vk_crypto_new (&key);
  if (!vk_crypto_unseal (crypto, sealed, sealed_length, text))
    return vk_fail (error, VK_ERROR_REFUSED, "the password does not open the key %s", name);
  ok = read_master_key (text, sealed_length - VK_SEAL_OVERHEAD, master, &failure);
  OPENSSL_cleanse (text, sealed_length);
  if (!ok)
    set_damaged_error (error, name, failure);
  return ok;
}

static void
set_base64 (JsonObject *object, const char *member, const guint8 *bytes, gsize length)
{
  g_autofree char *text = g_base64_encode (bytes, length);

  json_object_set_string_member (object, member, text);
}

/* Returns: (transfer full), free with vk_restic_password_free(). */
static char *
write_master_key (const VkResticKey *master)
{
  char *k = g_base64_encode (master->mac_k, sizeof master->mac_k);
  char *r = g_base64_encode (master->mac_r, sizeof master->mac_r);
  char *encrypt = g_base64_encode (master->encrypt, sizeof master->encrypt);
  char *text = g_strdup_printf ("{\"mac\":{\"k\":\"%s\",\"r\":\"%s\"},\"encrypt\":\"%s\"}", k, r, encrypt);

  vk_restic_password_free (k);
  vk_restic_password_free (r);
  vk_restic_password_free (encrypt);
  return text;
}

/* The master key as JSON, sealed with key.  Returns: (transfer full). */
static GBytes *
seal_master_key (const VkResticKey *master, const VkResticKey *key)
{
  g_autoptr (VkCrypto) crypto = vk_crypto_new (key);
  char *text = write_master_key (master);
  gsize length = strlen (text);
  guint8 *sealed = g_malloc (length + VK_SEAL_OVERHEAD);

  vk_crypto_seal (crypto, text, length, sealed);
  vk_restic_password_free (text);
  return g_bytes_new_take (sealed, length + VK_SEAL_OVERHEAD);
}

GBytes *
vk_key_file_make (const VkResticKey *master, const char *password, const VkScryptCost *cost, GError **error)
{
  g_auto (VkResticKey) key = { 0 };
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *created = vk_time_now ();
  g_autoptr (GBytes) data = NULL;
  guint8 salt[SALT_BYTES];
  char *text;

  vk_restic_random (salt, sizeof salt);
  if (!vk_restic_key_derive (password, cost, salt, sizeof salt, &key, error))
    return NULL;
  data = seal_master_key (master, &key);
  json_object_set_string_member (object, "created", created);
  vk_json_set_string (object, "username", g_get_user_name ());
  vk_json_set_string (object, "hostname", g_get_host_name ());
  json_object_set_string_member (object, "kdf", "scrypt");
  json_object_set_int_member (object, "N", (gint64) cost->n);
  json_object_set_int_member (object, "r", (gint64) cost->r);
  json_object_set_int_member (object, "p", (gint64) cost->p);
  set_base64 (object, "salt", salt, sizeof salt);
  set_base64 (object, "data", g_bytes_get_data (data, NULL), g_bytes_get_size (data));
  text = vk_json_to_string (object, FALSE);
  return g_bytes_new_take (text, strlen (text));
}

/* Tries one key file. */
static gboolean
try_key (VkBackend *backend, const VkBackendEntry *entry, const char *password, VkResticKey *master, GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) text = NULL;
  g_autoptr (VkKeyFile) file = NULL;

  if (entry->size > VK_KEY_FILE_LIMIT)
    return vk_fail (error, VK_ERROR_DAMAGED, "the key file %s is damaged: it is larger than a key file", entry->name);
  text = vk_backend_load (backend, VK_RESTIC_KEY, entry->name, 0, 0, cancellable, error);
  if (text == NULL)
    return FALSE;
  file = vk_key_file_parse (g_bytes_get_data (text, NULL), g_bytes_get_size (text), entry->name, error);
  return file != NULL && vk_key_file_open (file, password, entry->name, master, error);
}

/* After every key was tried in vain.  A wrong password is the usual reason, and
 * the only one when every key file could be read. */
static void
set_not_opened_error (VkBackend *backend, guint wrong, const GError *trouble, GError **error)
{
  if (trouble == NULL)
    vk_fail (error, VK_ERROR_REFUSED, "wrong password for %s: it opens none of the %u keys tried", backend->location, wrong);
  else if (wrong == 0)
    g_propagate_error (error, g_error_copy (trouble));
  else
    vk_fail (error, VK_ERROR_REFUSED, "the password opens none of the %u keys tried in %s; besides, %s", wrong, backend->location, trouble->message);
}

static gboolean
try_keys (VkBackend *backend, const GPtrArray *entries, const char *password, VkResticKey *master, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) trouble = NULL;
  guint wrong = 0;

  for (guint i = 0; i < MIN (entries->len, (guint) VK_RESTIC_KEYS_TRIED); i++)
    {
      g_autoptr (GError) failure = NULL;

      if (try_key (backend, g_ptr_array_index (entries, i), password, master, cancellable, &failure))
        return TRUE;
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (g_error_matches (failure, VK_ERROR, VK_ERROR_REFUSED))
        wrong++;
      else if (trouble == NULL)
        trouble = g_steal_pointer (&failure);
    }
  set_not_opened_error (backend, wrong, trouble, error);
  return FALSE;
}

gboolean
vk_restic_key_find (VkBackend *backend, const char *password, VkResticKey *master, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) entries = vk_backend_list (backend, VK_RESTIC_KEY, cancellable, error);

  if (entries == NULL)
    return FALSE;
  if (entries->len > 0)
    return try_keys (backend, entries, password, master, cancellable, error);
  return vk_fail (error, VK_ERROR_NOT_FOUND, "there is no key in %s: it is no restic repository", backend->location);
}

gboolean
vk_restic_key_add (VkBackend *backend, const VkResticKey *master, const char *password, char **name, GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) text = vk_key_file_make (master, password, &vk_scrypt_cost_default, error);
  VkResticId id;

  *name = NULL;
  if (text == NULL)
    return FALSE;
  vk_restic_id_of (g_bytes_get_data (text, NULL), g_bytes_get_size (text), &id);
  *name = vk_restic_id_to_string (&id);
  return vk_backend_save (backend, VK_RESTIC_KEY, *name, text, cancellable, error);
}
