/* SPDX-License-Identifier: Apache-2.0 */
#include "verity/list.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/blocksums.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/size.h"
#include "layer/tree_remove.h"
#include "unit.h"
#include "verity/hash.h"
#include "verity/tree.h"

#define BLOCK_BYTES  (64 * KIB)
#define DEVICE_BYTES (16 * MIB)
#define PER_BLOCK    (BLOCK_BYTES / VERITY_BLOCK_BYTES)

/* Of a device of 16 MiB as content() makes it, by veritysetup 2.6.1: format --no-superblock --salt=- */
#define VERITYSETUP_ROOT "sha256:fec88c294e18eea6f8391956a238477fe6c37b9eb861345b7aee51dc6c2cbb41"
#define VERITYSETUP_TREE "sha256:10ae1475804b14c299ef4cac6a05f2be8352a149b4dd6058ec7e173a716ad056"

/* A store's folder, a device and two layers on it. */
struct box {
	char folder[32];
	struct root root;
	char *device;
	struct verity_of base, top;
};

/* Two layers that have this device together; what the second one hides is not on it. */
static const struct verity_run base_runs[] = { { 3, 3, false },
					       { 10, 2, false },
					       { 100, 60, false } };
static const struct verity_run top_runs[] = { { 10, 2, true }, { 150, 50, false } };

/* Each byte of a block of 4096. */
static unsigned char content(uint64_t block)
{
	uint64_t at = block / PER_BLOCK;

	return (at >= 3 && at < 6) || (at >= 100 && at < 200)
		       ? (unsigned char)((block * 7 + 3) % 251)
		       : 0;
}

/* other: with something else where the top layer hides it */
static void write_device(const char *path, bool other)
{
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct error err;

	CU_ASSERT_FATAL(fd >= 0);
	for (uint64_t i = 0; i < DEVICE_BYTES / VERITY_BLOCK_BYTES; i++) {
		uint64_t at = i / PER_BLOCK;
		bool hidden = (at >= 10 && at < 12) || (at >= 150 && at < 160);
		char block[VERITY_BLOCK_BYTES];

		memset(block, content(i) + (other && hidden), sizeof(block));
		CU_ASSERT_EQUAL_FATAL(0, io_write(fd, block, sizeof(block), &err));
	}
}

static void box_open(struct box *box)
{
	*box = (struct box){ .folder = "/tmp/veneer-verity-XXXXXX" };
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(box->folder));
	box->root.path = box->folder;
	box->root.fd = open(box->folder, O_RDONLY | O_DIRECTORY);
	CU_ASSERT_EQUAL_FATAL(0, mkdirat(box->root.fd, "tmp", 0700));
	CU_ASSERT_EQUAL_FATAL(0, mkdirat(box->root.fd, VERITY_DIR, 0700));
	box->device = xasprintf("%s/device", box->folder);
	box->base = (struct verity_of){ .thin_id = 3, .block_bytes = BLOCK_BYTES };
	digest_of("base", 4, &box->base.chain);
	box->top = (struct verity_of){ .parent = box->base.chain,
				       .thin_id = 4,
				       .block_bytes = BLOCK_BYTES };
	digest_of("top", 3, &box->top.chain);
}

static void box_close(struct box *box)
{
	struct error err;

	close(box->root.fd);
	free(box->device);
	CU_ASSERT_EQUAL(0, tree_remove(AT_FDCWD, box->folder, &err));
}

static int put(void *ctx, const struct hash_piece *piece, struct error *err)
{
	return verity_write(ctx, piece->first, piece->length, piece->sums, err);
}

static void make_list(struct box *box, const struct verity_of *of, const struct verity_run *runs,
		      size_t nr, bool other, unsigned char ret_root[DIGEST_RAW_LEN])
{
	auto_verity_writer struct verity_writer *writer = NULL;
	struct hash_args args = {
		.device = box->device,
		.block_bytes = BLOCK_BYTES,
		.runs = runs,
		.nr_runs = nr,
		.length = UINT64_MAX,
		.piece = put,
	};
	struct error err = { 0 };

	write_device(box->device, other);
	CU_ASSERT_EQUAL_FATAL(0, verity_begin(&box->root, 1, of, runs, nr, &writer, &err));
	args.ctx = writer;
	CU_ASSERT_EQUAL_FATAL(0, hash_runs(&args, &err));
	CU_ASSERT_EQUAL_FATAL(0, verity_finish(writer, ret_root, &err));
	CU_ASSERT_EQUAL_FATAL(0, verity_publish(writer, &err));
}

