/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/separate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "layer/stream.h"
#include "layer/tar_apply.h"
#include "layer/tar_emit.h"
#include "layer/tree_fs.h"
#include "root.h"

/* The changes of these names, and of all folders. Returns how many; what they have is borrowed. */
static size_t select_changes(const struct separate_args *args, struct change *ret)
{
	const struct change_list *all = args->changes;
	size_t next = 0, nr = 0;

	for (size_t i = 0; i < all->nr; i++) {
		const struct change *change = &all->items[i];
		bool named = next < args->names->nr &&
			     strcmp(change->path, args->names->items[next]) == 0;

		next += named;
		if (named || (change->is_dir && change->kind != CHANGE_DELETED))
			ret[nr++] = *change;
	}
	return nr;
}

static int apply(const struct separate_args *args, int fd, struct error *err)
{
	const struct stream_options options = {
		.read = stream_read_fd,
		.read_ctx = &fd,
		.no_digests = true,
	};
	auto_stream struct stream *stream = NULL;
	auto_tree_fs struct tree_writer *tree = NULL;
	struct tar_apply_args apply = {
		.base = true,
		.plain = true,
		.take_space = space_take,
		.take_space_ctx = args->space,
	};
	struct tar_apply_result result;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "read a temporary file");
	if (stream_open(&options, &stream, err) < 0 || tree_fs_new(args->tree_fd, &tree, err) < 0)
		return -1;
	apply.stream = stream;
	apply.tree = tree;
	return tar_apply(&apply, &result, err);
}

int separate_links(const struct separate_args *args, struct error *err)
{
	auto_fd int fd = openat(args->root->fd, "tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	auto_free struct change *items = xcalloc(args->changes->nr, sizeof(*items));
	const struct change_list changes = { .items = items, .nr = select_changes(args, items) };
	const struct tar_emit_args emit = {
		.root_fd = args->tree_fd,
		.changes = &changes,
		.write = tar_emit_to_fd,
		.ctx = &fd,
	};
	struct tar_emit_result result;

	if (fd < 0)
		return err_sys(err, errno, "temporary file in '%s/tmp'", args->root->path);
	if (tar_emit(&emit, &result, err) < 0)
		return -1;
	return apply(args, fd, err);
}
