/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/tmeta.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/proc.h"
#include "base/size.h"
#include "tmeta/delta.h"
#include "tmeta/usage.h"
#include "tmeta_image.h"
#include "unit.h"

#define DEADLINE_MS  60000
#define SPEC_DIR     "tests/spec/tmeta"
#define NODE_ENTRIES 252 /* mappings in a node that the kernel made */

static void make_one(struct image *image)
{
	image_init(image, 6);
	image_create(image, 0, 1);
	image_write(image, 0, 7);
	image_make_lists(image);
}

static void test_info(void)
{
	auto_image struct image image;
	auto_tmeta struct tmeta *tmeta = NULL;
	struct tmeta_info info;
	struct error err;

	make_one(&image);
	image_super(&image)->data_sm_root.nr_allocated = 4711;
	image_super(&image)->held_root = 99;
	image_super(&image)->flags = SUPER_FLAG_NEEDS_CHECK;
	image_store(&image);
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
	tmeta_info(tmeta, &info);
	CU_ASSERT_EQUAL(info.transaction_id, 7);
	CU_ASSERT_EQUAL(info.held_root, 99);
	CU_ASSERT_EQUAL(info.data_block_bytes, 65536);
	CU_ASSERT_EQUAL(info.nr_data_blocks, IMAGE_DATA_BLOCKS);
	CU_ASSERT_EQUAL(info.nr_data_used, 4711);
	CU_ASSERT_EQUAL(info.nr_meta_blocks, image.next_block);
	CU_ASSERT_TRUE(info.needs_check);
}

static void break_magic(struct disk_super *super)
{
	super->magic++;
}

static void break_version(struct disk_super *super)
{
	super->version = 3;
}

static void break_features(struct disk_super *super)
{
	super->incompat_flags = 1;
}

static void break_data_block(struct disk_super *super)
{
	super->data_block_sectors = 129;
}

static void break_data_block_zero(struct disk_super *super)
{
	super->data_block_sectors = 0;
}

static void break_meta_block(struct disk_super *super)
{
	super->meta_block_sectors = 16;
}

static void break_number(struct disk_super *super)
{
	super->block_nr = 5;
}

static void test_foreign_superblocks_are_refused(void)
{
	static const struct {
		void (*damage)(struct disk_super *super);
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{ break_magic, ERR_CORRUPT, "is not the metadata of a thin pool" },
		{ break_version, ERR_UNSUPPORTED, "format version 3" },
		{ break_features, ERR_UNSUPPORTED, "unknown features 0x1" },
		{ break_data_block, ERR_CORRUPT, "pool block of 129 sectors" },
		{ break_data_block_zero, ERR_CORRUPT, "pool block of 0 sectors" },
		{ break_meta_block, ERR_CORRUPT, "metadata block of 16 sectors" },
		{ break_number, ERR_CORRUPT, "metadata block 0: holds block 5" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_image struct image image;
		struct tmeta *tmeta;
		struct error err = { 0 };

		make_one(&image);
		cases[i].damage(image_super(&image));
		image_store(&image);
		CU_ASSERT_EQUAL(-1, tmeta_open(image.path, 0, &tmeta, &err));
		CU_ASSERT_EQUAL(err.kind, cases[i].kind);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[i].text));
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, image.path));
	}
}

