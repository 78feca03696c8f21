/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the REST and S3 backends understand before they talk to anybody: URLs,
 * credentials, signatures. */
#include "config.h"

#include <string.h>

#include <gio/gio.h>
#include <glib/gstdio.h>

#include "base/error.h"
#include "store/restic/backend.h"
#include "store/restic/http-url.h"
#include "store/restic/http.h"
#include "store/restic/s3-credentials.h"
#include "store/restic/s3-url.h"
#include "store/restic/sigv4.h"

static void
assert_says (const GError *error, const char *words)
{
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' does not say '%s'", error->message, words);
}

/* ---- signatures ---- */

/* One request of the file of published ones. */
struct vector
{
  GHashTable *one;    /* key to value, for keys that are there once */
  GPtrArray *query;   /* name, value, … */
  GPtrArray *headers;
};

static void
take_line (struct vector *vector, const char *line)
{
  const char *blank = strchr (line, ' ');
  g_autofree char *key = NULL;
  const char *value;

  if (*line == '#' || blank == NULL)
    return;
  key = g_strndup (line, (gsize) (blank - line));
  value = blank + 1;
  if (g_str_equal (key, "query"))
    {
      g_auto (GStrv) pair = g_strsplit (value, "=", 2);

      g_ptr_array_add (vector->query, g_strdup (pair[0]));
      g_ptr_array_add (vector->query, g_strdup (pair[1]));
    }
  else if (g_str_equal (key, "header"))
    g_ptr_array_add (vector->headers, g_strdup (value));
  else
    g_hash_table_insert (vector->one, g_steal_pointer (&key), g_strdup (value));
}

/* The value of a header of the vector; name as it is there, in any case. */
static const char *
header_of (const struct vector *vector, const char *name)
{
  for (guint i = 0; i < vector->headers->len; i++)
    {
      const char *header = g_ptr_array_index (vector->headers, i);

      if (header != NULL && g_ascii_strncasecmp (header, name, strlen (name)) == 0)
        return header + strlen (name) + 2;
    }
  g_assert_not_reached ();
}

static void
check_vector (struct vector *vector)
{
  const char *authorization = g_hash_table_lookup (vector->one, "authorization");
  g_auto (GStrv) parts = g_strsplit_set (authorization, "=/", -1);
  VkSigV4Scope scope = { parts[1], g_hash_table_lookup (vector->one, "secret"), parts[3], parts[4] };
  VkSigV4Request request = { 0 };
  g_autofree char *got = NULL;

  g_ptr_array_add (vector->query, NULL);
  g_ptr_array_add (vector->headers, NULL);
  request.method = g_hash_table_lookup (vector->one, "method");
  request.path = g_hash_table_lookup (vector->one, "path");
  request.query = (const char *const *) vector->query->pdata;
  request.headers = (const char *const *) vector->headers->pdata;
  request.payload_sha256 = g_hash_table_lookup (vector->one, "payload");
  request.time = header_of (vector, "X-Amz-Date");
  got = vk_sigv4_authorization (&request, &scope);
  g_test_message ("%s", (const char *) g_hash_table_lookup (vector->one, "name"));
  g_assert_cmpstr (got, ==, authorization);
}

static void
test_published_signatures (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "restic", "sigv4-vectors.txt", NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) blocks = NULL;
  guint checked = 0;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  blocks = g_strsplit (text, "\n\n", -1);
  for (guint i = 0; blocks[i] != NULL; i++)
    {
      g_auto (GStrv) lines = g_strsplit (blocks[i], "\n", -1);
      struct vector vector;

      vector.one = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
      vector.query = g_ptr_array_new_with_free_func (g_free);
      vector.headers = g_ptr_array_new_with_free_func (g_free);
      for (guint l = 0; lines[l] != NULL; l++)
        take_line (&vector, lines[l]);
      if (g_hash_table_contains (vector.one, "name"))
        {
          check_vector (&vector);
          checked++;
        }
      g_hash_table_unref (vector.one);
      g_ptr_array_unref (vector.query);
      g_ptr_array_unref (vector.headers);
    }
  g_assert_cmpuint (checked, ==, 16);
}

