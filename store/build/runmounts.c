/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cache is a folder below the store's root, named by the digest of its id. It
 * is made under another name and renamed, so that one with a name is whole.
 */
#include "build/runmounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "build/copy.h"
#include "db/recover_container.h"
#include "layer/tree_fs.h"
#include "limits.h"
#include "oci/expand.h"
#include "store.h"

#define COPY_DEADLINE_MS (60 * 60 * 1000)
/* Another build may compile for hours. */
#define CACHE_WAIT_MS (INT64_C(24) * 3600 * 1000)
#define PRIVATE_MAX   64

void run_mounts_done(struct run_mounts *mounts)
{
	struct error err;

	for (size_t i = 0; i < mounts->temporary.nr; i++)
		if (recover_remove_tree(mounts->temporary.items[i], &err) < 0)
			log_debug("%s", err.text);
	for (size_t i = 0; i < mounts->nr_locks; i++)
		close(mounts->locks[i]);
	for (size_t i = 0; i < mounts->nr; i++) {
		runmount_done(&mounts->items[i].spec);
		buf_done(&mounts->items[i].target);
		free(mounts->items[i].text);
	}
	strlist_done(&mounts->temporary);
	free(mounts->items);
	free(mounts->locks);
	*mounts = (struct run_mounts){ 0 };
}

/* ---- what is asked for ---- */

/* The hash of what is bound from a folder; a layer below that of its chain and the path in it. */
static int find_content(struct run_mount *mount, struct error *err)
{
	const struct build_source *source = &mount->source;
	auto_context_sources struct context_sources found = { 0 };
	auto_free char *text = NULL;

	if (!source->is_context) {
		text = xasprintf("%s %s", source->chain.text, mount->spec.source);
		digest_of(text, strlen(text), &mount->content);
		return 0;
	}
	if (source->context.root_fd < 0)
		return err_set(err, ERR_NOT_FOUND,
			       "there is no build context: the Dockerfile came alone");
	if (context_find(&source->context, mount->spec.source, false, &found, err) < 0)
		return -1;
	if (found.nr != 1)
		return err_set(err, ERR_USAGE, "the source '%s' of a mount is no single path",
			       mount->spec.source);
	if (context_hash(&source->context, &found.items[0], NULL, false, &mount->content, err) < 0)
		return -1;
	mount->seen = found.items[0].seen;
	return 0;
}

static int find_one(struct stage *stage, const char *text, struct run_mount *mount,
		    struct error *err)
{
	auto_strlist struct strlist vars = { 0 };
	struct expand_scope scope = stage_scope(stage, &vars);
	const struct runmount *spec = &mount->spec;
	const char *from;

	if (runmount_parse(text, &scope, &mount->spec, err) < 0)
		return -1;
	if (spec->type == RUNMOUNT_SSH)
		return err_set(err, ERR_UNSUPPORTED, "RUN --mount=type=ssh is not supported");
	if (runmount_target(spec, stage_setting(stage, "WorkingDir"), &mount->target, err) < 0)
		return -1;
	from = *spec->from ? spec->from : NULL;
	if (spec->type != RUNMOUNT_BIND && (spec->type != RUNMOUNT_CACHE || !from))
		return 0;
	if (build_source_find(stage, from, &mount->source, err) < 0)
		return -1;
	return spec->type == RUNMOUNT_BIND ? find_content(mount, err) : 0;
}

/* One of several texts, so that no two lists of them look the same. */
static void put_text(struct buf *buf, const char *text)
{
	buf_printf(buf, "%zu:%s ", strlen(text), text);
}

/* Everything of it that the result of the step depends on. */
static char *key_text(const struct run_mount *mount)
{
	const struct runmount *spec = &mount->spec;
	auto_buf struct buf buf = { 0 };

	put_text(&buf, mount->target.len ? mount->target.data : "");
	put_text(&buf, spec->id);
	put_text(&buf, spec->source);
	put_text(&buf, spec->from);
	put_text(&buf, spec->env ? spec->env : "");
	buf_printf(&buf, "%d %d %o %u %u %" PRIu64, (int)spec->type, spec->read_only, spec->mode,
		   spec->uid, spec->gid, spec->size_bytes);
	return xstrdup(buf.data);
}

int run_mounts_find(struct stage *stage, const struct instruction *instruction,
		    struct run_mounts *ret, struct error *err)
{
	auto_strlist struct strlist texts = { 0 };

	instruction_flag_list(instruction, "mount", &texts);
	if (texts.nr > LIMIT_RUN_MOUNTS)
		return err_set(err, ERR_LIMIT, "more than %d mounts in one RUN", LIMIT_RUN_MOUNTS);
	ret->items = xcalloc(texts.nr + 1, sizeof(*ret->items));
	for (size_t i = 0; i < texts.nr; i++) {
		struct run_mount *mount = &ret->items[ret->nr++];

		if (find_one(stage, texts.items[i], mount, err) < 0)
			return -1;
		mount->text = key_text(mount);
	}
	return 0;
}

/* ---- making it ready ---- */

