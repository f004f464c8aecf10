/* SPDX-License-Identifier: Apache-2.0 */
#include "diff_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "layer/tree_remove.h"

#define DEPTH_MAX   6
#define ENTRIES_MAX 1500

uint64_t ops_random(struct ops *ops, uint64_t limit)
{
	/* xorshift64*, Vigna 2016 */
	ops->random ^= ops->random >> 12;
	ops->random ^= ops->random << 25;
	ops->random ^= ops->random >> 27;
	return (ops->random * UINT64_C(0x2545f4914f6cdd1d) >> 16) % limit;
}

/* ---- choosing ---- */

static void scan(struct ops *ops, const char *path, int depth)
{
	auto_dir DIR *dir = NULL;
	int fd = openat(ops->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *entry;
	size_t from = ops->dirs.nr;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		auto_free char *name = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		name = strcmp(path, ".") == 0 ? xstrdup(entry->d_name)
					      : xasprintf("%s/%s", path, entry->d_name);
		strlist_take(entry->d_type == DT_DIR ? &ops->dirs : &ops->others, take_ptr(name));
	}
	for (size_t i = from, end = ops->dirs.nr; i < end && depth < DEPTH_MAX; i++) {
		auto_free char *sub = xstrdup(ops->dirs.items[i]);

		scan(ops, sub, depth + 1);
	}
}

static void rescan(struct ops *ops)
{
	strlist_done(&ops->dirs);
	strlist_done(&ops->others);
	strlist_add(&ops->dirs, ".");
	scan(ops, ".", 0);
}

static const char *any_dir(struct ops *ops)
{
	return ops->dirs.items[ops_random(ops, ops->dirs.nr)];
}

static const char *any_other(struct ops *ops)
{
	return ops->others.nr ? ops->others.items[ops_random(ops, ops->others.nr)] : "none";
}

static const char *any_path(struct ops *ops)
{
	if (ops->dirs.nr > 1 && ops_random(ops, 4) == 0)
		return ops->dirs.items[1 + ops_random(ops, ops->dirs.nr - 1)];
	return any_other(ops);
}

/* Few names, so that they meet again; some long or not in UTF-8. Returns new. */
static char *new_path(struct ops *ops)
{
	static const char *const names[] = {
		"a", "b.c", "-x", "with blank", "\xc3\xa9", "\xff\xfe"
	};
	const char *dir = any_dir(ops);
	uint64_t pick = ops_random(ops, 24);
	char name[256];

	if (pick < sizeof(names) / sizeof(*names))
		snprintf(name, sizeof(name), "%s", names[pick]);
	else if (pick == 23)
		snprintf(name, sizeof(name), "%0200d", (int)ops_random(ops, 3));
	else
		snprintf(name, sizeof(name), "n%d", (int)ops_random(ops, 12));
	return strcmp(dir, ".") == 0 ? xstrdup(name) : xasprintf("%s/%s", dir, name);
}

static void note(struct ops *ops, int result, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void note(struct ops *ops, int result, const char *fmt, ...)
{
	int number = errno;
	char text[10240];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&ops->log, "      %s%s%s\n", text, result < 0 ? ": " : "",
		   result < 0 ? strerror(number) : "");
}

/* ---- contents ---- */

static int fill(struct ops *ops, int fd, uint64_t offset, size_t len)
{
	auto_free char *data = xmalloc(len + 1);
	int letter = 'a' + (int)ops_random(ops, 26);

	memset(data, letter, len);
	return pwrite(fd, data, len, (off_t)offset) < 0 ? -1 : 0;
}

static void op_write(struct ops *ops)
{
	static const size_t sizes[] = {
		0, 1, 59, 60, 61, 130, 160, 300, 4096, 5000, 70000, 300000
	};
	auto_free char *path = new_path(ops);
	size_t len = sizes[ops_random(ops, sizeof(sizes) / sizeof(*sizes))];
	uint64_t hole = ops_random(ops, 6) == 0 ? (1 + ops_random(ops, 40)) * 100000 : 0;
	auto_fd int fd = openat(ops->root_fd, path,
				O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0644);

	note(ops, fd < 0 ? -1 : fill(ops, fd, hole, len), "write '%s' %ju+%zu", path,
	     (uintmax_t)hole, len);
}