/* "a" is before "a-", although "=" is behind "-". */
static void
test_query_order (void)
{
  const char *const query[] = { "a-", "1", "a", "z", "prefix", "x/y z", "a", "b", NULL };
  g_autofree char *got = vk_sigv4_query (query);
  g_autofree char *none = vk_sigv4_query (NULL);

  g_assert_cmpstr (got, ==, "a=b&a=z&a-=1&prefix=x%2Fy%20z");
  g_assert_cmpstr (none, ==, "");
}

/* ---- URLs ---- */

static const struct
{
  const char *url, *base, *shown, *user, *password, *unix_socket;
} http_urls[] = {
  { "http://host", "http://host/", "http://host" },
  { "https://host:8000/repo", "https://host:8000/repo/", "https://host:8000/repo" },
  { "https://me:s%40cret@host/repo/", "https://host/repo/", "https://host/repo/", "me", "s@cret" },
  { "http://me@[::1]:80/", "http://[::1]:80/", "http://[::1]:80/", "me" },
  { "https:///me:secret@host/r", "https://host/r/", "https:///host/r", "me", "secret" },
  { "http+unix:///run/rest.socket:/repo/", "http://localhost/repo/", "http+unix:///run/rest.socket:/repo/", NULL, NULL, "/run/rest.socket" },
  { "http+unix://me:secret@/run/s:/r", "http://localhost/r/", "http+unix:///run/s:/r", "me", "secret", "/run/s" },
  { "http+unix:///run/s", "http://localhost/", "http+unix:///run/s", NULL, NULL, "/run/s" },
};

static void
test_http_urls (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (http_urls); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (VkHttpUrl) url = vk_http_url_parse (http_urls[i].url, &error);

      g_assert_no_error (error);
      g_assert_cmpstr (url->base, ==, http_urls[i].base);
      g_assert_cmpstr (url->shown, ==, http_urls[i].shown);
      g_assert_cmpstr (url->user, ==, http_urls[i].user);
      g_assert_cmpstr (url->password, ==, http_urls[i].password);
      g_assert_cmpstr (url->unix_socket, ==, http_urls[i].unix_socket);
    }
}

