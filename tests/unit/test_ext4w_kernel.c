/* SPDX-License-Identifier: Apache-2.0 */
/* The writer beside the kernel: of what Linux wrote, tests/spec/ext4/kernel.sh tells. */
#include "ext4w/itable.h"

#include <ext2fs/ext2_ext_attr.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "ext4w_lab.h"

/* 2020-02-02 02:02:02.123456789 UTC */
static const struct timespec then = { 1580608922, 123456789 };

static bool begin(struct lab *lab)
{
	auto_buf struct buf output = { 0 };

	if (!lab_init(lab, "kernel.img"))
		return false;
	{
		const char *const argv[] = { "tar", "-xJf",	 "tests/spec/ext4/kernel.tar.xz",
					     "-C",  lab->folder, NULL };

		run(argv, &output);
	}
	open_tree(lab);
	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->begin_layer(lab->tree, false, &lab->err));
	return true;
}

/* ---- read and removed ---- */

/*
 * To remove something each of its structures is read, and its checksum compared: folders with all
 * their nodes, inodes, extents, attributes. What is left over, or is given back twice, counts.
 */
static void test_all_that_it_wrote_can_be_removed(void)
{
	static const char *const paths[] = { "k",	  "many",	"deep",	 "holes-4",
					     "holes-300", "holes-2000", "small", "sparse" };
	auto_lab struct lab lab = { 0 };
	auto_buf struct buf text = { 0 };
	auto_free char *path = NULL;
	unsigned long long blocks, inodes;
	struct ext4w_room room;

	if (!begin(&lab))
		return;
	path = xasprintf("%s/free", lab.folder);
	CU_ASSERT_EQUAL_FATAL(0, io_read_file(AT_FDCWD, path, 100, &text, &lab.err));
	buf_puts(&text, "");
	CU_ASSERT_EQUAL_FATAL(2, sscanf(text.data, "%llu %llu", &blocks, &inodes));
	room = ext4w_room(lab.tree);
	CU_ASSERT(room.free_bytes < blocks * 4096 - 6000000);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (ops(&lab)->whiteout(lab.tree, paths[i], &lab.err) < 0) {
			printf("\n%s: %s\n", paths[i], lab.err.text);
			CU_FAIL("a path cannot be removed");
		}
	end_layer(&lab);
	room = ext4w_room(lab.tree);
	CU_ASSERT_EQUAL(room.free_bytes, blocks * 4096);
	CU_ASSERT_EQUAL(room.free_inodes, inodes);
}

static void test_its_folders_are_written_anew(void)
{
	auto_lab struct lab lab = { 0 };
	struct tree_attr attr = { .mode = 0644, .mtime = then, .atime = then };

	if (!begin(&lab))
		return;
	CU_ASSERT_EQUAL(0,
			ops(&lab)->make_link(lab.tree, "deep/more", "deep/first", &attr, &lab.err));
	CU_ASSERT_EQUAL(
		0, ops(&lab)->make_link(lab.tree, "many/more", "many/file-1", &attr, &lab.err));
	CU_ASSERT_EQUAL(0,
			ops(&lab)->make_link(lab.tree, "many/sparse", "sparse", &attr, &lab.err));
	end_layer(&lab);
}

/* ---- the same bytes ---- */

/* What is not the same in two inodes of the same attributes. */
static void mask(struct ext2_inode_large *inode)
{
	inode->i_ctime = inode->i_ctime_extra = 0;
	inode->i_crtime = inode->i_crtime_extra = 0;
	inode->i_generation = 0;
	inode->i_checksum_hi = 0;
	inode->osd2.linux2.l_i_checksum_lo = 0;
	inode->osd1.linux1.l_i_version = inode->i_version_hi = 0;
	inode->i_file_acl = 0;
}

struct found {
	union {
		struct ext2_inode_large inode;
		uint8_t bytes[INODE_BYTES];
	};
	uint8_t xattrs[BLOCK_BYTES]; /* of its block of attributes, if it has one */
};

static void find(struct lab *lab, const char *path, struct found *ret)
{
	auto_free char *request = xasprintf("imap %s", path);
	auto_fd int fd = open(lab->image, O_RDONLY | O_CLOEXEC);
	auto_buf struct buf said = { 0 };
	unsigned long block = 0;
	unsigned offset = 0;
	const char *at;

	*ret = (struct found){ 0 };
	ask(lab, request, &said);
	at = strstr(said.data, "located at block");
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	CU_ASSERT_EQUAL_FATAL(2, sscanf(at, "located at block %lu, offset %x", &block, &offset));
	CU_ASSERT_EQUAL_FATAL(0, io_pread(fd, ret->bytes, sizeof(ret->bytes),
					  block * BLOCK_BYTES + offset, &lab->err));
	if (ret->inode.i_file_acl)
		CU_ASSERT_EQUAL(0,
				io_pread(fd, ret->xattrs, BLOCK_BYTES,
					 (uint64_t)ret->inode.i_file_acl * BLOCK_BYTES, &lab->err));
	memset(ret->xattrs + offsetof(struct ext2_ext_attr_header, h_checksum), 0, 4);
	mask(&ret->inode);
}

