/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel - what launcher and guest say to each other over the serial line
 *
 * The launcher begins with the key and HELLO, again when a guest that is just
 * starting says HERE; the guest answers with the key and READY with the same
 * nonce. What the launcher reads before that belongs to a dead predecessor. Then
 * START, and the streams until EXIT or FAILED.
 *
 * Standard input in bulk goes through files: the launcher writes
 * appliance/run/in-N and announces it. Nothing is sent before there is room for
 * it: each stream has a window, which the receiver opens again by saying how
 * much it has passed on.
 *
 * So has the line itself towards the guest. Its terminal buffer holds 4096
 * bytes, and the kernel's driver, told to pause by a full one, never reads its
 * line again (deactivate_chan() in arch/um/drivers/line.c has no counterpart).
 */
#ifndef APPLIANCE_CHANNEL_H
#define APPLIANCE_CHANNEL_H

#include <termios.h>

#include "appliance/frame.h"
#include "base/buf.h"
#include "base/err.h"

#define CHANNEL_VERSION	     1
#define CHANNEL_NONCE_BYTES  16
#define CHANNEL_LINE_BYTES   1536u	   /* to the guest, unheard; twice that fits the buffer */
#define CHANNEL_HEARD_BYTES  256u	   /* heard, before the guest says so */
#define CHANNEL_WINDOW_BYTES (256u * 1024) /* of standard output, and of standard error */

enum channel_type {
	/* launcher to guest */
	CHANNEL_HELLO = 1,     /* nonce; version u64 */
	CHANNEL_START,	       /* struct channel_start */
	CHANNEL_STOP,	       /* u64: 1 to unmount first; answered by EXIT or FAILED */
	CHANNEL_INPUT,	       /* bytes for standard input */
	CHANNEL_INPUT_FILE,    /* u64 number N of a file full of them, to be removed */
	CHANNEL_INPUT_END,     /* end of file */
	CHANNEL_OUTPUT_TAKEN,  /* u64 bytes of standard output that were passed on */
	CHANNEL_ERRORS_TAKEN,  /* the same of standard error */
	CHANNEL_OUTPUT_CLOSED, /* nobody reads standard output any more */
	CHANNEL_ERRORS_CLOSED,
	CHANNEL_SIGNAL, /* u64 number; u64: 1 for the process group */
	CHANNEL_SIZE,	/* u64 rows; u64 columns of the terminal */
	CHANNEL_ASK,	/* are you there? */

	/* guest to launcher */
	CHANNEL_READY = 64,   /* nonce; u64 version; u64 attached volumes */
	CHANNEL_OUTPUT,	      /* bytes of standard output */
	CHANNEL_ERRORS,	      /* bytes of standard error */
	CHANNEL_INPUT_TAKEN,  /* u64 bytes of standard input that were passed on */
	CHANNEL_INPUT_CLOSED, /* the command closed its standard input */
	CHANNEL_HERE,	      /* I am */
	CHANNEL_HEARD,	      /* u64 bytes that were read from the line */
	CHANNEL_EXIT,	      /* struct channel_exit; the last word about a command */
	CHANNEL_FAILED,	      /* u64 enum err_kind; u64 stays; text. Instead of EXIT */
};

enum channel_input {
	CHANNEL_INPUT_NOTHING,	/* /dev/null */
	CHANNEL_INPUT_STREAM,	/* INPUT and INPUT_FILE */
	CHANNEL_INPUT_HOST,	/* a file of the host, opened by its path */
	CHANNEL_INPUT_TERMINAL, /* INPUT, through a pseudo terminal */
};

struct channel_start {
	/* the system; looked at by the first command only */
	char *root;	      /* absolute, real path of the store's folder */
	char *modules;	      /* folder of the kernel's modules */
	char *host;	      /* host name */
	struct strlist disks; /* paths, in the order of the kernel's disks from the second on */
	/* the command */
	char *program; /* absolute path; NULL: look argv[0] up in PATH */
	struct strlist argv;
	struct strlist env;
	char *cwd;
	uint64_t umask;
	uint64_t time; /* seconds since 1970: a guest may have slept with its host */
	/* its streams */
	uint64_t input;	       /* enum channel_input */
	char *input_path;      /* real path, with CHANNEL_INPUT_HOST */
	uint64_t input_offset; /* where to read on in it */
	uint64_t terminals;    /* bit N: descriptor N is a terminal, for N 0 to 2 */
	uint64_t raw;	       /* the launcher's terminal passes every key on */
	uint64_t rows, columns;
	struct termios termios; /* the launcher's terminal as it was; if has_termios */
	bool has_termios;
};

struct channel_exit {
	uint64_t status;       /* 0 to 255, 128+n for a signal */
	uint64_t stays;	       /* the guest waits for the next command */
	uint64_t input_offset; /* where the command stopped reading its file */
	struct strlist disks;  /* further disks that device-mapper uses now */
};

void channel_start_done(struct channel_start *start);
void channel_start_encode(const struct channel_start *start, struct buf *out);
/* ERR_CORRUPT for anything incomplete; ret needs channel_start_done() in any case. */
int channel_start_decode(const struct frame *frame, struct channel_start *ret, struct error *err);
void channel_exit_done(struct channel_exit *end);
void channel_exit_encode(const struct channel_exit *end, struct buf *out);
int channel_exit_decode(const struct frame *frame, struct channel_exit *ret, struct error *err);

/* One end of the line: what came in, and what could not be sent yet. */
struct channel {
	int fd; /* non-blocking; borrowed */
	struct frame_reader reader;
	struct buf out;
	size_t sent;	 /* bytes of out that are gone */
	size_t window;	 /* how many may be unheard; 0: any number */
	size_t unheard;	 /* how many are, with a window */
	size_t received; /* bytes ever read */
};

void channel_init(struct channel *channel, int fd, const struct frame_key *key);
void channel_done(struct channel *channel);

void channel_put_key(struct channel *channel);
void channel_put(struct channel *channel, enum channel_type type, const void *data, size_t len);
/* A frame of nr numbers. */
void channel_put_numbers(struct channel *channel, enum channel_type type, const uint64_t *numbers,
			 size_t nr);
/* Reads nr numbers off the front of a frame; false when it is shorter. */
bool channel_numbers(const struct frame *frame, uint64_t *ret, size_t nr);

/* Bytes that wait to be sent. */
size_t channel_pending(const struct channel *channel);
/* Of them, those that the window has room for. */
size_t channel_sendable(const struct channel *channel);
/* The other end has read so many. */
void channel_note_heard(struct channel *channel, uint64_t bytes);
/* Sends what the line takes without waiting. */
int channel_flush(struct channel *channel, struct error *err);
/* Reads what is there. Returns 1, 0 when the other end is gone, or -1. */
int channel_fill(struct channel *channel, struct error *err);

#endif
