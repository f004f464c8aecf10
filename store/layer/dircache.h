/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dircache - open directories of one tree, by the paths an archive calls them
 *
 * Saves the walk to the parent of every entry, and holds what must be done to a
 * directory after its last change: its times. They are taken when it is opened,
 * and put back when it leaves the cache, so a directory that only had something
 * changed inside keeps them.
 *
 * Nobody else changes the tree; who removes a link or a directory tells the
 * cache, because paths may have led through it.
 */
#ifndef LAYER_DIRCACHE_H
#define LAYER_DIRCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "base/nameset.h"

struct dir {
	/* For users. */
	int fd;
	ino_t inode;
	bool dirty;		  /* set it after a change inside: the times are put back */
	bool inherits_group;	  /* set-group-id: what is made inside takes its group */
	bool inherits_acl;	  /* has a default ACL: what is made inside takes that */
	struct timespec times[2]; /* atime, mtime; what it will have in the end */
	/* For the cache. */
	char *path;
	size_t path_len;
	uint32_t path_hash;
	bool maybe_linked; /* the path may lead through a symbolic link */
	bool belongs;	   /* it and all above are in the set */
	uint64_t used;	   /* when, in calls */
};

struct dircache;

/**
 * dircache_new - an empty cache for the tree beneath root_fd
 * @root_fd: borrowed
 */
int dircache_new(int root_fd, struct dircache **ret, struct error *err);
/* Without putting times back. */
void dircache_free(struct dircache *cache);

/* Directories that entries pass through become members (inode, "") from now on; NULL: they do not. */
void dircache_set_belongs(struct dircache *cache, struct nameset *belongs);

/**
 * dircache_get - the directory of that path, made where it is missing
 * @path: clean; need not be NUL-terminated; length 0 is the root
 * @mtime: for directories that are made (0755 and root's)
 * @ret: valid until the second next call on this cache
 *
 * ERR_CORRUPT when something else is in the way, or for a loop of links.
 */
int dircache_get(struct dircache *cache, const char *path, size_t len, const struct timespec *mtime,
		 struct dir **ret, struct error *err);

/*
 * Only looks: makes nothing, and the directory does not become a member.
 * Returns 1 and *ret, 0 when there is no such directory, -1.
 */
int dircache_find(struct dircache *cache, const char *path, size_t len, struct dir **ret,
		  struct error *err);

/**
 * dircache_add - a directory just made, or found, as `name` in parent
 * @parent: as dircache_get() returned it, for this path without its last name
 * @fd: taken
 *
 * It becomes a member. Times are the ones on the disk. *ret as above.
 */
int dircache_add(struct dircache *cache, struct dir *parent, const char *path, int fd,
		 struct dir **ret, struct error *err);

/* The directory, under all its paths, is to have these times in the end. */
void dircache_set_times(struct dircache *cache, struct dir *dir, const struct timespec times[2]);
/* The same for "has a default ACL". */
void dircache_set_inherits_acl(struct dircache *cache, struct dir *dir);
void dircache_set_inherits_group(struct dircache *cache, struct dir *dir, bool inherits);

/* A symbolic link was removed: forget every path that may lead through one. */
int dircache_link_removed(struct dircache *cache, struct error *err);
/* Is there such a path at all? If not, nobody needs to look what is removed. */
bool dircache_has_linked(const struct dircache *cache);
/* A directory was removed, or all is done: puts times back and forgets all but the root. */
int dircache_flush(struct dircache *cache, struct error *err);

#endif
