/* SPDX-License-Identifier: Apache-2.0 */
#include "ext4w/ext4w.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "ext4w_lab.h"
#include "fs/fs.h"

#define DAMAGES 400

static const struct tree_attr plain = { .mode = 0644, .mtime = { 1700000000, 5 } };

/* As the pool's template is made, but for what is asked otherwise. */
static bool make_image(struct lab *lab, const char *size, const char *features)
{
	auto_buf struct buf output = { 0 };

	if (!lab_init(lab, "image"))
		return false;
	{
		auto_free char *list = xasprintf(FS_EXT4_FEATURES "%s", features);
		const char *const argv[] = {
			"mke2fs", "-q",	 "-F",	     "-b", "4096",
			"-I",	  "256", "-m",	     "0",  "-J",
			"size=4", "-i",	 "8192",     "-E", "lazy_itable_init=1,nodiscard",
			"-O",	  list,	 lab->image, size, NULL
		};

		run(argv, &output);
	}
	return true;
}

static bool begin(struct lab *lab, const char *size)
{
	if (!make_image(lab, size, ""))
		return false;
	open_tree(lab);
	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->begin_layer(lab->tree, true, &lab->err));
	return true;
}

static void next_layer(struct lab *lab)
{
	end_layer(lab);
	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->begin_layer(lab->tree, false, &lab->err));
}

static void write_file(struct lab *lab, const char *path, const void *data, size_t len)
{
	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->open_file(lab->tree, path, &plain, len, &lab->err));
	if (len)
		CU_ASSERT_EQUAL_FATAL(0, ops(lab)->write_file(lab->tree, data, len, 0, &lab->err));
	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->close_file(lab->tree, &lab->err));
}

static void check_says(struct lab *lab, const char *request, const char *wanted)
{
	auto_buf struct buf said = { 0 };

	ask(lab, request, &said);
	if (!strstr(said.data, wanted))
		printf("\n%s: %s\n  without: %s\n", request, said.data, wanted);
	CU_ASSERT_PTR_NOT_NULL(strstr(said.data, wanted));
}

/* ---- every kind of entry ---- */

