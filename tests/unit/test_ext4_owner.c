/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/ext4_owner.h"

#include <dirent.h>
#include <fcntl.h>

#include "base/io.h"
#include "ext4_images.h"
#include "layer/tree_remove.h"

#define NR_BLOCKS (IMAGE_BYTES / 4096u)
#define DAMAGES	  300

struct told {
	unsigned times[NR_BLOCKS];
	unsigned nr_root, nr_content, nr_inodes;
	size_t last;
};

static int tell(void *ctx, size_t index, const struct ext4_owner *owner, struct error *err)
{
	struct told *told = ctx;

	(void)err;
	CU_ASSERT_FATAL(index < NR_BLOCKS && index >= told->last);
	told->last = index;
	told->times[index]++;
	told->nr_root += owner->path && strcmp(owner->what, "directory") == 0 &&
			 strcmp(owner->path, "/") == 0;
	told->nr_content += owner->path && strcmp(owner->what, "content of") == 0;
	told->nr_inodes += owner->path && strcmp(owner->what, "inode of") == 0;
	return 0;
}

static int ask(const char *path, struct told *ret)
{
	uint64_t blocks[NR_BLOCKS];
	struct error err;

	*ret = (struct told){ 0 };
	for (unsigned i = 0; i < NR_BLOCKS; i++)
		blocks[i] = i;
	return ext4_owners(path, blocks, NR_BLOCKS, tell, ret, &err);
}

/* Whatever is damaged: an answer for each block, or none. */
static void damage(const char *path)
{
	auto_buf struct buf whole = { 0 };
	struct error err;
	auto_fd int fd = open(path, O_RDWR);

	CU_ASSERT_EQUAL_FATAL(0, io_read_file(AT_FDCWD, path, IMAGE_BYTES, &whole, &err));
	srandom(1);
	for (unsigned i = 0; i < UNIT_ROUNDS(DAMAGES); i++) {
		size_t at = (size_t)random() % (whole.len - 512);
		struct told told;
		char bad[512];

		/* Its structures are in front; the superblock's fields one by one. */
		at = i % 3 == 0 ? 1024 + at % 1024 : i % 3 == 1 ? at % 65536 : at;
		for (size_t k = 0; k < sizeof(bad); k++)
			bad[k] = (char)random();
		CU_ASSERT_EQUAL(0, io_pwrite(fd, bad, i % 3 ? 512 : 2, at, &err));
		if (ask(path, &told) == 0)
			for (unsigned k = 0; k < NR_BLOCKS; k++)
				CU_ASSERT(told.times[k] > 0);
		CU_ASSERT_EQUAL(0, io_pwrite(fd, whole.data, whole.len, 0, &err));
	}
}

static void test_images(void)
{
	char folder[32];
	auto_dir DIR *dir = NULL;
	struct told sum = { 0 };
	struct dirent *entry;
	struct error err;
	unsigned nr = 0;

	if (!images_make(folder))
		return;
	dir = opendir(folder);
	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while ((entry = readdir(dir))) {
		auto_free char *path = xasprintf("%s/%s/child", folder, entry->d_name);
		struct told told;

		if (entry->d_name[0] == '.' || ask(path, &told) < 0)
			continue; /* some are broken */
		for (unsigned i = 0; i < NR_BLOCKS; i++)
			CU_ASSERT(told.times[i] > 0);
		sum.nr_root += told.nr_root;
		sum.nr_content += told.nr_content;
		sum.nr_inodes += told.nr_inodes;
		if (nr++ == 0)
			damage(path);
	}
	CU_ASSERT(nr > 20);
	CU_ASSERT(sum.nr_root >= nr - 5);
	CU_ASSERT(sum.nr_content > 0);
	CU_ASSERT(sum.nr_inodes > 0);
	CU_ASSERT_EQUAL(0, tree_remove(AT_FDCWD, folder, &err));
}

static void test_no_file_system(void)
{
	struct told told;

	CU_ASSERT_EQUAL(-1, ask("/dev/zero", &told));
	CU_ASSERT_EQUAL(-1, ask("/nonexistent", &told));
}

UNIT_SUITE(ext4_owner, { "every block has an owner, whatever is damaged", test_images },
	   { "what is no file system is refused", test_no_file_system });
