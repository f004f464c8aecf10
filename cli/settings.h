/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings - veneer's configuration: defaults, file, environment, command line
 *
 * The file is /etc/veneer/veneer.json unless VENEER_CONFIG or --config names
 * another. It is read strictly: an unknown key, a wrong type or a value out of
 * range is an error that names file and key.
 *
 *	{
 *	  "root": "/var/lib/veneer",
 *	  "kernel": "auto",
 *	  "keep_blobs": true,
 *	  "writer": "auto", "fsck_layers": false,
 *	  "pool": { "block_size": "64K", "fs": "ext4", "volume_size": "10G", "files_size": "100G",
 *		    "grow_at": 80, "grow_step": "10%", "grow_max": "500G",
 *		    "prune": "pulled", "prune_at": 90, "prune_to": 80, "metrics": "/…/veneer.prom" },
 *	  "registries": { "docker.io": { "mirrors": [ "mirror.example:5000" ] },
 *			  "mirror.example:5000": { "ca": "/…", "insecure": false } },
 *	  "appliance": { "memory": "1G", "kernel": "/usr/bin/linux.uml", "modules": "/…", "disks": [] }
 *	}
 *
 * "writer": how layers, and files of `cp`, get into their volumes: "direct", as blocks of an
 * unmounted ext4, where that can be done with certainty, else by a mount, with a warning; "mount", by
 * system calls on a mounted file system; "auto", as "direct" without a word. Also VENEER_WRITER.
 * "fsck_layers": `e2fsck -fn` looks at each layer that was written as blocks, and one with errors is
 * refused. Also VENEER_FSCK_LAYERS (1).
 *
 * For `veneer monitor`, in "pool"; percentages are of the data in use:
 *
 *	grow_at (80)	  at so many percent the pool grows ...
 *	grow_step ("10%") ... by a size, or by a percentage of its own size ...
 *	grow_max	  ... up to this size; without it data does not grow, metadata does
 *	prune_at (90)	  where it cannot grow: file systems are trimmed, and then unused images are
 *			  deleted, the least recently used first; 100: never
 *	prune_to (80)	  down to which
 *	prune ("pulled")  of these images only what a pull brings back; "all" of them; "none"
 *	metrics		  a Prometheus text file that is written anew after events
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "monitor/pressure.h"
#include "registry/transport.h"
#include "store.h"
#include "table.h"

#define SETTINGS_PATH	   "/etc/veneer/veneer.json"
#define SETTINGS_FILE_MAX  (1024 * 1024) /* bytes; a configuration is written by hand */
#define SETTINGS_DISKS_MAX 16		 /* extra disks of the appliance */

enum settings_kernel {
	SETTINGS_KERNEL_AUTO, /* the host's device-mapper where it can be used */
	SETTINGS_KERNEL_HOST,
	SETTINGS_KERNEL_APPLIANCE,
};

struct settings {
	char *root; /* absolute */
	enum settings_kernel kernel;
	bool keep_blobs;
	enum layer_writer writer;
	bool fsck_layers;
	/* The pool that the first command makes when there is none. */
	uint64_t pool_block_bytes;
	char *pool_fs; /* "ext4" or "xfs" */
	uint64_t pool_volume_bytes;
	uint64_t pool_files_bytes; /* 0: by the free space */
	/* What `monitor` does as it fills. */
	struct pressure_limits pressure;
	char *pool_metrics; /* absolute; NULL: none */
	struct registry_table registries;
	/* NULL and 0: the appliance's own choice. */
	uint64_t appliance_memory_bytes;
	char *appliance_kernel;
	char *appliance_modules;
	struct strlist appliance_disks;
	/* Folder of Docker's config.json. */
	char *docker_dir;
};

void settings_done(struct settings *settings);
#define auto_settings __attribute__((cleanup(settings_done)))

/* What holds without any file, variable or option, for this user. */
void settings_defaults(struct settings *ret);

/**
 * settings_read - take over what a file says
 * @path: for the messages too
 * @ret:  settings so far; unset keys stay as they are
 *
 * ERR_NOT_FOUND without the file, ERR_USAGE for anything wrong inside.
 */
int settings_read(const char *path, struct settings *ret, struct error *err);

/* By its name; text may be NULL. ERR_USAGE for any but "auto", "direct" and "mount". */
int settings_parse_writer(const char *text, enum layer_writer *ret, struct error *err);

/* The configuration file that settings_load() reads, if it is there; borrowed. */
const char *settings_file(const struct global_opts *global);

/**
 * settings_load - defaults, then the file, then the environment, then the options
 * @ret: settings_done() releases it, also after a failure
 */
int settings_load(const struct global_opts *global, struct settings *ret, struct error *err);

#endif
