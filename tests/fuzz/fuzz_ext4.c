/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_ext4 - the comparison of two file systems on arbitrary images
 *
 * The input is two images one after the other, of equal length. Seeds are the
 * pairs of tests/spec/ext4/make.sh, some of which have no checksums.
 *
 * Beyond "no crash": a file system has not changed against itself; paths are
 * clean and come once; and what is read stays in proportion.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "fs/ext4_changes.h"
#include "fuzz.h"

#define BLOCK_BYTES 4096u
#define BLOCKS_MAX  64u /* of one image */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max_len, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max_len);

struct image {
	int fd;
	char path[32];
};

static void load(struct image *image, const uint8_t *data, size_t len)
{
	if (!image->path[0]) {
		image->fd = memfd_create("image", MFD_CLOEXEC);
		must(image->fd >= 0, "memfd_create");
		snprintf(image->path, sizeof(image->path), "/proc/self/fd/%d", image->fd);
	}
	must(ftruncate(image->fd, (off_t)len) == 0, "ftruncate");
	must(pwrite(image->fd, data, len, 0) == (ssize_t)len, "pwrite");
}

/* In the order of the walk, each path must be behind the one before. */
static int found(void *ctx, enum ext4_change change, const char *path, bool is_dir,
		 struct error *err)
{
	struct buf *last = ctx;
	size_t common = 0;

	(void)change;
	(void)is_dir;
	(void)err;
	must(*path && *path != '/' && !strstr(path, "//") && path[strlen(path) - 1] != '/',
	     "paths are clean");
	if (last->data) {
		while (last->data[common] && last->data[common] == path[common])
			common++;
		/* '/' comes first: entries of a directory follow it. */
		must(!last->data[common] ||
			     (path[common] &&
			      (last->data[common] == '/' || (uint8_t)path[common] == '/' ||
			       (uint8_t)last->data[common] < (uint8_t)path[common])),
		     "paths rise");
		must(last->data[common] || path[common], "paths come once");
	}
	buf_reset(last);
	buf_puts(last, path);
	return 0;
}

static int compare(const struct image *parent, const struct image *child, size_t len,
		   struct buf *last)
{
	const struct ext4_changes_range all = { 0, len };
	struct ext4_changes_args args = { parent->path, child->path, &all, 1, found, last };
	struct ext4_changes_cost cost;
	struct error err;

	if (ext4_changes(&args, &cost, &err) < 0)
		return -1;
	must(cost.blocks_read < 100000, "reading is bounded");
	return 0;
}

/* Fields are small numbers, and lie at multiples of two. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max_len, unsigned seed)
{
	static const uint16_t values[] = { 0,  1,  2,	 8,    11,     12,    13,
					   63, 64, 4084, 4096, 0x8000, 0xffff };
	size_t at;
	uint16_t value;

	srandom(seed);
	if (len < 4 * BLOCK_BYTES || random() % 4 == 0)
		return LLVMFuzzerMutate(data, len, max_len);
	for (long i = random() % 4; i >= 0; i--) {
		/* Metadata is in the first blocks of each half. */
		at = (size_t)random() % (24 * BLOCK_BYTES) + (random() % 2 ? len / 2 : 0);
		at -= at % 2;
		if (at + 2 > len)
			continue;
		memcpy(&value, data + at, 2);
		if (!value && random() % 8)
			continue;
		if (random() % 2)
			value = values[(size_t)random() % (sizeof(values) / sizeof(*values))];
		else
			value = (uint16_t)(value + (uint16_t)(random() % 5) - 2);
		memcpy(data + at, &value, 2);
	}
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct image parent, child;
	auto_buf struct buf last = { 0 };
	auto_buf struct buf other = { 0 };
	auto_buf struct buf same = { 0 };
	size_t half = len / 2 / BLOCK_BYTES * BLOCK_BYTES;

	if (half > BLOCKS_MAX * BLOCK_BYTES)
		half = BLOCKS_MAX * BLOCK_BYTES;
	load(&parent, data, half);
	load(&child, data + half, half);
	compare(&parent, &child, half, &last);
	compare(&child, &parent, half, &other);
	if (compare(&parent, &parent, half, &same) == 0)
		must(!same.data, "nothing changed against itself");
	return 0;
}
