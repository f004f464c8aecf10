/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch - run a command line inside the appliance, a User-Mode Linux kernel
 *
 * The same program is started inside, as root there and with the caller's
 * rights on the host's files; the store lies on a disk file that is mounted at
 * the same path inside. Streams, terminal, signals, environment, umask, current
 * folder and exit status pass through. Below the store's root on the host:
 *
 *	appliance/store.img    the disk of the store, sparse, ext4
 *	appliance/lock         flock: one command talks to the appliance at a time
 *	appliance/running      flock: held as long as a kernel runs
 *	appliance/control      socket of the supervisor of the running kernel
 *	appliance/console.log  what the kernel printed, since its start
 *	appliance/disks        further disks that the store's pool lies on
 *	appliance/run/         belongs to the running kernel; empty without one
 *
 * The kernel is started by the first command and ends with it, unless that left
 * something mounted or attached: then it stays for the next command. When the
 * launcher dies before its command has ended, the kernel that it started is
 * killed, which is a power cut for the store; a kernel that was there before
 * ends the command instead.
 *
 * Inside, VENEER_APPLIANCE=1 is set, with VENEER_KERNEL=host and VENEER_ROOT.
 * A program that sees VENEER_APPLIANCE must not start an appliance, whatever
 * its options say.
 */
#ifndef APPLIANCE_LAUNCH_H
#define APPLIANCE_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define APPLIANCE_DISKS_MAX 14 /* further disks; the kernel has 16 in all */

/* Inside: shows the host's folder with store.img, whose disk may become full. */
#define APPLIANCE_DISK_FOLDER "/run/veneer/disk"

struct appliance_request {
	const char *root;  /* the store's folder, absolute; made when missing */
	char *const *argv; /* NULL terminated; the whole command line, argv[0] included */
	bool exec;	   /* argv is another program, looked up in PATH, not ours */
	/*
	 * The command may read its standard input. Otherwise nothing is taken
	 * from it and a terminal stays as it is, so that `veneer images | less`
	 * leaves the keyboard to less. Inside, a pipe or a file is then empty.
	 */
	bool reads_stdin;
	bool forget_disks;     /* the pool on further disks is gone when the status is 0 */
	char *const *disks;    /* NULL terminated paths that become block devices inside; or NULL */
	const char *kernel;    /* NULL: the package's */
	const char *modules;   /* NULL: the newest of the package */
	uint64_t memory_bytes; /* 0: 1 GiB, or what the host can give */
	uint64_t disk_bytes;   /* size of a new store.img; 0: 300 GiB, at most 90 % of the space */
};

/**
 * appliance_run - run the request's command inside and wait for its end
 *
 * Waits for another command that uses the same store. Catches the signals that
 * would end this process, for good: a caller is expected to exit soon.
 *
 * Returns the exit status (0 to 255; 128+n when signal n ended it), or -1:
 * ERR_NOT_FOUND without the kernel's package, ERR_DENIED, ERR_NO_SPACE,
 * ERR_IN_USE for a disk that is mounted here, ERR_CANCELLED when a signal came
 * before the command ran, ERR_IO when the kernel died (the text has its last words).
 */
int appliance_run(const struct appliance_request *request, struct error *err);

/**
 * appliance_stop - end the kernel that a mount kept running
 * @force: unmount what is still mounted from the store inside; else ERR_IN_USE
 *
 * Returns 0, also when none was running.
 */
int appliance_stop(const char *root, bool force, struct error *err);

struct appliance_status {
	bool running;
	uint32_t nr_attached;	  /* volumes mounted or attached inside */
	uint64_t disk_bytes;	  /* size of the store's disk; 0: there is none yet */
	uint64_t disk_used_bytes; /* what its file takes on the host */
};

/* Waits, like a command, for one that is running. */
int appliance_status(const char *root, struct appliance_status *ret, struct error *err);

/*
 * Whether the host's own kernel can do the work: root, device-mapper and its
 * thin-pool target, loading the module when it is absent.
 */
bool appliance_kernel_has_thin(void);

#endif
