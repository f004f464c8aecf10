/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock guards everything but the transfers, which belong to the thread alone. The reader
 * takes first what lies in the layer's file, then what comes through the ring; from the moment
 * that a layer's turn begins nothing is added to its file. When the ring is full the transfer
 * is paused, so a slow reader needs no disk.
 */
#include "registry/download.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/thread.h"
#include "limits.h"
#include "registry/pace.h"
#include "registry/ring.h"

#define AT_ONCE	     3u /* as Docker */
#define POLL_MS	     100
#define ENOUGH_BYTES (RING_BYTES / 4) /* to wake a reader before POLL_MS are over */
#define NOBODY	     SIZE_MAX
#define GAIN_BYTES   (1024u * 1024) /* who has got so much since the last cut begins to count anew */
#define LOGINS_MAX   3u

enum part_state {
	PART_WAITING,
	PART_ACTIVE,
	PART_COMPLETE,
	PART_FAILED,
	PART_ENDED, /* nobody needs it */
};

struct part {
	struct download *download;
	const struct descriptor *desc;
	size_t index;
	enum part_state state;
	uint64_t size, received, spooled, read;
	uint64_t reserved; /* of the bytes that may wait */
	int spool_fd;
	size_t url; /* 0: the registry's, then the descriptor's own */
	bool wanted, paused, unpause, resumed;
	/* Tries. */
	unsigned tries, logins;
	uint64_t received_before; /* at the last failure */
	bool no_range;
	bool distrusted; /* by its reader: from somebody else, if there is one */
	unsigned turn;	 /* of the registry, when it was asked last */
	int64_t due_ms;
	int64_t shown_seconds;
	struct error err; /* when failed */
	/* The thread's: the present transfer. */
	struct http_transfer transfer;
	bool checked;	/* its headers fit */
	bool broken;	/* err says why it was ended from this side; final */
	bool misplaced; /* it does not begin where we asked */
	uint64_t skip;
	struct buf refusal;
};

struct download {
	struct download_args args;
	const struct curllib *lib;
	CURLM *multi;
	struct part *parts;
	size_t nr;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* for the reader */
	bool stopping;
	size_t turn;
	uint64_t reserved; /* by all parts */
	struct ring ring;
	struct pace pace;
};

static void tell(const struct part *part, const char *phase, uint64_t done)
{
	const struct download_args *args = &part->download->args;

	if (args->on_phase)
		args->on_phase(args->ctx, part->index, phase, done, done ? part->size : 0);
}

/* ---- data that comes ---- */

static int wrong_length(struct part *part, struct error *err)
{
	return err_set(err, ERR_CORRUPT,
		       "filesystem layer verification failed for digest %s: it has not %ju bytes",
		       part->desc->digest.text, (uintmax_t)part->size);
}

/* Does the answer fit what was asked? Returns -1 when it is given up. */
static int check_head(struct part *part)
{
	const struct http_head *head = &part->transfer.head;
	uint64_t expected = part->size;

	part->checked = true;
	part->skip = 0;
	if (head->status == 206 && head->range_start != (int64_t)part->received) {
		part->misplaced = true;
		return -1;
	}
	if (head->status == 206)
		expected -= part->received;
	else
		part->skip = part->received; /* in full, whatever was asked */
	if (head->content_length >= 0 && (uint64_t)head->content_length != expected) {
		part->broken = true;
		return wrong_length(part, &part->err);
	}
	return 0;
}

