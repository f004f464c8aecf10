/* SPDX-License-Identifier: Apache-2.0 */
#include "run/commit.h"

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "unit.h"

#define CHANGES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void check(const char *container, const char *image, const char *const *changes,
		  const char *expected)
{
	auto_json json_t *from = json_loads(container, 0, NULL);
	auto_json json_t *under = json_loads(image, 0, NULL);
	auto_json json_t *got = NULL;
	auto_buf struct buf text = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(0, commit_settings(from, under, changes, &got, &err));
	jsonfield_write(got, &text);
	CU_ASSERT_STRING_EQUAL(text.data, expected);
	if (strcmp(text.data, expected) != 0)
		printf("\n  got      %s\n  expected %s\n", text.data, expected);
}

static void test_only_settings_of_an_image_stay(void)
{
	check("{\"Hostname\":\"x\",\"Tty\":true,\"Image\":\"i\",\"StopTimeout\":3,\"User\":\"u\","
	      "\"Cmd\":[\"sh\"],\"OnBuild\":[\"RUN x\"],\"Entrypoint\":null,\"Labels\":{}}",
	      "{\"OnBuild\":[\"RUN x\"]}", NULL, "{\"Cmd\":[\"sh\"],\"User\":\"u\"}");
	check("{}", "{}", NULL, "{}");
}

static void test_the_image_fills_what_is_empty(void)
{
	check("{\"User\":\"\",\"Cmd\":[\"a\"]}",
	      "{\"User\":\"u\",\"WorkingDir\":\"/w\",\"StopSignal\":\"INT\",\"Shell\":[\"/s\"],"
	      "\"Healthcheck\":{\"Test\":[\"NONE\"]},\"Cmd\":[\"b\"],\"Entrypoint\":[\"e\"]}",
	      NULL,
	      "{\"Cmd\":[\"a\"],\"Healthcheck\":{\"Test\":[\"NONE\"]},\"Shell\":[\"/s\"],"
	      "\"StopSignal\":\"INT\",\"User\":\"u\",\"WorkingDir\":\"/w\"}");
	check("{\"User\":\"v\",\"WorkingDir\":\"/x\"}", "{\"User\":\"u\",\"WorkingDir\":\"/w\"}",
	      NULL, "{\"User\":\"v\",\"WorkingDir\":\"/x\"}");
}

static void test_lists_are_joined_by_key(void)
{
	check("{\"Env\":[\"A=1\",\"BB=2\"]}", "{\"Env\":[\"A=0\",\"B=3\",\"BB=0\",\"C\"]}", NULL,
	      "{\"Env\":[\"A=1\",\"BB=2\",\"B=3\",\"C\"]}");
	check("{\"Labels\":{\"a\":\"1\"},\"Volumes\":{\"/a\":{}}}",
	      "{\"Labels\":{\"a\":\"0\",\"b\":\"2\"},\"Volumes\":{\"/b\":{}},"
	      "\"ExposedPorts\":{\"1/tcp\":{}}}",
	      CHANGES("EXPOSE 2"),
	      "{\"ExposedPorts\":{\"1/tcp\":{},\"2/tcp\":{}},\"Labels\":{\"a\":\"1\",\"b\":\"2\"},"
	      "\"Volumes\":{\"/a\":{},\"/b\":{}}}");
}

static void test_changes_come_over_the_container(void)
{
	check("{\"Env\":[\"A=1\"],\"WorkingDir\":\"/w\"}", "{}",
	      CHANGES("ENV A=2 B=$A", "ENV C=$B", "WORKDIR d", "USER me"),
	      "{\"Env\":[\"A=2\",\"B=1\",\"C=1\"],\"User\":\"me\",\"WorkingDir\":\"/w/d\"}");
}

static void test_an_entrypoint_takes_the_command_away(void)
{
	const char *container = "{\"Cmd\":[\"old\"],\"Entrypoint\":[\"e\"]}";

	check(container, "{\"Cmd\":[\"i\"]}", CHANGES("ENTRYPOINT [\"new\"]"),
	      "{\"Entrypoint\":[\"new\"]}");
	check(container, "{}", CHANGES("CMD [\"c\"]", "ENTRYPOINT [\"new\"]"),
	      "{\"Cmd\":[\"c\"],\"Entrypoint\":[\"new\"]}");
	check(container, "{}", CHANGES("ENTRYPOINT [\"new\"]", "CMD [\"c\"]"),
	      "{\"Cmd\":[\"c\"],\"Entrypoint\":[\"new\"]}");
	check(container, "{\"Entrypoint\":[\"i\"]}", CHANGES("ENTRYPOINT []"),
	      "{\"Cmd\":[\"old\"]}");
}

static void test_wrong_changes_are_refused(void)
{
	auto_json json_t *container = json_object();
	json_t *got = NULL;
	struct error err = { 0 };

	CU_ASSERT_EQUAL(-1, commit_settings(container, NULL, CHANGES("RUN x"), &got, &err));
	CU_ASSERT_STRING_EQUAL(err.text, "run is not a valid change command");
	CU_ASSERT_PTR_NULL(got);
}

UNIT_SUITE(commit, { "only settings of an image stay", test_only_settings_of_an_image_stay },
	   { "the image fills what is empty", test_the_image_fills_what_is_empty },
	   { "lists are joined by key", test_lists_are_joined_by_key },
	   { "changes come over the container's settings", test_changes_come_over_the_container },
	   { "an entrypoint takes the command away", test_an_entrypoint_takes_the_command_away },
	   { "wrong changes are refused", test_wrong_changes_are_refused });
