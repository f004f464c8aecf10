/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step - one command in a working volume that is mounted already: a RUN of a build
 *
 * Nothing of it remains: what it leaves running is killed with its PID
 * namespace and control group, and the places that were made for /proc, /dev,
 * /etc/hosts and the mounts are taken away again (run/stubs). Killed half way,
 * the next recovery of the session does the rest (recover_steps()).
 *
 *	step_start()		it runs
 *	step_wait()		until it has ended, or
 *	step_polls(), step_serve() ... in a loop of the caller's, for several at once
 *	step_free()		stops it when it still runs
 *
 * A signal to us (base/cancel) stops it, as does its deadline.
 */
#ifndef RUN_STEP_H
#define RUN_STEP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "run/bundle.h"
#include "run/logfile.h"
#include "volume.h"

struct store;
struct step;

#define STEP_POLLS 3

/* Everything borrowed, until step_free(). */
struct step_args {
	struct store *store;   /* with its pool open and a session */
	struct volume *volume; /* the working volume, active */
	int root_fd;	       /* its root folder, mounted */
	const struct strlist *argv;
	const struct strlist *env; /* HOME is added when it is not there */
	const char *user;	   /* "name[:group]", looked up in the volume; NULL: root */
	const char *cwd;	   /* exists in the volume */
	const char *hostname;	   /* NULL: "buildkitsandbox", as with Docker */
	bool own_network;	   /* --network none; else the host's */
	const struct bundle_mounts *mounts; /* RUN --mount: binds of host paths, tmpfs; or NULL */
	const struct strlist *add_host;	    /* "name:address"; or NULL */
	const struct strlist *dns;	    /* or NULL */
	struct bundle_limits limits;
	int64_t shm_bytes;
	json_t *rlimits;
	int64_t deadline_ms; /* from its start; 0: none */
	/* A line without its newline, or a piece of a long one. Never fails. */
	void (*output)(void *ctx, enum log_stream stream, const char *text, size_t len);
	void *ctx;
};

/**
 * step_start - let the command run
 *
 * ERR_USAGE for a user that is not there; ERR_REMOTE with what the runtime says
 * when the program is not found or may not be run: see runtime_status().
 */
int step_start(const struct step_args *args, struct step **ret, struct error *err);

/* What to wait for; unused ones have fd -1. At most a second: the deadline is looked at then. */
void step_polls(const struct step *step, struct pollfd ret[STEP_POLLS]);
/* Returns 1 when it has ended and all is read, 0 when it runs, or -1: ERR_CANCELLED, ERR_IO (deadline). */
int step_serve(struct step *step, struct error *err);
/* After step_serve() returned 1: its exit status, 128+n for a signal. */
int step_status(const struct step *step);

/* Both of the above in a loop. Returns the exit status, or -1. */
int step_wait(struct step *step, struct error *err);

void step_free(struct step *step);
static inline void step_free_(struct step **step)
{
	step_free(*step);
}
#define auto_step __attribute__((cleanup(step_free_)))

#endif
