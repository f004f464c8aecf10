/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tree_copy.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"

static struct tree_copy *of(struct tree_writer *tree)
{
	return (struct tree_copy *)tree;
}

static char *below(const struct tree_copy *copy, const char *path)
{
	const char *folder = copy->args.folder;

	return xasprintf("%s%s%s", folder, *folder && *path ? "/" : "", path);
}

/* Docker's rule for what is there already; *ret_path is copy's until the next call. */
static int place(struct tree_copy *copy, const char *path, bool is_dir, const char **ret_path,
		 struct error *err)
{
	struct tree_writer *under = copy->args.under;
	mode_t type;

	free(copy->path);
	*ret_path = copy->path = below(copy, path);
	if (under->ops->look(under, copy->path, &type, err) < 0)
		return -1;
	if (!type || S_ISDIR(type) == is_dir)
		return 0;
	if (is_dir)
		return err_set(err, ERR_IN_USE,
			       "cannot overwrite non-directory \"/%s\" with directory \"%s\"",
			       copy->path, copy->args.shown);
	return err_set(err, ERR_IN_USE,
		       "cannot overwrite directory \"/%s\" with non-directory \"%s\"", copy->path,
		       copy->args.shown);
}

static int copy_begin_layer(struct tree_writer *tree, bool base, struct error *err)
{
	struct tree_writer *under = of(tree)->args.under;

	return under->ops->begin_layer(under, base, err);
}

static int copy_make_dir(struct tree_writer *tree, const char *path, const struct tree_attr *attr,
			 struct error *err)
{
	struct tree_copy *copy = of(tree);
	struct tree_writer *under = copy->args.under;
	const char *at;

	if (!*path)
		return 0;
	if (place(copy, path, true, &at, err) < 0)
		return -1;
	return under->ops->make_dir(under, at, attr, err);
}

static int copy_open_file(struct tree_writer *tree, const char *path, const struct tree_attr *attr,
			  uint64_t size, struct error *err)
{
	struct tree_copy *copy = of(tree);
	struct tree_writer *under = copy->args.under;
	const char *at;

	if (place(copy, path, false, &at, err) < 0)
		return -1;
	return under->ops->open_file(under, at, attr, size, err);
}

static int copy_write_file(struct tree_writer *tree, const void *data, size_t len, uint64_t offset,
			   struct error *err)
{
	struct tree_writer *under = of(tree)->args.under;

	return under->ops->write_file(under, data, len, offset, err);
}

static int copy_close_file(struct tree_writer *tree, struct error *err)
{
	struct tree_writer *under = of(tree)->args.under;

	return under->ops->close_file(under, err);
}

static int copy_make_link(struct tree_writer *tree, const char *path, const char *target,
			  const struct tree_attr *attr, struct error *err)
{
	struct tree_copy *copy = of(tree);
	struct tree_writer *under = copy->args.under;
	const char *at;

	if (place(copy, path, false, &at, err) < 0)
		return -1;
	free(copy->target);
	copy->target = below(copy, target);
	return under->ops->make_link(under, at, copy->target, attr, err);
}

static int copy_make_symlink(struct tree_writer *tree, const char *path, const char *target,
			     const struct tree_attr *attr, struct error *err)
{
	struct tree_copy *copy = of(tree);
	struct tree_writer *under = copy->args.under;
	const char *at;

	if (place(copy, path, false, &at, err) < 0)
		return -1;
	return under->ops->make_symlink(under, at, target, attr, err);
}

static int copy_make_node(struct tree_writer *tree, const char *path, mode_t type, dev_t dev,
			  const struct tree_attr *attr, struct error *err)
{
	struct tree_copy *copy = of(tree);
	struct tree_writer *under = copy->args.under;
	const char *at;

	if (place(copy, path, false, &at, err) < 0)
		return -1;
	return under->ops->make_node(under, at, type, dev, attr, err);
}

static int copy_nothing(struct tree_writer *tree, const char *path, struct error *err)
{
	(void)tree;
	(void)path;
	(void)err;
	return 0;
}

static int copy_end_layer(struct tree_writer *tree, bool *ret_removed, struct error *err)
{
	struct tree_writer *under = of(tree)->args.under;

	return under->ops->end_layer(under, ret_removed, err);
}

static const struct tree_writer_ops ops = {
	.begin_layer = copy_begin_layer,
	.make_dir = copy_make_dir,
	.open_file = copy_open_file,
	.write_file = copy_write_file,
	.close_file = copy_close_file,
	.make_link = copy_make_link,
	.make_symlink = copy_make_symlink,
	.make_node = copy_make_node,
	.whiteout = copy_nothing,
	.opaque = copy_nothing,
	.discard = copy_nothing,
	.end_layer = copy_end_layer,
};

void tree_copy_init(const struct tree_copy_args *args, struct tree_copy *ret)
{
	*ret = (struct tree_copy){ .tree = { &ops }, .args = *args };
}

void tree_copy_done(struct tree_copy *copy)
{
	free(copy->path);
	free(copy->target);
}
