/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The policy of a domain is read whoever wrote it, kept as it is where it is not understood,
 * and judged by the rules of the command line. */
#include "config.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "command/backup-options.h"
#include "command/policy-options.h"

static VkPolicy *
policy_of (const char *text)
{
  g_autoptr (GError) error = NULL;
  VkPolicy *policy = vk_policy_parse (text, &error);

  g_assert_no_error (error);
  return policy;
}

static char *
joined (const VkPolicy *policy, const char *key)
{
  g_auto (GStrv) values = vk_policy_values (policy, key);

  return values ? g_strjoinv ("|", values) : g_strdup ("(none)");
}

#define assert_values(policy, key, wanted) \
  G_STMT_START { g_autofree char *has = joined (policy, key); g_assert_cmpstr (has, ==, wanted); } G_STMT_END

static void
test_values (void)
{
  g_autoptr (VkPolicy) policy = policy_of ("<policy>\n  <level> full\n </level>\n  <exclude>vdb</exclude><label name='a b'>x &amp; y</label>"
                                           "<exclude>vdc</exclude><!-- level --></policy>");
  g_autoptr (GPtrArray) keys = vk_policy_keys (policy);

  g_assert_cmpuint (keys->len, ==, 3);
  g_assert_cmpstr (g_ptr_array_index (keys, 0), ==, "level");
  g_assert_cmpstr (g_ptr_array_index (keys, 2), ==, "label.a b");
  assert_values (policy, "level", "full");
  assert_values (policy, "exclude", "vdb|vdc");
  assert_values (policy, "label.a b", "x & y");
  assert_values (policy, "mode", "(none)");
  g_assert_true (vk_policy_has_value (policy, "exclude", "vdc"));
  g_assert_false (vk_policy_has_value (policy, "exclude", "vd"));
  g_assert_false (vk_policy_has_value (policy, "label", "x & y"));
}

/* With the namespace, as it stands in the XML of the domain, and among others' elements. */
static void
test_namespaces (void)
{
  g_autoptr (VkPolicy) policy = policy_of ("<v:policy xmlns:v='" VK_POLICY_NAMESPACE "' xmlns:o='urn:other'><v:level>full</v:level><o:level>copy</o:level></v:policy>");

  assert_values (policy, "level", "full");
  assert_values (policy, "urn:other:level", "copy");
}

