/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tar_apply.h"

#include <sys/sysmacros.h>

#include "base/size.h"
#include "layerbox.h"

static void check_mtime(struct box *box, const char *path, time_t seconds)
{
	CU_ASSERT_EQUAL(stat_in(box, path).st_mtim.tv_sec, seconds);
	if (stat_in(box, path).st_mtim.tv_sec != seconds)
		printf("%s: %jd ", path, (intmax_t)stat_in(box, path).st_mtim.tv_sec);
}

static void test_kinds(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct tar_apply_result result;
	struct stat st;

	if (skip_unless_root())
		return;
	tar_dir(&tar, "./");
	tar_dir(&tar, "d/");
	tar_put(&tar, (struct th){ "d/f", '0', .mode = 0640, .uid = 3, .gid = 4, .data = "hello" });
	tar_put(&tar, (struct th){ "d/l", '2', .link = "../../x", .uid = 5, .gid = 6 });
	tar_link(&tar, "h", "d/f");
	tar_put(&tar, (struct th){ "c", '3', .mode = 0620, .major = 1, .minor = 300, .gid = 5 });
	tar_put(&tar, (struct th){ "b", '4', .major = 259, .minor = 2 });
	tar_put(&tar, (struct th){ "p", '6', .mode = 0600 });
	result = box_apply(&box, &tar, true);
	check_tree(&box, "b c d/ d/f d/l h p");
	CU_ASSERT_EQUAL(result.entries, 8);
	CU_ASSERT_EQUAL(result.content_bytes, 5);
	CU_ASSERT_EQUAL(result.stream.tar_bytes, 8 * 512 + 512 + 1024);
	CU_ASSERT_FALSE(result.removed);
	st = stat_in(&box, "d/l");
	CU_ASSERT(st.st_uid == 5 && st.st_gid == 6 && st.st_mtim.tv_sec == 1000000000);
	check_target(&box, "d/l", "../../x");
	st = stat_in(&box, "c");
	CU_ASSERT_EQUAL(st.st_mode, S_IFCHR | 0620);
	CU_ASSERT_EQUAL(st.st_rdev, makedev(1, 300));
	CU_ASSERT_EQUAL(st.st_gid, 5);
	CU_ASSERT_EQUAL(stat_in(&box, "b").st_rdev, makedev(259, 2));
	CU_ASSERT_EQUAL(stat_in(&box, "p").st_mode, S_IFIFO | 0600);
	CU_ASSERT_EQUAL(stat_in(&box, "h").st_ino, stat_in(&box, "d/f").st_ino);
	check_content(&box, "h", "hello");
}

/* Its attributes are the archive's, as with Docker; what is no folder does not become the root. */
static void test_root(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct stat st;

	if (skip_unless_root())
		return;
	tar_put(&tar, (struct th){ "./", '5', .mode = 0751, .uid = 7, .gid = 8, .mtime = 9 });
	tar_file(&tar, "f", "1");
	box_apply(&box, &tar, true);
	st = stat_in(&box, ".");
	CU_ASSERT_EQUAL(st.st_mode, S_IFDIR | 0751);
	CU_ASSERT(st.st_uid == 7 && st.st_gid == 8);
	check_mtime(&box, ".", 9);
	tar_put(&tar, (struct th){ ".", '0', .mode = 0600, .data = "x" });
	tar_put(&tar, (struct th){ "/", '2', .link = "f" });
	tar_put(&tar, (struct th){ "/", '5', .mode = 0700 });
	box_apply(&box, &tar, false);
	CU_ASSERT_EQUAL(stat_in(&box, ".").st_mode, S_IFDIR | 0700);
	check_tree(&box, "f");
}

/* The later header of an inode counts, as with a duplicate. */
static void test_link_attributes(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	if (skip_unless_root())
		return;
	tar_put(&tar, (struct th){ "f", '0', .mode = 04755, .data = "x" });
	tar_put(&tar, (struct th){ "same", '1', .link = "f", .mode = 04755 });
	tar_put(&tar, (struct th){ "l", '2', .link = "f" });
	tar_put(&tar, (struct th){ "l2", '1', .link = "l" });
	box_apply(&box, &tar, true);
	CU_ASSERT_EQUAL(stat_in(&box, "f").st_mode, S_IFREG | 04755);
	CU_ASSERT_EQUAL(stat_in(&box, "f").st_nlink, 2);
	CU_ASSERT_EQUAL(stat_in(&box, "l2").st_ino, stat_in(&box, "l").st_ino);
	tar_put(&tar,
		(struct th){ "later", '1', .link = "f", .mode = 04750, .uid = 7, .mtime = 9 });
	box_apply(&box, &tar, false);
	CU_ASSERT_EQUAL(stat_in(&box, "f").st_mode, S_IFREG | 04750);
	CU_ASSERT_EQUAL(stat_in(&box, "f").st_uid, 7);
	check_mtime(&box, "f", 9);
}

