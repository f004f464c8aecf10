/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/tree_writer.h"
#include "build/builder.h"
#include "build/follow.h"
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

/* Where it leads to, within the root: a link whose end is missing stays a link. */
static int follow_to(struct stage *stage, struct follow *follow, struct error *err)
{
	const char *path = stage_setting(stage, "WorkingDir");

	*follow = (struct follow){ .root_fd = stage->work.mount_fd, .beyond = true };
	if (follow_path(follow, path, err) < 0)
		return err_add(err, "the working directory '%s'", path);
	if (follow->kind == FOLLOW_OTHER)
		return err_set(err, ERR_USAGE, "the working directory '%s' is not a folder", path);
	return 0;
}

/* Every folder on the way that is not there becomes the user's. */
static int make_folders(struct stage *stage, void *ctx, struct error *err)
{
	struct tree_attr attr = { .mode = 0755 };
	auto_account struct account account = { 0 };
	auto_follow struct follow follow = { 0 };
	const char *path;

	(void)ctx;
	if (account_find(stage->work.mount_fd, stage_setting(stage, "User"), &account, err) < 0 ||
	    follow_to(stage, &follow, err) < 0 || stage_open_tree(stage, err) < 0 ||
	    stage->tree->ops->begin_layer(stage->tree, true, err) < 0)
		return -1;
	attr.uid = account.uid;
	attr.gid = account.gid;
	attr.mtime.tv_sec = attr.atime.tv_sec = stage->builder->now_ns / 1000000000;
	path = follow_result(&follow);
	for (size_t end = follow.there; path[end];) {
		auto_free char *folder = NULL;

		end += path[end] == '/';
		end += strcspn(path + end, "/");
		folder = xasprintf("%.*s", (int)end, path);
		if (stage->tree->ops->make_dir(stage->tree, folder, &attr, err) < 0)
			return -1;
	}
	return stage->tree->ops->end_layer(stage->tree, &(bool){ false }, err);
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
