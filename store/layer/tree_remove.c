/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tree_remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "limits.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A directory stream holds 32 KiB and a descriptor; deeper directories are moved up. */
#define MAX_LEVELS 16

struct level {
	DIR *dir;
	char name[NAME_MAX + 1];
	bool changed; /* since the scan began: another may find what this one missed */
};

struct removal {
	int dir_fd; /* where the tree hangs; borrowed */
	struct level levels[MAX_LEVELS];
	unsigned int depth;
	unsigned int nr_moved; /* for names */
};

static bool is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static DIR *open_dir(int dir_fd, const char *name, struct error *err)
{
	auto_fd int fd = openat(dir_fd, name, DIR_FLAGS);
	DIR *dir;

	if (fd < 0 || !(dir = fdopendir(fd))) {
		err_sys(err, errno, "open folder '%s'", name);
		return NULL;
	}
	(void)take_fd(fd);
	return dir;
}

static void removal_done(struct removal *removal)
{
	while (removal->depth)
		closedir(removal->levels[--removal->depth].dir);
}
#define auto_removal __attribute__((cleanup(removal_done)))

static int enter(struct removal *removal, int dir_fd, const char *name, struct error *err)
{
	struct level *level = &removal->levels[removal->depth];

	if (cancel_check(err) < 0)
		return -1;
	level->dir = open_dir(dir_fd, name, err);
	if (!level->dir)
		return -1;
	snprintf(level->name, sizeof(level->name), "%s", name);
	level->changed = false;
	removal->depth++;
	return 0;
}

/* The directory is too deep for a level of its own: the topmost one takes it. */
static int move_up(struct removal *removal, int dir_fd, const char *name, struct error *err)
{
	int top_fd = dirfd(removal->levels[0].dir);
	char moved[32];

	do {
		snprintf(moved, sizeof(moved), ".veneer-%u", removal->nr_moved++);
		if (renameat2(dir_fd, name, top_fd, moved, RENAME_NOREPLACE) == 0)
			return 0;
	} while (errno == EEXIST);
	return err_sys(err, errno, "move folder '%s'", name);
}

static int remove_entry(struct removal *removal, const struct dirent *entry, struct error *err)
{
	struct level *level = &removal->levels[removal->depth - 1];
	int fd = dirfd(level->dir);

	if (entry->d_type != DT_DIR) {
		if (unlinkat(fd, entry->d_name, 0) == 0) {
			level->changed = true;
			return 0;
		}
		if (errno != EISDIR)
			return err_sys(err, errno, "remove '%s'", entry->d_name);
	}
	if (unlinkat(fd, entry->d_name, AT_REMOVEDIR) == 0) {
		level->changed = true;
		return 0;
	}
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(err, errno, "remove folder '%s'", entry->d_name);
	if (removal->depth < MAX_LEVELS)
		return enter(removal, fd, entry->d_name, err);
	return move_up(removal, fd, entry->d_name, err);
}