static void test_set_id(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	if (skip_unless_root())
		return;
	tar_put(&tar, (struct th){ "su", '0', .mode = 04755, .uid = 1, .gid = 2, .data = "x" });
	tar_put(&tar, (struct th){ "sg", '0', .mode = 02755 });
	tar_put(&tar, (struct th){ "all", '0', .mode = 07777, .data = "y" });
	tar_put(&tar, (struct th){ "tmp/", '5', .mode = 01777 });
	tar_put(&tar, (struct th){ "gd/", '5', .mode = 02775, .gid = 50 });
	tar_file(&tar, "gd/f", "1");
	tar_dir(&tar, "gd/d/");
	tar_file(&tar, "gd/d/f", "1");
	tar_put(&tar, (struct th){ "gd/l", '2', .link = "f" });
	tar_put(&tar, (struct th){ "gd/p", '6' });
	tar_file(&tar, "gd/new/f", "1");
	box_apply(&box, &tar, true);
	CU_ASSERT_EQUAL(stat_in(&box, "su").st_mode, S_IFREG | 04755);
	CU_ASSERT_EQUAL(stat_in(&box, "su").st_uid, 1);
	CU_ASSERT_EQUAL(stat_in(&box, "sg").st_mode, S_IFREG | 02755);
	CU_ASSERT_EQUAL(stat_in(&box, "all").st_mode, S_IFREG | 07777);
	CU_ASSERT_EQUAL(stat_in(&box, "tmp").st_mode, S_IFDIR | 01777);
	CU_ASSERT_EQUAL(stat_in(&box, "gd").st_mode, S_IFDIR | 02775);
	CU_ASSERT_EQUAL(stat_in(&box, "gd").st_gid, 50);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/f").st_gid, 0);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/l").st_gid, 0);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/p").st_gid, 0);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/d").st_gid, 0);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/d").st_mode, S_IFDIR | 0755);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/d/f").st_gid, 0);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/new").st_gid, 0);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/new").st_mode, S_IFDIR | 0755);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/new/f").st_gid, 0);
	/* The same into a folder of a lower layer. */
	tar_file(&tar, "gd/later", "1");
	tar_dir(&tar, "gd/more/");
	box_apply(&box, &tar, false);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/later").st_gid, 0);
	CU_ASSERT_EQUAL(stat_in(&box, "gd/more").st_mode, S_IFDIR | 0755);
}

static void test_folder_times(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	tar_put(&tar, (struct th){ "a/", '5', .mtime = 100 });
	tar_put(&tar, (struct th){ "a/b/", '5', .mtime = 200 });
	tar_put(&tar, (struct th){ "a/b/f", '0', .mtime = 300 });
	tar_put(&tar, (struct th){ "a/b/c/d/f", '0', .mtime = 400 });
	tar_put(&tar, (struct th){ "a/l", '2', .link = "b" });
	/* More folders than are held open. */
	for (int i = 0; i < 150; i++) {
		auto_free char *dir = xasprintf("a/many/%d/", i);
		auto_free char *file = xasprintf("a/many/%d/f", i);

		tar_put(&tar, (struct th){ dir, '5', .mtime = 1000 + i });
		tar_file(&tar, file, "x");
	}
	box_apply(&box, &tar, true);
	check_mtime(&box, "a", 100);
	check_mtime(&box, "a/b", 200);
	check_mtime(&box, "a/b/c", 400);
	check_mtime(&box, "a/b/c/d", 400);
	check_mtime(&box, "a/many", 1000);
	check_mtime(&box, "a/many/0", 1000);
	check_mtime(&box, "a/many/149", 1149);
	/* A change inside leaves the time of a folder that the layer does not name. */
	tar_file(&tar, "a/b/c/new", "x");
	tar_file(&tar, "a/l/through", "x");
	tar_file(&tar, "a/b/.wh.f", "");
	box_apply(&box, &tar, false);
	check_mtime(&box, "a/b/c", 400);
	check_mtime(&box, "a/b", 200);
	/* By two names: the later word counts, whichever was open first. */
	tar_file(&tar, "a/l/x1", "x");
	tar_put(&tar, (struct th){ "a/b/", '5', .mtime = 777, .mode = 0700 });
	tar_file(&tar, "a/l/x2", "x");
	tar_file(&tar, "a/b/x3", "x");
	box_apply(&box, &tar, false);
	check_mtime(&box, "a/b", 777);
	CU_ASSERT_EQUAL(stat_in(&box, "a/b").st_mode, S_IFDIR | 0700);
}

