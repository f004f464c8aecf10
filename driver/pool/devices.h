/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices - bring the device-mapper devices of a pool into the state that its
 * headers describe
 *
 * One function for start, for growing, and for going on where a killed process
 * stopped: each looks at what is there and does the rest.
 */
#ifndef POOL_DEVICES_H
#define POOL_DEVICES_H

#include "base/buf.h"
#include "base/err.h"
#include "pool/backing.h"
#include "pool/header.h"
#include "pool/pool.h"

/* The backing devices with their headers; one when metadata shares the data's. */
struct devices {
	struct backing data;
	struct backing meta; /* path NULL when shared */
	struct header data_header;
	struct header meta_header; /* not filled when shared */
};

void devices_close(struct devices *devices);
#define auto_devices __attribute__((cleanup(devices_close)))

/* The backings only: attaches loop devices. */
int devices_open(const struct pool_config *config, struct devices *ret, struct error *err);
/* And headers: ERR_DENIED for a device that is not there, ERR_CORRUPT when one is not of this store or does not fit its device. */
int devices_open_ours(const struct pool_config *config, struct devices *ret, struct error *err);

/* Where metadata is: the two differ unless it shares the data's device. */
struct backing *devices_meta(struct devices *devices);
struct header *devices_meta_header(struct devices *devices);

/*
 * Creates, loads or resumes whatever is missing. Nothing new is left after an
 * error; ERR_IN_USE when something else has the devices.
 */
int devices_apply(const struct pool_config *config, struct devices *devices, struct error *err);

/**
 * devices_set_low_water - say at how few free blocks the running pool makes an event
 * @blocks: 0: only when there are none
 * @again:  also if that is the mark already: it makes one event, then none before it is resumed
 *
 * Writers wait meanwhile, for as long as the kernel needs. Whoever else loads a table sets it to 0.
 */
int devices_set_low_water(const struct pool_config *config, uint64_t blocks, bool again,
			  struct error *err);
int devices_get_low_water(const struct pool_config *config, uint64_t *ret_blocks,
			  struct error *err);

/* The metadata's map only: for programs that look at the metadata of a stopped pool. */
int devices_map_meta(const struct pool_config *config, struct devices *devices, dev_t *ret_device,
		     struct error *err);

/* Removes volumes, pool and maps, as far as they exist, then the loop devices. */
int devices_remove(const struct pool_config *config, struct error *err);

/* The kernel refused a table: ERR_CORRUPT with the next step where metadata is why. Returns -1. */
int devices_explain_damage(struct error *err);

/* Device names of all active volumes, less those of readers (pool/thinvol.h). */
int devices_list_volumes(const struct pool_config *config, struct strlist *ret, struct error *err);
/* Those of readers: DEVICES_READER, the process, '-', a number. */
int devices_list_readers(const struct pool_config *config, struct strlist *ret, struct error *err);
#define DEVICES_READER "reader."
/* Those over volumes (pool/verified.h): DEVICES_VERITY and the thin id. */
int devices_list_verified(const struct pool_config *config, struct strlist *ret, struct error *err);
#define DEVICES_VERITY "verity."

/* "veneer-abcdef01-" + part */
void devices_name(const struct pool_config *config, const char *part, char ret[POOL_NAME_BYTES]);

#endif