static int copy_tree(const char *from, const char *to, struct error *err)
{
	const char *const cp[] = { "cp", "-a", "--reflink=auto", "-T", "--", from, to, NULL };

	return proc_check(cp, COPY_DEADLINE_MS, err);
}

/* Path on the host of what is bound; links in it were followed by context_find(). */
static int source_path(struct stage *stage, struct run_mount *mount, char **ret, struct error *err)
{
	auto_context_sources struct context_sources found = { 0 };
	const char *root;

	if (build_source_path(stage->builder, &mount->source, &root, err) < 0 ||
	    context_find(&mount->source.context, mount->spec.source, false, &found, err) < 0)
		return -1;
	if (found.nr != 1)
		return err_set(err, ERR_USAGE, "the source '%s' of a mount is no single path",
			       mount->spec.source);
	*ret = *found.items[0].path ? xasprintf("%s/%s", root, found.items[0].path) : xstrdup(root);
	return 0;
}

/* A name in the store's tmp that recovery would sweep. */
static char *temporary_path(struct stage *stage, struct run_mounts *mounts, const char *kind)
{
	struct store *store = stage->builder->store;
	char *path = xasprintf("%s/tmp/%" PRId64 "-%s-%zu", store->root.path, store->session, kind,
			       mounts->temporary.nr);

	strlist_add(&mounts->temporary, path);
	return path;
}

/*
 * What a build is given of a context is what COPY would copy: root's, and without what is
 * ignored. So it is copied, and what the step writes there is thrown away with it.
 */
