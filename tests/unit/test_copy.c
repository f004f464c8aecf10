/* SPDX-License-Identifier: Apache-2.0 */
#include "build/copy.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/sysmacros.h>

#include "copybox.h"

#define SEVERAL                                                                      \
	"When using COPY with more than one source file, the destination must be a " \
	"directory and end with a /"

/* ---- destinations ---- */

static void test_file(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "d/f", "1");
	put_dir(&lab.to, "there", 0755);
	lab_copy(&lab, "d/f", "/name");
	CU_ASSERT_FALSE(lab.removed);
	lab_copy(&lab, "d/f", "/folder/");
	lab_copy(&lab, "d/f", "/there");
	lab_copy(&lab, "d/f", "/a/b/c");
	lab_copy(&lab, "d/f", "/dot/.");
	lab_copy(&lab, "d/f", "//a/./x/../y//z");
	lab_copy(&lab, "d/f", "/../../up");
	lab_copy(&lab, "d/f", "/");
	put(&lab.from, "d/g", "2");
	lab_copy(&lab, "d/g", "/not/there/../../there");
	check_tree(&lab.to,
		   "a/ a/b/ a/b/c a/y/ a/y/z dot/ dot/f f folder/ folder/f name there/ there/f "
		   "there/g up");
	check_content(&lab.to, "a/b/c", "1");
}

static void test_several(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "a", "1");
	put(&lab.from, "b", "2");
	put_dir(&lab.to, "there", 0755);
	lab_refuse(&lab, "a b", "/there", ERR_USAGE, SEVERAL);
	lab_refuse(&lab, "*", "/there", ERR_USAGE, SEVERAL);
	lab.args.several = true;
	lab_refuse(&lab, "a", "/there", ERR_USAGE, SEVERAL);
	check_tree(&lab.to, "there/");
	lab_copy(&lab, "a b", "/there/");
	lab.args.several = true;
	lab_copy(&lab, "*", "/new/");
	check_tree(&lab.to, "new/ new/a new/b there/ there/a there/b");
}

static void test_linked_destination(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "f", "new");
	put_dir(&lab.to, "real/in", 0755);
	put(&lab.to, "real/file", "old");
	put_link(&lab.to, "absolute", "/real/in");
	put_link(&lab.to, "relative", "absolute/../in");
	put_link(&lab.to, "out", "../../../../real");
	put_link(&lab.to, "file", "real/file");
	put_link(&lab.to, "gone", "/deep/er");
	put_link(&lab.to, "gone2", "deep/../two");
	put_link(&lab.to, "loop", "loop");
	lab_copy(&lab, "f", "/absolute/1");
	lab_copy(&lab, "f", "/relative/2");
	lab_copy(&lab, "f", "/out/in/3");
	lab_copy(&lab, "f", "/absolute");
	lab_copy(&lab, "f", "/file");
	lab_copy(&lab, "f", "/gone/");
	lab_copy(&lab, "f", "/gone2");
	check_tree(&lab.to, "absolute deep/ deep/er/ deep/er/f file gone gone2 loop out real/ "
			    "real/file real/in/ real/in/1 real/in/2 real/in/3 real/in/f "
			    "relative two");
	check_content(&lab.to, "real/file", "new");
	lab_refuse(&lab, "f", "/loop/x", ERR_IO,
		   "follow 'loop': Too many levels of symbolic links");
}

static void test_no_folder(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "f", "1");
	put(&lab.from, "d/f", "1");
	put(&lab.to, "a/file", "old");
	lab_refuse(&lab, "f", "/a/file/x", ERR_USAGE, "cannot copy to non-directory: /a/file");
	lab_refuse(&lab, "f", "/a/file/", ERR_USAGE, "cannot copy to non-directory: /a/file");
	lab_refuse(&lab, "f", "/a/file/..", ERR_USAGE, "cannot copy to non-directory: /a/file");
	lab_refuse(&lab, "d", "/a/file", ERR_USAGE, "cannot copy to non-directory: /a/file");
	check_content(&lab.to, "a/file", "old");
}