static void test_every_kind_of_entry(void)
{
	auto_lab struct lab lab = { 0 };
	const struct tree_xattr xattrs[] = { { "user.small", "value", 5 },
					     { "trusted.none", "", 0 } };
	struct tree_attr attr = plain;
	char target[200];

	if (!begin(&lab, "64M"))
		return;
	attr.uid = 0xfffffffe;
	attr.gid = 65536;
	attr.mode = 06755;
	attr.xattrs = xattrs;
	attr.nr_xattrs = 2;
	memset(target, 't', sizeof(target));
	target[sizeof(target) - 1] = '\0';
	write_file(&lab, "implied/parents/file", "content\n", 8);
	CU_ASSERT_EQUAL(0, ops(&lab)->make_dir(lab.tree, "dir", &attr, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_symlink(lab.tree, "fast", "to", &plain, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_symlink(lab.tree, "slow", target, &plain, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_node(lab.tree, "small", S_IFCHR, makedev(5, 1), &plain,
						&lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_node(lab.tree, "large", S_IFBLK, makedev(300, 70000),
						&plain, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_node(lab.tree, "fifo", S_IFIFO, 0, &plain, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_link(lab.tree, "dir/name", "implied/parents/file",
						&plain, &lab.err));
	end_layer(&lab);
	check_says(&lab, "cat /dir/name", "content\n");
	check_says(&lab, "stat /implied/parents/file", "Links: 2");
	check_says(&lab, "stat /implied", "mtime: 0x6553f100:00000014");
	check_says(&lab, "stat /dir", "Mode:  06755");
	check_says(&lab, "stat /dir", "User:    -2   Group: 65536");
	check_says(&lab, "stat /dir", "user.small (5) = \"value\"");
	check_says(&lab, "stat /fast", "Fast link dest: \"to\"");
	check_says(&lab, "stat /slow", "Size: 199");
	check_says(&lab, "stat /small", "Device major/minor number: 05:01");
	check_says(&lab, "stat /large", "Device major/minor number: 300:70000");
	check_says(&lab, "stat /fifo", "Type: FIFO");
}

static void check_type(struct lab *lab, const char *path, mode_t wanted)
{
	mode_t type;

	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->look(lab->tree, path, &type, &lab->err));
	CU_ASSERT_EQUAL(wanted, type);
}

static void test_it_tells_what_is_at_a_path(void)
{
	auto_lab struct lab lab = { 0 };
	mode_t type;

	if (!begin(&lab, "64M"))
		return;
	write_file(&lab, "dir/file", "x", 1);
	CU_ASSERT_EQUAL(0, ops(&lab)->make_symlink(lab.tree, "link", "dir", &plain, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_node(lab.tree, "fifo", S_IFIFO, 0, &plain, &lab.err));
	check_type(&lab, "dir", S_IFDIR);
	check_type(&lab, "link", S_IFLNK);
	check_type(&lab, "link/file", S_IFREG);
	check_type(&lab, "fifo", S_IFIFO);
	check_type(&lab, "none", 0);
	check_type(&lab, "none/there", 0);
	CU_ASSERT_EQUAL(-1, ops(&lab)->look(lab.tree, "dir/file/x", &type, &lab.err));
	CU_ASSERT_EQUAL(ERR_CORRUPT, lab.err.kind);
	end_layer(&lab);
}

static void test_layers_change_what_is_below(void)
{
	auto_lab struct lab lab = { 0 };
	auto_buf struct buf said = { 0 };
	char text[32];

	if (!begin(&lab, "64M"))
		return;
	for (int i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "d/file-%d", i);
		write_file(&lab, text, text, strlen(text));
	}
	write_file(&lab, "gone/with/all", "x", 1);
	write_file(&lab, "replaced", "old", 3);
	write_file(&lab, "twice", "first", 5);
	write_file(&lab, "twice", "last", 4);
	next_layer(&lab);
	CU_ASSERT_EQUAL(0, ops(&lab)->whiteout(lab.tree, "gone", &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->whiteout(lab.tree, "nothing/here", &lab.err));
	write_file(&lab, "d/new", "new", 3);
	CU_ASSERT_EQUAL(0, ops(&lab)->opaque(lab.tree, "d", &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_dir(lab.tree, "replaced", &plain, &lab.err));
	end_layer(&lab);
	ext4w_free(take_ptr(lab.tree));
	open_tree(&lab);
	CU_ASSERT_EQUAL(0, ops(&lab)->begin_layer(lab.tree, false, &lab.err));
	write_file(&lab, "third", "3", 1);
	end_layer(&lab);
	check_says(&lab, "cat /twice", "last");
	check_says(&lab, "stat /replaced", "Type: directory");
	check_says(&lab, "stat /third", "Size: 1");
	ask(&lab, "ls -p /d", &said);
	CU_ASSERT_PTR_NOT_NULL(strstr(said.data, "/new/"));
	CU_ASSERT_PTR_NULL(strstr(said.data, "/file-"));
	ask(&lab, "ls -p /", &said);
	CU_ASSERT_PTR_NULL(strstr(said.data, "/gone/"));
}

/* As the archives of ADD are unpacked: a folder is all there is, whatever links say. */
static void test_a_folder_can_be_the_root(void)
{
	auto_lab struct lab lab = { 0 };
	auto_buf struct buf said = { 0 };
	bool removed;

	if (!begin(&lab, "64M"))
		return;
	CU_ASSERT_EQUAL(0, ops(&lab)->make_symlink(lab.tree, "in/up", "../..", &plain, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_symlink(lab.tree, "in/root", "/x", &plain, &lab.err));
	write_file(&lab, "in/first", "1", 1);
	CU_ASSERT_EQUAL(0, ops(&lab)->end_layer(lab.tree, &removed, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->enter(lab.tree, "in", &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->begin_layer(lab.tree, true, &lab.err));
	write_file(&lab, "up/second", "2", 1);
	write_file(&lab, "root/third", "3", 1);
	CU_ASSERT_EQUAL(0,
			ops(&lab)->make_link(lab.tree, "root/again", "up/first", &plain, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_dir(lab.tree, "", &(struct tree_attr){ .mode = 0711 },
					       &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->end_layer(lab.tree, &removed, &lab.err));
	CU_ASSERT_EQUAL(-1, ops(&lab)->enter(lab.tree, "in/no", &lab.err));
	CU_ASSERT_EQUAL(ERR_NOT_FOUND, lab.err.kind);
	CU_ASSERT_EQUAL(-1, ops(&lab)->enter(lab.tree, "in/first", &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->enter(lab.tree, "", &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->begin_layer(lab.tree, true, &lab.err));
	write_file(&lab, "fourth", "4", 1);
	end_layer(&lab);
	check_says(&lab, "cat /in/second", "2");
	check_says(&lab, "cat /in/x/third", "3");
	check_says(&lab, "stat /in/x/again", "Links: 2");
	check_says(&lab, "stat /in", "Mode:  0711");
	check_says(&lab, "cat /fourth", "4");
	ask(&lab, "ls -p /", &said);
	CU_ASSERT_PTR_NULL(strstr(said.data, "/x/"));
	CU_ASSERT_PTR_NULL(strstr(said.data, "/second/"));
}

/* ---- sizes ---- */

/* A hole after each block: an extent for each, 340 in a node. */
static void write_holes(struct lab *lab, const char *path, uint32_t nr)
{
	uint64_t size = (uint64_t)nr * 8192;

	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->open_file(lab->tree, path, &plain, size, &lab->err));
	for (uint32_t i = 0; i < nr; i++)
		CU_ASSERT_EQUAL_FATAL(0, ops(lab)->write_file(lab->tree, &i, sizeof(i),
							      (uint64_t)i * 8192, &lab->err));
	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->close_file(lab->tree, &lab->err));
}

static void test_extents_of_any_depth(void)
{
	static const uint32_t numbers[] = { 4, 5, 340, 341, 1360, 1361, 8000 };
	auto_lab struct lab lab = { 0 };
	char path[16];

	if (!begin(&lab, "128M"))
		return;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		snprintf(path, sizeof(path), "f%u", numbers[i]);
		write_holes(&lab, path, numbers[i]);
	}
	next_layer(&lab);
	check_says(&lab, "dump_extents /f4", "0/ 0   1/  4");
	check_says(&lab, "dump_extents /f1360", "1/ 1 340/340");
	check_says(&lab, "dump_extents /f1361", "2/ 2");
	check_says(&lab, "dump_extents /f8000", "2/ 2 340/340");
	CU_ASSERT_EQUAL(0, ops(&lab)->whiteout(lab.tree, "f8000", &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->whiteout(lab.tree, "f5", &lab.err));
	end_layer(&lab);
}

static void test_directories_of_any_size(void)
{
	auto_lab struct lab lab = { 0 };
	char path[300];

	if (!begin(&lab, "256M"))
		return;
	/* Names so long that a leaf has 16: an index of two levels from 8,112 on. */
	for (int i = 0; i < 12000; i++) {
		snprintf(path, sizeof(path), "large/%0240d", i);
		write_file(&lab, path, NULL, 0);
	}
	for (int i = 0; i < 400; i++) {
		snprintf(path, sizeof(path), "small/%d", i);
		write_file(&lab, path, NULL, 0);
	}
	next_layer(&lab);
	check_says(&lab, "htree /large", "Indirect levels: 1");
	check_says(&lab, "htree /small", "Indirect levels: 0");
	for (int i = 0; i < 11990; i++) {
		snprintf(path, sizeof(path), "large/%0240d", i);
		CU_ASSERT_EQUAL_FATAL(0, ops(&lab)->whiteout(lab.tree, path, &lab.err));
	}
	end_layer(&lab);
	check_says(&lab, "stat /large", "Size: 4096");
}

static void test_a_terabyte_of_holes(void)
{
	auto_lab struct lab lab = { 0 };
	const uint64_t size = UINT64_C(0xffffffff) * 4096;

	if (!begin(&lab, "64M"))
		return;
	CU_ASSERT_EQUAL(0, ops(&lab)->open_file(lab.tree, "f", &plain, size, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->write_file(lab.tree, "x", 1, size - 1, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->close_file(lab.tree, &lab.err));
	CU_ASSERT_EQUAL(-1, ops(&lab)->open_file(lab.tree, "g", &plain, size + 1, &lab.err));
	CU_ASSERT_EQUAL(EFBIG, lab.err.sys_errno);
}

static void test_a_full_file_system_says_so(void)
{
	auto_lab struct lab lab = { 0 };
	auto_free char *data = xcalloc(1, 1000000);
	int i, result = 0;

	if (!begin(&lab, "64M"))
		return;
	CU_ASSERT_EQUAL(0, ops(&lab)->open_file(lab.tree, "f", &plain, 100000000, &lab.err));
	for (i = 0; i < 100 && result == 0; i++)
		result = ops(&lab)->write_file(lab.tree, data, 1000000, (uint64_t)i * 1000000,
					       &lab.err);
	CU_ASSERT_EQUAL(-1, result);
	CU_ASSERT_EQUAL(ERR_NO_SPACE, lab.err.kind);
	CU_ASSERT_EQUAL(ENOSPC, lab.err.sys_errno);
	CU_ASSERT(i > 40);
	CU_ASSERT(ext4w_room(lab.tree).free_bytes < 65536);
}

/* The last of what is free is used as well, chunk or not. */
static void test_files_fill_it_to_the_last_block(void)
{
	auto_lab struct lab lab = { 0 };
	char path[32], data[5000] = { 0 };
	uint64_t left;

	if (!begin(&lab, "16M"))
		return;
	for (int i = 0; ext4w_room(lab.tree).free_bytes > 200000; i++) {
		snprintf(path, sizeof(path), "d%d/f%d", i % 7, i);
		write_file(&lab, path, data, sizeof(data));
		if (i % 50 == 49)
			next_layer(&lab);
		if (i % 3 == 0 && i > 100) {
			snprintf(path, sizeof(path), "d%d/f%d", (i - 99) % 7, i - 99);
			CU_ASSERT_EQUAL(0, ops(&lab)->whiteout(lab.tree, path, &lab.err));
		}
	}
	left = ext4w_room(lab.tree).free_bytes;
	CU_ASSERT(left < 204096);
	end_layer(&lab);
}

/* ---- what is not written ---- */

static void check_refused(const char *features, enum err_kind kind, const char *words)
{
	auto_lab struct lab lab = { 0 };

	if (!make_image(&lab, "64M", features))
		return;
	CU_ASSERT_EQUAL(-1, ext4w_open(lab.image, &lab.tree, &lab.err));
	CU_ASSERT_EQUAL(kind, lab.err.kind);
	if (!strstr(lab.err.text, words))
		printf("\n%s: %s\n", features, lab.err.text);
	CU_ASSERT_PTR_NOT_NULL(strstr(lab.err.text, words));
}

static void test_other_features_are_refused(void)
{
	check_refused(",^metadata_csum", ERR_UNSUPPORTED, "lacks the feature metadata_csum");
	check_refused(",^extent,^64bit", ERR_UNSUPPORTED, "lacks the feature extent");
	check_refused(",inline_data", ERR_UNSUPPORTED, "incompatible features 0x8000");
	check_refused(",bigalloc", ERR_UNSUPPORTED, "read-only features 0x200");
	check_refused(",quota", ERR_UNSUPPORTED, "read-only features 0x100");
	check_refused(",ea_inode", ERR_UNSUPPORTED, "incompatible features 0x400");
	check_refused(",large_dir", ERR_UNSUPPORTED, "incompatible features 0x4000");
	check_refused(",meta_bg,^resize_inode", ERR_UNSUPPORTED, "incompatible features 0x10");
	check_refused(",casefold", ERR_UNSUPPORTED, "incompatible features 0x20000");
	check_refused(",encrypt", ERR_UNSUPPORTED, "incompatible features 0x10000");
	check_refused(",sparse_super2,^resize_inode", ERR_UNSUPPORTED, "compatible features 0x200");
}

static void test_what_is_not_clean_is_refused(void)
{
	static const char *const requests[] = { "ssv state 0", "ssv state 3",
						"feature needs_recovery", "ssv last_orphan 12" };

	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		auto_lab struct lab lab = { 0 };
		auto_buf struct buf output = { 0 };

		if (!make_image(&lab, "16M", ""))
			return;
		{
			const char *const argv[] = { "debugfs",	  "-w",	     "-R",
						     requests[i], lab.image, NULL };

			run(argv, &output);
		}
		CU_ASSERT_EQUAL(-1, ext4w_open(lab.image, &lab.tree, &lab.err));
		CU_ASSERT_EQUAL(ERR_UNSUPPORTED, lab.err.kind);
	}
}

/* Whatever is damaged, there is an error or a layer, and no more. */
static void test_damage_is_survived(void)
{
	auto_lab struct lab lab = { 0 };
	auto_buf struct buf whole = { 0 };
	struct error err;
	unsigned opened = 0;
	auto_fd int fd = -1;

	if (!begin(&lab, "16M"))
		return;
	for (int i = 0; i < 200; i++) {
		char path[32];

		snprintf(path, sizeof(path), "d/sub/file-%d", i);
		write_file(&lab, path, path, 20);
	}
	write_holes(&lab, "holes", 500);
	end_layer(&lab);
	ext4w_free(take_ptr(lab.tree));
	CU_ASSERT_EQUAL_FATAL(0, io_read_file(AT_FDCWD, lab.image, 16 << 20, &whole, &err));
	fd = open(lab.image, O_RDWR | O_CLOEXEC);
	srandom(1);
	for (int i = 0; i < UNIT_ROUNDS(DAMAGES); i++) {
		size_t at = (size_t)random() % (whole.len - 64) % (i % 2 ? 400000 : whole.len);
		char bad[64];
		bool removed;

		for (size_t k = 0; k < sizeof(bad); k++)
			bad[k] = (char)random();
		CU_ASSERT_EQUAL_FATAL(0, io_pwrite(fd, whole.data, whole.len, 0, &err));
		CU_ASSERT_EQUAL_FATAL(0, io_pwrite(fd, bad, (size_t)(1 + i % 64), at, &err));
		if (ext4w_open(lab.image, &lab.tree, &err) < 0)
			continue;
		opened++;
		(void)(ops(&lab)->begin_layer(lab.tree, false, &err) < 0 ||
		       ops(&lab)->make_dir(lab.tree, "d/new", &plain, &err) < 0 ||
		       ops(&lab)->whiteout(lab.tree, "holes", &err) < 0 ||
		       ops(&lab)->whiteout(lab.tree, "d", &err) < 0 ||
		       ops(&lab)->opaque(lab.tree, "", &err) < 0 ||
		       ops(&lab)->end_layer(lab.tree, &removed, &err) < 0);
		ext4w_free(take_ptr(lab.tree));
	}
	CU_ASSERT(opened > 50);
}

UNIT_SUITE(ext4w, { "every kind of entry is what debugfs shows", test_every_kind_of_entry },
	   { "it tells what is at a path", test_it_tells_what_is_at_a_path },
	   { "layers change what is below", test_layers_change_what_is_below },
	   { "a folder can be the root", test_a_folder_can_be_the_root },
	   { "extents of any depth", test_extents_of_any_depth },
	   { "directories of any size", test_directories_of_any_size },
	   { "a terabyte of holes", test_a_terabyte_of_holes },
	   { "a full file system says so", test_a_full_file_system_says_so },
	   { "files fill it to the last block", test_files_fill_it_to_the_last_block },
	   { "other features are refused by name", test_other_features_are_refused },
	   { "what is not clean is refused", test_what_is_not_clean_is_refused },
	   { "damage is survived", test_damage_is_survived });
