/* SPDX-License-Identifier: Apache-2.0 */
#include "image/pace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/size.h"

#define STATE_FILE  "scrub"
#define STATE_BYTES 128
#define SAVE_MS	    5000
#define SLICE_BYTES (64 * MIB)
#define PAUSE_MS    100 /* so that a signal is seen */

static void read_state(struct pace *pace)
{
	auto_buf struct buf text = { 0 };
	struct error err;
	char end;

	if (io_read_file(pace->root->fd, STATE_FILE, STATE_BYTES, &text, &err) < 0)
		return;
	if (sscanf(text.data, "veneer scrub 1 %" SCNu32 " %" SCNu64 " %" SCNu64 "%c",
		   &pace->thin_id, &pace->first, &pace->nr_damaged, &end) == 4 &&
	    end == '\n')
		return;
	log_warn("'%s/" STATE_FILE "' does not read: the scrub begins anew", pace->root->path);
	pace->thin_id = 0;
	pace->first = pace->nr_damaged = 0;
}

int pace_open(struct pace *pace, const struct root *root, uint64_t rate_bytes, bool remember,
	      struct error *err)
{
	(void)err;
	*pace = (struct pace){
		.root = root,
		.rate_bytes = rate_bytes,
		.remember = remember,
		.begun_ms = clock_ms(),
		.saved_ms = clock_ms(),
	};
	if (remember)
		read_state(pace);
	return 0;
}

/* A quarter of a second's worth. */
uint64_t pace_slice(const struct pace *pace, uint64_t block_bytes)
{
	uint64_t bytes = pace->remember ? SLICE_BYTES : UINT64_MAX;

	if (pace->rate_bytes && pace->rate_bytes / 4 < bytes)
		bytes = pace->rate_bytes / 4;
	return bytes < block_bytes ? 1 : bytes / block_bytes;
}

bool pace_is_done(const struct pace *pace, uint32_t thin_id)
{
	return thin_id < pace->thin_id;
}

uint64_t pace_first(const struct pace *pace, uint32_t thin_id)
{
	return thin_id == pace->thin_id ? pace->first : 0;
}

static int save(struct pace *pace, uint32_t thin_id, uint64_t next, uint64_t nr_damaged,
		struct error *err)
{
	auto_free char *text = xasprintf("veneer scrub 1 %" PRIu32 " %" PRIu64 " %" PRIu64 "\n",
					 thin_id, next, nr_damaged);

	pace->saved_ms = clock_ms();
	if (io_replace_file(pace->root->fd, STATE_FILE, text, strlen(text), 0600, err) < 0)
		return err_add(err, "remember the place of the scrub");
	crash_point("scrub-saved");
	return 0;
}

static int wait_for_rate(struct pace *pace, struct error *err)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	while (pace->rate_bytes) {
		uint64_t gone_ms = (uint64_t)(clock_ms() - pace->begun_ms);

		if ((double)pace->read_bytes * 1000 <= (double)pace->rate_bytes * (double)gone_ms)
			break;
		if (cancel_check(err) < 0)
			return -1;
		nanosleep(&pause, NULL);
	}
	return cancel_check(err);
}

int pace_keep(struct pace *pace, uint32_t thin_id, uint64_t next, uint64_t read_bytes,
	      uint64_t nr_damaged, struct error *err)
{
	struct error ignored;
	int result;

	pace->read_bytes += read_bytes;
	result = wait_for_rate(pace, err);
	if (pace->remember && (result < 0 || clock_ms() - pace->saved_ms >= SAVE_MS) &&
	    save(pace, thin_id, next, nr_damaged, result < 0 ? &ignored : err) < 0)
		return -1;
	return result;
}

int pace_end(struct pace *pace, struct error *err)
{
	if (pace->remember && unlinkat(pace->root->fd, STATE_FILE, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s/" STATE_FILE "'", pace->root->path);
	return 0;
}