static void test_missing_parents(void)
{
	auto_lab struct lab lab;
	time_t now = time(NULL);

	lab_init(&lab);
	put(&lab.from, "d/f", "1");
	put_dir(&lab.from, "d", 0700);
	set_mtime(&lab.from, "d", 1000, 0);
	lab_copy(&lab, "d/f", "/p/q/");
	lab_copy(&lab, "d", "/new");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "p"), 0755);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "p/q"), 0755);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "new"), 0755);
	CU_ASSERT(stat_in(&lab.to, "p/q").st_mtim.tv_sec >= now);
	CU_ASSERT(stat_in(&lab.to, "new").st_mtim.tv_sec >= now);
	if (skip_unless_root())
		return;
	check_owner(&lab.to, "p", 0, 0);
	CU_ASSERT_EQUAL_FATAL(0, fchownat(lab.from.fd, "d", 5, 6, 0));
	lab.context.keep_owners = true;
	lab_copy(&lab, "d", "/kept");
	check_owner(&lab.to, "kept", 0, 0);
	lab.args.has_owner = true;
	lab.args.uid = 7;
	lab.args.gid = 8;
	lab_copy(&lab, "d", "/o/wn");
	check_owner(&lab.to, "o", 7, 8);
	check_owner(&lab.to, "o/wn", 7, 8);
	check_owner(&lab.to, "o/wn/f", 7, 8);
}

/* Only what is in it changes. */
static void test_kept_destination(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "d/f", "1");
	put_dir(&lab.to, "there", 0750);
	set_mtime(&lab.to, "there", 2000, 17);
	set_mtime(&lab.to, ".", 3000, 18);
	lab_copy(&lab, "d", "/there");
	lab_copy(&lab, "d/f", "/there/");
	lab_copy(&lab, "d/f", "/there/g");
	check_tree(&lab.to, "there/ there/f there/g");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "there"), 0750);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "there").st_mtim.tv_sec, 2000);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "there").st_mtim.tv_nsec, 17);
	CU_ASSERT_EQUAL(stat_in(&lab.to, ".").st_mtim.tv_sec, 3000);
	if (geteuid() != 0)
		return;
	CU_ASSERT_EQUAL_FATAL(0, fchownat(lab.to.fd, "there", 9, 10, 0));
	lab.args.has_owner = true;
	lab.args.uid = 7;
	lab_copy(&lab, "d", "/there/");
	check_owner(&lab.to, "there", 9, 10);
}

/* ---- trees ---- */

static void test_folders(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "d/a", "1");
	put(&lab.from, "d/s/b", "2");
	put_dir(&lab.from, "d/s", 0711);
	set_mtime(&lab.from, "d/s", 4000, 5);
	put(&lab.to, "there/s/old", "3");
	lab_copy(&lab, "d", "/there");
	lab_copy(&lab, "d d/s", "/new/");
	check_tree(&lab.to, "new/ new/a new/b new/s/ new/s/b there/ there/a there/s/ there/s/b "
			    "there/s/old");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "there/s"), 0711);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "there/s").st_mtim.tv_sec, 4000);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "new/s"), 0711);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "new/s").st_mtim.tv_nsec, 5);
	if (skip_unless_root())
		return;
	CU_ASSERT_EQUAL_FATAL(0, fchownat(lab.from.fd, "d/s", 5, 6, 0));
	lab.context.keep_owners = true;
	lab_copy(&lab, "d", "/there");
	check_owner(&lab.to, "there/s", 5, 6);
	lab.context.keep_owners = false;
	lab_copy(&lab, "d", "/there");
	check_owner(&lab.to, "there/s", 0, 0);
}

