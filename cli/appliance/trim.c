/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/trim.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/cleanup.h"

static void close_fs(ext2_filsys *fs)
{
	if (*fs)
		ext2fs_free(*fs); /* without writing anything */
}

/* Whether the bitmaps on the disk are what the file system last had. */
static bool is_settled(ext2_filsys fs)
{
	return (fs->super->s_state & EXT2_VALID_FS) && !(fs->super->s_state & EXT2_ERROR_FS) &&
	       !ext2fs_has_feature_journal_needs_recovery(fs->super);
}

static int punch(int fd, uint64_t from, uint64_t to, uint64_t *bytes, struct error *err)
{
	if (from >= to)
		return 0;
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
		      (off_t)(to - from)) < 0)
		return err_sys(err, errno, "free space of the disk");
	*bytes += to - from;
	return 0;
}

/* from to to: a stretch of the file that has data; punches what of it is free. */
static int punch_free(ext2_filsys fs, int fd, uint64_t from, uint64_t to, uint64_t *bytes,
		      struct error *err)
{
	blk64_t first = (from + fs->blocksize - 1) / fs->blocksize;
	blk64_t end = to / fs->blocksize, last = ext2fs_blocks_count(fs->super) - 1;
	blk64_t begin, used;

	if (first < fs->super->s_first_data_block)
		first = fs->super->s_first_data_block;
	if (end > last + 1)
		end = last + 1;
	while (first < end &&
	       ext2fs_find_first_zero_block_bitmap2(fs->block_map, first, end - 1, &begin) == 0) {
		if (ext2fs_find_first_set_block_bitmap2(fs->block_map, begin, end - 1, &used) != 0)
			used = end;
		if (punch(fd, begin * fs->blocksize, used * fs->blocksize, bytes, err) < 0)
			return -1;
		first = used;
	}
	return 0;
}

static int trim(ext2_filsys fs, int fd, uint64_t *bytes, struct error *err)
{
	off_t from = 0, to;

	while ((from = lseek(fd, from, SEEK_DATA)) >= 0) {
		to = lseek(fd, from, SEEK_HOLE);
		if (to < 0)
			return err_sys(err, errno, "look for holes in the disk");
		if (punch_free(fs, fd, (uint64_t)from, (uint64_t)to, bytes, err) < 0)
			return -1;
		from = to;
	}
	return errno == ENXIO ? 0 : err_sys(err, errno, "look for data in the disk");
}

int trim_disk(const char *path, uint64_t *ret_bytes, struct error *err)
{
	__attribute__((cleanup(close_fs))) ext2_filsys fs = NULL;
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	uint64_t bytes = 0;
	errcode_t failed;

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	failed = ext2fs_open(path, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs);
	if (failed)
		return err_set(err, ERR_CORRUPT, "'%s' is no ext4 file system (code %ld)", path,
			       (long)failed);
	if (is_settled(fs)) {
		failed = ext2fs_read_block_bitmap(fs);
		if (failed)
			return err_set(err, ERR_CORRUPT, "block bitmap of '%s' (code %ld)", path,
				       (long)failed);
		if (trim(fs, fd, &bytes, err) < 0)
			return err_add(err, "'%s'", path);
	}
	*ret_bytes = bytes;
	return 0;
}
