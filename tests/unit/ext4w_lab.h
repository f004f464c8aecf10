/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4w_lab - a file system in a file, its writer, and the programs of e2fsprogs that judge it
 */
#ifndef EXT4W_LAB_H
#define EXT4W_LAB_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/blocksums.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/proc.h"
#include "ext4w/ext4w.h"
#include "unit.h"

#define PROGRAM_MS 60000

/* Starts as { 0 }. */
struct lab {
	char folder[32]; /* with everything of the lab */
	char *image;
	struct tree_writer *tree;
	struct error err;
};

static inline const struct tree_writer_ops *ops(const struct lab *lab)
{
	return lab->tree->ops;
}

/* What a program prints; it must end with 0. */
static inline void run(const char *const argv[], struct buf *output)
{
	struct error err = { 0 };
	int status = proc_run(argv, PROGRAM_MS, output, &err);

	if (status != 0)
		printf("\n%s: %s%s\n", argv[0], err.text, output->len ? output->data : "");
	CU_ASSERT_EQUAL(status, 0);
}

static inline void lab_done(struct lab *lab)
{
	const char *const argv[] = { "rm", "-rf", lab->folder, NULL };
	auto_buf struct buf output = { 0 };

	ext4w_free(lab->tree);
	if (*lab->folder)
		run(argv, &output);
	free(lab->image);
}
#define auto_lab __attribute__((cleanup(lab_done)))

/* The folder, and the name of the image in it. False, with the reason printed, without debugfs. */
static inline bool lab_init(struct lab *lab, const char *name)
{
	if (access("/sbin/debugfs", X_OK) < 0 && access("/usr/sbin/debugfs", X_OK) < 0) {
		printf("(skipped: no debugfs) ");
		CU_ASSERT_PTR_NULL(getenv("EXT4_MUST_WORK"));
		return false;
	}
	snprintf(lab->folder, sizeof(lab->folder), "/tmp/veneer-ext4w-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(lab->folder));
	lab->image = xasprintf("%s/%s", lab->folder, name);
	return true;
}

static inline void check_clean(struct lab *lab)
{
	const char *const argv[] = { "e2fsck", "-fn", lab->image, NULL };
	auto_buf struct buf output = { 0 };

	run(argv, &output);
}

/* Opens the writer, which makes digests, too. */
static inline void open_tree(struct lab *lab)
{
	CU_ASSERT_EQUAL_FATAL(0, ext4w_open(lab->image, &lab->tree, &lab->err));
	ext4w_sum(lab->tree);
}

/* What it wrote has these digests; some of it it knows. */
static inline void check_sums(struct lab *lab)
{
	auto_blocksums struct blocksums *sums = ext4w_take_sums(lab->tree);
	auto_fd int fd = open(lab->image, O_RDONLY | O_CLOEXEC);
	off_t nr_blocks = lseek(fd, 0, SEEK_END) / BLOCKSUMS_BLOCK_BYTES;
	unsigned int nr_known = 0;

	for (off_t block = 0; block < nr_blocks; block++) {
		const uint8_t *got = blocksums_get(sums, (uint64_t)block / BLOCKSUMS_CHUNK);
		uint8_t wanted[DIGEST_RAW_LEN], data[BLOCKSUMS_BLOCK_BYTES];

		if (!got)
			continue;
		nr_known++;
		CU_ASSERT_EQUAL_FATAL(0, io_pread(fd, data, sizeof(data),
						  (uint64_t)block * sizeof(data), &lab->err));
		digest_raw_of(data, sizeof(data), wanted);
		CU_ASSERT_EQUAL(0, memcmp(got + block % BLOCKSUMS_CHUNK * DIGEST_RAW_LEN, wanted,
					  DIGEST_RAW_LEN));
	}
	CU_ASSERT(nr_known > 0);
}

static inline void end_layer(struct lab *lab)
{
	bool removed;

	CU_ASSERT_EQUAL_FATAL(0, ops(lab)->end_layer(lab->tree, &removed, &lab->err));
	CU_ASSERT_EQUAL_FATAL(0, ext4w_flush(lab->tree, &lab->err));
	check_clean(lab);
	check_sums(lab);
}

/* What debugfs says to a request. */
static inline void ask(struct lab *lab, const char *request, struct buf *ret)
{
	const char *const argv[] = { "debugfs", "-R", request, lab->image, NULL };

	buf_reset(ret);
	run(argv, ret);
	buf_puts(ret, "");
}

#endif