static void test_clashes(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "d/file", "new");
	put(&lab.from, "d/over-folder", "new");
	put(&lab.from, "d/over-link", "new");
	put(&lab.from, "d/folder/f", "new");
	put(&lab.from, "d/linked/f", "new");
	put_link(&lab.from, "d/link", "x");
	put(&lab.to, "file", "old");
	put(&lab.to, "over-folder/a/b", "old");
	put(&lab.to, "target", "old");
	put_link(&lab.to, "over-link", "target");
	put(&lab.to, "folder", "old");
	put_dir(&lab.to, "aside", 0755);
	put_link(&lab.to, "linked", "aside");
	put(&lab.to, "link/a", "old");
	lab_copy(&lab, "d", "/");
	check_tree(&lab.to, "aside/ file folder/ folder/f link linked/ linked/f over-folder "
			    "over-link target");
	check_content(&lab.to, "file", "new");
	check_content(&lab.to, "over-link", "new");
	check_content(&lab.to, "target", "old");
	check_target(&lab.to, "link", "x");
	CU_ASSERT_TRUE(lab.removed);
	lab_copy(&lab, "d", "/fresh");
	CU_ASSERT_FALSE(lab.removed);
}

/* A second name of the file that was there keeps the old content. */
static void test_replaced_file(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "f", "new");
	put(&lab.to, "f", "old");
	CU_ASSERT_EQUAL(0, linkat(lab.to.fd, "f", lab.to.fd, "other", 0));
	lab_copy(&lab, "f", "/f");
	check_content(&lab.to, "f", "new");
	check_content(&lab.to, "other", "old");
}

/* ---- metadata ---- */

static void test_metadata(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "d/f", "1");
	put(&lab.from, "d/suid", "2");
	put_link(&lab.from, "d/l", "../f");
	CU_ASSERT_EQUAL(0, fchmodat(lab.from.fd, "d/f", 0640, 0));
	CU_ASSERT_EQUAL(0, fchmodat(lab.from.fd, "d/suid", 06755, 0));
	set_mtime(&lab.from, "d/f", 123456789, 987654321);
	set_mtime(&lab.from, "d/l", 5000, 6);
	lab_copy(&lab, "d", "/");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "f"), 0640);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "suid"), 06755);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "f").st_mtim.tv_sec, 123456789);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "f").st_mtim.tv_nsec, 987654321);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "f").st_atim.tv_sec, 123456789);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "l").st_mtim.tv_sec, 5000);
	check_target(&lab.to, "l", "../f");
}

static void test_owners(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	if (skip_unless_root())
		return;
	put(&lab.from, "d/f", "1");
	put_link(&lab.from, "d/l", "f");
	CU_ASSERT_EQUAL(0, fchownat(lab.from.fd, "d/f", 5, 6, 0));
	CU_ASSERT_EQUAL(0, fchownat(lab.from.fd, "d/l", 5, 6, AT_SYMLINK_NOFOLLOW));
	CU_ASSERT_EQUAL(0, fchmodat(lab.from.fd, "d/f", 04755, 0));
	lab_copy(&lab, "d", "/zeroed");
	check_owner(&lab.to, "zeroed/f", 0, 0);
	check_owner(&lab.to, "zeroed/l", 0, 0);
	lab.context.keep_owners = true;
	lab_copy(&lab, "d", "/kept");
	check_owner(&lab.to, "kept/f", 5, 6);
	check_owner(&lab.to, "kept/l", 5, 6);
	lab.args.has_owner = true;
	lab.args.uid = 7;
	lab.args.gid = 8;
	lab_copy(&lab, "d", "/chown");
	check_owner(&lab.to, "chown/f", 7, 8);
	check_owner(&lab.to, "chown/l", 7, 8);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "chown/f"), 04755);
}

