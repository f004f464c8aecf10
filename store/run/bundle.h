/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle - the OCI config.json of a process that crun is to run
 *
 * Pure: what is asked for goes in, JSON comes out. Containers (document.h) and
 * a build's steps (step.h) both come through here.
 * Source: OCI runtime-spec config.md, config-linux.md; Docker's defaults for
 * mounts, devices, masked and read-only paths.
 */
#ifndef RUN_BUNDLE_H
#define RUN_BUNDLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "run/account.h"

/* A path of the host, or a new tmpfs, at a place in the container. */
struct bundle_mount {
	char *source; /* absolute path; NULL: a tmpfs */
	char *target; /* absolute, in the container */
	bool read_only;
	char *options; /* more, comma separated: "size=64m,mode=1777", "rslave"; or NULL */
};

struct bundle_mounts {
	struct bundle_mount *items;
	size_t nr;
};

/* All texts may be NULL; copies them. */
void bundle_mounts_add(struct bundle_mounts *mounts, const char *source, const char *target,
		       bool read_only, const char *options);
void bundle_mounts_done(struct bundle_mounts *mounts);
#define auto_bundle_mounts __attribute__((cleanup(bundle_mounts_done)))

/* Limits that are not asked for are 0. */
struct bundle_limits {
	int64_t memory_bytes;
	int64_t swap_bytes; /* memory and swap together; -1: no bound */
	int64_t nano_cpus;
	int64_t pids;
	int64_t cpu_shares;
};

/* Everything borrowed. */
struct bundle_args {
	const char *rootfs; /* absolute path */
	const struct strlist *argv;
	const struct strlist *env;
	const char *cwd; /* "" and NULL: "/" */
	const struct account *account;
	const char *hostname;
	const char *cgroup; /* path below the root of cgroups: "/veneer/ID" */
	const struct bundle_mounts *mounts;
	uint64_t caps;
	bool privileged; /* all devices, nothing masked, no seccomp */
	bool no_seccomp;
	json_t *seccomp; /* a profile of the user's; NULL: ours */
	bool no_new_privs;
	bool terminal;
	bool read_only_root;
	bool own_network;  /* a network with nothing but loopback; else the host's */
	int64_t shm_bytes; /* 0: 64 MiB */
	struct bundle_limits limits;
	json_t *rlimits; /* array as in the OCI config, or NULL */
	json_t *sysctls; /* object, or NULL */
	json_t *devices; /* array of {path, type, major, minor, fileMode, access}, or NULL */
};

/* Returns new. */
json_t *bundle_config(const struct bundle_args *args);
/* Returns new: only its "process" object, for exec. */
json_t *bundle_process(const struct bundle_args *args);

#endif