static void test_replacing(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct tar_apply_result result;

	tar_file(&tar, "file-file", "old");
	tar_link(&tar, "other-name", "file-file");
	tar_file(&tar, "file-dir", "old");
	tar_file(&tar, "dir-file/in/f", "old");
	tar_file(&tar, "dir-link/in/f", "old");
	tar_file(&tar, "dir-dir/f", "old");
	tar_symlink(&tar, "link-file", "dir-dir/f");
	tar_symlink(&tar, "link-dir", "dir-dir");
	tar_symlink(&tar, "link-link", "dir-dir");
	tar_file(&tar, "file-hard", "old");
	box_apply(&box, &tar, true);
	tar_file(&tar, "file-file", "new");
	tar_file(&tar, "file-dir/f", "new");
	box_refuse(&box, &tar, ERR_CORRUPT, "not a folder");
	tar_file(&tar, "file-file", "new");
	tar_dir(&tar, "file-dir/");
	tar_file(&tar, "file-dir/f", "new");
	tar_file(&tar, "dir-file", "new");
	tar_symlink(&tar, "dir-link", "dir-dir");
	tar_file(&tar, "dir-link/g", "new");
	tar_put(&tar, (struct th){ "dir-dir/", '5', .mode = 0711 });
	tar_file(&tar, "link-file", "new");
	tar_dir(&tar, "link-dir/");
	tar_file(&tar, "link-dir/g", "new");
	tar_symlink(&tar, "link-link", "elsewhere");
	tar_link(&tar, "file-hard", "file-file");
	result = box_apply(&box, &tar, false);
	CU_ASSERT_TRUE(result.removed);
	check_tree(&box, "dir-dir/ dir-dir/f dir-dir/g dir-file dir-link file-dir/ file-dir/f "
			 "file-file file-hard link-dir/ link-dir/g link-file link-link other-name");
	check_content(&box, "file-file", "new");
	check_content(&box, "other-name", "old");
	check_content(&box, "dir-dir/f", "old");
	check_content(&box, "link-file", "new");
	check_content(&box, "file-hard", "new");
	check_target(&box, "link-link", "elsewhere");
	CU_ASSERT_EQUAL(stat_in(&box, "dir-dir").st_mode, S_IFDIR | 0711);
}

static void test_duplicates(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	tar_file(&tar, "f", "first");
	tar_link(&tar, "h", "f");
	tar_file(&tar, "f", "last");
	tar_dir(&tar, "x/");
	tar_file(&tar, "x/in", "1");
	tar_file(&tar, "x", "now a file");
	tar_file(&tar, "y", "a file");
	tar_dir(&tar, "y/");
	tar_file(&tar, "y/in", "1");
	tar_link(&tar, "f", "f");
	tar_link(&tar, "h", "h");
	box_apply(&box, &tar, true);
	check_tree(&box, "f h x y/ y/in");
	check_content(&box, "f", "last");
	check_content(&box, "h", "first");
}

static void test_links_across_layers(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	tar_file(&tar, "usr/lib/f", "lower");
	tar_symlink(&tar, "lib", "usr/lib");
	tar_symlink(&tar, "abs", "/usr/lib");
	box_apply(&box, &tar, true);
	tar_link(&tar, "one", "usr/lib/f");
	tar_link(&tar, "lib/two", "/abs/f");
	tar_link(&tar, "three", "abs");
	box_apply(&box, &tar, false);
	CU_ASSERT_EQUAL(stat_in(&box, "usr/lib/f").st_nlink, 3);
	CU_ASSERT_EQUAL(stat_in(&box, "usr/lib/two").st_ino, stat_in(&box, "one").st_ino);
	check_target(&box, "three", "/usr/lib");
}