static void test_special(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put_dir(&lab.from, "d", 0755);
	CU_ASSERT_EQUAL(0, mknodat(lab.from.fd, "d/p", S_IFIFO | 0600, 0));
	lab_copy(&lab, "d", "/");
	CU_ASSERT_EQUAL(stat_in(&lab.to, "p").st_mode, S_IFIFO | 0600);
	if (skip_unless_root())
		return;
	CU_ASSERT_EQUAL(0, mknodat(lab.from.fd, "d/c", S_IFCHR | 0620, makedev(1, 300)));
	CU_ASSERT_EQUAL(0, fchmodat(lab.from.fd, "d/c", 0620, 0));
	lab_copy(&lab, "d", "/");
	CU_ASSERT_EQUAL(stat_in(&lab.to, "c").st_mode, S_IFCHR | 0620);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "c").st_rdev, makedev(1, 300));
}

/* VFS_CAP_REVISION_2, effective, CAP_NET_RAW */
static const unsigned char capability[20] = { 1, 0, 0, 2, 0, 0x20 };

static void test_xattrs(void)
{
	auto_lab struct lab lab;
	auto_free char *path = NULL, *folder = NULL;
	char value[64];

	lab_init(&lab);
	put(&lab.from, "d/f", "1");
	put_dir(&lab.from, "d/s", 0755);
	path = xasprintf("%s/d/f", lab.from.path);
	folder = xasprintf("%s/d/s", lab.from.path);
	if (setxattr(path, "user.a", "one", 3, 0) < 0) {
		printf("(skipped: no attributes in /tmp) ");
		return;
	}
	CU_ASSERT_EQUAL(0, setxattr(path, "user.b", "", 0, 0));
	CU_ASSERT_EQUAL(0, setxattr(folder, "user.s", "four", 4, 0));
	put(&lab.from, "d/a", "none");
	CU_ASSERT_EQUAL(0, linkat(lab.from.fd, "d/a", lab.from.fd, "d/z", 0));
	lab_copy(&lab, "d", "/");
	CU_ASSERT_EQUAL(xattr_in(&lab.to, "f", "user.a", value, sizeof(value)), 3);
	CU_ASSERT_EQUAL(memcmp(value, "one", 3), 0);
	CU_ASSERT_EQUAL(xattr_in(&lab.to, "f", "user.b", value, sizeof(value)), 0);
	CU_ASSERT_EQUAL(xattr_in(&lab.to, "s", "user.s", value, sizeof(value)), 4);
	CU_ASSERT_EQUAL(memcmp(value, "four", 4), 0);
	CU_ASSERT_EQUAL(xattr_in(&lab.to, "z", "user.a", value, sizeof(value)), -1);
	CU_ASSERT_EQUAL(xattr_in(&lab.to, "z", "user.s", value, sizeof(value)), -1);
	if (skip_unless_root())
		return;
	CU_ASSERT_EQUAL(0,
			setxattr(path, "security.capability", capability, sizeof(capability), 0));
	lab.args.has_owner = true;
	lab.args.uid = 7;
	lab_copy(&lab, "d/f", "/cap");
	check_owner(&lab.to, "cap", 7, 0);
	CU_ASSERT_EQUAL(xattr_in(&lab.to, "cap", "security.capability", value, sizeof(value)),
			sizeof(capability));
	CU_ASSERT_EQUAL(memcmp(value, capability, sizeof(capability)), 0);
}

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry entries[5];
};

static void test_acls(void)
{
	auto_lab struct lab lab;
	auto_free char *path = NULL;
	struct acl acl = { { POSIX_ACL_XATTR_VERSION },
			   { { ACL_USER_OBJ, 6, ACL_UNDEFINED_ID },
			     { ACL_USER, 6, 1234 },
			     { ACL_GROUP_OBJ, 4, ACL_UNDEFINED_ID },
			     { ACL_MASK, 6, ACL_UNDEFINED_ID },
			     { ACL_OTHER, 0, ACL_UNDEFINED_ID } } };
	struct chmod_spec chmod;
	struct acl found;

	lab_init(&lab);
	put(&lab.from, "f", "1");
	path = xasprintf("%s/f", lab.from.path);
	if (setxattr(path, "system.posix_acl_access", &acl, sizeof(acl), 0) < 0) {
		printf("(skipped: no ACLs in /tmp) ");
		return;
	}
	lab_copy(&lab, "f", "/");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "f"), 0660);
	CU_ASSERT_EQUAL(
		xattr_in(&lab.to, "f", "system.posix_acl_access", (char *)&found, sizeof(found)),
		sizeof(acl));
	CU_ASSERT_EQUAL(memcmp(&found, &acl, sizeof(acl)), 0);
	CU_ASSERT_EQUAL(0, chmod_parse("0604", &chmod, &lab.err));
	lab.args.chmod = &chmod;
	lab_copy(&lab, "f", "/plain");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "plain"), 0604);
	CU_ASSERT_EQUAL(xattr_in(&lab.to, "plain", "system.posix_acl_access", NULL, 0), -1);
}

