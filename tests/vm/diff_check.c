/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff_check - changes found by blocks, and layers written, against a real kernel
 *
 * usage: diff_check FOLDER SETS SEED [files]
 *
 * Makes SETS random sets of changes for each kind of file system. For each, the
 * way by blocks and the walk over both trees must give the same list; and for
 * some, the tar of the layer, applied to the parent, must give the child's tree,
 * which emits the same bytes again. A set that fails is printed as a list of
 * operations. FOLDER is empty and on a real disk; a pool is made in it, unless
 * "files" asks for image files and loop devices. Runs as root.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "diff_dump.h"
#include "diff_ops.h"
#include "diff_stage.h"
#include "layer/tar_apply.h"
#include "layer/tar_emit.h"
#include "layer/tree_fs.h"
#include "layer/tree_walk.h"
#include "pool/pool.h"

#define FIRST_ID     10u
#define FAILURES_MAX 3u
#define TAR_EACH     3u /* every which set goes through a tar, too */

static const struct {
	const char *name;
	const char *features;
} kinds[] = {
	{ "as veneer makes it", "extent,metadata_csum" },
	{ "inline data", "extent,metadata_csum,inline_data" },
	{ "no extents, no checksums", "^64bit,^huge_file,uninit_bg" },
};

struct trial {
	struct stage *stage;
	struct ops *ops;
	unsigned parent, child;
	struct buf why;
	struct error err;
	uint64_t changes, blocks;
};

static bool fail(struct trial *trial, const char *what)
{
	buf_printf(&trial->why, "    %s: %s\n", what, trial->err.text);
	return false;
}

static void list_differences(struct trial *trial, const struct change_list *blocks,
			     const struct change_list *walk)
{
	size_t i = 0, k = 0;
	unsigned lines = 0;

	while ((i < blocks->nr || k < walk->nr) && lines < 10) {
		int order = i == blocks->nr ? 1
			    : k == walk->nr ? -1
					    : strcmp(blocks->items[i].path, walk->items[k].path);

		if (order == 0 && blocks->items[i].kind == walk->items[k].kind &&
		    blocks->items[i].is_dir == walk->items[k].is_dir) {
			i++;
			k++;
			continue;
		}
		lines++;
		if (order <= 0)
			buf_printf(&trial->why, "      blocks: %c '%s'\n", blocks->items[i].kind,
				   blocks->items[i].path);
		if (order >= 0)
			buf_printf(&trial->why, "      walk:   %c '%s'\n", walk->items[k].kind,
				   walk->items[k].path);
		i += order <= 0;
		k += order >= 0;
	}
	if (lines)
		buf_puts(&trial->why, "    ^ the lists differ\n");
}

/* ---- through a tar ---- */

static int keep_bytes(void *ctx, const void *data, size_t len, struct error *err)
{
	(void)err;
	buf_append(ctx, data, len);
	return 0;
}

static bool emit(struct trial *trial, int root_fd, const struct change_list *changes,
		 struct buf *ret)
{
	struct tar_emit_args args = { root_fd, changes, keep_bytes, ret };
	struct tar_emit_result result;

	if (tar_emit(&args, &result, &trial->err) < 0)
		return fail(trial, "tar_emit");
	if (result.tar_bytes != ret->len)
		buf_puts(&trial->why, "    tar_emit counts other bytes than it wrote\n");
	return true;
}

struct memory {
	const char *data;
	size_t len;
};

static int read_memory(void *ctx, void *data, size_t len, struct error *err)
{
	struct memory *memory = ctx;

	(void)err;
	len = len < memory->len ? len : memory->len;
	memcpy(data, memory->data, len);
	memory->data += len;
	memory->len -= len;
	return (int)len;
}

