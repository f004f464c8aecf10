/* SPDX-License-Identifier: Apache-2.0 */
#include "tmeta/heldroot.h"

#include <fcntl.h>
#include <isa-l/crc.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "tmeta/format.h"
#include "unit.h"

/* A pool's metadata with a metadata snapshot, as the kernel has committed it. */
#define COMMITTED "tests/spec/tmeta/kernel-held/input"
#define MAX_BYTES (1u << 20)

/* In a file that is unlinked; as /dev/fd/NUMBER it can be opened once more. */
struct image {
	struct buf data;
	int fd;
	char path[32];
};

static void image_done(struct image *image)
{
	buf_done(&image->data);
	close(image->fd);
}
#define auto_image __attribute__((cleanup(image_done)))

static void image_load(struct image *ret)
{
	char name[] = "/tmp/veneer-heldroot.XXXXXX";
	struct error err;

	*ret = (struct image){ .fd = mkstemp(name) };
	CU_ASSERT_FATAL(ret->fd >= 0);
	unlink(name);
	snprintf(ret->path, sizeof(ret->path), "/dev/fd/%d", ret->fd);
	CU_ASSERT_EQUAL_FATAL(0, io_read_file(AT_FDCWD, COMMITTED, MAX_BYTES, &ret->data, &err));
}

static void *image_at(struct image *image, uint64_t block)
{
	return image->data.data + block * META_BLOCK_BYTES;
}

static void image_seal(struct image *image, uint64_t block, uint32_t salt)
{
	uint8_t *data = image_at(image, block);
	uint32_t csum = htole32(crc32_iscsi(data + 4, META_BLOCK_BYTES - 4, UINT32_MAX) ^ salt);

	memcpy(data, &csum, sizeof(csum));
}

static void image_store(struct image *image)
{
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, io_pwrite(image->fd, image->data.data, image->data.len, 0, &err));
}

/* As it was before the commit that came with the snapshot: the snapshot's block is free. */
static void image_uncommit(struct image *image)
{
	const struct disk_super *super = image_at(image, SUPER_BLOCK);
	const struct disk_index *index = image_at(image, le64toh(super->meta_sm_root.bitmap_root));
	uint64_t bitmap_block = le64toh(index->entries[0].bitmap_block);
	struct disk_bitmap *bitmap = image_at(image, bitmap_block);
	uint64_t held = le64toh(super->held_root);

	CU_ASSERT_NOT_EQUAL_FATAL(held, 0);
	bitmap->counts[held / 4] &= (uint8_t) ~(3u << (held % 4 * 2));
	image_seal(image, bitmap_block, BITMAP_CSUM_SALT);
}

static bool is_unchanged(const struct image *image)
{
	auto_free char *now = xmalloc(image->data.len);
	struct error err;

	return io_pread(image->fd, now, image->data.len, 0, &err) == 0 &&
	       memcmp(now, image->data.data, image->data.len) == 0;
}

static void test_committed_stays(void)
{
	auto_image struct image image;
	struct error err;
	bool undone = true;

	image_load(&image);
	image_store(&image);
	CU_ASSERT_EQUAL(0, heldroot_undo(image.path, &undone, &err));
	CU_ASSERT_FALSE(undone);
	CU_ASSERT(is_unchanged(&image));
}

static void test_uncommitted_goes(void)
{
	auto_image struct image image;
	struct disk_super *super;
	struct error err;
	bool undone = false;

	image_load(&image);
	image_uncommit(&image);
	image_store(&image);
	CU_ASSERT_EQUAL(0, heldroot_undo(image.path, &undone, &err));
	CU_ASSERT(undone);
	super = image_at(&image, SUPER_BLOCK);
	super->held_root = 0;
	image_seal(&image, SUPER_BLOCK, SUPER_CSUM_SALT);
	CU_ASSERT(is_unchanged(&image));
	CU_ASSERT_EQUAL(0, heldroot_undo(image.path, &undone, &err));
	CU_ASSERT_FALSE(undone);
}

static void test_damaged_stays(void)
{
	auto_image struct image image;
	struct disk_super *super;
	struct error err;
	bool undone = true;

	image_load(&image);
	image_uncommit(&image);
	super = image_at(&image, SUPER_BLOCK);
	super->held_root = htole64(META_MAX_BLOCKS);
	image_seal(&image, SUPER_BLOCK, SUPER_CSUM_SALT);
	image_store(&image);
	CU_ASSERT_EQUAL(0, heldroot_undo(image.path, &undone, &err));
	CU_ASSERT_FALSE(undone);
	memset(super, 0, META_BLOCK_BYTES);
	image_store(&image);
	CU_ASSERT_EQUAL(0, heldroot_undo(image.path, &undone, &err));
	CU_ASSERT_FALSE(undone);
	CU_ASSERT(is_unchanged(&image));
}

UNIT_SUITE(heldroot, { "a committed metadata snapshot stays", test_committed_stays },
	   { "one that was never committed is forgotten", test_uncommitted_goes },
	   { "what cannot be read is left alone", test_damaged_stays });