static void test_chmod(void)
{
	auto_lab struct lab lab;
	struct chmod_spec chmod;

	lab_init(&lab);
	put(&lab.from, "d/f", "1");
	put(&lab.from, "d/s/x", "2");
	CU_ASSERT_EQUAL(0, fchmodat(lab.from.fd, "d/s/x", 0700, 0));
	put_link(&lab.from, "d/l", "f");
	CU_ASSERT_EQUAL(0, chmod_parse("4711", &chmod, &lab.err));
	lab.args.chmod = &chmod;
	lab_copy(&lab, "d", "/octal");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "octal"), 0755);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "octal/f"), 04711);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "octal/s"), 04711);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "octal/l"), 0777);
	CU_ASSERT_EQUAL(0, chmod_parse("u=rwX,go=rX", &chmod, &lab.err));
	lab.args.chmod = &chmod;
	lab_copy(&lab, "d", "/symbolic");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "symbolic/f"), 0644);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "symbolic/s"), 0755);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "symbolic/s/x"), 0755);
}

/* ---- content ---- */

static void test_sparse(void)
{
	auto_lab struct lab lab;
	auto_fd int fd = -1, copy = -1;
	char data[4] = { 0 };
	struct stat st;

	lab_init(&lab);
	put(&lab.from, "f", "");
	fd = openat(lab.from.fd, "f", O_WRONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(4, pwrite(fd, "mid1", 4, 10 << 20));
	CU_ASSERT_EQUAL(4, pwrite(fd, "mid2", 4, 20 << 20));
	CU_ASSERT_EQUAL(0, ftruncate(fd, 30 << 20));
	lab_copy(&lab, "f", "/");
	st = stat_in(&lab.to, "f");
	CU_ASSERT_EQUAL(st.st_size, 30 << 20);
	CU_ASSERT(st.st_blocks * 512 < 1 << 20);
	copy = openat(lab.to.fd, "f", O_RDONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(4, pread(copy, data, 4, 10 << 20));
	CU_ASSERT_EQUAL(0, memcmp(data, "mid1", 4));
	CU_ASSERT_EQUAL(4, pread(copy, data, 4, 20 << 20));
	CU_ASSERT_EQUAL(0, memcmp(data, "mid2", 4));
}

/* Larger than what is read at once, and not a multiple of it. */
static void test_large(void)
{
	const size_t len = 1234567;
	auto_free char *content = xmalloc(len + 1), *found = xmalloc(len + 1);
	auto_lab struct lab lab;
	auto_fd int fd = -1;

	for (size_t i = 0; i < len; i++)
		content[i] = (char)('a' + i % 23);
	content[len] = '\0';
	lab_init(&lab);
	put(&lab.from, "f", content);
	lab_copy(&lab, "f", "/");
	fd = openat(lab.to.fd, "f", O_RDONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(io_read(fd, found, len + 1, &lab.err), (ssize_t)len);
	CU_ASSERT_EQUAL(memcmp(found, content, len), 0);
}

/* What somebody does to the context while it is copied; space is asked for before each step. */
struct meddler {
	struct box *from;
	int calls, at;
	void (*act)(struct box *from);
};

static int meddle(void *ctx, uint64_t bytes UNUSED, struct error *err UNUSED)
{
	struct meddler *meddler = ctx;

	if (meddler->calls++ == meddler->at)
		meddler->act(meddler->from);
	return 0;
}

static void act_remove(struct box *from)
{
	unlinkat(from->fd, "f", 0);
}

static void act_grow(struct box *from)
{
	put(from, "f", "longer than before");
}

static void act_shrink(struct box *from)
{
	put(from, "f", "");
}

static void act_grow_unseen(struct box *from)
{
	put(from, "f", "longer than before");
	set_mtime(from, "f", 5000, 0);
}

/* The same size, another time. */
static void act_edit(struct box *from)
{
	put(from, "f", "67890");
}

static void act_replace(struct box *from)
{
	unlinkat(from->fd, "f", 0);
	put_link(from, "f", "/etc/passwd");
}

static void act_pipe(struct box *from)
{
	unlinkat(from->fd, "f", 0);
	CU_ASSERT_EQUAL(0, mknodat(from->fd, "f", S_IFIFO | 0600, 0));
}

static void check_meddled(int at, void (*act)(struct box *from), const char *text)
{
	struct meddler meddler = { .at = at, .act = act };
	auto_lab struct lab lab;

	lab_init(&lab);
	meddler.from = &lab.from;
	put(&lab.from, "f", "12345");
	set_mtime(&lab.from, "f", 5000, 0);
	lab.args.take_space = meddle;
	lab.args.take_space_ctx = &meddler;
	lab_refuse(&lab, "f", "/", ERR_IO, text);
}

static void test_changes(void)
{
	check_meddled(0, act_remove, "'f' vanished while it was copied");
	check_meddled(0, act_replace, "'f' changed while it was copied");
	check_meddled(0, act_pipe, "'f' changed while it was copied");
	check_meddled(0, act_edit, "'f' changed while it was copied");
	check_meddled(1, act_grow, "'f' changed while it was copied");
	check_meddled(1, act_grow_unseen, "'f' changed while it was copied");
	check_meddled(1, act_shrink, "'f' changed while it was copied");
	check_meddled(1, act_edit, "'f' changed while it was copied");
}

static int refuse_space(void *ctx, uint64_t bytes, struct error *err)
{
	uint64_t *left = ctx;

	if (bytes > *left)
		return err_set(err, ERR_NO_SPACE, "full");
	*left -= bytes;
	return 0;
}

static void test_space(void)
{
	auto_lab struct lab lab;
	struct copy_file file = { .name = "g", .data = "12345", .len = 5, .fd = -1 };
	uint64_t left = TREE_ENTRY_BYTES + 4;

	lab_init(&lab);
	put(&lab.from, "f", "12345");
	lab.args.take_space = refuse_space;
	lab.args.take_space_ctx = &left;
	lab_refuse(&lab, "f", "/", ERR_NO_SPACE, "full");
	left = TREE_ENTRY_BYTES + 4;
	lab.args.files = &file;
	lab.args.nr_files = 1;
	lab.args.take_space = refuse_space;
	lab.args.take_space_ctx = &left;
	lab_refuse(&lab, "", "/", ERR_NO_SPACE, "full");
	left = 2 * TREE_ENTRY_BYTES + 5;
	lab.args.take_space = refuse_space;
	lab.args.take_space_ctx = &left;
	lab_copy(&lab, "f", "/d/");
	CU_ASSERT_EQUAL(left, 0);
}

/* ---- flags ---- */

static void test_exclude(void)
{
	auto_lab struct lab lab;
	auto_ignore struct ignore *exclude = NULL;
	const char *patterns = "**/*.md\ns/t\n!s/t/keep\n";

	lab_init(&lab);
	put(&lab.from, "d/a.md", "1");
	put(&lab.from, "d/a", "2");
	put(&lab.from, "d/s/b.md", "3");
	put(&lab.from, "d/s/t/x", "4");
	put(&lab.from, "d/s/t/keep", "5");
	CU_ASSERT_EQUAL(0, ignore_parse(patterns, strlen(patterns), &exclude, &lab.err));
	lab.args.exclude = exclude;
	lab_copy(&lab, "d", "/d");
	lab.args.exclude = exclude;
	lab_copy(&lab, "d/*", "/wild/");
	check_tree(&lab.to, "d/ d/a d/s/ d/s/t/ d/s/t/keep wild/ wild/a wild/t/ wild/t/keep "
			    "wild/t/x");
}

static void test_parents(void)
{
	auto_lab struct lab lab;
	auto_ignore struct ignore *exclude = NULL;
	uint64_t left = 7 * TREE_ENTRY_BYTES + 3;

	lab_init(&lab);
	put(&lab.from, "a/b/f", "1");
	put(&lab.from, "a/b/g", "2");
	put(&lab.from, "a/c/h", "3");
	put(&lab.from, "n/o/p", "4");
	put_dir(&lab.from, "a/b", 0710);
	set_mtime(&lab.from, "a/b", 7000, 1);
	lab.args.parents = true;
	lab_copy(&lab, "a/b/f", "/one");
	lab.args.parents = true;
	lab.args.take_space = refuse_space;
	lab.args.take_space_ctx = &left;
	lab_copy(&lab, "a/b/f a/b/g a/c", "/three/");
	/* Each folder is made once. */
	CU_ASSERT_EQUAL(left, 0);
	lab.args.parents = true;
	put_dir(&lab.from, "n/o", 0750);
	lab_copy(&lab, "a/b/f n/./o/p", "/pivot/");
	CU_ASSERT_EQUAL(0, ignore_parse("**/p", 4, &exclude, &lab.err));
	lab.args.parents = true;
	lab.args.exclude = exclude;
	lab_copy(&lab, "n/o/p", "/none/");
	check_tree(&lab.to,
		   "none/ one/ one/a/ one/a/b/ one/a/b/f pivot/ pivot/a/ pivot/a/b/ pivot/a/b/f "
		   "pivot/o/ pivot/o/p three/ "
		   "three/a/ three/a/b/ three/a/b/f three/a/b/g three/a/c/ three/a/c/h");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "one/a/b"), 0710);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "one/a/b").st_mtim.tv_sec, 7000);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "one/a"), 0755);
	CU_ASSERT_EQUAL(mode_in(&lab.to, "pivot/o"), 0750);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "three/a/b").st_mtim.tv_nsec, 1);
	if (skip_unless_root())
		return;
	lab.args.parents = lab.args.has_owner = true;
	lab.args.uid = 7;
	lab_copy(&lab, "a/b/f", "/owned");
	check_owner(&lab.to, "owned", 7, 0);
	check_owner(&lab.to, "owned/a/b/f", 7, 0);
}