static void make_both(struct box *box)
{
	unsigned char root[DIGEST_RAW_LEN];

	make_list(box, &box->base, base_runs, 3, true, box->top.parent_root);
	make_list(box, &box->top, top_runs, 2, false, root);
}

static char *path_of(struct box *box, const struct verity_of *of)
{
	return xasprintf("%s/" VERITY_DIR "/%s", box->folder, digest_hex(&of->chain));
}

static void test_round_trip(void)
{
	auto_verity_list struct verity_list list = VERITY_LIST_NONE;
	unsigned char sums[PER_BLOCK * VERITY_SUM_BYTES], root[DIGEST_RAW_LEN];
	char block[VERITY_BLOCK_BYTES];
	struct error err = { 0 };
	struct box box;

	box_open(&box);
	make_both(&box);
	CU_ASSERT_EQUAL_FATAL(0, verity_list_open(&box.root, &box.top, &list, &err));
	CU_ASSERT_EQUAL(list.nr_runs, 2);
	CU_ASSERT_EQUAL(list.nr_own, 50);
	CU_ASSERT_TRUE(list.runs[0].dropped);
	/* The second of its own blocks is the 151st of the device. */
	CU_ASSERT_EQUAL(0, verity_list_sums(&list, 1, 1, sums, &err));
	memset(block, content(151 * PER_BLOCK + 2), sizeof(block));
	digest_raw_of(block, sizeof(block), root);
	CU_ASSERT_EQUAL(0, memcmp(sums + 2 * VERITY_SUM_BYTES, root, sizeof(root)));
	CU_ASSERT_PTR_NULL(verity_list_find(&list, 9));
	CU_ASSERT_PTR_EQUAL(verity_list_find(&list, 11), &list.runs[0]);
	CU_ASSERT_PTR_NULL(verity_list_find(&list, 12));
	CU_ASSERT_PTR_EQUAL(verity_list_find(&list, 199), &list.runs[1]);
	CU_ASSERT_PTR_NULL(verity_list_find(&list, 200));
	CU_ASSERT_EQUAL(0, verity_list_root(&box.root, &box.top.chain, 4, root, &err));
	CU_ASSERT_EQUAL(0, memcmp(root, list.root, sizeof(root)));
	CU_ASSERT_EQUAL(-1, verity_list_root(&box.root, &box.top.chain, 5, root, &err));
	box_close(&box);
}

static enum err_kind open_kind(struct box *box, const struct verity_of *of)
{
	auto_verity_list struct verity_list list = VERITY_LIST_NONE;
	struct error err = { 0 };

	return verity_list_open(&box->root, of, &list, &err) < 0 ? err.kind : 0;
}

static void test_foreign(void)
{
	struct verity_of other;
	struct box box;

	box_open(&box);
	make_both(&box);
	CU_ASSERT_EQUAL(open_kind(&box, &box.base), 0);
	CU_ASSERT_EQUAL(open_kind(&box, &box.top), 0);
	other = box.top;
	other.thin_id = 9;
	CU_ASSERT_EQUAL(open_kind(&box, &other), ERR_CORRUPT);
	other = box.top;
	other.block_bytes = 2 * BLOCK_BYTES;
	CU_ASSERT_EQUAL(open_kind(&box, &other), ERR_CORRUPT);
	other = box.top;
	other.parent = (struct digest){ 0 };
	CU_ASSERT_EQUAL(open_kind(&box, &other), ERR_CORRUPT);
	other = box.top;
	other.parent_root[0] ^= 1;
	CU_ASSERT_EQUAL(open_kind(&box, &other), ERR_CORRUPT);
	other.parent_unknown = true;
	CU_ASSERT_EQUAL(open_kind(&box, &other), 0);
	digest_of("third", 5, &other.chain);
	CU_ASSERT_EQUAL(open_kind(&box, &other), ERR_NOT_FOUND);
	{
		auto_free char *from = path_of(&box, &box.base);
		auto_free char *to = path_of(&box, &box.top);

		CU_ASSERT_EQUAL(0, rename(from, to));
	}
	CU_ASSERT_EQUAL(open_kind(&box, &box.top), ERR_CORRUPT);
	box_close(&box);
}

