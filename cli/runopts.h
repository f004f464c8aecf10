/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runopts - the options that create and run share, and what they mean
 *
 * Source: spec/cli.md section 3.
 */
#ifndef RUNOPTS_H
#define RUNOPTS_H

#include "cli.h"
#include "opts.h"
#include "run/document.h"

struct store;

#define RUNOPTS_REFUSED 24

struct run_opts {
	struct strlist add_host, cap_add, cap_drop, devices, dns, env, env_files, groups, labels,
		mounts, security, storage, sysctls, tmpfs, ulimits, volumes;
	/* Docker's options that there is nothing behind: each must stay empty. */
	struct strlist refused[RUNOPTS_REFUSED];
	const char *cidfile, *cpus, *entrypoint, *hostname, *memory, *memory_swap, *name, *net,
		*network, *platform, *pull, *restart, *shm_size, *stop_signal, *user, *workdir;
	int64_t cpu_shares, pids_limit, stop_timeout;
	bool detach, init, interactive, privileged, quiet, read_only, remove, tty;
};

/* The rows of the two commands. */
extern const struct opt create_options[];
extern const struct opt run_options_table[];

/* What can be said without the store: command_check_fn of both. */
int runopts_check(const struct cli *cli, const void *values, struct error *err);

/**
 * runopts_create - make the container
 * @ret_id: new
 *
 * "Unable to find image 'x:latest' locally" goes to stderr.
 */
int runopts_create(struct cli *cli, const struct run_opts *opts, struct store *store, char **ret_id,
		   struct error *err);

#endif