static int open_spool(struct part *part)
{
	const struct download_args *args = &part->download->args;

	if (part->spool_fd >= 0)
		return 0;
	part->spool_fd =
		openat(args->folder_fd, args->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (part->spool_fd < 0)
		return err_sys(&part->err, errno, "temporary file in '%s'", args->folder);
	return 0;
}

static int put_spool(struct part *part, const char *data, size_t len)
{
	if (open_spool(part) < 0 ||
	    io_pwrite(part->spool_fd, data, len, part->spooled, &part->err) < 0) {
		part->broken = true;
		return err_add(&part->err, "layer %s", part->desc->digest.text);
	}
	part->spooled += len;
	return 0;
}

/* Under the lock. Returns 1 when it was taken, 0 when it must wait, -1. */
static int put_data(struct part *part, const char *data, size_t len)
{
	struct download *download = part->download;

	if (part->state != PART_ACTIVE)
		return -1;
	if (download->turn != part->index)
		return put_spool(part, data, len) < 0 ? -1 : 1;
	if (RING_BYTES - download->ring.len < len) {
		pace_fed(&download->pace, clock_ms());
		part->paused = true;
		return 0;
	}
	ring_put(&download->ring, data, len);
	if (download->ring.len >= ENOUGH_BYTES)
		pthread_cond_signal(&download->changed);
	return 1;
}

static size_t on_data(char *data, size_t one, size_t size, void *ctx)
{
	const size_t failed = size ? 0 : 1;
	struct part *part = ctx;
	struct download *download = part->download;
	long status = part->transfer.head.status;
	uint64_t skipped, fresh;
	int result;

	(void)one;
	if (status != 200 && status != 206) {
		if (part->refusal.len + size > LIMIT_REFUSAL_BYTES)
			return failed;
		buf_append(&part->refusal, data, size);
		return size;
	}
	if (!part->checked && check_head(part) < 0)
		return failed;
	skipped = size < part->skip ? size : part->skip;
	fresh = size - skipped;
	if (fresh > part->size - part->received) {
		part->broken = true;
		wrong_length(part, &part->err);
		return failed;
	}
	pthread_mutex_lock(&download->lock);
	result = fresh ? put_data(part, data + skipped, fresh) : 1;
	if (result > 0)
		part->received += fresh;
	pthread_mutex_unlock(&download->lock);
	if (result == 0)
		return CURL_WRITEFUNC_PAUSE; /* the same data come again */
	if (result < 0)
		return failed;
	part->skip -= skipped;
	if (fresh)
		tell(part, "Downloading", part->received);
	return size;
}

/* ---- the end of a transfer ---- */

static void set_state(struct part *part, enum part_state state)
{
	struct download *download = part->download;

	pthread_mutex_lock(&download->lock);
	if (part->state != PART_ENDED)
		part->state = state;
	pthread_cond_signal(&download->changed);
	pthread_mutex_unlock(&download->lock);
}

static void fail(struct part *part)
{
	log_debug("layer %s: %s", part->desc->digest.text, part->err.text);
	set_state(part, PART_FAILED);
}

static void at_once(struct part *part)
{
	part->due_ms = 0;
	set_state(part, PART_WAITING);
}

/* A mirror has failed: what is missing comes from the next one. */
static bool fall_back(struct part *part, const struct error *err)
{
	struct registry *registry = part->download->args.registry;

	if (part->url > 0 || err->kind == ERR_CANCELLED ||
	    (part->turn == registry_turn(registry) && !registry_fall_back(registry)))
		return false;
	log_debug("layer %s: %s: from another registry", part->desc->digest.text, err->text);
	part->tries = part->logins = 0;
	part->no_range = false;
	at_once(part);
	return true;
}

static void fail_with(struct part *part, const struct error *err)
{
	if (fall_back(part, err))
		return;
	part->err = *err;
	if (err->kind != ERR_CANCELLED)
		err_add(&part->err, "download layer %.12s", digest_hex(&part->desc->digest));
	fail(part);
}

/* @head: asks for patience, or NULL; @err: why, if this was the last try */
static void try_again(struct part *part, const struct http_head *head, const struct error *err)
{
	const struct registry *registry = part->download->args.registry;
	int64_t pause;

	if (part->received >= part->received_before + GAIN_BYTES)
		part->tries = 0;
	part->received_before = part->received;
	pause = registry_pause_ms(registry, ++part->tries, head);
	if (pause < 0) {
		fail_with(part, err);
		return;
	}
	log_debug("layer %s: %s: again in %jd ms, from byte %ju", part->desc->digest.text,
		  err->text, (intmax_t)pause, (uintmax_t)part->received);
	part->due_ms = clock_ms() + pause;
	part->shown_seconds = -1;
	set_state(part, PART_WAITING);
}

static void log_in(struct part *part)
{
	struct registry *registry = part->download->args.registry;
	struct error err;
	int again = 0;

	if (part->url == 0 && part->turn != registry_turn(registry)) {
		at_once(part); /* that one is not asked any more, nor told who we are */
		return;
	}
	if (part->url == 0 && part->logins++ < LOGINS_MAX)
		again = registry_authenticate(registry, &part->transfer.head, &err);
	if (again > 0) {
		at_once(part);
		return;
	}
	if (again == 0)
		refusal_read(&part->transfer.head, &part->refusal, &err);
	fail_with(part, &err);
}

/* The transfer ended well, by HTTP's measure. */
static void finish_body(struct part *part)
{
	const struct http_head *head = &part->transfer.head;
	struct error err;

	if (part->received == part->size) {
		tell(part, "Verifying Checksum", 0);
		tell(part, "Download complete", 0);
		set_state(part, PART_COMPLETE);
		return;
	}
	if (head->chunked || head->content_length >= 0) {
		wrong_length(part, &part->err);
		if (!fall_back(part, &part->err))
			fail(part);
		return;
	}
	err_set(&err, ERR_REMOTE, "unexpected EOF");
	try_again(part, NULL, &err);
}

static void finish_answer(struct part *part)
{
	const struct http_head *head = &part->transfer.head;
	struct error err;
	bool passing = head->status == 408 || head->status == 429 || head->status / 100 == 5;

	if (head->status == 200 || head->status == 206) {
		finish_body(part);
		return;
	}
	if (head->status == 401) {
		log_in(part);
		return;
	}
	refusal_read(head, &part->refusal, &err);
	if (head->status == 416) {
		part->no_range = true;
		try_again(part, NULL, &err);
	} else if (passing || (head->status == 403 && head->redirected && part->received)) {
		/* The address of a redirect is good for a while only. */
		try_again(part, head, &err);
	} else if (fall_back(part, &err)) {
		return;
	} else if (part->url < part->desc->urls.nr) {
		part->url++;
		at_once(part);
	} else {
		fail_with(part, &err);
	}
}

/* Only of one who took over from a mirror it is not known yet. */
static bool needs_plain(const struct part *part, CURLcode code)
{
	struct registry *registry = part->download->args.registry;

	return part->url == 0 && code == CURLE_SSL_CONNECT_ERROR &&
	       part->turn == registry_turn(registry) && registry_try_plain(registry);
}

static void finish_transfer(struct part *part, CURLcode code)
{
	struct download *download = part->download;
	struct error err;

	download->lib->multi_remove_handle(download->multi, part->transfer.curl);
	if (part->broken) {
		if (part->err.kind != ERR_CORRUPT || !fall_back(part, &part->err))
			fail(part);
	} else if (part->misplaced) {
		part->no_range = true;
		err_set(&err, ERR_REMOTE, "the answer is another range than was asked for");
		try_again(part, NULL, &err);
	} else if (code == CURLE_OK) {
		finish_answer(part);
	} else {
		http_transfer_failed(&part->transfer, code, &err);
		if (needs_plain(part, code))
			at_once(part);
		else if (err.kind == ERR_REMOTE && http_may_retry(code))
			try_again(part, NULL, &err);
		else
			fail_with(part, &err);
	}
	http_transfer_done(&part->transfer);
	buf_reset(&part->refusal);
}

/* ---- the thread ---- */

static void start(struct part *part)
{
	struct download *download = part->download;
	struct registry *registry = download->args.registry;
	auto_free char *url = NULL;
	struct error err;

	if (part->distrusted && part->turn == registry_turn(registry))
		registry_fall_back(registry);
	part->distrusted = false;
	part->turn = registry_turn(registry);
	url = part->url ? xstrdup(part->desc->urls.items[part->url - 1])
			: registry_blob_url(registry, &part->desc->digest);
	part->checked = part->broken = part->misplaced = false;
	part->resumed |= part->received > 0;
	if (registry_transfer(registry, url, part->url > 0, part->no_range ? 0 : part->received,
			      on_data, part, &part->transfer, &err) < 0) {
		fail_with(part, &err);
		return;
	}
	if (download->lib->multi_add_handle(download->multi, part->transfer.curl) != CURLM_OK) {
		http_transfer_done(&part->transfer);
		err_set(&err, ERR_IO, "libcurl cannot begin a transfer");
		fail_with(part, &err);
	}
}

static bool is_twin(const struct download *download, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (download->parts[i].state != PART_ENDED &&
		    digest_equal(&download->parts[i].desc->digest,
				 &download->parts[index].desc->digest))
			return true;
	return false;
}

/* Under the lock: whether it may be fetched now; what it needs of the disk is then its own. */
static bool may_start(struct download *download, struct part *part, size_t nr_active)
{
	if (part->state != PART_WAITING || clock_ms() < part->due_ms)
		return false;
	if (part->index == download->turn)
		return true;
	if (!part->wanted || nr_active >= AT_ONCE)
		return false;
	if (part->reserved)
		return true;
	if (!pace_is_ahead_worth_it(&download->pace, clock_ms()))
		return false;
	if (is_twin(download, part->index) || part->size > LIMIT_WAITING_BYTES - download->reserved)
		return false;
	part->reserved = part->size;
	download->reserved += part->size;
	return true;
}

/* Under the lock. Returns the next one to start, or NULL. */
static struct part *next_to_start(struct download *download)
{
	size_t nr_active = 0;

	for (size_t i = 0; i < download->nr; i++)
		nr_active += download->parts[i].state == PART_ACTIVE;
	for (size_t i = 0; i < download->nr; i++)
		if (may_start(download, &download->parts[i], nr_active)) {
			download->parts[i].state = PART_ACTIVE;
			download->parts[i].paused = false;
			return &download->parts[i];
		}
	return NULL;
}

static void start_parts(struct download *download)
{
	struct part *part;

	do {
		pthread_mutex_lock(&download->lock);
		part = next_to_start(download);
		pthread_mutex_unlock(&download->lock);
		if (part)
			start(part);
	} while (part);
}

/* What the reader asked for: to go on, or to end. */
static void serve_reader(struct download *download)
{
	for (size_t i = 0; i < download->nr; i++) {
		struct part *part = &download->parts[i];
		bool unpause, end;

		pthread_mutex_lock(&download->lock);
		unpause = part->unpause;
		part->unpause = false;
		end = part->state == PART_ENDED;
		pthread_mutex_unlock(&download->lock);
		if (!part->transfer.curl)
			continue;
		if (end) {
			download->lib->multi_remove_handle(download->multi, part->transfer.curl);
			http_transfer_done(&part->transfer);
		} else if (unpause) {
			download->lib->easy_pause(part->transfer.curl, CURLPAUSE_CONT);
		}
	}
}

static void count_down(struct download *download)
{
	for (size_t i = 0; i < download->nr; i++) {
		struct part *part = &download->parts[i];
		int64_t left;

		pthread_mutex_lock(&download->lock);
		left = part->state == PART_WAITING ? (part->due_ms - clock_ms() + 999) / 1000 : 0;
		pthread_mutex_unlock(&download->lock);
		if (left <= 0 || left == part->shown_seconds)
			continue;
		part->shown_seconds = left;
		tell(part, registry_retry_phase(left), 0);
	}
}

static void reap(struct download *download)
{
	CURLMsg *message;
	int left;

	while ((message = download->lib->multi_info_read(download->multi, &left))) {
		CURLcode code = message->data.result;

		for (size_t i = 0; i < download->nr; i++)
			if (message->msg == CURLMSG_DONE &&
			    download->parts[i].transfer.curl == message->easy_handle) {
				finish_transfer(&download->parts[i], code);
				break;
			}
	}
}

static void *thread_main(void *arg)
{
	struct download *download = arg;
	int running, ready;

	while (!__atomic_load_n(&download->stopping, __ATOMIC_SEQ_CST)) {
		serve_reader(download);
		start_parts(download);
		download->lib->multi_perform(download->multi, &running);
		reap(download);
		count_down(download);
		download->lib->multi_poll(download->multi, NULL, 0, POLL_MS, &ready);
	}
	for (size_t i = 0; i < download->nr; i++) {
		struct part *part = &download->parts[i];

		if (!part->transfer.curl)
			continue;
		download->lib->multi_remove_handle(download->multi, part->transfer.curl);
		http_transfer_done(&part->transfer);
	}
	return NULL;
}

/* ---- the caller's side ---- */

/* A file system without nameless files, or a folder that we may not write to. */
static bool can_wait(const struct download_args *args)
{
	auto_fd int fd =
		openat(args->folder_fd, args->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		log_debug("temporary file in '%s': %s: one layer at a time", args->folder,
			  strerror(errno));
	return fd >= 0;
}

int download_new(const struct download_args *args, struct download **ret, struct error *err)
{
	auto_download struct download *download = xcalloc(1, sizeof(*download));
	bool ahead = can_wait(args);

	download->args = *args;
	download->lib = registry_lib(args->registry);
	download->nr = args->nr_layers;
	download->turn = NOBODY;
	pace_fed(&download->pace, clock_ms());
	ring_init(&download->ring);
	download->parts = xcalloc(download->nr, sizeof(*download->parts));
	pthread_mutex_init(&download->lock, NULL);
	pthread_cond_init(&download->changed, NULL);
	for (size_t i = 0; i < download->nr; i++)
		download->parts[i] = (struct part){
			.download = download,
			.desc = &args->layers[i],
			.index = i,
			.size = (uint64_t)args->layers[i].size_bytes,
			.spool_fd = -1,
			.wanted = ahead && (!args->unwanted || !args->unwanted[i]),
		};
	download->multi = download->lib->multi_init();
	if (!download->multi)
		return err_set(err, ERR_IO, "libcurl cannot begin transfers");
	if (thread_start(thread_main, download, &download->thread, err) < 0)
		return -1;
	download->has_thread = true;
	*ret = take_ptr(download);
	return 0;
}

void download_free(struct download *download)
{
	if (!download)
		return;
	if (download->has_thread) {
		__atomic_store_n(&download->stopping, true, __ATOMIC_SEQ_CST);
		download->lib->multi_wakeup(download->multi);
		pthread_join(download->thread, NULL);
	}
	if (download->multi)
		download->lib->multi_cleanup(download->multi);
	for (size_t i = 0; i < download->nr; i++) {
		if (download->parts[i].spool_fd >= 0)
			close(download->parts[i].spool_fd);
		buf_done(&download->parts[i].refusal);
	}
	pthread_cond_destroy(&download->changed);
	pthread_mutex_destroy(&download->lock);
	free(download->parts);
	ring_done(&download->ring);
	free(download);
}

void download_begin(struct download *download, size_t layer)
{
	pthread_mutex_lock(&download->lock);
	if (download->turn != layer)
		download->ring.at = download->ring.len = 0;
	download->turn = layer;
	pthread_mutex_unlock(&download->lock);
	download->lib->multi_wakeup(download->multi);
}

/* Under the lock. */
static int take_ring(struct download *download, struct part *part, void *data, size_t len)
{
	if (download->ring.len >= RING_BYTES / 2)
		pace_fed(&download->pace, clock_ms());
	len = ring_take(&download->ring, data, len);
	if (part->paused && download->ring.len <= RING_BYTES / 2) {
		part->paused = false;
		part->unpause = true;
		download->lib->multi_wakeup(download->multi);
	}
	return (int)len;
}

static int wait_change(struct download *download, struct error *err)
{
	int64_t since = clock_ms();
	struct timespec until;

	if (cancel_check(err) < 0)
		return -1;
	if (download->args.is_stopping && download->args.is_stopping())
		return err_set(err, ERR_CANCELLED, "stopped");
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += POLL_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&download->changed, &download->lock, &until);
	pace_waited(&download->pace, since, clock_ms());
	return 0;
}

/* Under the lock. Returns bytes, 0 at the end, -1; *ret_from: where they lie in the file, or -1. */
static int take(struct download *download, struct part *part, void *data, size_t len,
		int64_t *ret_from, struct error *err)
{
	*ret_from = -1;
	for (;;) {
		uint64_t waiting = part->spooled - part->read;

		if (waiting) {
			*ret_from = (int64_t)part->read;
			len = len < waiting ? len : (size_t)waiting;
			part->read += len;
			return (int)len;
		}
		if (download->ring.len)
			return take_ring(download, part, data, len);
		if (part->state == PART_COMPLETE)
			return 0;
		if (part->state == PART_FAILED) {
			*err = part->err;
			return -1;
		}
		if (wait_change(download, err) < 0)
			return -1;
	}
}

int download_read(void *ctx, void *data, size_t len, struct error *err)
{
	struct download *download = ctx;
	struct part *part = &download->parts[download->turn];
	int64_t from;
	int got;

	len = len < RING_BYTES ? len : RING_BYTES;
	pthread_mutex_lock(&download->lock);
	got = take(download, part, data, len, &from, err);
	pthread_mutex_unlock(&download->lock);
	if (from >= 0 && io_pread(part->spool_fd, data, (size_t)got, (uint64_t)from, err) < 0)
		return -1;
	return got;
}

void download_end(struct download *download, size_t layer)
{
	struct part *part = &download->parts[layer];

	pthread_mutex_lock(&download->lock);
	part->state = PART_ENDED;
	download->turn = NOBODY;
	download->reserved -= part->reserved;
	part->reserved = 0;
	if (part->spool_fd >= 0)
		close(part->spool_fd);
	part->spool_fd = -1;
	pthread_mutex_unlock(&download->lock);
	download->lib->multi_wakeup(download->multi);
}

bool download_was_resumed(struct download *download, size_t layer)
{
	const struct part *part = &download->parts[layer];
	bool ret;

	pthread_mutex_lock(&download->lock);
	ret = part->state == PART_COMPLETE &&
	      (part->resumed || registry_is_mirror(download->args.registry, part->turn));
	pthread_mutex_unlock(&download->lock);
	return ret;
}

void download_restart(struct download *download, size_t layer)
{
	struct part *part = &download->parts[layer];

	pthread_mutex_lock(&download->lock);
	part->state = PART_WAITING;
	part->received = part->spooled = part->read = part->received_before = 0;
	part->distrusted = !part->resumed;
	part->resumed = part->no_range = false;
	part->tries = 0;
	part->due_ms = 0;
	download->turn = NOBODY;
	pthread_mutex_unlock(&download->lock);
	download_begin(download, layer);
}

bool download_error(struct download *download, size_t layer, struct error *ret)
{
	struct part *part = &download->parts[layer];
	bool failed;

	pthread_mutex_lock(&download->lock);
	failed = part->state == PART_FAILED;
	if (failed)
		*ret = part->err;
	pthread_mutex_unlock(&download->lock);
	return failed;
}

bool download_is_complete(struct download *download, size_t layer)
{
	bool ret;

	pthread_mutex_lock(&download->lock);
	ret = download->parts[layer].state == PART_COMPLETE;
	pthread_mutex_unlock(&download->lock);
	return ret;
}