static void test_wrong_held_root_is_refused(void)
{
	auto_image struct image image;
	struct tmeta *tmeta;
	struct error err = { 0 };

	make_one(&image);
	image_store(&image);
	CU_ASSERT_EQUAL(-1, tmeta_open(image.path, IMAGE_FIRST_FREE, &tmeta, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_EQUAL(-1, tmeta_open(image.path, UINT64_MAX, &tmeta, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

/* The superblock and space maps of an empty pool, as thin_restore makes them. */
static void restore_empty_pool(struct image *image)
{
	static const char xml[] = "<superblock uuid=\"\" time=\"1\" transaction=\"1\" "
				  "data_block_size=\"128\" nr_data_blocks=\"1000000\">"
				  "</superblock>";
	char xml_path[sizeof(image->path) + 4];
	const char *argv[] = { "thin_restore", "-i", xml_path, "-o", image->path, NULL };
	struct error err = { 0 };
	int fd;

	snprintf(xml_path, sizeof(xml_path), "%s.xml", image->path);
	CU_ASSERT_EQUAL_FATAL(
		0, io_replace_file(AT_FDCWD, xml_path, xml, sizeof(xml) - 1, 0600, &err));
	CU_ASSERT_EQUAL_FATAL(0, truncate(image->path, IMAGE_BLOCKS * (off_t)META_BLOCK_BYTES));
	CU_ASSERT_EQUAL(0, proc_check(argv, DEADLINE_MS, &err));
	unlink(xml_path);
	fd = open(image->path, O_RDONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(0, io_pread(fd, image->data, IMAGE_FIRST_FREE * META_BLOCK_BYTES, 0, &err));
	close(fd);
}

static void check_thin_ls(struct image *image, struct tmeta *tmeta)
{
	const char *argv[] = { "thin_ls",   "--no-headers",
			       "-o",	    "DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,SHARED_BLOCKS",
			       image->path, NULL };
	auto_buf struct buf theirs = { 0 };
	auto_free struct tmeta_volume *volumes = NULL;
	struct error err = { 0 };
	const char *at;
	size_t nr;

	CU_ASSERT_EQUAL_FATAL(0, tmeta_usage(tmeta, &volumes, &nr, NULL, &err));
	CU_ASSERT_EQUAL_FATAL(0, proc_run(argv, DEADLINE_MS, &theirs, &err));
	/* Version 1 first says on stderr what it is about to do. */
	at = theirs.data + strcspn(theirs.data, "0123456789");
	for (size_t i = 0; i < nr; i++) {
		uint64_t number[4];

		for (size_t n = 0; n < 4; n++) {
			char *end;

			number[n] = strtoull(at, &end, 10);
			CU_ASSERT_FATAL(end != at);
			at = end;
		}
		CU_ASSERT_EQUAL(number[0], volumes[i].id);
		CU_ASSERT_EQUAL(number[1], volumes[i].mapped_blocks);
		CU_ASSERT_EQUAL(number[2], volumes[i].exclusive_blocks);
		CU_ASSERT_EQUAL(number[3], volumes[i].shared_blocks);
	}
}

/* Adds up the lengths of the XML elements with this name. */
static uint64_t sum_lengths(const char *xml, const char *name)
{
	auto_free char *start = xasprintf("<%s ", name);
	uint64_t sum = 0;

	while ((xml = strstr(xml, start))) {
		xml = strstr(xml, "length=\"");
		CU_ASSERT_PTR_NOT_NULL_FATAL(xml);
		sum += strtoull(xml + strlen("length=\""), NULL, 10);
	}
	return sum;
}

static void check_thin_delta(struct image *image, struct tmeta *tmeta, uint32_t a, uint32_t b)
{
	auto_free char *left = xasprintf("%u", a);
	auto_free char *right = xasprintf("%u", b);
	const char *argv[] = { "thin_delta", "--thin1", left, "--thin2", right, image->path, NULL };
	auto_buf struct buf theirs = { 0 };
	struct tmeta_delta delta;
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(0, tmeta_delta(tmeta, a, b, &delta, &err));
	CU_ASSERT_EQUAL_FATAL(0, proc_run(argv, DEADLINE_MS, &theirs, &err));
	CU_ASSERT_EQUAL(delta.own_blocks, sum_lengths(theirs.data, "different") +
						  sum_lengths(theirs.data, "right_only"));
	CU_ASSERT_EQUAL(delta.dropped_blocks, sum_lengths(theirs.data, "left_only"));
}

/*
 * From version 1 on thin_ls takes a tree for damaged when one of its nodes has
 * fewer entries than a third of what the kernel's have room for.
 */
static bool tools_are_here(bool *ret_thin_ls_takes_small_nodes)
{
	const char *argv[] = { "thin_restore", "--version", NULL };
	auto_buf struct buf out = { 0 };
	struct error err;

	if (proc_run(argv, DEADLINE_MS, &out, &err) == 0) {
		*ret_thin_ls_takes_small_nodes = out.len && strncmp(out.data, "0.", 2) == 0;
		return true;
	}
	printf("(skipped: thin_restore is not installed) ");
	CU_ASSERT_PTR_NULL(getenv("THIN_TOOLS_MUST_WORK"));
	return false;
}

static void test_same_answers_as_the_thin_tools(void)
{
	static const uint32_t max_entries[] = { 6, 30, NODE_ENTRIES, NODE_ENTRIES, NODE_ENTRIES };
	bool small_nodes;

	if (!tools_are_here(&small_nodes))
		return;
	for (unsigned i = 0; i < sizeof(max_entries) / sizeof(*max_entries); i++) {
		auto_image struct image image;
		auto_tmeta struct tmeta *tmeta = NULL;
		uint64_t random = 100 + i;
		struct error err;

		image_init(&image, max_entries[i]);
		restore_empty_pool(&image);
		image_grow_random(&image, &random, 9);
		image_make_lists(&image);
		image_store(&image);
		CU_ASSERT_EQUAL_FATAL(0, tmeta_open(image.path, 0, &tmeta, &err));
		if (small_nodes || max_entries[i] == NODE_ENTRIES)
			check_thin_ls(&image, tmeta);
		for (unsigned id = 2; id <= 9; id++) {
			check_thin_delta(&image, tmeta, id - 1, id);
			check_thin_delta(&image, tmeta, id, 1);
		}
	}
}

static void check_usage_line(const struct tmeta_volume *volumes, size_t nr, const char *line)
{
	unsigned id;
	uintmax_t mapped;
	uintmax_t exclusive;
	uintmax_t shared;

	CU_ASSERT_EQUAL_FATAL(4, sscanf(line, "volume %u mapped %ju exclusive %ju shared %ju", &id,
					&mapped, &exclusive, &shared));
	for (size_t i = 0; i < nr; i++) {
		if (volumes[i].id != id)
			continue;
		CU_ASSERT_EQUAL(volumes[i].mapped_blocks, mapped);
		CU_ASSERT_EQUAL(volumes[i].exclusive_blocks, exclusive);
		CU_ASSERT_EQUAL(volumes[i].shared_blocks, shared);
		return;
	}
	CU_FAIL("volume of the expected list is not found");
}

static void check_delta_line(struct tmeta *tmeta, const char *line)
{
	struct tmeta_delta delta;
	struct error err;
	unsigned a;
	unsigned b;
	uintmax_t own;
	uintmax_t dropped;

	CU_ASSERT_EQUAL_FATAL(
		4, sscanf(line, "delta %u %u own %ju dropped %ju", &a, &b, &own, &dropped));
	CU_ASSERT_EQUAL_FATAL(0, tmeta_delta(tmeta, a, b, &delta, &err));
	CU_ASSERT_EQUAL(delta.own_blocks, own);
	CU_ASSERT_EQUAL(delta.dropped_blocks, dropped);
}

/* Every line says what the thin tools (or the kernel) answered for this image. */
static void check_expected(struct tmeta *tmeta, const char *text)
{
	auto_free struct tmeta_volume *volumes = NULL;
	size_t nr_volume_lines = 0;
	struct error err;
	uint64_t total;
	size_t nr;

	CU_ASSERT_EQUAL_FATAL(0, tmeta_usage(tmeta, &volumes, &nr, &total, &err));
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		if (strncmp(line, "total ", 6) == 0) {
			CU_ASSERT_EQUAL(total, strtoull(line + 6, NULL, 10));
		} else if (strncmp(line, "delta ", 6) == 0) {
			check_delta_line(tmeta, line);
		} else {
			check_usage_line(volumes, nr, line);
			nr_volume_lines++;
		}
	}
	CU_ASSERT_EQUAL(nr_volume_lines, nr);
}

/* The first line is "held BLOCK": which superblock to start from. */
static void check_case(const char *name)
{
	auto_free char *input = xasprintf(SPEC_DIR "/%s/input", name);
	auto_free char *expected_path = xasprintf(SPEC_DIR "/%s/expected", name);
	auto_buf struct buf expected = { 0 };
	auto_tmeta struct tmeta *tmeta = NULL;
	struct error err;
	uintmax_t held;

	CU_ASSERT_EQUAL_FATAL(0, io_read_file(AT_FDCWD, expected_path, MIB, &expected, &err));
	CU_ASSERT_EQUAL_FATAL(1, sscanf(expected.data, "held %ju\n", &held));
	CU_ASSERT_EQUAL_FATAL(0, tmeta_open(input, held, &tmeta, &err));
	check_expected(tmeta, strchr(expected.data, '\n') + 1);
}

static void test_recorded_pools(void)
{
	auto_dir DIR *dir = opendir(SPEC_DIR);
	const struct dirent *entry;
	unsigned nr = 0;

	if (!dir) {
		printf("(skipped: no " SPEC_DIR " in this folder) ");
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		check_case(entry->d_name);
		nr++;
	}
	CU_ASSERT_TRUE(nr > 0);
}

UNIT_SUITE(tmeta, { "the superblock's facts are told", test_info },
	   { "a superblock that we would misread is refused",
	     test_foreign_superblocks_are_refused },
	   { "a block that is no metadata snapshot is refused", test_wrong_held_root_is_refused },
	   { "thin_ls and thin_delta give the same answers", test_same_answers_as_the_thin_tools },
	   { "recorded pools of the kernel and of thin_restore", test_recorded_pools });
