/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ext4_images - the pairs of small file systems of tests/spec/ext4/make.sh
 */
#ifndef EXT4_IMAGES_H
#define EXT4_IMAGES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/proc.h"
#include "fs/ext4_changes.h"
#include "layer/tree_walk.h"
#include "unit.h"

#define IMAGES_MAKE_MS 120000
#define IMAGE_BYTES    (256u * 1024)

/* Makes them in a new folder; false, with the reason printed, where mke2fs is missing. */
static inline bool images_make(char folder[32])
{
	const char *const argv[] = { "tests/spec/ext4/make.sh", folder, NULL };
	auto_buf struct buf output = { 0 };
	struct error err;
	int status;

	if (access("/sbin/debugfs", X_OK) < 0 && access("/usr/sbin/debugfs", X_OK) < 0) {
		printf("(skipped: no debugfs) ");
		CU_ASSERT_PTR_NULL(getenv("EXT4_MUST_WORK"));
		return false;
	}
	snprintf(folder, 32, "/tmp/veneer-ext4-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	status = proc_run(argv, IMAGES_MAKE_MS, &output, &err);
	if (status != 0)
		printf("%s ", status < 0 ? err.text : output.data);
	CU_ASSERT_EQUAL_FATAL(status, 0);
	return true;
}

static inline int image_found(void *ctx, enum ext4_change change, const char *path, bool is_dir,
			      struct error *err)
{
	static const enum change_kind kinds[] = { CHANGE_ADDED, CHANGE_MODIFIED, CHANGE_DELETED };

	(void)err;
	change_list_add(ctx, kinds[change], is_dir, xstrdup(path));
	return 0;
}

/* As if every block might have changed. ret: lines as `diff` prints them, or the kind of error. */
static inline int images_compare(const char *parent, const char *child, struct buf *ret,
				 struct ext4_changes_cost *ret_cost, struct error *err)
{
	const struct ext4_changes_range all = { 0, IMAGE_BYTES };
	auto_change_list struct change_list list = { 0 };
	struct ext4_changes_args args = { parent, child, &all, 1, image_found, &list };

	if (ext4_changes(&args, ret_cost, err) < 0) {
		buf_puts(ret, err->kind == ERR_UNSUPPORTED ? "unsupported\n"
			      : err->kind == ERR_CORRUPT   ? "corrupt\n"
							   : "error\n");
		return -1;
	}
	change_list_complete(&list, NULL);
	buf_puts(ret, "");
	for (size_t i = 0; i < list.nr; i++)
		buf_printf(ret, "%c %s\n", list.items[i].kind, list.items[i].path);
	return 0;
}

#endif
