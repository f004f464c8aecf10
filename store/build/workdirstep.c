/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "build/builder.h"
#include "layer/tree_writer.h"
#include "oci/setting.h"
#include "run/account.h"

static int find_key(struct stage *stage, void *ctx, unsigned level, struct digest *ret,
		    struct error *err)
{
	const struct stage_key key = {
		.operation = json_pack("[s, s, s]", "WORKDIR", stage_setting(stage, "WorkingDir"),
				       stage_setting(stage, "User")),
	};

	(void)ctx;
	(void)err;
	if (level)
		return 0;
	stage_key(stage, &key, ret);
	return 1;
}

/* Every folder on the way that is not there becomes the user's. */
static int make_folders(struct stage *stage, void *ctx, struct error *err)
{
	struct tree_attr attr = { .mode = 0755 };
	auto_account struct account account = { 0 };
	auto_free char *path = xstrdup(stage_setting(stage, "WorkingDir") + 1);
	int result = 0;

	(void)ctx;
	if (account_find(stage->work.mount_fd, stage_setting(stage, "User"), &account, err) < 0 ||
	    stage_open_tree(stage, err) < 0 ||
	    stage->tree->ops->begin_layer(stage->tree, true, err) < 0)
		return -1;
	attr.uid = account.uid;
	attr.gid = account.gid;
	attr.mtime.tv_sec = attr.atime.tv_sec = stage->builder->now_ns / 1000000000;
	for (char *at = path; result == 0 && at;) {
		char *slash = strchr(at, '/');
		auto_fd int fd = -1;
		struct error why;

		if (slash)
			*slash = '\0';
		fd = path_open_in_root(stage->work.mount_fd, path, O_PATH | O_DIRECTORY, 0, &why);
		if (fd < 0 && why.kind == ERR_NOT_FOUND)
			result = stage->tree->ops->make_dir(stage->tree, path, &attr, err);
		else if (fd < 0)
			result = err_set(err, ERR_USAGE, "the working directory '/%s': %s", path,
					 why.text);
		if (slash)
			*slash = '/';
		at = slash ? slash + 1 : NULL;
	}
	return result < 0 ? -1 : stage->tree->ops->end_layer(stage->tree, &(bool){ false }, err);
}

int stage_workdir(struct stage *stage, const struct dockerfile_step *step, struct error *err)
{
	struct builder *builder = stage->builder;
	auto_strlist struct strlist vars = { 0 };
	auto_buf struct buf created_by = { 0 };
	struct setting_stage around = { .escape = builder->file.lex.escape };
	struct layer_step layer = {
		.what = step->line->text,
		.key = find_key,
		.perform = make_folders,
	};
	int result;

	stage_scope(stage, &vars);
	around.vars = vars.items;
	if (setting_apply(stage->settings, &step->instruction, &around, &created_by, err) < 0)
		return -1;
	stage_begin_step(stage, step->line->text);
	layer.created_by = created_by.data;
	if (strcmp(stage_setting(stage, "WorkingDir"), "/") == 0) {
		stage_add_history(stage, created_by.data);
		result = 0;
	} else {
		result = stage_add_layer(stage, &layer, err);
	}
	stage_end_step(stage, result, err);
	return result < 0 ? -1 : 0;
}