/* ---- files without a source ---- */

static void test_files(void)
{
	auto_lab struct lab lab;
	auto_fd int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct copy_file files[] = {
		{ "text", "hello", 5, -1, 0644, { 1000, 5 } },
		{ "x/empty", "", 0, -1, 0600, { 0, 0 } },
		{ "fd", NULL, 0, fd, 0600, { 2000, 0 } },
	};
	struct chmod_spec chmod;

	lab_init(&lab);
	CU_ASSERT_EQUAL_FATAL(0, io_write(fd, "skipped downloaded", 18, &lab.err));
	CU_ASSERT_EQUAL(8, lseek(fd, 8, SEEK_SET));
	lab.args.files = files;
	lab.args.nr_files = 3;
	lab_copy(&lab, "", "/d/");
	check_tree(&lab.to, "d/ d/empty d/fd d/text");
	check_content(&lab.to, "d/text", "hello");
	check_content(&lab.to, "d/fd", "downloaded");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "d/text"), 0644);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "d/text").st_mtim.tv_nsec, 5);
	CU_ASSERT_EQUAL(stat_in(&lab.to, "d/empty").st_mtim.tv_sec, 0);
	CU_ASSERT_EQUAL(0, chmod_parse("755", &chmod, &lab.err));
	lab.args.files = files;
	lab.args.nr_files = 1;
	lab.args.chmod = &chmod;
	lab_copy(&lab, "", "/name");
	check_content(&lab.to, "name", "hello");
	CU_ASSERT_EQUAL(mode_in(&lab.to, "name"), 0755);
	files[0].name = "..";
	lab.args.files = files;
	lab.args.nr_files = 1;
	lab_refuse(&lab, "", "/d/", ERR_USAGE, "'..' is no name for a file");
	files[0].name = "x/";
	lab.args.files = files;
	lab.args.nr_files = 1;
	lab_refuse(&lab, "", "/d/", ERR_USAGE, "'x/' is no name for a file");
	lab.args.files = files;
	lab.args.nr_files = 2;
	lab_refuse(&lab, "", "/d", ERR_USAGE, SEVERAL);
}

