/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/config-file.h"

#include <string.h>

#include "base/error.h"

typedef struct
{
  char *path;
  GKeyFile *keys;
} ConfigFile;

struct VkConfig
{
  GPtrArray *files;    /* of ConfigFile */
  GPtrArray *paths;    /* of char *, theirs */
  GPtrArray *sections; /* of VkConfigSection */
};

static void
file_free (ConfigFile *file)
{
  g_free (file->path);
  g_key_file_unref (file->keys);
  g_free (file);
}

static void
section_free (VkConfigSection *section)
{
  g_free ((char *) section->group);
  g_free (section->kind);
  g_free (section->name);
  g_free (section);
}

void
vk_config_free (VkConfig *config)
{
  g_ptr_array_unref (config->sections);
  g_ptr_array_unref (config->paths);
  g_ptr_array_unref (config->files);
  g_free (config);
}

static void
add_sections (VkConfig *config, const ConfigFile *file)
{
  g_auto (GStrv) groups = g_key_file_get_groups (file->keys, NULL);

  for (gsize i = 0; groups[i] != NULL; i++)
    {
      VkConfigSection *section = g_new0 (VkConfigSection, 1);
      const char *space = strchr (groups[i], ' ');

      section->file = file->path;
      section->group = g_strdup (groups[i]);
      section->kind = space ? g_strndup (groups[i], (gsize) (space - groups[i])) : g_strdup (groups[i]);
      section->name = space ? g_strstrip (g_strdup (space)) : NULL;
      g_ptr_array_add (config->sections, section);
    }
}

static gboolean
add_file (VkConfig *config, const char *path, gboolean must_exist, GError **error)
{
  g_autoptr (GError) failure = NULL;
  ConfigFile *file = g_new0 (ConfigFile, 1);

  file->path = g_strdup (path);
  file->keys = g_key_file_new ();
  if (g_key_file_load_from_file (file->keys, path, G_KEY_FILE_NONE, &failure))
    {
      g_ptr_array_add (config->files, file);
      g_ptr_array_add (config->paths, file->path);
      add_sections (config, file);
      return TRUE;
    }
  file_free (file);
  if (!must_exist && g_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return TRUE;
  return vk_fail (error, VK_ERROR_USAGE, "the configuration file '%s' cannot be read: %s", path, failure->message);
}

static gboolean
add_usual_files (VkConfig *config, GError **error)
{
  g_autofree char *user = g_build_filename (g_get_user_config_dir (), "virt-keep", "config", NULL);

  return add_file (config, user, FALSE, error) && add_file (config, SYSTEM_CONFIG, FALSE, error);
}

VkConfig *
vk_config_load (const char *file, GError **error)
{
  g_autoptr (VkConfig) config = g_new0 (VkConfig, 1);
  gboolean loaded;

  config->files = g_ptr_array_new_with_free_func ((GDestroyNotify) file_free);
  config->paths = g_ptr_array_new ();
  config->sections = g_ptr_array_new_with_free_func ((GDestroyNotify) section_free);
  if (file == NULL)
    file = g_getenv ("VIRT_KEEP_CONFIG");
  if (file == NULL)
    loaded = add_usual_files (config, error);
  else
    loaded = *file == '\0' || g_str_equal (file, "/dev/null") || add_file (config, file, TRUE, error);
  return loaded ? g_steal_pointer (&config) : NULL;
}

const GPtrArray *
vk_config_files (const VkConfig *config)
{
  return config->paths;
}

const GPtrArray *
vk_config_sections (const VkConfig *config)
{
  return config->sections;
}

static GKeyFile *
keys_of (const VkConfig *config, const VkConfigSection *section)
{
  for (guint i = 0; i < config->files->len; i++)
    {
      const ConfigFile *file = g_ptr_array_index (config->files, i);

      if (file->path == section->file)
        return file->keys;
    }
  g_assert_not_reached ();
}

char **
vk_config_keys (const VkConfig *config, const VkConfigSection *section)
{
  return g_key_file_get_keys (keys_of (config, section), section->group, NULL, NULL);
}

static gboolean
is_about (const VkConfigSection *section, const char *name, gboolean pattern)
{
  if (name == NULL || section->name == NULL)
    return name == NULL && section->name == NULL && !pattern;
  return pattern ? g_pattern_match_simple (section->name, name) : strcmp (section->name, name) == 0;
}

const VkConfigSection *
vk_config_find (const VkConfig *config, const char *kind, const char *name, const char *key)
{
  for (gboolean pattern = FALSE; pattern <= TRUE; pattern++)
    for (guint i = 0; i < config->sections->len; i++)
      {
        const VkConfigSection *section = g_ptr_array_index (config->sections, i);

        if (strcmp (section->kind, kind) == 0 && is_about (section, name, pattern)
            && g_key_file_has_key (keys_of (config, section), section->group, key, NULL))
          return section;
      }
  return NULL;
}

gboolean
vk_config_has (const VkConfig *config, const char *kind, const char *name)
{
  for (guint i = 0; i < config->sections->len; i++)
    {
      const VkConfigSection *section = g_ptr_array_index (config->sections, i);

      if (strcmp (section->kind, kind) == 0 && is_about (section, name, FALSE))
        return TRUE;
    }
  return FALSE;
}

/* Says where the value is that failure is about, and takes it. */
static gboolean
refuse_value (const VkConfigSection *section, const char *key, GError *failure, GError **error)
{
  vk_fail (error, VK_ERROR_USAGE, "'%s' in [%s] of '%s' is not understood: %s", key, section->group, section->file, failure->message);
  g_error_free (failure);
  return FALSE;
}

char *
vk_config_string (const VkConfig *config, const VkConfigSection *section, const char *key, GError **error)
{
  GError *failure = NULL;
  char *value = g_key_file_get_string (keys_of (config, section), section->group, key, &failure);

  if (value == NULL)
    {
      refuse_value (section, key, failure, error);
      return NULL;
    }
  return g_strstrip (value);
}

char **
vk_config_list (const VkConfig *config, const VkConfigSection *section, const char *key, GError **error)
{
  GError *failure = NULL;
  char **values = g_key_file_get_string_list (keys_of (config, section), section->group, key, NULL, &failure);

  if (values == NULL)
    {
      refuse_value (section, key, failure, error);
      return NULL;
    }
  for (gsize i = 0; values[i] != NULL; i++)
    g_strstrip (values[i]);
  return values;
}

gboolean
vk_config_boolean (const VkConfig *config, const VkConfigSection *section, const char *key, gboolean *value, GError **error)
{
  GError *failure = NULL;

  *value = g_key_file_get_boolean (keys_of (config, section), section->group, key, &failure);
  return failure ? refuse_value (section, key, failure, error) : TRUE;
}

gboolean
vk_config_integer (const VkConfig *config, const VkConfigSection *section, const char *key, int *value, GError **error)
{
  GError *failure = NULL;

  *value = g_key_file_get_integer (keys_of (config, section), section->group, key, &failure);
  return failure ? refuse_value (section, key, failure, error) : TRUE;
}
