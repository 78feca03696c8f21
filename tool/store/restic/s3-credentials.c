/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/restic/s3-credentials.h"

#include <glib/gi18n.h>
#include <string.h>

#include "base/error.h"

/* The variable, or NULL when it is empty. */
static const char *
variable (const char *name)
{
  const char *value = g_getenv (name);

  return value != NULL && *value != '\0' ? value : NULL;
}

/* NULL with *error set when one of both keys is missing, as where names it. */
static VkS3Credentials *
make (const char *where, const char *access_key, const char *secret_key, const char *session_token, GError **error)
{
  VkS3Credentials *credentials;

  if (access_key == NULL || secret_key == NULL)
    {
      vk_fail (error, VK_ERROR_USAGE, access_key ? N_("%s gives no secret access key for S3") : N_("%s gives no access key ID for S3"), where);
      return NULL;
    }
  credentials = g_new0 (VkS3Credentials, 1);
  credentials->access_key = g_strdup (access_key);
  credentials->secret_key = g_strdup (secret_key);
  credentials->session_token = g_strdup (session_token);
  return credentials;
}

/* Takes "name = value" of the wanted profile apart; both point into line. */
static gboolean
split_setting (char *line, char **name, char **value)
{
  char *equals = strchr (line, '=');

  if (equals == NULL)
    return FALSE;
  *equals = '\0';
  *name = g_strstrip (line);
  *value = g_strstrip (equals + 1);
  return **value != '\0';
}

/* Whether line begins the section of profile; *begins: of any. */
static gboolean
is_section (const char *line, const char *profile, gboolean *begins)
{
  const char *end = strchr (line, ']');
  g_autofree char *name = NULL;

  *begins = *line == '[' && end != NULL;
  if (!*begins)
    return FALSE;
  name = g_strndup (line + 1, (gsize) (end - line - 1));
  return g_str_equal (g_strstrip (name), profile);
}

/* Not a GKeyFile: of that the format is no subset. */
VkS3Credentials *
vk_s3_credentials_parse (const char *text, const char *name, const char *profile, GError **error)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autofree char *where = g_strdup_printf ("%s: the profile '%s'", name, profile);
  const char *found[3] = { NULL };
  const char *const names[] = { "aws_access_key_id", "aws_secret_access_key", "aws_session_token" };
  gboolean inside = FALSE;

  for (guint i = 0; lines[i] != NULL; i++)
    {
      char *line = g_strstrip (lines[i]);
      gboolean begins;
      gboolean wanted = is_section (line, profile, &begins);
      char *setting;
      char *value;

      if (begins)
        inside = wanted;
      if (begins || !inside || *line == '#' || *line == ';' || !split_setting (line, &setting, &value))
        continue;
      for (guint n = 0; n < G_N_ELEMENTS (names); n++)
        if (g_ascii_strcasecmp (setting, names[n]) == 0)
          found[n] = value;
    }
  return make (where, found[0], found[1], found[2], error);
}

static VkS3Credentials *
read_file (const char *path, const char *profile, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autofree char *text = NULL;

  if (g_file_get_contents (path, &text, NULL, &why))
    return vk_s3_credentials_parse (text, path, profile, error);
  vk_fail (error, VK_ERROR_USAGE,
               "there are no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE to a file that can be read (%s)",
               why->message);
  return NULL;
}

VkS3Credentials *
vk_s3_credentials_find (GError **error)
{
  const char *access_key = variable ("AWS_ACCESS_KEY_ID");
  const char *secret_key = variable ("AWS_SECRET_ACCESS_KEY");
  const char *path = variable ("AWS_SHARED_CREDENTIALS_FILE");
  const char *profile = variable ("AWS_PROFILE");
  g_autofree char *default_path = g_build_filename (g_get_home_dir (), ".aws", "credentials", NULL);

  if (access_key != NULL || secret_key != NULL)
    return make ("the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)", access_key, secret_key, variable ("AWS_SESSION_TOKEN"), error);
  return read_file (path ? path : default_path, profile ? profile : "default", error);
}

void
vk_s3_credentials_free (VkS3Credentials *credentials)
{
  g_free (credentials->access_key);
  g_free (credentials->secret_key);
  g_free (credentials->session_token);
  g_free (credentials);
}

char *
vk_s3_region_find (const char *host)
{
  const char *said = variable ("AWS_DEFAULT_REGION");
  g_auto (GStrv) labels = g_strsplit (host, ".", -1);
  guint count = g_strv_length (labels);

  if (said == NULL)
    said = variable ("AWS_REGION");
  if (said != NULL)
    return g_strdup (said);
  /* s3.REGION.amazonaws.com, s3.dualstack.REGION.amazonaws.com */
  if (count >= 4 && g_str_equal (labels[count - 2], "amazonaws") && !g_str_equal (labels[count - 3], "s3"))
    return g_strdup (labels[count - 3]);
  return NULL;
}