static int copy_context(struct run_mount *mount, const char *folder, char **ret, struct error *err)
{
	auto_context_sources struct context_sources found = { 0 };
	auto_tree_fs struct tree_writer *tree = NULL;
	auto_fd int fd = -1;
	struct copy_args args = {
		.context = &mount->source.context,
		.sources = &found,
		.instruction = "RUN --mount",
		.destination = "/",
	};
	bool removed;

	if (context_find(args.context, mount->spec.source, false, &found, err) < 0)
		return -1;
	found.items[0].seen = mount->seen;
	if (mkdir(folder, 0755) < 0)
		return err_sys(err, errno, "create folder '%s'", folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open folder '%s'", folder);
	if (!found.items[0].is_folder)
		args.destination = "/file";
	if (tree_fs_new(fd, &tree, err) < 0)
		return -1;
	args.root_fd = fd;
	args.tree = tree;
	*ret = xasprintf("%s%s", folder, found.items[0].is_folder ? "" : "/file");
	return copy_into(&args, &removed, err);
}

static int prepare_bind(struct stage *stage, struct run_mounts *mounts, struct run_mount *mount,
			struct bundle_mounts *ret, struct error *err)
{
	bool read_only = mount->spec.read_only;
	auto_free char *path = NULL;
	auto_free char *copy = NULL;
	int copied;

	if (mount->source.is_context) {
		copy = temporary_path(stage, mounts, "bind");
		copied = copy_context(mount, copy, &path, err);
		if (copied < 0)
			return -1;
		mounts->changed |= copied;
	} else if (source_path(stage, mount, &path, err) < 0) {
		return -1;
	} else if (!read_only) { /* what is written is thrown away */
		copy = temporary_path(stage, mounts, "bind");
		if (copy_tree(path, copy, err) < 0)
			return -1;
		free(path);
		path = take_ptr(copy);
	}
	bundle_mounts_add(ret, path, mount->target.data, read_only, "rprivate");
	return 0;
}

static int add_lock(struct run_mounts *mounts, int fd)
{
	mounts->locks = xrealloc(mounts->locks, (mounts->nr_locks + 1) * sizeof(*mounts->locks));
	mounts->locks[mounts->nr_locks++] = fd;
	return 0;
}

/* Makes the folder of a cache that is not there yet, with what from= has. */
static int fill_cache(struct stage *stage, struct run_mount *mount, const char *path,
		      struct error *err)
{
	auto_free char *new = xasprintf("%s.new", path);
	auto_free char *source = NULL;

	if (access(path, F_OK) == 0)
		return 0;
	if (recover_remove_tree(new, err) < 0)
		return -1;
	if (*mount->spec.from) {
		if (source_path(stage, mount, &source, err) < 0 || copy_tree(source, new, err) < 0)
			return -1;
	} else if (mkdir(new, 0700) < 0) {
		return err_sys(err, errno, "create folder '%s'", new);
	}
	if (chmod(new, mount->spec.mode) < 0 || chown(new, mount->spec.uid, mount->spec.gid) < 0 ||
	    rename(new, path) < 0)
		return err_sys(err, errno, "make the cache '%s'", mount->spec.id);
	return 0;
}

/*
 * Takes a folder of this id: the only one, after waiting for it, with locked; the first that
 * nobody has, with private. The lock of a shared one is held while it is filled.
 */
static int take_cache(struct stage *stage, struct run_mounts *mounts, struct run_mount *mount,
		      const char *hex, char **ret, struct error *err)
{
	const struct root *root = &stage->builder->store->root;
	bool private = mount->spec.sharing == RUNMOUNT_PRIVATE;

	for (int i = 0; i < PRIVATE_MAX; i++) {
		auto_free char *name =
			i ? xasprintf("build/%s-%d", hex, i) : xasprintf("build/%s", hex);
		auto_free char *lock = xasprintf("%s.lock", name);
		auto_fd int fd = root_lock_file(root, lock, private ? 0 : CACHE_WAIT_MS, err);

		if (fd < 0 && private && err->kind == ERR_IN_USE)
			continue;
		*ret = xasprintf("%s/%s", root->path, name);
		if (fd < 0 || fill_cache(stage, mount, *ret, err) < 0)
			return -1;
		return mount->spec.sharing == RUNMOUNT_SHARED ? 0 : add_lock(mounts, take_fd(fd));
	}
	return err_set(err, ERR_IN_USE, "all %d folders of the cache '%s' are in use", PRIVATE_MAX,
		       mount->spec.id);
}

static int prepare_cache(struct stage *stage, struct run_mounts *mounts, struct run_mount *mount,
			 struct bundle_mounts *ret, struct error *err)
{
	auto_free char *folder = xasprintf("%s/build", stage->builder->store->root.path);
	auto_free char *path = NULL;
	struct digest id;

	digest_of(mount->spec.id, strlen(mount->spec.id), &id);
	if (io_make_dirs(folder, 0701, err) < 0 ||
	    take_cache(stage, mounts, mount, digest_hex(&id), &path, err) < 0)
		return err_add(err, "cache '%s'", mount->spec.id);
	bundle_mounts_add(ret, path, mount->target.data, mount->spec.read_only, "rprivate");
	return 0;
}

/* Returns 1 with the bytes, 0 when the build was given no such secret, or -1. */
static int read_secret(const struct build_options *options, const char *id, struct buf *ret,
		       struct error *err)
{
	for (size_t i = 0; i < options->nr_secrets; i++) {
		const struct build_secret *secret = &options->secrets[i];
		const char *value;

		if (strcmp(secret->id, id) != 0)
			continue;
		if (secret->path)
			return io_read_file(AT_FDCWD, secret->path, LIMIT_SECRET_BYTES, ret, err) <
					       0
				       ? err_add(err, "secret %s", id)
				       : 1;
		value = getenv(secret->env);
		if (!value)
			return 0;
		buf_puts(ret, value);
		return 1;
	}
	return 0;
}

/* On the tmpfs of the run folder, never on a disk. */
static int write_secret(struct stage *stage, struct run_mounts *mounts, struct run_mount *mount,
			const struct buf *value, struct bundle_mounts *ret, struct error *err)
{
	auto_free char *name = xasprintf("secret-%zu", mounts->temporary.nr);
	auto_free char *path = NULL;

	if (builder_run_path(stage->builder, name, &path, err) < 0)
		return -1;
	strlist_add(&mounts->temporary, path);
	if (io_replace_file(AT_FDCWD, path, value->data ? value->data : "", value->len, 0600, err) <
	    0)
		return -1;
	if (chown(path, mount->spec.uid, mount->spec.gid) < 0 || chmod(path, mount->spec.mode) < 0)
		return err_sys(err, errno, "secret %s", mount->spec.id);
	bundle_mounts_add(ret, path, mount->target.data, true, "rprivate,noexec,nosuid,nodev");
	return 0;
}

static int prepare_secret(struct stage *stage, struct run_mounts *mounts, struct run_mount *mount,
			  struct bundle_mounts *ret, struct strlist *env, struct error *err)
{
	const struct runmount *spec = &mount->spec;
	auto_buf struct buf value = { 0 };
	int got = read_secret(stage->builder->options, spec->id, &value, err);
	int result = 0;

	if (got == 0 && spec->required)
		return err_set(err, ERR_NOT_FOUND, "secret %s: not found", spec->id);
	if (got <= 0)
		return got;
	if (spec->env)
		strlist_take(env, xasprintf("%s=%.*s", spec->env, (int)value.len,
					    value.data ? value.data : ""));
	if (mount->target.len)
		result = write_secret(stage, mounts, mount, &value, ret, err);
	if (value.data)
		explicit_bzero(value.data, value.len);
	return result;
}

int run_mounts_prepare(struct stage *stage, struct run_mounts *mounts, struct bundle_mounts *ret,
		       struct strlist *env, struct error *err)
{
	for (size_t i = 0; i < mounts->nr; i++) {
		struct run_mount *mount = &mounts->items[i];
		auto_free char *size = NULL;
		int result = 0;

		switch (mount->spec.type) {
		case RUNMOUNT_BIND:
			result = prepare_bind(stage, mounts, mount, ret, err);
			break;
		case RUNMOUNT_CACHE:
			result = prepare_cache(stage, mounts, mount, ret, err);
			break;
		case RUNMOUNT_SECRET:
			result = prepare_secret(stage, mounts, mount, ret, env, err);
			break;
		default:
			if (mount->spec.size_bytes)
				size = xasprintf("size=%" PRIu64, mount->spec.size_bytes);
			bundle_mounts_add(ret, NULL, mount->target.data, false, size);
		}
		if (result < 0)
			return -1;
	}
	return 0;
}