/* What the cache was told of a source, and what it is when it is copied. */
static int hash_and_copy(struct lab *lab, const char *change, const char *content)
{
	auto_tree_fs struct tree_writer *tree = NULL;
	struct digest digest;
	int result;

	lab_find(lab, "d");
	CU_ASSERT_EQUAL_FATAL(0, context_hash(&lab->context, &lab->sources.items[0], NULL, false,
					      &digest, &lab->err));
	if (change)
		put(&lab->from, change, content);
	CU_ASSERT_EQUAL_FATAL(0, tree_fs_new(lab->to.fd, &tree, &lab->err));
	lab->args.tree = tree;
	lab->args.destination = "/to/";
	result = copy_into(&lab->args, &lab->removed, &lab->err);
	lab_reset(lab);
	return result;
}

static void test_changed_since_hashed(void)
{
	auto_lab struct lab lab;

	lab_init(&lab);
	put(&lab.from, "d/f", "one");
	set_mtime(&lab.from, "d/f", 1, 0);
	put(&lab.from, "other", "");
	CU_ASSERT_EQUAL(0, hash_and_copy(&lab, NULL, NULL));
	CU_ASSERT_EQUAL(0, hash_and_copy(&lab, "other", "another"));
	CU_ASSERT_EQUAL(1, hash_and_copy(&lab, "d/f", "two"));
	check_content(&lab.to, "to/f", "two");
	CU_ASSERT_EQUAL(1, hash_and_copy(&lab, "d/new", ""));
	CU_ASSERT_EQUAL(0, hash_and_copy(&lab, NULL, NULL));
}

