/* SPDX-License-Identifier: Apache-2.0 */
#include "provision/plans.h"

#include <string.h>

#include "unit.h"

static void test_words(void)
{
	auto_plans struct plans plans = { 0 };
	const struct plan_volume *volume;

	plans_add_words(&plans, "root=/dev/sda ro veneer.pull=r.example/a@sha256:b quiet\t"
				"veneer.volume=web,image=debian:12,archive=/srv/d.tar,size=20G,"
				"mount=/srv/web,option=nodev,option=noatime,ro "
				"\"veneer.volume=db,mount=/srv/the db\" "
				"veneer.volume=\"vm,attach\" veneer.volumes=x xveneer.pull=y\n");
	CU_ASSERT_EQUAL_FATAL(plans.nr, 4);
	CU_ASSERT_STRING_EQUAL(plans.items[0].name, "kernel:1");
	CU_ASSERT_STRING_EQUAL(plans.items[0].source, "veneer.pull=r.example/a@sha256:b");
	CU_ASSERT_STRING_EQUAL(plans.items[0].plan.image, "r.example/a@sha256:b");
	CU_ASSERT_PTR_NULL(plans.items[0].plan.volume.name);
	CU_ASSERT_STRING_EQUAL(plans.items[1].plan.image, "debian:12");
	CU_ASSERT_STRING_EQUAL(plans.items[1].plan.archive, "/srv/d.tar");
	volume = &plans.items[1].plan.volume;
	CU_ASSERT_STRING_EQUAL(volume->name, "web");
	CU_ASSERT_EQUAL(volume->size_bytes, UINT64_C(20) << 30);
	CU_ASSERT_STRING_EQUAL(volume->mount, "/srv/web");
	CU_ASSERT_STRING_EQUAL(volume->options, "nodev,noatime");
	CU_ASSERT_TRUE(volume->read_only);
	CU_ASSERT_STRING_EQUAL(plans.items[2].plan.volume.mount, "/srv/the db");
	CU_ASSERT_FALSE(plans.items[2].plan.volume.read_only);
	CU_ASSERT_TRUE(plans.items[3].plan.volume.attach);
	CU_ASSERT_PTR_EQUAL(plans_find(&plans, "kernel:4"), &plans.items[3]);
	CU_ASSERT_PTR_NULL(plans_find(&plans, "kernel:5"));
}

static void broken(const char *word, const char *why)
{
	auto_plans struct plans plans = { 0 };

	plans_add_words(&plans, word);
	CU_ASSERT_EQUAL_FATAL(plans.nr, 1);
	CU_ASSERT_TRUE(plans.items[0].broken);
	if (!strstr(plans.items[0].err.text, why))
		printf("%s: %s; ", word, plans.items[0].err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(plans.items[0].err.text, why));
	CU_ASSERT_PTR_NOT_NULL(strstr(plans.items[0].err.text, word));
	CU_ASSERT_PTR_NULL(plans.items[0].plan.volume.name);
}

static void test_broken_words(void)
{
	broken("veneer.pull=", "no image is named");
	broken("veneer.volume=", "invalid name");
	broken("veneer.volume=,size=1G", "invalid name");
	broken("veneer.volume=a,colour=red", "unknown key \"colour\"");
	broken("veneer.volume=a,size", "unknown key \"size\" without a value");
	broken("veneer.volume=a,ro=1", "unknown key \"ro\"");
	broken("veneer.volume=a,size=much", "key \"size\"");
	broken("veneer.volume=a,mount=/a,mount=/b", "\"mount\" occurs twice");
	broken("veneer.volume=a,mount=/a/../b", "must not have \"..\"");
	broken("veneer.volume=a,mount=/..", "must not have \"..\"");
	broken("veneer.volume=a,mount=/", "root of this system");
	broken("veneer.volume=a,mount=/b\\", "control character");
	broken("veneer.volume=a,mount=/a,option=loop", "unknown mount option 'loop'");
	broken("veneer.volume=a,archive=/a.tar", "needs \"image\"");
	broken("veneer.volume=a,mount=/a,attach", "not both");
	broken("veneer.volume=a,ro", "need \"mount\"");
}

/* A move leaves nothing behind that is freed twice or found again. */
static void test_move(void)
{
	auto_plans struct plans from = { 0 }, to = { 0 };

	plans_add_words(&from, "veneer.pull=a veneer.pull=b");
	plans_move(&to, plans_find(&from, "kernel:2"));
	CU_ASSERT_PTR_NULL(plans_find(&from, "kernel:2"));
	CU_ASSERT_EQUAL_FATAL(to.nr, 1);
	CU_ASSERT_STRING_EQUAL(to.items[0].plan.image, "b");
}

UNIT_SUITE(plans, { "words of the kernel's command line", test_words },
	   { "what is wrong in a word is named", test_broken_words },
	   { "a plan goes from one list to another", test_move });