/* As a point has it. */
static void
test_domain (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VkPolicy) policy = vk_policy_parse_domain ("<domain><name>x</name><metadata><o:o xmlns:o='urn:other'><o:level>copy</o:level></o:o>"
                                                        "<v:policy xmlns:v='" VK_POLICY_NAMESPACE "'><v:keep-last>3</v:keep-last></v:policy></metadata></domain>", &error);
  g_autoptr (VkPolicy) none = vk_policy_parse_domain ("<domain><metadata><policy><level>full</level></policy></metadata></domain>", &error);

  g_assert_no_error (error);
  assert_values (policy, "keep-last", "3");
  g_assert_false (vk_policy_has (policy, "level"));
  g_assert_false (vk_policy_has (none, "level"));
  g_assert_null (vk_policy_parse_domain ("<domain", &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_null (vk_policy_parse_domain ("<domain><metadata><v:other xmlns:v='" VK_POLICY_NAMESPACE "'/></metadata></domain>", &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
}

static void
test_no_policy (void)
{
  static const char *const texts[] = { "", "<policy>", "<other/>", "<!DOCTYPE policy [<!ENTITY e 'full'>]><policy><level>&e;</level></policy>" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (vk_policy_parse (texts[i], &error));
      g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
    }
}

static void
set (VkPolicy *policy, const char *key, const char *first, const char *second)
{
  const char *const values[] = { first, second, NULL };
  g_autoptr (GError) error = NULL;

  g_assert_true (vk_policy_set (policy, key, values, &error));
  g_assert_no_error (error);
}

static void
test_changes (void)
{
  g_autoptr (VkPolicy) policy = policy_of ("<policy><exclude>vdb</exclude><odd><deep>1</deep></odd></policy>");
  g_autoptr (VkPolicy) again = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *before = vk_policy_to_xml (policy);
  g_autofree char *text = NULL;

  set (policy, "exclude", "vdb", NULL);
  text = vk_policy_to_xml (policy);
  g_assert_cmpstr (text, ==, before);
  set (policy, "exclude", "vda", "vdc");
  set (policy, "label.who", "R&D <x> \"'", NULL);
  g_assert_false (vk_policy_set (policy, "level", (const char *const[]) { "a\001b", NULL }, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_REFUSED);
  g_free (text);
  text = vk_policy_to_xml (policy);
  again = policy_of (text);
  assert_values (again, "exclude", "vda|vdc");
  assert_values (again, "label.who", "R&D <x> \"'");
  assert_values (again, "odd", "1");
  assert_values (again, "level", "(none)");
  g_assert_true (vk_policy_remove (again, "odd"));
  g_assert_false (vk_policy_remove (again, "odd"));
}

static void
test_json (void)
{
  g_autoptr (VkPolicy) policy = policy_of ("<policy><level>full</level><exclude>vdb</exclude><label name='t'>g</label><max-rate>1M</max-rate></policy>");
  g_autoptr (JsonObject) object = vk_policy_to_json (policy);
  g_autofree char *text = vk_json_to_string (object, FALSE);

  g_assert_cmpstr (text, ==, "{\"level\":\"full\",\"exclude\":[\"vdb\"],\"max-rate\":[\"1M\"],\"label\":{\"t\":\"g\"}}");
}

/* elements: of the policy; word: in the sentence on what is wrong, or NULL when nothing is. */
static void
check (const char *elements, const char *word)
{
  g_autofree char *text = g_strdup_printf ("<policy>%s</policy>", elements);
  g_autoptr (VkPolicy) policy = policy_of (text);
  g_autoptr (GError) error = NULL;

  if (word == NULL)
    {
      vk_policy_check (policy, &error);
      g_assert_no_error (error);
      return;
    }
  g_assert_false (vk_policy_check (policy, &error));
  g_assert_error (error, VK_ERROR, VK_ERROR_USAGE);
  g_assert_nonnull (strstr (error->message, word));
}

static void
test_check (void)
{
  check ("", NULL);
  check ("<store>x</store><level>auto</level><mode>pull</mode><disk>vda</disk><exclude>vdb</exclude><max-chain>3</max-chain>"
         "<quiesce>require</quiesce><freeze-mount>/</freeze-mount><freeze-limit>5s</freeze-limit><threshold>1</threshold>"
         "<synthetic-full>true</synthetic-full><allow-full>false</allow-full><max-rate>1M</max-rate><max-rate>vda=2M</max-rate>"
         "<compression>max</compression><keep-daily>7</keep-daily><keep-last>unlimited</keep-last><keep-within>2y5m7d3h</keep-within>"
         "<max-age>12h</max-age><label name='a'>b</label>", NULL);
  check ("<levle>full</levle>", "'levle'");
  check ("<level>some</level>", "'level'");
  check ("<level><full/></level>", "'level' has no value");
  check ("<level>full</level><level>full</level>", "'level' has more");
  check ("<store>a</store><store>b</store>", "'store' has more");
  check ("<exclude>vda</exclude><exclude/>", "'exclude'");
  check ("<synthetic-full>yes</synthetic-full>", "'synthetic-full'");
  check ("<max-chain>-1</max-chain>", "'max-chain'");
  check ("<max-rate>vda=</max-rate>", "'max-rate'");
  check ("<keep-hourly>x</keep-hourly>", "'keep-hourly'");
  check ("<keep-within>x</keep-within>", "'keep-within'");
  check ("<max-age>x</max-age>", "'max-age'");
  check ("<max-age>1000000y</max-age>", "'max-age'");
  check ("<label>x</label>", "'label.'");
  check ("<quiesce>never</quiesce><freeze-limit>5s</freeze-limit>", "--quiesce never");
  check ("<hook-dir>/</hook-dir>", "'hook-dir'");
  check ("<password-file>/</password-file>", "'password-file'");
}

/* What was given is left as it is; a switch that is off stays so. */
static void
test_apply (void)
{
  g_autoptr (VkPolicy) policy = policy_of ("<policy><level>full</level><mode>push</mode><exclude>vdb</exclude><allow-full>true</allow-full><synthetic-full>false</synthetic-full><keep-daily>1</keep-daily></policy>");
  VkBackupOptions options = { .mode = (char *) "pull" };
  g_autoptr (GError) error = NULL;

  g_assert_true (vk_policy_apply (policy, &vk_command_backup, &options, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (options.mode, ==, "pull");
  g_assert_cmpstr (options.level, ==, "full");
  g_assert_cmpstr (options.excluded[0], ==, "vdb");
  g_assert_true (options.allow_full);
  g_assert_false (options.synthetic_full);
  g_free (options.level);
  g_strfreev (options.excluded);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/policy/values", test_values);
  g_test_add_func ("/policy/namespaces", test_namespaces);
  g_test_add_func ("/policy/domain", test_domain);
  g_test_add_func ("/policy/no-policy", test_no_policy);
  g_test_add_func ("/policy/changes", test_changes);
  g_test_add_func ("/policy/json", test_json);
  g_test_add_func ("/policy/check", test_check);
  g_test_add_func ("/policy/apply", test_apply);
  return g_test_run ();
}
