/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "db/recover_container.h"
#include "db/volume_note.h"
#include "devlink.h"
#include "unit.h"

static struct root root;
static char folder[] = "/tmp/veneer-note-XXXXXX";

static void begin(void)
{
	struct error err;

	snprintf(folder, sizeof(folder), "/tmp/veneer-note-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	CU_ASSERT_EQUAL_FATAL(root_open(folder, &root, &err), 0);
}

static void end(void)
{
	struct error err;

	root_done(&root);
	CU_ASSERT_EQUAL(recover_remove_tree(folder, &err), 0);
}

static void put(const char *name, const char *text)
{
	auto_free char *path = xasprintf("disks/%s", name);
	struct error err;

	CU_ASSERT_EQUAL_FATAL(io_replace_file(root.fd, path, text, strlen(text), 0600, &err), 0);
}

static void test_there_and_back(void)
{
	struct volume_row row = { .name = (char *)"db",
				  .thin_id = 7,
				  .size_bytes = UINT64_C(10) << 30,
				  .image_name = (char *)"debian:12",
				  .origin = (char *)"",
				  .read_only = true };
	auto_volume_rows struct volume_rows rows = { 0 };
	auto_volume_rows struct volume_rows none = { 0 };
	struct error err;

	begin();
	digest_of("x", 1, &row.image);
	CU_ASSERT_EQUAL_FATAL(note_write(&root, &row, &err), 0);
	note_list(&root, &rows);
	CU_ASSERT_EQUAL_FATAL(rows.nr, 1);
	CU_ASSERT_STRING_EQUAL(rows.items[0].name, "db");
	CU_ASSERT_EQUAL(rows.items[0].thin_id, 7);
	CU_ASSERT_EQUAL(rows.items[0].size_bytes, UINT64_C(10) << 30);
	CU_ASSERT_TRUE(digest_equal(&rows.items[0].image, &row.image));
	CU_ASSERT_STRING_EQUAL(rows.items[0].image_name, "debian:12");
	CU_ASSERT_STRING_EQUAL(rows.items[0].origin, "");
	CU_ASSERT_TRUE(rows.items[0].read_only);
	CU_ASSERT_FALSE(rows.items[0].raw);
	note_remove(&root, "db");
	note_list(&root, &none);
	CU_ASSERT_EQUAL(none.nr, 0);
	end();
}

static void test_hostile(void)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{\"name\":\"a\",\"thin_id\":1}",
		"{\"name\":\"a\",\"thin_id\":0,\"size_bytes\":1}",
		"{\"name\":\"a\",\"thin_id\":16777216,\"size_bytes\":1}",
		"{\"name\":\"a\",\"thin_id\":1,\"size_bytes\":-1}",
		"{\"name\":\"../a\",\"thin_id\":1,\"size_bytes\":1}",
		"{\"name\":\"a\",\"thin_id\":1,\"size_bytes\":1,\"image\":\"sha256:zz\"}",
		"{\"name\":\"a\",\"thin_id\":1,\"size_bytes\":1,\"more\":1}",
	};
	auto_volume_rows struct volume_rows rows = { 0 };

	begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		auto_free char *name = xasprintf("%zu.json", i);

		put(name, bad[i]);
	}
	put("note.json.new", "{\"name\":\"a\",\"thin_id\":1,\"size_bytes\":1}");
	put("whole.json", "{\"name\":\"whole\",\"thin_id\":1,\"size_bytes\":1}");
	note_list(&root, &rows);
	CU_ASSERT_EQUAL_FATAL(rows.nr, 1);
	CU_ASSERT_STRING_EQUAL(rows.items[0].name, "whole");
	end();
}

static void test_names(void)
{
	auto_free char *longest = xasprintf("%0*d", DEVLINK_NAME_MAX, 0);
	auto_free char *longer = xasprintf("%s0", longest);
	struct error err;

	CU_ASSERT_EQUAL(devlink_check_name("a-b_c.D9", &err), 0);
	CU_ASSERT_EQUAL(devlink_check_name(longest, &err), 0);
	CU_ASSERT_EQUAL(devlink_check_name(longer, &err), -1);
	CU_ASSERT_EQUAL(devlink_check_name("", &err), -1);
	CU_ASSERT_EQUAL(devlink_check_name(".a", &err), -1);
	CU_ASSERT_EQUAL(devlink_check_name("a/b", &err), -1);
	CU_ASSERT_EQUAL(devlink_check_name("a b", &err), -1);
}

UNIT_SUITE(volume_note, { "a volume is noted and read again", test_there_and_back },
	   { "what is no note is passed over", test_hostile },
	   { "names of volumes are names of links", test_names });
