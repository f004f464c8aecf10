/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talk - the launcher's part of a conversation: greet the guest, run a command
 *
 * One thread and one poll(); nothing the caller's streams do can keep a signal
 * from being passed on.
 */
#ifndef APPLIANCE_TALK_H
#define APPLIANCE_TALK_H

#include <stdbool.h>
#include <stdint.h>

#include "appliance/channel.h"
#include "appliance/place.h"
#include "appliance/terminal.h"
#include "base/buf.h"
#include "base/err.h"

/* Standard output or standard error, as far as the caller has not taken it. */
struct talk_output {
	int fd;
	struct buf queue;
	size_t written; /* bytes of queue that are gone */
	size_t untold;	/* bytes written that the guest does not know of */
	bool closed;	/* nobody reads it */
	bool regular;	/* a write does not wait for a reader */
};

struct talk_input {
	bool open; /* to be read from fd 0 */
	bool terminal;
	bool raw;
	uint64_t sent_bytes;
	uint64_t taken_bytes;
	uint64_t nr_files; /* number of the next file */
	char *chunk;	   /* CHUNK_BYTES; NULL until needed */
};

struct talk {
	struct channel channel;
	const struct place *place;
	int conn_fd;   /* closes when the kernel is gone */
	int signal_fd; /* the signals to pass on */
	int caught;    /* the signal that came before a command ran */
	uint64_t nr_attached;
	struct talk_output outputs[2];
	struct talk_input input;
	struct terminal terminal;
	uint8_t nonce[CHANNEL_NONCE_BYTES];
	bool ready;	/* the guest has answered our greeting */
	bool heard_key; /* nothing since then */
	bool started;	/* a command is running */
	bool ended;	/* the guest has said its last word about it */
	bool hung_up;	/* the line is closed */
	bool gone;	/* the kernel is */
	bool failed;	/* failure is what came out, not end */
	struct error failure;
	struct channel_exit end;
	int64_t asked_ms; /* since when a sign of life is due; 0: it is not */
};

/* Borrows everything; talk_done() gives back what is in the struct. */
void talk_init(struct talk *talk, const struct place *place, int line_fd,
	       const struct frame_key *key, int conn_fd, int signal_fd);
void talk_done(struct talk *talk);
#define auto_talk __attribute__((cleanup(talk_done)))

/**
 * talk_greet - wait for the guest, which may still be starting
 *
 * ERR_IO when it ends or is silent, ERR_CANCELLED with talk->caught set.
 */
int talk_greet(struct talk *talk, struct error *err);

/**
 * talk_run - run a command and serve its streams until its end, which is in talk->end
 * @reads_stdin: whether anything is taken from standard input
 * @start:       complete but for the streams, the terminal and the input
 */
int talk_run(struct talk *talk, struct channel_start *start, bool reads_stdin, struct error *err);

/* Asks the guest to end. The answer is in talk->end. */
int talk_stop(struct talk *talk, bool force, struct error *err);

#endif