/* Parents that are links, dangling ones too, lead to places inside. */
static void test_parents(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	tar_symlink(&tar, "abs", "/real/one");
	tar_symlink(&tar, "rel", "up/../real/two");
	tar_symlink(&tar, "up1", "../../../real/three");
	tar_symlink(&tar, "chain", "abs");
	tar_file(&tar, "chain/a", "1");
	tar_file(&tar, "rel/b", "1");
	tar_file(&tar, "up1/c", "1");
	tar_dir(&tar, "abs/dir/");
	tar_file(&tar, "abs/dir/d", "1");
	tar_file(&tar, "plain//./x/../y/e", "1");
	box_apply(&box, &tar, true);
	check_tree(&box, "abs chain plain/ plain/y/ plain/y/e real/ real/one/ real/one/a "
			 "real/one/dir/ real/one/dir/d real/three/ real/three/c real/two/ "
			 "real/two/b rel up/ up1");
	CU_ASSERT_EQUAL(stat_in(&box, "plain/y").st_mode, S_IFDIR | 0755);
}

/* The cache of open folders must not remember where a link or a folder led before. */
static void test_swapped_parents(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	tar_dir(&tar, "one/");
	tar_dir(&tar, "two/");
	tar_symlink(&tar, "to", "one");
	tar_file(&tar, "to/a", "1");
	tar_symlink(&tar, "to", "two");
	tar_file(&tar, "to/b", "1");
	tar_dir(&tar, "to/");
	tar_file(&tar, "to/c", "1");
	tar_symlink(&tar, "to", "one");
	tar_file(&tar, "to/d", "1");
	box_apply(&box, &tar, true);
	check_tree(&box, "one/ one/a one/d to two/ two/b");
	tar_file(&tar, "deep/er/f", "1");
	tar_symlink(&tar, "s", "deep/er");
	tar_file(&tar, "s/g", "1");
	tar_symlink(&tar, "deep", "two");
	tar_file(&tar, "s/h", "1");
	box_apply(&box, &tar, false);
	check_tree(&box, "deep one/ one/a one/d s to two/ two/b two/er/ two/er/h");
}

static void test_whiteouts(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	struct tar_apply_result result;

	for (int i = 0; i < 5; i++) {
		auto_free char *name = xasprintf("d/%d", i);

		tar_file(&tar, name, "lower");
	}
	tar_file(&tar, "tree/a/b/c", "lower");
	tar_symlink(&tar, "link", "d");
	tar_file(&tar, "mix/lower", "lower");
	box_apply(&box, &tar, true);
	tar_file(&tar, "d/.wh.0", "");
	tar_file(&tar, "d/.wh.1", ""); /* before the layer's own */
	tar_file(&tar, "d/1", "upper");
	tar_file(&tar, "d/2", "upper");
	tar_file(&tar, "d/.wh.2", ""); /* after it */
	tar_file(&tar, ".wh.tree", "");
	tar_file(&tar, "missing/.wh.x", "");
	tar_file(&tar, "d/.wh.missing", "");
	tar_file(&tar, "link/.wh.3", ""); /* through a link of the lower layer */
	tar_file(&tar, ".wh.link", "");
	tar_file(&tar, "mix/upper", "upper");
	tar_file(&tar, ".wh.mix", "");
	tar_put(&tar, (struct th){ ".wh.never", '5' });
	result = box_apply(&box, &tar, false);
	CU_ASSERT_TRUE(result.removed);
	check_tree(&box, "d/ d/1 d/2 d/4 mix/ mix/upper");
	check_content(&box, "d/1", "upper");
	check_content(&box, "d/2", "upper");
	tar_file(&tar, ".wh.missing", "");
	tar_file(&tar, "x/.wh.missing", "");
	result = box_apply(&box, &tar, false);
	CU_ASSERT_FALSE(result.removed);
	check_tree(&box, "d/ d/1 d/2 d/4 mix/ mix/upper");
}

static void put_lower(struct buf *tar)
{
	tar_file(tar, "o/f", "lower");
	tar_file(tar, "o/same", "lower");
	tar_file(tar, "o/sub/f", "lower");
	tar_file(tar, "o/sub/same", "lower");
	tar_file(tar, "o/sub/deep/f", "lower");
	tar_file(tar, "o/gone/f", "lower");
	tar_file(tar, "beside", "lower");
}

static void put_upper(struct buf *tar)
{
	tar_put(tar, (struct th){ "o/", '5', .mtime = 55 });
	tar_file(tar, "o/same", "upper");
	tar_put(tar, (struct th){ "o/sub/", '5', .mtime = 66 });
	tar_file(tar, "o/sub/new", "upper");
	tar_file(tar, "o/implied/by/f", "upper");
}

