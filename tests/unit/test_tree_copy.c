/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tree_copy.h"

#include "layer/tar_emit.h"
#include "layer/tree_walk.h"
#include "layerbox.h"

/* Unpacks below a folder of the box as `cp` does, and empties the tar. */
static int copy_into(struct box *box, const char *folder, struct buf *tar, struct error *err)
{
	auto_tree_fs struct tree_writer *under = NULL;
	auto_stream struct stream *stream = NULL;
	auto_tree_copy struct tree_copy copy = { 0 };
	struct memory memory;
	struct stream_options options = { .read = read_memory, .read_ctx = &memory };
	struct tar_apply_args args = { .base = true, .plain = true };
	struct tar_apply_result result;
	struct tree_copy_args into = { .folder = folder, .shown = "/shown" };
	int status;

	tar_end(tar);
	memory = (struct memory){ tar->data, tar->len, 0 };
	CU_ASSERT_EQUAL_FATAL(0, tree_fs_new(box->fd, &under, err));
	CU_ASSERT_EQUAL_FATAL(0, stream_open(&options, &stream, err));
	into.under = under;
	tree_copy_init(&into, &copy);
	args.tree = &copy.tree;
	args.stream = stream;
	status = tar_apply(&args, &result, err);
	stream_free(take_ptr(stream));
	buf_reset(tar);
	return status;
}

static void test_everything_goes_below_the_folder(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(0, mkdirat(box.fd, "in", 0755));
	tar_put(&tar, (struct th){ "./", '5', .mode = 0700 });
	tar_file(&tar, "/a", "1");
	tar_link(&tar, "b", "a");
	tar_symlink(&tar, "l", "/elsewhere");
	tar_file(&tar, "d/e", "2");
	tar_file(&tar, ".wh.a", "");
	tar_file(&tar, ".wh..wh..opq", "");
	CU_ASSERT_EQUAL(0, copy_into(&box, "in", &tar, &err));
	check_tree(&box, "in/ in/.wh..wh..opq in/.wh.a in/a in/b in/d/ in/d/e in/l");
}

static void test_the_folder_itself_stays_as_it_is(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct error err = { 0 };
	struct stat st;

	CU_ASSERT_EQUAL_FATAL(0, mkdirat(box.fd, "in", 0755));
	tar_put(&tar, (struct th){ ".", '5', .mode = 0700 });
	CU_ASSERT_EQUAL(0, copy_into(&box, "in", &tar, &err));
	CU_ASSERT_EQUAL_FATAL(0, fstatat(box.fd, "in", &st, 0));
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0755);
}

static void test_kinds_stay(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct error err = { 0 };

	tar_dir(&tar, "d");
	tar_file(&tar, "d/x", "");
	tar_file(&tar, "f", "");
	box_apply(&box, &tar, true);
	tar_file(&tar, "d", "");
	CU_ASSERT_EQUAL(-1, copy_into(&box, "", &tar, &err));
	CU_ASSERT_STRING_EQUAL(err.text,
			       "cannot overwrite directory \"/d\" with non-directory \"/shown\"");
	tar_dir(&tar, "f");
	CU_ASSERT_EQUAL(-1, copy_into(&box, "", &tar, &err));
	CU_ASSERT_STRING_EQUAL(err.text,
			       "cannot overwrite non-directory \"/f\" with directory \"/shown\"");
	tar_symlink(&tar, "f", "x");
	tar_dir(&tar, "d");
	CU_ASSERT_EQUAL(0, copy_into(&box, "", &tar, &err));
	check_tree(&box, "d/ d/x f");
}

static void test_nothing_leaves_the_folder(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(0, mkdirat(box.fd, "in", 0755));
	CU_ASSERT_EQUAL_FATAL(0, symlinkat("/tmp", box.fd, "in/out"));
	tar_file(&tar, "../x", "");
	CU_ASSERT_EQUAL(-1, copy_into(&box, "in", &tar, &err));
	tar_link(&tar, "x", "../x");
	CU_ASSERT_EQUAL(-1, copy_into(&box, "in", &tar, &err));
	/* A link is followed beneath the root of the tree. */
	tar_file(&tar, "out/x", "");
	CU_ASSERT_EQUAL(0, copy_into(&box, "in", &tar, &err));
	check_tree(&box, "in/ in/out tmp/ tmp/x");
}

static int keep(void *ctx, const void *data, size_t len, struct error *err UNUSED)
{
	buf_append(ctx, data, len);
	return 0;
}

static void emit_as(struct box *box, const struct change_list *list, const char *as,
		    struct buf *tar)
{
	struct tar_emit_args args = {
		.root_fd = box->fd, .changes = list, .as = as, .write = keep, .ctx = tar
	};
	struct tar_emit_result result;
	struct error err = { 0 };

	CU_ASSERT_EQUAL(0, tar_emit(&args, &result, &err));
}

static void test_files_travel_under_another_name(void)
{
	auto_box struct box from = box_new();
	auto_box struct box to = box_new();
	auto_buf struct buf tar = { 0 };
	struct change alone = { CHANGE_ADDED, false, (char[]){ "d/f" } };
	const struct change_list list = { .items = &alone, .nr = 1 };
	struct error err = { 0 };

	tar_file(&tar, "d/f", "x");
	tar_file(&tar, ".wh.g", "y");
	tar_link(&tar, "h", "d/f");
	CU_ASSERT_EQUAL(0, copy_into(&from, "", &tar, &err));
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "a/b", "", "one" };

		emit_as(&from, i == 2 ? &list : NULL, names[i], &tar);
		CU_ASSERT_EQUAL(0, copy_into(&to, "", &tar, &err));
	}
	check_tree(&to, ".wh.g a/ a/b/ a/b/.wh.g a/b/d/ a/b/d/f a/b/h d/ d/f h one");
}

UNIT_SUITE(tree_copy, { "everything goes below the folder", test_everything_goes_below_the_folder },
	   { "the folder itself stays as it is", test_the_folder_itself_stays_as_it_is },
	   { "a directory stays one, and nothing else becomes one", test_kinds_stay },
	   { "nothing leaves the folder", test_nothing_leaves_the_folder },
	   { "files travel under another name", test_files_travel_under_another_name });