static void test_every_byte_counts(void)
{
	struct box box;
	struct stat st;

	box_open(&box);
	make_both(&box);
	{
		auto_free char *path = path_of(&box, &box.top);
		auto_fd int fd = open(path, O_RDWR);
		/* All of the header and the runs, and a digest here and there. */
		CU_ASSERT_EQUAL_FATAL(0, fstat(fd, &st));
		for (off_t at = 0; at < st.st_size; at += at < 300 ? 1 : 4099) {
			unsigned char byte, bad;

			CU_ASSERT_EQUAL_FATAL(1, pread(fd, &byte, 1, at));
			bad = byte ^ 0x20;
			CU_ASSERT_EQUAL_FATAL(1, pwrite(fd, &bad, 1, at));
			CU_ASSERT_NOT_EQUAL(open_kind(&box, &box.top), 0);
			CU_ASSERT_EQUAL_FATAL(1, pwrite(fd, &byte, 1, at));
		}
		CU_ASSERT_EQUAL(open_kind(&box, &box.top), 0);
		CU_ASSERT_EQUAL(0, ftruncate(fd, st.st_size + 1));
		CU_ASSERT_EQUAL(open_kind(&box, &box.top), ERR_CORRUPT);
		CU_ASSERT_EQUAL(0, ftruncate(fd, st.st_size - 1));
		CU_ASSERT_EQUAL(open_kind(&box, &box.top), ERR_CORRUPT);
		CU_ASSERT_EQUAL(0, ftruncate(fd, 100));
		CU_ASSERT_EQUAL(open_kind(&box, &box.top), ERR_CORRUPT);
	}
	box_close(&box);
}