static void test_opaque(void)
{
	for (int first = 0; first < 2; first++) {
		auto_box struct box box = box_new();
		auto_buf struct buf tar = { 0 };

		put_lower(&tar);
		box_apply(&box, &tar, true);
		if (first)
			tar_file(&tar, "o/.wh..wh..opq", "");
		put_upper(&tar);
		if (!first)
			tar_file(&tar, "o/.wh..wh..opq", "");
		CU_ASSERT_TRUE(box_apply(&box, &tar, false).removed);
		check_tree(&box, "beside o/ o/implied/ o/implied/by/ o/implied/by/f o/same o/sub/ "
				 "o/sub/new");
		check_content(&box, "o/same", "upper");
		check_mtime(&box, "o", 55);
		check_mtime(&box, "o/sub", 66);
	}
}

static void test_opaque_root(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	put_lower(&tar);
	box_apply(&box, &tar, true);
	tar_file(&tar, "missing/.wh..wh..opq", "");
	CU_ASSERT_FALSE(box_apply(&box, &tar, false).removed);
	tar_file(&tar, "o/sub/new", "upper");
	tar_file(&tar, ".wh..wh..opq", "");
	box_apply(&box, &tar, false);
	check_tree(&box, "o/ o/sub/ o/sub/new");
}

/* In a base layer nothing lies below: markers mean nothing, whatever their order. */
static void test_base_markers(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	tar_file(&tar, "d/a", "1");
	tar_file(&tar, "d/.wh..wh..opq", "");
	tar_file(&tar, "d/.wh.a", "");
	tar_file(&tar, "d/b", "1");
	CU_ASSERT_FALSE(box_apply(&box, &tar, true).removed);
	check_tree(&box, "d/ d/a d/b");
}

static void test_aufs_links(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };

	tar_dir(&tar, ".wh..wh.plnk/");
	tar_put(&tar, (struct th){ ".wh..wh.plnk/12.34", '0', .data = "shared" });
	tar_put(&tar, (struct th){ ".wh..wh.aufs", '0' });
	tar_dir(&tar, ".wh..wh.orph/");
	tar_file(&tar, ".wh..wh.orph/x", "1");
	tar_link(&tar, "a", ".wh..wh.plnk/12.34");
	tar_link(&tar, "d/b", "/.wh..wh.plnk/12.34");
	box_apply(&box, &tar, true);
	check_tree(&box, "a d/ d/b");
	check_content(&box, "a", "shared");
	CU_ASSERT_EQUAL(stat_in(&box, "d/b").st_ino, stat_in(&box, "a").st_ino);
}

static void test_several_layers(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	auto_tree_fs struct tree_writer *tree = NULL;
	struct tar_apply_result result;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, tree_fs_new(box.fd, &tree, &err));
	tar_file(&tar, "d/a", "1");
	tar_end(&tar);
	CU_ASSERT_EQUAL_FATAL(0, apply_to(tree, &tar, true, &result, &err));
	buf_reset(&tar);
	tar_file(&tar, "d/b", "2");
	tar_file(&tar, "d/.wh.a", "");
	tar_end(&tar);
	CU_ASSERT_EQUAL_FATAL(0, apply_to(tree, &tar, false, &result, &err));
	CU_ASSERT_TRUE(result.removed);
	buf_reset(&tar);
	/* b belongs to the layer before, not to this one. */
	tar_file(&tar, "d/.wh.b", "");
	tar_file(&tar, "d/c", "3");
	tar_end(&tar);
	CU_ASSERT_EQUAL_FATAL(0, apply_to(tree, &tar, false, &result, &err));
	check_tree(&box, "d/ d/c");
}

struct counter {
	struct progress progress;
	uint64_t done, total;
	int calls;
};

static void count(struct progress *self, const char *item, const char *phase, uint64_t done,
		  uint64_t total)
{
	struct counter *counter = (struct counter *)self;

	CU_ASSERT_STRING_EQUAL(item, "abc");
	CU_ASSERT_STRING_EQUAL(phase, "Loading layer");
	CU_ASSERT(done >= counter->done);
	counter->done = done;
	counter->total = total;
	counter->calls++;
}

