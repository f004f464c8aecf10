/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place - the appliance's folder below the store's root: locks, disk, leftovers
 *
 * What lies in it is told in appliance/launch.h.
 */
#ifndef APPLIANCE_PLACE_H
#define APPLIANCE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define PLACE_RUN     "run"
#define PLACE_DISK    "store.img"
#define PLACE_CONTROL "control"

struct place {
	char *root;	/* real path of the store's folder */
	int dir_fd;	/* root/appliance */
	int run_fd;	/* root/appliance/run */
	int lock_fd;	/* -1 until place_lock() */
	int running_fd; /* open; locked by place_claim() */
	int caught;	/* the signal that ended a wait, or 0 */
};

/* Makes root and the folder, mode 0700. */
int place_open(const char *root, struct place *ret, struct error *err);
void place_done(struct place *place);
#define auto_place __attribute__((cleanup(place_done)))

/**
 * place_lock - become the one command that talks to this appliance
 * @signal_fd: a signal read from it ends the wait with ERR_CANCELLED and is
 *             left in place->caught
 */
int place_lock(struct place *place, int signal_fd, struct error *err);

/**
 * place_claim - be the one who starts a kernel; running_fd holds the lock then
 *
 * Needs place_lock(). Waits for an ending kernel. ERR_IO when one stays that
 * cannot be talked to.
 */
int place_claim(struct place *place, int signal_fd, struct error *err);

/* Whether a kernel runs, or is just ending. */
bool place_is_claimed(const struct place *place);

/**
 * place_open_disk - the store's disk, made at the first time
 * @size_bytes: of a new one; 0 for as much as is sensible
 *
 * Returns a new descriptor or -1. A crash leaves the whole disk or none.
 */
int place_open_disk(const struct place *place, uint64_t size_bytes, struct error *err);

/* The further disks that the pool lies on, as the last commands left them. */
int place_read_disks(const struct place *place, struct strlist *ret, struct error *err);
int place_write_disks(const struct place *place, const struct strlist *disks, struct error *err);

/* An empty console.log for the kernel to write to. Returns a new descriptor or -1. */
int place_open_console(const struct place *place, struct error *err);
/* Puts the last lines of console.log behind what err says. Returns -1. */
int place_add_console(const struct place *place, struct error *err);

/* Whether the host had no room for something that the kernel wrote to a disk. */
bool place_disk_was_full(const struct place *place);

/* Removes what a kernel left in the run folder. */
void place_clean(int run_fd);

#endif