static bool apply(struct trial *trial, int root_fd, const struct buf *tar)
{
	auto_tree_fs struct tree_writer *tree = NULL;
	auto_stream struct stream *stream = NULL;
	struct memory memory = { tar->data, tar->len };
	struct stream_options options = { .read = read_memory, .read_ctx = &memory };
	struct tar_apply_args args = { 0 };
	struct tar_apply_result result;

	if (tree_fs_new(root_fd, &tree, &trial->err) < 0 ||
	    stream_open(&options, &stream, &trial->err) < 0)
		return fail(trial, "tree_fs");
	args.stream = stream;
	args.tree = tree;
	return tar_apply(&args, &result, &trial->err) == 0 || fail(trial, "tar_apply");
}

/* What a layer says of sockets is at most that something else is gone. */
static void without_sockets(int root_fd, const struct change_list *list, struct change_list *ret)
{
	for (size_t i = 0; i < list->nr; i++) {
		struct change change = list->items[i];
		struct stat st;

		if (change.kind != CHANGE_DELETED &&
		    fstatat(root_fd, change.path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISSOCK(st.st_mode)) {
			if (change.kind == CHANGE_ADDED)
				continue;
			change.kind = CHANGE_DELETED;
		}
		change_list_add(ret, change.kind, change.is_dir, xstrdup(change.path));
	}
}

/* The header in front of the first byte that differs, as each of the two has it. */
static void say_difference(struct trial *trial, const struct buf *tar, const struct buf *again)
{
	size_t at = 0;

	while (at < tar->len && at < again->len && tar->data[at] == again->data[at])
		at++;
	buf_printf(&trial->why, "    the layer's tree emits other bytes, from %zu on\n", at);
	for (at -= at % 512; at >= 512; at -= 512)
		if (at + 512 <= tar->len && memcmp(tar->data + at + 257, "ustar", 5) == 0)
			break;
	for (int i = 0; i < 2; i++) {
		const struct buf *one = i ? again : tar;
		const char *head = one->data + at;

		if (at + 512 <= one->len)
			buf_printf(&trial->why,
				   "      type %c, mode %.7s, uid %.7s, gid %.7s, size %.11s, "
				   "mtime %.11s, '%.100s' -> '%.100s'\n",
				   head[156] ? head[156] : '0', head + 100, head + 108, head + 116,
				   head + 124, head + 136, head, head + 157);
	}
}

static void check_tar(struct trial *trial, const struct change_list *changes)
{
	auto_view struct view child = { .root_fd = -1 };
	auto_view struct view copy = { .root_fd = -1 };
	auto_buf struct buf tar = { 0 };
	auto_buf struct buf again = { 0 };
	auto_buf struct buf why = { 0 };
	auto_change_list struct change_list storable = { 0 };

	if (view_open(trial->stage, trial->child, false, &child, &trial->err) < 0 ||
	    view_open(trial->stage, trial->parent, true, &copy, &trial->err) < 0) {
		fail(trial, "look at a state");
		return;
	}
	if (!emit(trial, child.root_fd, changes, &tar) || !apply(trial, copy.root_fd, &tar))
		return;
	if (!dump_same(child.root_fd, copy.root_fd, changes, &why))
		buf_printf(&trial->why, "%s    ^ the layer makes another tree\n", why.data);
	if (dump_keeps_attributes(child.root_fd, copy.root_fd, changes))
		return;
	without_sockets(child.root_fd, changes, &storable);
	if (emit(trial, copy.root_fd, &storable, &again) &&
	    (again.len != tar.len || memcmp(again.data, tar.data, tar.len) != 0))
		say_difference(trial, &tar, &again);
}

/* ---- one set ---- */

static void check_set(struct trial *trial, bool with_tar)
{
	auto_change_list struct change_list blocks = { 0 };
	auto_change_list struct change_list walk = { 0 };

	if (stage_diff(trial->stage, trial->parent, trial->child, false, &blocks, &trial->err) <
	    0) {
		fail(trial, "diff by blocks");
		return;
	}
	if (blocks.walked)
		buf_puts(&trial->why, "    the way by blocks gave up\n");
	if (stage_diff(trial->stage, trial->parent, trial->child, true, &walk, &trial->err) < 0) {
		fail(trial, "diff by walking");
		return;
	}
	list_differences(trial, &blocks, &walk);
	trial->changes += walk.nr;
	trial->blocks += blocks.blocks_read;
	if (with_tar && !trial->why.len)
		check_tar(trial, &walk);
}

/* Returns whether all was well. */
static bool run_set(struct trial *trial, unsigned number, uint64_t seed)
{
	buf_reset(&trial->why);
	trial->child = trial->parent + 1;
	ops_run(trial->ops, 1 + (unsigned)ops_random(trial->ops, number % 4 ? 6 : 40));
	if (stage_keep(trial->stage, trial->child, &trial->err) < 0)
		fail(trial, "keep a state");
	else
		check_set(trial, number % TAR_EACH == 0);
	if (stage_forget(trial->stage, trial->parent, &trial->err) < 0)
		fail(trial, "forget a state");
	trial->parent = trial->child;
	if (trial->why.len)
		printf("    set %u of seed %" PRIu64 ":\n%s%s", number, seed, trial->ops->log.data,
		       trial->why.data);
	return !trial->why.len;
}

static bool run_kind(struct stage *stage, size_t kind, unsigned nr_sets, uint64_t seed)
{
	struct ops ops = { .random = seed * 0x9e3779b97f4a7c15u + kind + 1 };
	struct trial trial = { .stage = stage, .ops = &ops, .parent = FIRST_ID };
	unsigned failures = 0, done = 0;

	if (stage_begin(stage, kinds[kind].features, &trial.err) < 0) {
		printf("not ok %s\n    %s\n", kinds[kind].name, trial.err.text);
		return false;
	}
	ops.root_fd = stage->root_fd;
	ops_run(&ops, 150);
	if (stage_keep(stage, trial.parent, &trial.err) < 0)
		failures = FAILURES_MAX;
	for (; done < nr_sets && failures < FAILURES_MAX; done++)
		failures += !run_set(&trial, done, seed);
	printf("%s %u random sets of changes (%s, seed %" PRIu64 "): %" PRIu64 " changes, %" PRIu64
	       " blocks read\n",
	       failures ? "not ok" : "ok", done, kinds[kind].name, seed, trial.changes,
	       trial.blocks);
	if (failures == FAILURES_MAX && !trial.why.len)
		printf("    %s\n", trial.err.text);
	fflush(stdout);
	if (stage_forget(stage, trial.parent, &trial.err) < 0)
		printf("    %s\n", trial.err.text);
	stage_end(stage);
	ops_done(&ops);
	buf_done(&trial.why);
	return !failures;
}

static int open_pool(struct stage *stage, struct error *err)
{
	struct pool_create_args args = { .files_bytes = 4 * GIB, .volume_bytes = 256 * MIB };

	if (pool_create(stage->folder, &args, err) < 0)
		return -1;
	return volume_pool_open(stage->folder, &stage->pool, err);
}

int main(int argc, char *argv[])
{
	struct stage stage = { .root_fd = -1 };
	struct error err;
	bool bad = false;

	if (argc < 4) {
		fprintf(stderr, "usage: diff_check FOLDER SETS SEED [files]\n");
		return 2;
	}
	umask(0);
	stage.folder = argv[1];
	if (argc == 4 && open_pool(&stage, &err) < 0) {
		printf("not ok a pool\n    %s\n", err.text);
		return 1;
	}
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++)
		bad |= !run_kind(&stage, kind, (unsigned)strtoul(argv[2], NULL, 10),
				 strtoull(argv[3], NULL, 10));
	if (stage.pool) {
		volume_pool_close(stage.pool);
		if (pool_destroy(stage.folder, &err) < 0)
			printf("not ok the pool goes away\n    %s\n", err.text);
	}
	return bad;
}