static void test_progress(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	auto_tree_fs struct tree_writer *tree = NULL;
	struct counter counter = { { count } };
	struct stream_options options = { .read = read_memory };
	struct tar_apply_args args = { .base = true,
				       .progress = &counter.progress,
				       .progress_item = "abc",
				       .progress_total = 4711 };
	struct tar_apply_result result;
	struct memory memory;
	auto_stream struct stream *stream = NULL;
	struct error err;
	char *big = xcalloc(1, MIB);

	tar_put(&tar, (struct th){ "big", '0', .data = big, .len = MIB });
	tar_end(&tar);
	memory = (struct memory){ tar.data, tar.len, 0 };
	options.read_ctx = &memory;
	CU_ASSERT_EQUAL_FATAL(0, tree_fs_new(box.fd, &tree, &err));
	CU_ASSERT_EQUAL_FATAL(0, stream_open(&options, &stream, &err));
	args.tree = tree;
	args.stream = stream;
	CU_ASSERT_EQUAL_FATAL(0, tar_apply(&args, &result, &err));
	CU_ASSERT(counter.calls >= 4);
	CU_ASSERT_EQUAL(counter.done, tar.len);
	CU_ASSERT_EQUAL(counter.total, 4711);
	free(big);
}

static void make_executable(void *ctx, mode_t type, struct tree_attr *attr)
{
	CU_ASSERT_PTR_EQUAL(ctx, &make_executable);
	if (type == S_IFREG)
		attr->mode |= 0111;
}

static void test_plain(void)
{
	auto_box struct box box = box_new();
	auto_buf struct buf tar = { 0 };
	auto_tree_fs struct tree_writer *tree = NULL;
	struct stream_options options = { .read = read_memory };
	struct tar_apply_args args = { .base = true,
				       .plain = true,
				       .adjust = make_executable,
				       .adjust_ctx = &make_executable };
	struct tar_apply_result result;
	struct memory memory;
	auto_stream struct stream *stream = NULL;
	struct error err;

	tar_put(&tar, (struct th){ "./", '5', .mode = 0700, .mtime = 9 });
	tar_put(&tar, (struct th){ "d/", '5', .mode = 0700 });
	tar_file(&tar, "d/a", "1");
	tar_file(&tar, "d/.wh.a", "2");
	tar_file(&tar, "d/.wh..wh..opq", "3");
	tar_end(&tar);
	memory = (struct memory){ tar.data, tar.len, 0 };
	options.read_ctx = &memory;
	CU_ASSERT_EQUAL_FATAL(0, tree_fs_new(box.fd, &tree, &err));
	CU_ASSERT_EQUAL_FATAL(0, stream_open(&options, &stream, &err));
	args.tree = tree;
	args.stream = stream;
	CU_ASSERT_EQUAL_FATAL(0, tar_apply(&args, &result, &err));
	check_tree(&box, "d/ d/.wh..wh..opq d/.wh.a d/a");
	CU_ASSERT_EQUAL(stat_in(&box, ".").st_mode, S_IFDIR | 0755);
	CU_ASSERT_NOT_EQUAL(stat_in(&box, ".").st_mtim.tv_sec, 9);
	CU_ASSERT_EQUAL(stat_in(&box, "d").st_mode, S_IFDIR | 0700);
	CU_ASSERT_EQUAL(stat_in(&box, "d/.wh.a").st_mode, S_IFREG | 0755);
}

UNIT_SUITE(tar_apply, { "every kind of entry", test_kinds },
	   { "the root has the attributes that the archive says", test_root },
	   { "a hard link's header is the later word", test_link_attributes },
	   { "set-id bits stay and are not handed down", test_set_id },
	   { "folders have their times in the end", test_folder_times },
	   { "what was there gives way, folders merge", test_replacing },
	   { "the last of duplicates wins", test_duplicates },
	   { "hard links reach into lower layers", test_links_across_layers },
	   { "parents are resolved inside the root and made", test_parents },
	   { "a parent may become something else on the way", test_swapped_parents },
	   { "a whiteout removes what lower layers have, in any order", test_whiteouts },
	   { "an opaque folder keeps this layer's entries, in any order", test_opaque },
	   { "an opaque root", test_opaque_root },
	   { "markers in a base layer mean nothing", test_base_markers },
	   { "AUFS's files give content to hard links", test_aufs_links },
	   { "one writer serves several layers", test_several_layers },
	   { "progress counts compressed bytes", test_progress },
	   { "an archive that is no layer has no whiteouts and leaves the root", test_plain });