UNIT_SUITE(copy, { "a file gets the destination's name, or lands in a folder", test_file },
	   { "several sources need a folder that is written as one", test_several },
	   { "links in the destination are followed inside the root", test_linked_destination },
	   { "a destination below a file is refused", test_no_folder },
	   { "missing parents are root's, or --chown's", test_missing_parents },
	   { "a destination that was there stays as it is", test_kept_destination },
	   { "a folder's contents are merged", test_folders },
	   { "what clashes gives way", test_clashes },
	   { "a file is replaced, not written over", test_replaced_file },
	   { "mode, times and links are kept", test_metadata },
	   { "owners are root's, the source's or --chown's", test_owners },
	   { "devices and pipes", test_special }, { "attributes are kept", test_xattrs },
	   { "ACLs are kept, unless --chmod says something else", test_acls },
	   { "--chmod for files and folders", test_chmod }, { "a hole stays a hole", test_sparse },
	   { "a large file is whole", test_large },
	   { "a file that changes meanwhile is an error", test_changes },
	   { "space is asked for before it is taken", test_space }, { "--exclude", test_exclude },
	   { "--parents keeps the folders", test_parents },
	   { "heredocs and downloads", test_files },
	   { "a source that has changed since it was hashed is told", test_changed_since_hashed });