static void check_same(struct lab *lab, const char *name)
{
	auto_free char *theirs = xasprintf("/k/%s", name);
	auto_free char *ours = xasprintf("/o/%s", name);
	struct found kernel, writer;

	find(lab, theirs, &kernel);
	find(lab, ours, &writer);
	for (size_t i = 0; i < INODE_BYTES; i++)
		if (kernel.bytes[i] != writer.bytes[i]) {
			printf("\n%s: byte %zu is %02x, not %02x\n", ours, i, writer.bytes[i],
			       kernel.bytes[i]);
			CU_FAIL("other bytes than the kernel's");
		}
	for (size_t i = 0; i < BLOCK_BYTES; i++)
		if (kernel.xattrs[i] != writer.xattrs[i]) {
			printf("\n%s: byte %zu of its attributes is %02x, not %02x\n", ours, i,
			       writer.xattrs[i], kernel.xattrs[i]);
			CU_FAIL("other attributes than the kernel's");
		}
}

static void add(struct lab *lab, const char *name, const struct tree_attr *attr)
{
	auto_free char *path = xasprintf("o/%s", name);

	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->open_file(lab->tree, path, attr, 0, &lab->err));
	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->close_file(lab->tree, &lab->err));
}

static void add_xattrs(struct lab *lab, const char *name, const struct tree_xattr *xattrs,
		       size_t nr)
{
	struct tree_attr attr = { .mode = 0644, .mtime = then, .atime = then };

	attr.xattrs = xattrs;
	attr.nr_xattrs = nr;
	add(lab, name, &attr);
}

static void add_with_xattrs(struct lab *lab)
{
	static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 0x20 };
	/* Version 2; then tag, permissions and number of each: u::rw, u:1000:rwx, g::r, g:70000:r, mask
	 * rwx, o::r */
	static const uint8_t acl[] = { 2,    0, 0,   0,	  1,   0,    6,	  0,   255, 255, 255,
				       255,  2, 0,   7,	  0,   0xe8, 3,	  0,   0,   4,	 0,
				       4,    0, 255, 255, 255, 255,  8,	  0,   4,   0,	 0x70,
				       0x11, 1, 0,   16,  0,   7,    0,	  255, 255, 255, 255,
				       32,   0, 4,   0,	  255, 255,  255, 255 };
	char text[901];
	const struct tree_xattr cap = { "security.capability", capability, sizeof(capability) };
	const struct tree_xattr list = { "system.posix_acl_access", acl, sizeof(acl) };
	const struct tree_xattr two[] = { { "user.small", "value", 5 },
					  { "trusted.other", "another value", 13 } };
	const struct tree_xattr many[] = { { "user.long", text, 900 },
					   { "user.b", "second", 6 },
					   { "trusted.c", "third", 5 } };

	snprintf(text, sizeof(text), "%0900d", 7);
	add_xattrs(lab, "cap", &cap, 1);
	add_xattrs(lab, "user", two, 1);
	add_xattrs(lab, "two", two, 2);
	add_xattrs(lab, "acl", &list, 1);
	add_xattrs(lab, "block", many, 3);
	add_xattrs(lab, "shared", many, 3);
}

static void test_inodes_have_the_bytes_that_it_writes(void)
{
	static const char *const names[] = { "fast",  "small", "large", "fifo", "plain",
					     "early", "late",  "cap",	"user", "two",
					     "acl",   "block", "shared" };
	auto_lab struct lab lab = { 0 };
	struct tree_attr attr = { .mode = 0644, .mtime = then, .atime = then };
	struct tree_attr special = attr;
	char target[60]; /* all of i_block: behind a shorter one the kernel leaves what was there */

	if (!begin(&lab))
		return;
	special.mode = 0777;
	snprintf(target, sizeof(target), "%059d", 7);
	CU_ASSERT_EQUAL(0, ops(&lab)->make_symlink(lab.tree, "o/fast", target, &special, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_node(lab.tree, "o/small", S_IFCHR, makedev(5, 1), &attr,
						&lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_node(lab.tree, "o/large", S_IFBLK, makedev(300, 70000),
						&attr, &lab.err));
	CU_ASSERT_EQUAL(0, ops(&lab)->make_node(lab.tree, "o/fifo", S_IFIFO, 0, &attr, &lab.err));
	special.mode = 06755;
	special.uid = 4294967294;
	special.gid = 65536;
	add(&lab, "plain", &special);
	add_with_xattrs(&lab);
	attr.mtime = attr.atime = (struct timespec){ -2147472000, 500000000 };
	add(&lab, "early", &attr);
	attr.mtime = attr.atime = (struct timespec){ 15032385535, 999999999 };
	add(&lab, "late", &attr);
	end_layer(&lab);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		check_same(&lab, names[i]);
}

UNIT_SUITE(ext4w_kernel,
	   { "all that the kernel wrote can be removed", test_all_that_it_wrote_can_be_removed },
	   { "its folders are written anew", test_its_folders_are_written_anew },
	   { "inodes have the bytes that it writes", test_inodes_have_the_bytes_that_it_writes });
