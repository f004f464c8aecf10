/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life - start, stop and enter containers, and wait for their end
 *
 * Crash safety. A start marks the row 'starting' under the store's lock and
 * holds the container's own lock until the row says 'running', which it does
 * once the process runs. Killed before, the next holder of the store's lock
 * undoes it; killed after, the container runs on. How an end is noticed is told
 * in db/recover_container.h.
 */
#ifndef RUN_LIFE_H
#define RUN_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "db/rows_container.h"

struct store;

struct life_attach {
	bool output; /* show what it prints, and wait for its end */
	bool input;  /* pass our standard input on */
};

/**
 * life_start - let a container run
 * @attach:     NULL: detached, kept by conmon
 * @ret_status: attached: its exit status. On failure Docker's exit status for
 *		it: 125, 126 or 127. May be NULL.
 *
 * Starting one that runs is fine, unless attached. ERR_NOT_FOUND, ERR_IN_USE,
 * ERR_REMOTE with what the runtime says.
 */
int life_start(struct store *store, const char *operand, const struct life_attach *attach,
	       int *ret_status, struct error *err);

/**
 * life_stop - signal, wait, kill
 * @wait_seconds: -1: the container's own, or 10
 *
 * One that does not run is fine.
 */
int life_stop(struct store *store, const char *operand, int64_t wait_seconds, struct error *err);
/* A signal to its first process. ERR_IN_USE when it does not run. */
int life_kill(struct store *store, const char *operand, int number, struct error *err);
/* Waits for its end; at once when it does not run. */
int life_wait(struct store *store, const char *operand, int *ret_status, struct error *err);
/* Notices what has ended; for the command that conmon runs. */
int life_settle(struct store *store, struct error *err);

struct life_exec {
	const struct strlist *argv;
	const struct strlist *env; /* beside the container's; "KEY=value" */
	const char *user;	   /* NULL: the container's */
	const char *cwd;	   /* NULL: the container's */
	bool tty;
	bool input;
	bool detach;
	bool privileged;
};

/*
 * One more process in a running container. @ret_status: as in life_start(). 0 also when there
 * is no process because of what the runtime has said on standard error itself.
 */
int life_exec(struct store *store, const char *operand, const struct life_exec *exec,
	      int *ret_status, struct error *err);

/* Path of the log; new. */
char *life_log_path(const struct store *store, const struct container_row *row);

#endif