/* The scan of the deepest level came to its end. */
static int leave(struct removal *removal, struct error *err)
{
	struct level *level = &removal->levels[removal->depth - 1];
	int dir_fd = removal->depth > 1 ? dirfd(level[-1].dir) : removal->dir_fd;

	if (unlinkat(dir_fd, level->name, AT_REMOVEDIR) == 0) {
		closedir(level->dir);
		removal->depth--;
		if (removal->depth)
			level[-1].changed = true;
		return 0;
	}
	if (errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(err, errno, "remove folder '%s'", level->name);
	if (!level->changed)
		return err_set(err, ERR_IO, "remove folder '%s': it does not get empty",
			       level->name);
	level->changed = false;
	rewinddir(level->dir);
	return 0;
}

int tree_remove(int dir_fd, const char *name, struct error *err)
{
	auto_removal struct removal removal = { .dir_fd = dir_fd };

	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (enter(&removal, dir_fd, name, err) < 0)
		return -1;
	while (removal.depth) {
		struct dirent *entry;

		errno = 0;
		entry = readdir(removal.levels[removal.depth - 1].dir);
		if (!entry && errno)
			return err_sys(err, errno, "read folder '%s'", name);
		if (entry && is_dot(entry->d_name))
			continue;
		if (entry ? remove_entry(&removal, entry, err) < 0 : leave(&removal, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- removing only what does not belong ---- */

struct walk {
	const struct nameset *belongs;
	DIR *dir;
	long *places; /* where to go on in each directory above */
	size_t depth;
	size_t cap;
	bool removed;
};

static void walk_done(struct walk *walk)
{
	if (walk->dir)
		closedir(walk->dir);
	free(walk->places);
}
#define auto_walk __attribute__((cleanup(walk_done)))

/* 1: it belongs and is a directory; 0: it belongs otherwise; -1: it does not, or is gone. */
static int look_at(struct walk *walk, uint64_t dir_inode, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) {
		if (fstatat(dirfd(walk->dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -1;
		if (S_ISDIR(st.st_mode))
			return nameset_has(walk->belongs, st.st_ino, "", 0) ? 1 : -1;
	}
	return nameset_has(walk->belongs, dir_inode, entry->d_name, strlen(entry->d_name)) ? 0 : -1;
}

static int remove_any(int dir_fd, const char *name, struct error *err)
{
	if (unlinkat(dir_fd, name, 0) == 0)
		return 0;
	if (errno != EISDIR)
		return err_sys(err, errno, "remove '%s'", name);
	return tree_remove(dir_fd, name, err);
}

/* Afterwards only what belongs is left in the directory, so that places in it stay valid. */
static int clear_dir(struct walk *walk, struct error *err)
{
	struct dirent *entry;
	bool removed = false;
	struct stat st;

	if (cancel_check(err) < 0)
		return -1;
	if (fstat(dirfd(walk->dir), &st) < 0)
		return err_sys(err, errno, "look at folder");
	while ((errno = 0, entry = readdir(walk->dir))) {
		if (is_dot(entry->d_name) || look_at(walk, st.st_ino, entry) >= 0)
			continue;
		if (remove_any(dirfd(walk->dir), entry->d_name, err) < 0)
			return -1;
		walk->removed = removed = true;
	}
	if (errno)
		return err_sys(err, errno, "read folder");
	if (removed &&
	    futimens(dirfd(walk->dir), (struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
		return err_sys(err, errno, "set the times of a folder");
	rewinddir(walk->dir);
	return 0;
}

static int descend(struct walk *walk, const char *name, struct error *err)
{
	DIR *dir;

	if (walk->depth == LIMIT_TREE_DEPTH)
		return err_set(err, ERR_LIMIT, "folders are nested more than %u deep",
			       LIMIT_TREE_DEPTH);
	dir = open_dir(dirfd(walk->dir), name, err);
	if (!dir)
		return -1;
	if (walk->depth == walk->cap) {
		walk->cap = walk->cap ? walk->cap * 2 : 16;
		walk->places = xrealloc(walk->places, walk->cap * sizeof(*walk->places));
	}
	walk->places[walk->depth++] = telldir(walk->dir);
	closedir(walk->dir);
	walk->dir = dir;
	return clear_dir(walk, err);
}

static int ascend(struct walk *walk, struct error *err)
{
	DIR *dir = open_dir(dirfd(walk->dir), "..", err);

	if (!dir)
		return -1;
	closedir(walk->dir);
	walk->dir = dir;
	seekdir(dir, walk->places[--walk->depth]);
	return 0;
}

int tree_remove_others(int dir_fd, const struct nameset *belongs, bool *ret_removed,
		       struct error *err)
{
	auto_walk struct walk walk = { .belongs = belongs };
	struct dirent *entry;

	walk.dir = open_dir(dir_fd, ".", err);
	if (!walk.dir || clear_dir(&walk, err) < 0)
		return -1;
	for (;;) {
		errno = 0;
		entry = readdir(walk.dir);
		if (!entry && errno)
			return err_sys(err, errno, "read folder");
		if (!entry && !walk.depth)
			break;
		if (!entry) {
			if (ascend(&walk, err) < 0)
				return -1;
		} else if (!is_dot(entry->d_name) && look_at(&walk, 0, entry) == 1 &&
			   descend(&walk, entry->d_name, err) < 0) {
			return -1;
		}
	}
	if (walk.removed)
		*ret_removed = true;
	return 0;
}