static void test_tree(void)
{
	auto_verity_list struct verity_list base = VERITY_LIST_NONE, top = VERITY_LIST_NONE;
	struct verity_list lists[2];
	unsigned char root[DIGEST_RAW_LEN];
	auto_buf struct buf tree = { 0 };
	struct error err = { 0 };
	struct digest digest;
	struct box box;
	int fd;

	box_open(&box);
	make_both(&box);
	fd = openat(box.root.fd, "tree", O_RDWR | O_CREAT, 0600);
	CU_ASSERT_EQUAL_FATAL(0, verity_list_open(&box.root, &box.base, &base, &err));
	CU_ASSERT_EQUAL_FATAL(0, verity_list_open(&box.root, &box.top, &top, &err));
	lists[0] = base;
	lists[1] = top;
	CU_ASSERT_EQUAL_FATAL(0, tree_write(lists, 2, DEVICE_BYTES, fd, root, &err));
	digest_from_raw(root, &digest);
	CU_ASSERT_STRING_EQUAL(digest.text, VERITYSETUP_ROOT);
	CU_ASSERT_EQUAL(0, io_read_file(box.root.fd, "tree", MIB, &tree, &err));
	CU_ASSERT_EQUAL(tree.len, tree_bytes(DEVICE_BYTES));
	digest_of(tree.data, tree.len, &digest);
	CU_ASSERT_STRING_EQUAL(digest.text, VERITYSETUP_TREE);
	/* A list that is not above the other one. */
	lists[0] = top;
	CU_ASSERT_EQUAL(-1, tree_write(lists, 2, DEVICE_BYTES, fd, root, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_EQUAL(-1, tree_write(lists, 0, DEVICE_BYTES, fd, root, &err));
	close(fd);
	box_close(&box);
}

/* Which blocks came, and how often. */
struct seen {
	unsigned char times[DEVICE_BYTES / BLOCK_BYTES];
	uint64_t nr_unreadable;
};

static int see(void *ctx, const struct hash_piece *piece, struct error *err)
{
	struct seen *seen = ctx;

	(void)err;
	for (uint64_t i = 0; i < piece->length; i++)
		__atomic_add_fetch(&seen->times[piece->start + i], 1, __ATOMIC_RELAXED);
	for (uint64_t i = 0; i < piece->length * PER_BLOCK; i++)
		if (piece->unreadable[i])
			__atomic_add_fetch(&seen->nr_unreadable, 1, __ATOMIC_RELAXED);
	return 0;
}

static void test_pieces(void)
{
	struct seen seen = { 0 };
	struct hash_args args = {
		.block_bytes = BLOCK_BYTES,
		.runs = top_runs,
		.nr_runs = 2,
		.first = 3,
		.length = 40,
		.piece = see,
		.ctx = &seen,
	};
	struct error err = { 0 };
	struct box box;

	box_open(&box);
	write_device(box.device, false);
	args.device = box.device;
	CU_ASSERT_EQUAL(0, hash_runs(&args, &err));
	for (uint64_t i = 0; i < sizeof(seen.times); i++)
		CU_ASSERT_EQUAL(seen.times[i], i >= 153 && i < 193);
	CU_ASSERT_EQUAL(seen.nr_unreadable, 0);
	/* The device ends in the middle of a pool block: that much cannot be read. */
	CU_ASSERT_EQUAL(0, truncate(box.device, 192 * BLOCK_BYTES + 5 * VERITY_BLOCK_BYTES));
	CU_ASSERT_EQUAL(0, hash_runs(&args, &err));
	CU_ASSERT_EQUAL(seen.nr_unreadable, PER_BLOCK - 5);
	args.device = "/nonexistent";
	CU_ASSERT_EQUAL(-1, hash_runs(&args, &err));
	box_close(&box);
}

/* Counts a pool block once more for each digest of a block of 0xfe bytes. */
static int see_known(void *ctx, const struct hash_piece *piece, struct error *err)
{
	unsigned char zeros[VERITY_SUM_BYTES] = { 0 }, wanted[VERITY_SUM_BYTES];
	char block[VERITY_BLOCK_BYTES];
	struct seen *seen = ctx;

	(void)err;
	memset(block, 0xfe, sizeof(block));
	digest_raw_of(block, sizeof(block), wanted);
	for (uint64_t i = 0; i < piece->length * PER_BLOCK; i++) {
		const unsigned char *sum = piece->sums + i * VERITY_SUM_BYTES;

		CU_ASSERT_NOT_EQUAL(0, memcmp(sum, zeros, sizeof(zeros)));
		__atomic_add_fetch(&seen->times[piece->start + i / PER_BLOCK],
				   memcmp(sum, wanted, sizeof(wanted)) == 0, __ATOMIC_RELAXED);
	}
	return see(ctx, piece, err);
}

static void test_known(void)
{
	auto_blocksums struct blocksums *known = blocksums_new(DEVICE_BYTES / VERITY_BLOCK_BYTES);
	auto_blockhash struct blockhash *hash = blockhash_new();
	static uint8_t data[3 * BLOCK_BYTES];
	struct seen seen = { 0 };
	struct hash_args args = {
		.block_bytes = BLOCK_BYTES,
		.runs = top_runs,
		.nr_runs = 2,
		.length = UINT64_MAX,
		.known = known,
		.piece = see_known,
		.ctx = &seen,
	};
	struct error err = { 0 };
	struct box box;

	box_open(&box);
	write_device(box.device, false);
	args.device = box.device;
	memset(data, 0xfe, sizeof(data));
	blocksums_put(known, hash, 149 * PER_BLOCK, 2 * PER_BLOCK,
		      data); /* one is not of the layer */
	blocksums_put(known, hash, 160 * PER_BLOCK, 3 * PER_BLOCK, data);
	blocksums_put(known, hash, 170 * PER_BLOCK, PER_BLOCK - 1, data); /* a part only */
	blocksums_put(known, hash, 199 * PER_BLOCK, PER_BLOCK, data);
	/* What is known need not even be readable. */
	CU_ASSERT_EQUAL(0, truncate(box.device, 199 * BLOCK_BYTES));
	CU_ASSERT_EQUAL(0, hash_runs(&args, &err));
	for (uint64_t i = 150; i < 200; i++) {
		bool is_known = i == 150 || (i >= 160 && i < 163) || i == 199;

		CU_ASSERT_EQUAL(seen.times[i], 1 + (is_known ? PER_BLOCK : 0));
	}
	CU_ASSERT_EQUAL(seen.nr_unreadable, 0);
	box_close(&box);
}

UNIT_SUITE(verity, { "a list reads as it was written", test_round_trip },
	   { "a list of something else is refused", test_foreign },
	   { "each byte that changes is noticed", test_every_byte_counts },
	   { "the tree of two layers is veritysetup's of the device", test_tree },
	   { "each block is read once, and what cannot be is told", test_pieces },
	   { "what is known is not read", test_known });
