/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_tar - arbitrary archives onto a real tree, with something beside it to hit
 *
 * The input is applied as a base layer and then, onto the result, as another.
 * Header checksums are made right first. Seeds: tests/spec/tar.
 *
 * Beyond "no crash": nothing outside the tree changes, and a tree that was
 * applied holds no whiteout.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "layer/tar_apply.h"
#include "layer/tree_fs.h"
#include "layer/tree_remove.h"
#include "layer/whiteout.h"
#include "tar_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool apply(int root_fd, const uint8_t *data, size_t len, bool base)
{
	auto_tree_fs struct tree_writer *tree = NULL;
	auto_stream struct stream *stream = NULL;
	struct source source = { data, len };
	struct stream_options options = { .read = read_source,
					  .read_ctx = &source,
					  .max_tar_bytes = 16 << 20,
					  .threads = STREAM_THREADS_NEVER };
	struct tar_apply_args args = { .base = base };
	struct tar_apply_result result;
	struct error err;

	must(tree_fs_new(root_fd, &tree, &err) == 0, "a tree");
	must(stream_open(&options, &stream, &err) == 0, "a stream");
	args.tree = tree;
	args.stream = stream;
	if (tar_apply(&args, &result, &err) == 0)
		return true;
	must(err.kind >= ERR_USAGE && err.kind <= ERR_IO && strlen(err.text) < sizeof(err.text),
	     "an error that says what it is");
	return false;
}

/* Only so deep as descriptors last: what lies deeper was made in the same way. */
static void check_names(int dir_fd, int depth)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;

	must(dir, "a readable folder");
	while ((entry = readdir(dir))) {
		must(strncmp(entry->d_name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) != 0,
		     "no whiteout in the tree");
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && depth < 30)
			check_names(openat(dirfd(dir), entry->d_name,
					   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
				    depth + 1);
	}
	closedir(dir);
}

/* The first time it is made; then it must stay as it was, times included. */
static void check_victim(void)
{
	static struct stat at_first[3];
	static const char *const paths[3] = { VICTIM, VICTIM "/dir", VICTIM "/file" };
	static bool made;
	struct stat st;

	if (!made) {
		mkdir(VICTIM, 0755);
		mkdir(VICTIM "/dir", 0755);
		close(open(VICTIM "/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	}
	for (int i = 0; i < 3; i++) {
		must(lstat(paths[i], &st) == 0, "nothing outside is removed");
		if (!made)
			at_first[i] = st;
		must(st.st_ctim.tv_sec == at_first[i].st_ctim.tv_sec &&
			     st.st_ctim.tv_nsec == at_first[i].st_ctim.tv_nsec &&
			     st.st_nlink == at_first[i].st_nlink,
		     "nothing outside changes");
	}
	made = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const parent = "/dev/shm";
	auto_fd int parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[] = "/dev/shm/veneer-fuzz-XXXXXX";
	auto_fd int root_fd = -1;
	struct error err;

	check_victim();
	must(parent_fd >= 0 && mkdtemp(path), "a folder in memory");
	root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int layer = 0; layer < 2; layer++)
		if (apply(root_fd, data, len, layer == 0))
			check_names(openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
	check_victim();
	must(tree_remove(parent_fd, path + strlen(parent) + 1, &err) == 0, "a tree that can go");
	check_victim();
	return 0;
}
