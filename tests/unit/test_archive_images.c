/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/images.h"

#include <string.h>

#include "unit.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"

static void add(struct archive_images *images, const char *platform, const char *name)
{
	struct archive_image *image = archive_images_add(images);

	buf_printf(&image->config,
		   "{%s,\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]}}", platform);
	image->id = (struct digest){ D1 };
	if (name)
		strlist_add(&image->names, name);
}

static int check(const struct archive_images *images, const char *name, struct error *err)
{
	struct platform platform;

	CU_ASSERT_EQUAL_FATAL(platform_parse(name, &platform, err), 0);
	return archive_images_check_platform(images, &platform, err);
}

static void test_every_image_must_run_on_the_platform(void)
{
	auto_archive_images struct archive_images images = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(check(&images, "linux/amd64", &err), 0);
	add(&images, "\"os\":\"linux\",\"architecture\":\"amd64\"", "docker.io/library/a:1");
	CU_ASSERT_EQUAL(check(&images, "linux/amd64", &err), 0);
	CU_ASSERT_EQUAL(check(&images, "linux/arm64", &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_UNSUPPORTED);
	CU_ASSERT_STRING_EQUAL(
		err.text, "image docker.io/library/a:1 is for linux/amd64, not for linux/arm64");
	add(&images, "\"os\":\"linux\",\"architecture\":\"386\"", NULL);
	CU_ASSERT_EQUAL(check(&images, "linux/amd64", &err), 0);
	add(&images, "\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"", NULL);
	CU_ASSERT_EQUAL(check(&images, "linux/amd64", &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "image " D1 " is for linux/arm/v7, not for linux/amd64");
}

UNIT_SUITE(archive_images, { "every image must run on the platform that was asked for",
			     test_every_image_must_run_on_the_platform });