/* The times as they were: nothing but the content tells. */
static void op_edit(struct ops *ops)
{
	const char *path = any_other(ops);
	auto_fd int fd = openat(ops->root_fd, path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
	bool restore = ops_random(ops, 2);
	struct stat st = { 0 };
	uint64_t at = 0;
	int result = fd < 0 ? -1 : fstat(fd, &st);

	if (result == 0 && S_ISREG(st.st_mode) && st.st_size) {
		at = ops_random(ops, (uint64_t)st.st_size);
		result = fill(ops, fd, at, 1);
		if (restore)
			futimens(fd, (const struct timespec[2]){ st.st_atim, st.st_mtim });
	}
	note(ops, result, "edit '%s' at %ju%s", path, (uintmax_t)at, restore ? ", times kept" : "");
}

static void op_append(struct ops *ops)
{
	const char *path = any_other(ops);
	auto_fd int fd = openat(ops->root_fd, path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK);

	note(ops, fd < 0 ? -1 : fill(ops, fd, 0, 1 + ops_random(ops, 9000)), "append to '%s'",
	     path);
}

static void op_truncate(struct ops *ops)
{
	const char *path = any_other(ops);
	auto_fd int fd = openat(ops->root_fd, path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
	off_t size = (off_t)ops_random(ops, 100) * (ops_random(ops, 2) ? 1 : 5003);

	note(ops, fd < 0 ? -1 : ftruncate(fd, size), "truncate '%s' to %jd", path, (intmax_t)size);
}

static void op_allocate(struct ops *ops)
{
	static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };
	const char *path = any_other(ops);
	auto_fd int fd = openat(ops->root_fd, path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
	int mode = modes[ops_random(ops, 4)];
	off_t at = (off_t)ops_random(ops, 80000), len = 1 + (off_t)ops_random(ops, 80000);

	note(ops, fd < 0 ? -1 : fallocate(fd, mode, at, len), "fallocate '%s' %d %jd+%jd", path,
	     mode, (intmax_t)at, (intmax_t)len);
}

/* The same again, in another inode: no change. */
static void op_copy_over(struct ops *ops)
{
	const char *path = any_other(ops);
	auto_free char *temporary = xasprintf("%s.new", path);
	auto_fd int from = openat(ops->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int result = from < 0 ? -1 : fstat(from, &st);

	if (result == 0 && S_ISREG(st.st_mode)) {
		auto_fd int to =
			openat(ops->root_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		char data[4096];
		ssize_t got;

		while ((got = read(from, data, sizeof(data))) > 0)
			if (write(to, data, (size_t)got) != got)
				break;
		if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
			result = -1;
		futimens(to, (const struct timespec[2]){ st.st_atim, st.st_mtim });
		result = renameat(ops->root_fd, temporary, ops->root_fd, path);
	}
	note(ops, result, "copy '%s' over itself", path);
}

/* ---- attributes ---- */

static void op_mode(struct ops *ops)
{
	const char *path = any_path(ops);
	mode_t mode = (mode_t)ops_random(ops, 8) * 0110 | (mode_t)ops_random(ops, 8) << 9;

	note(ops, fchmodat(ops->root_fd, path, mode, 0), "chmod %o '%s'", mode, path);
}

static void op_owner(struct ops *ops)
{
	const char *path = any_path(ops);
	uid_t uid = ops_random(ops, 8) ? (uid_t)ops_random(ops, 3) : 3000000000u;

	note(ops, fchownat(ops->root_fd, path, uid, 7, AT_SYMLINK_NOFOLLOW), "chown %u '%s'", uid,
	     path);
}

static void op_times(struct ops *ops)
{
	static const time_t seconds[] = { 0, 1, 1000000000, -5, 3000000000, 9000000000 };
	const char *path = any_path(ops);
	struct timespec times[2] = { { .tv_sec = 5 }, { .tv_nsec = 0 } };
	uint64_t pick = ops_random(ops, sizeof(seconds) / sizeof(*seconds));

	times[1].tv_sec = seconds[pick];
	times[1].tv_nsec = ops_random(ops, 2) ? (long)ops_random(ops, 3) * 1000 : 0;
	if (ops_random(ops, 3) == 0)
		times[1].tv_nsec = UTIME_OMIT;
	note(ops, utimensat(ops->root_fd, path, times, AT_SYMLINK_NOFOLLOW), "touch '%s' %jd.%ld",
	     path, (intmax_t)times[1].tv_sec, times[1].tv_nsec);
}

/* There and back: no change. */
static void op_nothing(struct ops *ops)
{
	const char *path = any_path(ops);
	struct stat st;
	int result = fstatat(ops->root_fd, path, &st, AT_SYMLINK_NOFOLLOW);

	if (result == 0 && !S_ISLNK(st.st_mode))
		result = fchmodat(ops->root_fd, path, (st.st_mode & 07777) ^ 1, 0);
	if (result == 0 && !S_ISLNK(st.st_mode))
		result = fchmodat(ops->root_fd, path, st.st_mode & 07777, 0);
	note(ops, result, "chmod '%s' and back", path);
}

static void op_xattr(struct ops *ops)
{
	static const char *const names[] = { "user.one", "user.two", "trusted.three", "user.large",
					     "security.capability" };
	/* VFS_CAP_REVISION_2, effective; cap_net_raw */
	static const unsigned char capability[20] = { 1, 0, 0, 2, 0, 0x20 };
	const char *path = any_path(ops);
	auto_free char *file = xasprintf("/proc/self/fd/%d/%s", ops->root_fd, path);
	size_t pick = ops_random(ops, sizeof(names) / sizeof(*names)), len = ops_random(ops, 30);
	char value[2500];
	struct stat st;
	int result;

	memset(value, 'a' + (int)ops_random(ops, 26), sizeof(value));
	if (pick == 3)
		len = 1500 + ops_random(ops, 1000);
	if (pick == 4)
		result = lsetxattr(file, names[pick], capability, sizeof(capability), 0);
	else if (ops_random(ops, 4) == 0 && lstat(file, &st) == 0 && !S_ISDIR(st.st_mode))
		result = lremovexattr(file, names[pick]); /* not of a directory: no tar says so */
	else
		result = lsetxattr(file, names[pick], value, len, 0);
	note(ops, result, "xattr %s of '%s', %zu bytes", names[pick], path, len);
}

/* ---- names ---- */

static void op_mkdir(struct ops *ops)
{
	auto_free char *path = new_path(ops);
	int result = mkdirat(ops->root_fd, path, 0755);

	note(ops, result, "mkdir '%s'", path);
	if (result == 0)
		strlist_add(&ops->dirs, path);
}

static void op_link(struct ops *ops)
{
	auto_free char *path = new_path(ops);
	const char *target = any_other(ops);

	note(ops, linkat(ops->root_fd, target, ops->root_fd, path, 0), "link '%s' to '%s'", path,
	     target);
}

static void op_symlink(struct ops *ops)
{
	static const size_t sizes[] = { 1, 10, 59, 60, 61, 100, 101, 160, 500, 4000, 4095 };
	auto_free char *path = new_path(ops);
	size_t len = sizes[ops_random(ops, sizeof(sizes) / sizeof(*sizes))];
	char target[4096];

	memset(target, 'a' + (int)ops_random(ops, 26), len);
	target[len] = '\0';
	if (ops_random(ops, 3) == 0)
		unlinkat(ops->root_fd, path, 0);
	note(ops, symlinkat(target, ops->root_fd, path), "symlink '%s', %zu bytes", path, len);
}

static void op_node(struct ops *ops)
{
	static const mode_t types[] = { S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK };
	auto_free char *path = new_path(ops);
	mode_t type = types[ops_random(ops, 4)];
	unsigned nr = (unsigned)ops_random(ops, 3) * 300;

	if (ops_random(ops, 3) == 0)
		unlinkat(ops->root_fd, path, 0);
	note(ops, mknodat(ops->root_fd, path, type | 0600, makedev(nr, nr * 1000)),
	     "mknod '%s' %o %u", path, type, nr);
}

static void op_unlink(struct ops *ops)
{
	const char *path = any_other(ops);

	note(ops, unlinkat(ops->root_fd, path, 0), "unlink '%s'", path);
}

static int remove_any(struct ops *ops, const char *path)
{
	struct error err;

	if (unlinkat(ops->root_fd, path, 0) == 0)
		return 0;
	return errno == EISDIR ? tree_remove(ops->root_fd, path, &err) : -1;
}

static void op_remove_tree(struct ops *ops)
{
	const char *path = any_path(ops);

	note(ops, remove_any(ops, path), "rm -r '%s'", path);
}

static void op_rename(struct ops *ops)
{
	static const unsigned flags[] = { 0, 0, 0, RENAME_EXCHANGE };
	const char *from = any_path(ops);
	auto_free char *to = ops_random(ops, 3) ? new_path(ops) : xstrdup(any_path(ops));
	unsigned flag = flags[ops_random(ops, 4)];

	note(ops, renameat2(ops->root_fd, from, ops->root_fd, to, flag), "rename '%s' to '%s'%s",
	     from, to, flag ? ", exchanged" : "");
}

/* Another kind of thing under the same name. */
static void op_replace(struct ops *ops)
{
	auto_free char *path = xstrdup(any_path(ops));
	bool dir = ops_random(ops, 2);
	int result = remove_any(ops, path);

	if (result == 0 && dir) {
		auto_free char *inside = xasprintf("%s/inside", path);

		result = mkdirat(ops->root_fd, path, 0700);
		close(openat(ops->root_fd, inside, O_WRONLY | O_CREAT, 0600));
	} else if (result == 0) {
		auto_fd int fd = openat(ops->root_fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);

		result = fd < 0 ? -1 : fill(ops, fd, 0, 20);
	}
	note(ops, result, "replace '%s' by a %s", path, dir ? "directory" : "file");
}

/* Enough names for an index of two blocks or more. */
static void op_many(struct ops *ops)
{
	const char *dir = any_dir(ops);
	unsigned nr = 50 + (unsigned)ops_random(ops, 250),
		 from = (unsigned)ops_random(ops, 3) * 100;
	bool remove = ops_random(ops, 3) == 0;

	for (unsigned i = from; i < from + nr; i++) {
		auto_free char *path = xasprintf("%s/a-name-of-some-length-%u", dir, i);

		if (remove)
			unlinkat(ops->root_fd, path, 0);
		else
			close(openat(ops->root_fd, path, O_WRONLY | O_CREAT | O_NONBLOCK, 0644));
	}
	note(ops, 0, "%s %u to %u in '%s'", remove ? "remove" : "create", from, from + nr, dir);
}

static const struct {
	unsigned weight;
	void (*run)(struct ops *ops);
} table[] = {
	{ 10, op_write },      { 8, op_edit },	    { 3, op_append },  { 3, op_truncate },
	{ 3, op_allocate },    { 3, op_copy_over }, { 4, op_mode },    { 3, op_owner },
	{ 4, op_times },       { 3, op_nothing },   { 6, op_xattr },   { 6, op_mkdir },
	{ 5, op_link },	       { 4, op_symlink },   { 3, op_node },    { 6, op_unlink },
	{ 2, op_remove_tree }, { 6, op_rename },    { 2, op_replace }, { 1, op_many },
};

void ops_run(struct ops *ops, unsigned nr)
{
	unsigned sum = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		sum += table[i].weight;
	buf_reset(&ops->log);
	rescan(ops);
	while (ops->others.nr > ENTRIES_MAX && ops->dirs.nr > 1) {
		remove_any(ops, ops->dirs.items[1]);
		rescan(ops);
	}
	while (nr--) {
		unsigned pick = (unsigned)ops_random(ops, sum);
		size_t i = 0;

		while (pick >= table[i].weight)
			pick -= table[i++].weight;
		table[i].run(ops);
	}
}

void ops_done(struct ops *ops)
{
	strlist_done(&ops->dirs);
	strlist_done(&ops->others);
	buf_done(&ops->log);
}
