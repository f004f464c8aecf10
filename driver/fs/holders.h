/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holders - who has a block device open, or a file on the file system in it
 *
 * Looks only, in /proc and /sys. What this process may not look at is counted,
 * not guessed: another user's processes without root. Mounts that are in no
 * mount namespace's tree (fsopen) are not seen; device-mapper's open count has
 * them.
 */
#ifndef FS_HOLDERS_H
#define FS_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum holder_kind {
	HOLDER_PROCESS, /* what: its command */
	HOLDER_MOUNT,	/* what: the mount point as pid's mount namespace has it */
	HOLDER_DEVICE,	/* what: the name in /dev of a block device on this one, "dm-7", "loop3" */
};

struct holder {
	enum holder_kind kind;
	pid_t pid;	/* of the process; of one that sees the mount; 0 for a device */
	bool opened;	/* the process has the device open, and not just a file in it */
	bool elsewhere; /* the mount is in another mount namespace than ours */
	char *what;
};

struct holder_list {
	struct holder *items;
	size_t nr;
	size_t nr_unseen; /* processes that could not be looked at */
};

/* Everyone but this process. ret starts as { 0 }. */
void holders_find(dev_t device, struct holder_list *ret);
void holder_list_done(struct holder_list *list);
#define auto_holder_list __attribute__((cleanup(holder_list_done)))

/* The mount point in a line of mountinfo that is of this device, in plain text; new, or NULL. Pure. */
char *holders_mount_point(const char *line, dev_t device);

#endif
