/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What COPY --from and RUN --mount take from: the context, a stage, an image.
 * The mounts are in a namespace of the build's own, so they end with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "build/builder.h"
#include "db/recover_container.h"
#include "image/image.h"
#include "store.h"
#include "volume.h"

/* ---- which one ---- */

/* --build-context NAME=PATH. Returns the path, or NULL. */
static const char *named_context(const struct builder *builder, const char *name)
{
	const struct strlist *contexts = &builder->options->contexts;
	size_t len = strlen(name);

	for (size_t i = 0; i < contexts->nr; i++)
		if (strncmp(contexts->items[i], name, len) == 0 && contexts->items[i][len] == '=')
			return contexts->items[i] + len + 1;
	return NULL;
}

static int open_named(struct builder *builder, const char *path, struct build_source *ret,
		      struct error *err)
{
	struct source_tree *tree;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open the build context '%s'", path);
	builder->trees = xrealloc(builder->trees, (builder->nr_trees + 1) * sizeof(*tree));
	tree = &builder->trees[builder->nr_trees++];
	*tree = (struct source_tree){ .fd = fd, .path = realpath(path, NULL) };
	if (build_input_ignore(fd, &tree->ignore, err) < 0)
		return err_add(err, "build context '%s'", path);
	ret->is_context = true;
	ret->context = (struct context){ .root_fd = fd, .ignore = tree->ignore };
	ret->path = tree->path;
	return 0;
}

static int find_image(struct builder *builder, const char *name, struct build_source *ret,
		      struct error *err)
{
	auto_image struct image image = { 0 };

	if (strcmp(name, "scratch") == 0)
		return 0;
	if (builder_find_image(builder, name, &builder->wanted, false, 0, &image, err) < 0)
		return err_add(err, "%s", name);
	ret->chain = image.top;
	return 0;
}

int build_source_find(struct stage *stage, const char *from, struct build_source *ret,
		      struct error *err)
{
	struct builder *builder = stage->builder;
	const char *path;
	ssize_t index;

	*ret = (struct build_source){ .context = { .root_fd = -1 } };
	if (!from) {
		ret->is_context = true;
		ret->context = builder->context;
		ret->path = builder->input.path;
		return 0;
	}
	ret->context.keep_owners = true;
	if (dockerfile_find_from(&builder->file, stage->index, from, &index, err) < 0)
		return -1;
	if (index >= 0) {
		if (builder_need_stage(builder, (size_t)index, err) < 0)
			return -1;
		ret->is_stage = true;
		ret->chain = builder->stages[index].chain;
		return 0;
	}
	path = named_context(builder, from);
	if (path && strncmp(path, "docker-image://", 15) == 0)
		return find_image(builder, path + 15, ret, err);
	return path ? open_named(builder, path, ret, err) : find_image(builder, from, ret, err);
}

/* ---- mounted ---- */

/* The layer's volume, which stays while our session lives. */
static int open_layer(struct builder *builder, const struct digest *chain, struct source_tree *ret,
		      struct error *err)
{
	struct store *store = builder->store;
	auto_layer_row struct layer_row row = { 0 };
	auto_volume struct volume *volume = NULL;
	struct volume_pool *pool;
	int64_t thin;
	int got = 1;

	if (store_pool(store, &pool, err) < 0 || store_session(store, err) < 0)
		return -1;
	if (digest_is_set(chain))
		got = rows_layer_take(store->db, store->session, chain, &row, err);
	if (got == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "layer %s was removed during the build: build again", chain->text);
	thin = got < 0 ? -1 : work_thin_of_chain(store, chain, err);
	if (thin < 0 || volume_activate_to_read(pool, (uint32_t)thin, 0, &volume, err) < 0 ||
	    volume_mount(volume, VOLUME_MOUNT_VIEW, &ret->fd, err) < 0)
		return -1;
	ret->chain = *chain;
	ret->volume = take_ptr(volume);
	return 0;
}

static struct source_tree *find_tree(struct builder *builder, const struct digest *chain)
{
	for (size_t i = 0; i < builder->nr_trees; i++)
		if (builder->trees[i].volume && digest_equal(&builder->trees[i].chain, chain))
			return &builder->trees[i];
	return NULL;
}

static int need_tree(struct builder *builder, const struct digest *chain, struct source_tree **ret,
		     struct error *err)
{
	struct source_tree tree = { .fd = -1 };

	*ret = find_tree(builder, chain);
	if (*ret)
		return 0;
	if (open_layer(builder, chain, &tree, err) < 0)
		return -1;
	builder->trees = xrealloc(builder->trees, (builder->nr_trees + 1) * sizeof(tree));
	*ret = &builder->trees[builder->nr_trees++];
	**ret = tree;
	return 0;
}

int build_source_open(struct builder *builder, struct build_source *source, struct error *err)
{
	struct source_tree *tree;

	if (source->is_context)
		return source->context.root_fd >= 0
			       ? 0
			       : err_set(err, ERR_NOT_FOUND,
					 "there is no build context: the Dockerfile came alone");
	if (need_tree(builder, &source->chain, &tree, err) < 0)
		return -1;
	source->context.root_fd = tree->fd;
	return 0;
}

int builder_own_namespace(struct builder *builder, struct error *err)
{
	if (builder->has_namespace)
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, errno, "make a mount namespace");
	builder->has_namespace = true;
	return 0;
}

int builder_run_path(struct builder *builder, const char *name, char **ret, struct error *err)
{
	auto_free char *run_dir = NULL;
	auto_free char *session = NULL;

	if (recover_run_dir(builder->store->pool, &run_dir, err) < 0)
		return -1;
	session = recover_steps_folder(run_dir, builder->store->session);
	if (io_make_dirs(session, 0711, err) < 0)
		return -1;
	*ret = xasprintf("%s/%s", session, name);
	return 0;
}

int build_source_path(struct builder *builder, struct build_source *source, const char **ret,
		      struct error *err)
{
	struct source_tree *tree;
	auto_free char *name = NULL;

	if (build_source_open(builder, source, err) < 0)
		return -1;
	if (source->is_context) {
		*ret = source->path;
		return 0;
	}
	tree = find_tree(builder, &source->chain);
	if (!tree->path) {
		auto_free char *path = NULL;

		name = xasprintf("source-%" PRIu32, volume_id(tree->volume));
		if (builder_own_namespace(builder, err) < 0 ||
		    builder_run_path(builder, name, &path, err) < 0 ||
		    io_make_dirs(path, 0700, err) < 0 ||
		    volume_attach_mount(tree->fd, path, err) < 0)
			return -1;
		tree->path = take_ptr(path);
	}
	*ret = tree->path;
	return 0;
}

void builder_close_sources(struct builder *builder)
{
	for (size_t i = 0; i < builder->nr_trees; i++) {
		struct source_tree *tree = &builder->trees[i];

		if (tree->volume && tree->path)
			umount2(tree->path, MNT_DETACH);
		if (tree->fd >= 0)
			close(tree->fd);
		volume_free(tree->volume);
		ignore_free(tree->ignore);
		free(tree->path);
	}
	free(builder->trees);
}
