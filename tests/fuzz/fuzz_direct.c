/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_direct - arbitrary archives written as blocks of a small ext4
 *
 * The input is applied as a base layer and then, onto the result, as another. Seeds: tests/spec/tar.
 *
 * Beyond "no crash": e2fsck finds nothing wrong with a layer that was written.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/proc.h"
#include "ext4w/ext4w.h"
#include "fs/fs.h"
#include "layer/tar_apply.h"
#include "tar_input.h"

#define IMAGE_BYTES (6u << 20)
#define PROGRAM_MS  60000
#define DEVICE	    "/dev/shm/veneer-fuzz-direct-%d"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A fresh file system, as a pool's template has it. */
static const char *template_image(const char *path)
{
	static char *image;
	const char *const argv[] = { "mke2fs",
				     "-q",
				     "-F",
				     "-b",
				     "4096",
				     "-I",
				     "256",
				     "-m",
				     "0",
				     "-N",
				     "512",
				     "-J",
				     "size=4",
				     "-O",
				     FS_EXT4_FEATURES,
				     "-E",
				     "lazy_itable_init=1,nodiscard",
				     path,
				     "6M",
				     NULL };
	auto_buf struct buf said = { 0 };
	struct error err;
	int fd;

	if (image)
		return image;
	must(proc_run(argv, PROGRAM_MS, &said, &err) == 0, "mke2fs");
	image = malloc(IMAGE_BYTES);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(image && fd >= 0 && read(fd, image, IMAGE_BYTES) == (ssize_t)IMAGE_BYTES, "an image");
	close(fd);
	return image;
}

static void check(const char *path)
{
	const char *const argv[] = { "e2fsck", "-fn", path, NULL };
	auto_buf struct buf said = { 0 };
	struct error err = { 0 };
	int status = proc_run(argv, PROGRAM_MS, &said, &err);

	if (status)
		fprintf(stderr, "%s%s\n", err.text, said.len ? said.data : "");
	must(status == 0, "a file system without errors");
}

/* Returns whether the layer was written. */
static bool apply(struct tree_writer *tree, const uint8_t *data, size_t len, bool base)
{
	auto_stream struct stream *stream = NULL;
	struct source source = { data, len };
	struct stream_options options = { .read = read_source,
					  .read_ctx = &source,
					  .max_tar_bytes = 16 << 20,
					  .threads = STREAM_THREADS_NEVER };
	struct tar_apply_args args = { .tree = tree, .base = base };
	struct tar_apply_result result;
	struct error err;

	must(stream_open(&options, &stream, &err) == 0, "a stream");
	args.stream = stream;
	if (tar_apply(&args, &result, &err) == 0 && ext4w_flush(tree, &err) == 0)
		return true;
	must(err.kind >= ERR_USAGE && err.kind <= ERR_IO && strlen(err.text) < sizeof(err.text),
	     "an error that says what it is");
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char path[64];
	static const char *image;
	struct tree_writer *tree = NULL;
	struct error err;
	int fd;

	if (!*path)
		snprintf(path, sizeof(path), DEVICE, (int)getpid());
	if (!image) {
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		must(fd >= 0 && ftruncate(fd, IMAGE_BYTES) == 0, "a file in memory");
		close(fd);
		image = template_image(path);
	}
	fd = open(path, O_WRONLY | O_CLOEXEC);
	must(fd >= 0 && pwrite(fd, image, IMAGE_BYTES, 0) == (ssize_t)IMAGE_BYTES, "a fresh image");
	close(fd);
	must(ext4w_open(path, &tree, &err) == 0, "a file system that is known");
	for (int layer = 0; layer < 2; layer++) {
		if (!apply(tree, data, len, layer == 0))
			break;
		check(path);
	}
	ext4w_free(tree);
	return 0;
}