/* However wrong a URL is: its password is not shown. */
static void
test_wrong_http_urls (void)
{
  const char *const urls[] = { "",
                               "host/repo",
                               "ftp://me:sesame@host/",
                               "http://me:sesame@host:port/",
                               "http://me:sesame@",
                               "http://me:ses/sesame@host/",
                               "https://me:sesame@host/?create=true",
                               "https://me:sesame@host/#repo",
                               "https:///me:sesame@host/?create=true",
                               "http+unix://me:sesame@host/run/s:/r",
                               "http+unix:///run/s:r",
                               "http+unix://",
                               "me:sesame@host",
                               NULL };

  for (guint i = 0; urls[i] != NULL; i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (vk_http_url_parse (urls[i], &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
      g_test_message ("%s", error->message);
      g_assert_null (strstr (error->message, "sesame"));
    }
}

static const struct
{
  const char *url, *host, *bucket, *prefix, *shown;
} s3_urls[] = {
  { "s3:s3.amazonaws.com/bucket", "s3.amazonaws.com", "bucket", "", "s3:https://s3.amazonaws.com/bucket" },
  { "s3://host/bucket/a/b/", "host", "bucket", "a/b", "s3:https://host/bucket/a/b" },
  { "s3:host:9000/bucket//a/./x/../b", "host:9000", "bucket", "a/b", "s3:https://host:9000/bucket/a/b" },
  { "s3:http://localhost:9000/bucket/a", "localhost:9000", "bucket", "a", "s3:http://localhost:9000/bucket/a" },
  { "s3:https://me:sesame@host/bucket/a%20b", "host", "bucket", "a b", "s3:https://host/bucket/a b" },
  { "s3:host/bucket/../..", "host", "bucket", "", "s3:https://host/bucket" },
};

static void
test_s3_urls (void)
{
  const char *const wrong[] = { "s3:", "s3:host", "s3:host/", "s3:https://host", "s3:https://host/", "s3:/bucket/a", "s3:me:sesame@host/bucket", "s3:http://me:sesame@host:x/b", NULL };

  for (guint i = 0; i < G_N_ELEMENTS (s3_urls); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (VkS3Url) url = vk_s3_url_parse (s3_urls[i].url, &error);

      g_assert_no_error (error);
      g_assert_cmpstr (url->host, ==, s3_urls[i].host);
      g_assert_cmpstr (url->bucket, ==, s3_urls[i].bucket);
      g_assert_cmpstr (url->prefix, ==, s3_urls[i].prefix);
      g_assert_cmpstr (url->shown, ==, s3_urls[i].shown);
      g_assert_true (url->tls == (strstr (s3_urls[i].url, "http:") == NULL));
    }
  for (guint i = 0; wrong[i] != NULL; i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (vk_s3_url_parse (wrong[i], &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
      g_assert_null (strstr (error->message, "sesame"));
    }
}

/* ---- the environment ---- */

static void
clear_environment (void)
{
  const char *const names[] = { "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE",
                                "AWS_DEFAULT_REGION", "AWS_REGION", "RESTIC_CACERT", "RESTIC_REST_USERNAME", "RESTIC_REST_PASSWORD",
                                "VIRT_KEEP_RETRY_SECONDS", "VIRT_KEEP_STALL_SECONDS", "VIRT_KEEP_S3_BUCKET_LOOKUP" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    g_unsetenv (names[i]);
}

static const char credentials_file[] =
    "# a comment = nothing\n"
    "[default]\n"
    "aws_access_key_id = DEFAULTID\n"
    "aws_secret_access_key=default/se=cret\r\n"
    "region = nowhere\n"
    "\n"
    "[ other ]\n"
    "  AWS_ACCESS_KEY_ID = OTHERID\n"
    "aws_secret_access_key = other\n"
    "aws_session_token = token==\n"
    "[half]\n"
    "aws_access_key_id = HALFID\n"
    "aws_secret_access_key =\n";

static void
test_credentials_file (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VkS3Credentials) by_default = vk_s3_credentials_parse (credentials_file, "file", "default", &error);
  g_autoptr (VkS3Credentials) other = vk_s3_credentials_parse (credentials_file, "file", "other", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (by_default->access_key, ==, "DEFAULTID");
  g_assert_cmpstr (by_default->secret_key, ==, "default/se=cret");
  g_assert_null (by_default->session_token);
  g_assert_cmpstr (other->access_key, ==, "OTHERID");
  g_assert_cmpstr (other->session_token, ==, "token==");
  g_assert_null (vk_s3_credentials_parse (credentials_file, "file", "half", &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
  assert_says (error, "file: the profile 'half' gives no secret access key");
  g_clear_error (&error);
  g_assert_null (vk_s3_credentials_parse (credentials_file, "file", "none", &error));
  assert_says (error, "file: the profile 'none' gives no access key ID");
}

static void
test_credentials_found (void)
{
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (VkS3Credentials) from_file = NULL;
  g_autoptr (VkS3Credentials) from_environment = NULL;
  int fd = g_file_open_tmp ("virt-keep-XXXXXX", &path, &error);

  g_assert_no_error (error);
  g_close (fd, NULL);
  g_file_set_contents (path, credentials_file, -1, &error);
  g_assert_no_error (error);
  clear_environment ();
  g_setenv ("AWS_SHARED_CREDENTIALS_FILE", path, TRUE);
  g_setenv ("AWS_PROFILE", "other", TRUE);
  from_file = vk_s3_credentials_find (&error);
  g_assert_cmpstr (from_file->access_key, ==, "OTHERID");

  g_setenv ("AWS_ACCESS_KEY_ID", "ENVIRONMENT", TRUE);
  g_assert_null (vk_s3_credentials_find (&error));
  assert_says (error, "gives no secret access key");
  g_clear_error (&error);
  g_setenv ("AWS_SECRET_ACCESS_KEY", "secret", TRUE);
  g_setenv ("AWS_SESSION_TOKEN", "token", TRUE);
  from_environment = vk_s3_credentials_find (&error);
  g_assert_cmpstr (from_environment->access_key, ==, "ENVIRONMENT");
  g_assert_cmpstr (from_environment->session_token, ==, "token");

  clear_environment ();
  g_setenv ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials", TRUE);
  g_assert_null (vk_s3_credentials_find (&error));
  assert_says (error, "there are no credentials for S3");
  g_unlink (path);
}

static void
assert_region (const char *host, const char *expected)
{
  g_autofree char *region = vk_s3_region_find (host);

  g_assert_cmpstr (region, ==, expected);
}

static void
test_region (void)
{
  clear_environment ();
  assert_region ("s3.amazonaws.com", NULL);
  assert_region ("s3.eu-central-1.amazonaws.com", "eu-central-1");
  assert_region ("s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1");
  assert_region ("ceph.example.org:8080", NULL);
  g_setenv ("AWS_REGION", "second", TRUE);
  assert_region ("ceph.example.org", "second");
  g_setenv ("AWS_DEFAULT_REGION", "first", TRUE);
  assert_region ("s3.eu-central-1.amazonaws.com", "first");
  clear_environment ();
}

/* The backend of url must not be made of what variable says. */
static void
assert_refuses (const char *url, const char *variable, const char *value, const char *words)
{
  g_autoptr (GError) error = NULL;

  g_setenv (variable, value, TRUE);
  g_assert_null (g_str_has_prefix (url, "s3:") ? vk_backend_s3_new (url, &error) : vk_backend_rest_new (url, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
  assert_says (error, words);
  g_unsetenv (variable);
}

static void
test_wrong_environment (void)
{
  clear_environment ();
  g_setenv ("AWS_ACCESS_KEY_ID", "id", TRUE);
  g_setenv ("AWS_SECRET_ACCESS_KEY", "secret", TRUE);
  assert_refuses ("rest:http://host/", "VIRT_KEEP_RETRY_SECONDS", "5m", "VIRT_KEEP_RETRY_SECONDS=5m is not a number of seconds");
  assert_refuses ("rest:http://host/", "VIRT_KEEP_STALL_SECONDS", "0", "VIRT_KEEP_STALL_SECONDS=0");
  assert_refuses ("rest:http://host/", "RESTIC_CACERT", "/nowhere/ca.pem", "/nowhere/ca.pem holds no certificate");
  assert_refuses ("s3:host/bucket", "RESTIC_CACERT", "/dev/null", "/dev/null holds no certificate");
  assert_refuses ("s3:host/bucket", "VIRT_KEEP_S3_BUCKET_LOOKUP", "virtual", "is none of auto, dns and path");
  clear_environment ();
}

static void
test_location (void)
{
  g_autoptr (GError) error = NULL;
  VkBackend *backend = vk_backend_rest_new ("rest:https://me:sesame@host/repo", &error);

  g_assert_no_error (error);
  g_assert_cmpstr (backend->location, ==, "rest:https://host/repo");
  g_assert_cmpstr (backend->restic_url, ==, "rest:https://me:sesame@host/repo");
  g_assert_cmpuint (backend->parallel, >, 1);
  backend->ops->free (backend);
}

/* ---- words ---- */

static void
test_printable (void)
{
  g_autofree char *plain = vk_http_printable ("\n disk\tis full\x1b[2J \n", -1);
  g_autofree char *nothing = vk_http_printable (" \n", -1);
  g_autofree char *invalid = vk_http_printable ("a\xff\xff", 3);
  g_autofree char *endless = g_strnfill (100000, 'x');
  g_autofree char *shortened = vk_http_printable (endless, -1);

  g_assert_cmpstr (plain, ==, "disk is full [2J");
  g_assert_null (nothing);
  g_assert_true (g_utf8_validate (invalid, -1, NULL));
  g_assert_cmpuint (strlen (shortened), <, 1000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/restic/remote/sigv4/published", test_published_signatures);
  g_test_add_func ("/restic/remote/sigv4/query-order", test_query_order);
  g_test_add_func ("/restic/remote/url/http", test_http_urls);
  g_test_add_func ("/restic/remote/url/wrong", test_wrong_http_urls);
  g_test_add_func ("/restic/remote/url/s3", test_s3_urls);
  g_test_add_func ("/restic/remote/credentials/file", test_credentials_file);
  g_test_add_func ("/restic/remote/credentials/found", test_credentials_found);
  g_test_add_func ("/restic/remote/region", test_region);
  g_test_add_func ("/restic/remote/environment", test_wrong_environment);
  g_test_add_func ("/restic/remote/location", test_location);
  g_test_add_func ("/restic/remote/printable", test_printable);
  return g_test_run ();
}
