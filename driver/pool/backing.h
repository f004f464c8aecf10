/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backing - a block device, or a file behind a loop device, that holds a pool
 */
#ifndef POOL_BACKING_H
#define POOL_BACKING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "pool/header.h"

/* Closing it leaves a loop device attached: see backing_detach(). */
struct backing {
	char *path;   /* as the user or pool.json names it; NULL while not open */
	char *node;   /* the block device; equals path unless is_file */
	int fd;	      /* of node, for reading and writing, not exclusive */
	int claim_fd; /* exclusive, or -1 */
	bool is_file;
	dev_t device;
	uint64_t size_bytes;
};

/* ERR_NOT_FOUND, ERR_USAGE for something that is no block device (file), ERR_DENIED. */
int backing_open(const char *path, bool is_file, struct backing *ret, struct error *err);
void backing_close(struct backing *backing);
#define auto_backing __attribute__((cleanup(backing_close)))

/**
 * backing_claim - make sure that the device is nobody's, and keep it so until closed
 * @force: accept a device that carries a signature
 *
 * ERR_IN_USE when it is mounted, below another device or open exclusively, and
 * ERR_DENIED when it is read-only, force or not; ERR_DENIED when it carries a
 * signature. While claimed, programs that lock what they probe (udev) stay away.
 */
int backing_claim(struct backing *backing, bool force, struct error *err);
/* Ends the claim. */
void backing_release(struct backing *backing);

/*
 * Wipes both ends, writes the header, and zeroes the start of each metadata
 * segment, so that the kernel finds it unformatted. Durable.
 */
int backing_format(struct backing *backing, struct header *header, struct error *err);

/* Makes the device nobody's again, if the header still is of this uuid. Durable. */
int backing_wipe(struct backing *backing, const char *uuid, struct error *err);

/* After the backing was closed: gives the loop device back; nothing for a block device. */
int backing_detach(const char *path, bool is_file, struct error *err);

/* Reads the size anew. */
int backing_refresh(struct backing *backing, struct error *err);

#endif
