/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dirs - directories in memory, by their inodes: read when first needed, written when all is done
 *
 * Not for callers outside ext4w/. A directory that changed is not patched but written as a whole
 * to new blocks beside the other new ones, so that no shared block has to be copied; one block is
 * a plain list, more have an index. Its inode's size and blocks follow, the times stay.
 *
 * Memory: some 30 bytes and the name for each entry of what is held; dirs_trim() bounds that by
 * DIRS_BYTES, except that the largest directory has to fit, and is not written for each entry.
 */
#ifndef EXT4W_DIRS_H
#define EXT4W_DIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "ext4w/wfs.h"

#define DIRS_BYTES ((size_t)32 * 1024 * 1024) /* the names of half a million files */
#define NAME_LIMIT 255u

struct dir_entry {
	uint32_t inode; /* 0: removed */
	uint32_t name;	/* where it begins in the directory's names */
	uint8_t len;
	uint8_t type; /* EXT2_FT_* */
};

struct dir {
	uint32_t number;
	uint32_t parent;
	bool changed;
	struct dir_entry *entries; /* without "." and ".." */
	size_t nr;		   /* removed ones too */
	size_t nr_live;
	size_t cap;
	struct buf names;
	uint32_t *slots; /* hash table of entries plus one; 0: free */
	size_t nr_slots;
	struct dir *next; /* with the same hash of the number */
};

struct dirs;

/* @fs: borrowed. The caller owns the result. */
struct dirs *dirs_new(struct wfs *fs);
void dirs_free(struct dirs *dirs);

/* EXT2_FT_* of a mode. */
uint8_t dirs_type(mode_t mode);

/* Valid until dirs_drop() or dirs_trim(). ERR_CORRUPT, also when it is no directory. */
int dirs_get(struct dirs *dirs, uint32_t number, struct dir **ret, struct error *err);
/* An empty one, to be written. */
struct dir *dirs_add(struct dirs *dirs, uint32_t number, uint32_t parent);
/* It was removed from the file system. */
void dirs_drop(struct dirs *dirs, uint32_t number);
/* Every changed one, to the file system. */
int dirs_write(struct dirs *dirs, struct error *err);
/* Writes and forgets all when they are too many: between operations. */
int dirs_trim(struct dirs *dirs, struct error *err);

/* NULL: there is none. Valid until the next dir_add(). */
struct dir_entry *dir_find(struct dirs *dirs, const struct dir *dir, const char *name, size_t len);
/* A name that is not there yet, of at most NAME_LIMIT bytes. */
void dir_add(struct dirs *dirs, struct dir *dir, const char *name, size_t len, uint32_t inode,
	     uint8_t type);
void dir_remove(struct dir *dir, struct dir_entry *entry);
static inline const char *dir_name(const struct dir *dir, const struct dir_entry *entry)
{
	return dir->names.data + entry->name;
}

#endif
