/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upload_part - one blob on its way, for upload.c: what is asked, what is answered, what follows
 *
 * The lock guards the states, and what the caller gives; transfers and steps belong to the
 * thread alone. Each item goes from step to step:
 *
 *	ASK (for all that would do) -> MOUNT -> [bytes] -> ASK (for these) -> BEGIN -> SEND -> END
 *
 * A cut leads from SEND to LOOK, which finds out how much came, and from END to ASK.
 */
#ifndef REGISTRY_UPLOAD_PART_H
#define REGISTRY_UPLOAD_PART_H

#include <pthread.h>

#include "base/buf.h"
#include "registry/upload.h"

enum upload_step {
	STEP_ASK,
	STEP_MOUNT,
	STEP_BEGIN,
	STEP_SEND,
	STEP_LOOK,
	STEP_END,
};

enum upload_state {
	STATE_DUE,    /* for its step, at due_ms */
	STATE_ACTIVE, /* a transfer runs */
	STATE_HUNGRY, /* needs bytes */
	STATE_FED,    /* got them, and the thread has not seen it yet */
	STATE_DONE,
	STATE_FAILED,
};

struct upload_part {
	struct upload *upload;
	size_t index;
	const struct upload_item *item;
	enum upload_state state;
	enum upload_step step;
	size_t at; /* the known one that is asked for; nr_known: the one that was given */
	/* What was given. */
	bool fed;
	int fd;
	struct digest digest;
	uint64_t size;
	/* The session. */
	char *location; /* NULL: there is none */
	uint64_t sent;	/* that the registry has confirmed */
	uint64_t chunk; /* 0: no bound */
	uint64_t piece; /* bytes of the present request */
	bool ended;	/* all bytes were sent at least once */
	/* Tries. */
	unsigned tries, logins;
	uint64_t sent_before; /* at the last failure */
	int64_t due_ms, shown_seconds;
	struct error err;
	struct http_transfer transfer;
	char *url; /* of the present transfer */
	char *more_scope;
	struct buf answer;
	char *mounted; /* "Mounted from x" */
};

struct upload {
	struct upload_args args;
	const struct curllib *lib;
	CURLM *multi;
	struct upload_part *parts;
	size_t nr;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping;
};

void upload_part_tell(const struct upload_part *part, const char *phase, uint64_t done_bytes);
void upload_part_set_state(struct upload_part *part, enum upload_state state);
void upload_part_fail(struct upload_part *part, const struct error *err);

/* Begins the transfer of its step, in the upload's multi handle. */
int upload_part_start(struct upload_part *part, struct error *err);
/* That has ended: another step is due, bytes are needed, it is there, or it failed. */
void upload_part_finish(struct upload_part *part, CURLcode code);
/* Bytes were given: goes on with them. */
void upload_part_take_bytes(struct upload_part *part);
/* The registry need not keep what came; whatever it says to that. Waits for its answer. */
void upload_part_end_session(struct upload_part *part);
void upload_part_done(struct upload_part *part);

#endif
