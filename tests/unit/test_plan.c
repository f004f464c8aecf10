/* SPDX-License-Identifier: Apache-2.0 */
#include "provision/plan.h"

#include <string.h>

#include "unit.h"

static void test_whole(void)
{
	static const char text[] =
		"{\"image\": \"debian:12\", \"archive\": \"/srv/debian.tar\", \"volume\":"
		" {\"name\": \"web\", \"size\": \"20G\", \"mount\": \"/srv/web\","
		"  \"options\": \"nodev,noatime\", \"read_only\": true}}";
	auto_plan struct plan plan = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(plan_parse(text, strlen(text), &plan, &err), 0);
	CU_ASSERT_STRING_EQUAL(plan.image, "debian:12");
	CU_ASSERT_STRING_EQUAL(plan.archive, "/srv/debian.tar");
	CU_ASSERT_STRING_EQUAL(plan.volume.name, "web");
	CU_ASSERT_EQUAL(plan.volume.size_bytes, UINT64_C(20) << 30);
	CU_ASSERT_STRING_EQUAL(plan.volume.mount, "/srv/web");
	CU_ASSERT_STRING_EQUAL(plan.volume.options, "nodev,noatime");
	CU_ASSERT_TRUE(plan.volume.read_only);
	CU_ASSERT_FALSE(plan.volume.attach);
}

static void refused(const char *text, const char *why)
{
	auto_plan struct plan plan = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(plan_parse(text, strlen(text), &plan, &err), -1);
	if (!strstr(err.text, why))
		printf("%s: %s; ", text, err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, why));
}

static void test_wrong(void)
{
	refused("", "");
	refused("[]", "");
	refused("{}", "nothing is wanted");
	refused("{\"images\": \"x\"}", "images");
	refused("{\"image\": 1}", "image");
	refused("{\"archive\": \"/x.tar\", \"volume\": {\"name\": \"a\"}}", "needs \"image\"");
	refused("{\"image\": \"x\", \"archive\": \"x.tar\"}",
		"\"archive\" must be an absolute path");
	refused("{\"volume\": {}}", "name");
	refused("{\"volume\": {\"name\": \"../x\"}}", "invalid name");
	refused("{\"volume\": {\"name\": \"a\", \"size\": \"much\"}}", "\"size\"");
	refused("{\"volume\": {\"name\": \"a\", \"mount\": \"srv\"}}",
		"\"mount\" must be an absolute");
	refused("{\"volume\": {\"name\": \"a\", \"mount\": \"/srv\", \"options\": \"ro,loop\"}}",
		"unknown mount option 'loop'");
	refused("{\"volume\": {\"name\": \"a\", \"mount\": \"/srv\", \"attach\": true}}",
		"not both");
	refused("{\"volume\": {\"name\": \"a\", \"read_only\": true}}", "need \"mount\"");
	refused("{\"volume\": {\"name\": \"a\", \"color\": \"red\"}}", "color");
}

UNIT_SUITE(plan, { "every key is taken over", test_whole },
	   { "what is wrong is named", test_wrong });
