/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload_part.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "limits.h"
#include "registry/location.h"

#define LOGINS_MAX	 3u
#define SMALL_BYTES	 (1024u * 1024)	     /* sent with the request that ends the session */
#define CHUNK_BYTES	 (16u * 1024 * 1024) /* for who refuses more at once */
#define GAIN_BYTES	 (1024u * 1024) /* who has sent so much since the last cut counts anew */
#define COMMIT_STALL	 600u		/* seconds that a registry may take to verify what came */
#define FAREWELL_SECONDS 2u

void upload_part_tell(const struct upload_part *part, const char *phase, uint64_t done)
{
	const struct upload_args *args = &part->upload->args;

	if (args->on_phase)
		args->on_phase(args->ctx, part->index, phase, done, done ? part->size : 0);
}

static struct registry *registry_of(const struct upload_part *part)
{
	return part->upload->args.registry;
}

/* ---- from state to state ---- */

void upload_part_set_state(struct upload_part *part, enum upload_state state)
{
	struct upload *upload = part->upload;

	pthread_mutex_lock(&upload->lock);
	part->state = state;
	pthread_cond_signal(&upload->changed);
	pthread_mutex_unlock(&upload->lock);
}

static void go(struct upload_part *part, enum upload_step step)
{
	part->step = step;
	part->due_ms = 0;
	part->logins = 0;
	upload_part_set_state(part, STATE_DUE);
}

/* Docker's words for who may not; all else is said to be of this blob. */
void upload_part_fail(struct upload_part *part, const struct error *err)
{
	part->err = *err;
	if (err->kind != ERR_CANCELLED && err->kind != ERR_DENIED)
		err_add(&part->err, "upload %.12s",
			digest_hex(part->fed ? &part->digest
					     : &part->item->known[part->at].digest));
	log_debug("%s", part->err.text);
	upload_part_set_state(part, STATE_FAILED);
}

static void done(struct upload_part *part, const struct digest *digest, uint64_t size,
		 const char *phase)
{
	if (part->fd >= 0)
		close(take_fd(part->fd));
	free(take_ptr(part->location));
	part->digest = *digest;
	part->size = size;
	upload_part_tell(part, phase, 0);
	upload_part_set_state(part, STATE_DONE);
}

static void forget_session(struct upload_part *part)
{
	free(take_ptr(part->location));
	part->sent = 0;
}

/* What a step is followed by when what it did may not have happened. */
static enum upload_step after_cut(const struct upload_part *part)
{
	switch (part->step) {
	case STEP_SEND:
	case STEP_LOOK:
		return STEP_LOOK;
	case STEP_END:
		return STEP_ASK; /* it may be there */
	case STEP_ASK:
	case STEP_MOUNT:
	case STEP_BEGIN:
		break;
	}
	return part->step;
}

/* @head: asks for patience, or NULL; @err: why, if this was the last try */
static void try_again(struct upload_part *part, enum upload_step step, const struct http_head *head,
		      const struct error *err)
{
	int64_t pause;

	if (part->sent >= part->sent_before + GAIN_BYTES)
		part->tries = 0;
	part->sent_before = part->sent;
	pause = registry_pause_ms(registry_of(part), ++part->tries, head);
	if (pause < 0) {
		upload_part_fail(part, err);
		return;
	}
	log_debug("upload %zu: %s: again in %jd ms", part->index, err->text, (intmax_t)pause);
	part->step = step;
	part->logins = 0;
	part->due_ms = clock_ms() + pause;
	part->shown_seconds = -1;
	upload_part_set_state(part, STATE_DUE);
}

/* ---- answers ---- */

static const struct upload_known *known_of(const struct upload_part *part)
{
	return part->at < part->item->nr_known ? &part->item->known[part->at] : NULL;
}

/* The first from `at` on that another repository has; nr_known without one. */
static size_t mountable(const struct upload_part *part)
{
	size_t i = 0;

	while (i < part->item->nr_known && !part->item->known[i].mount_from)
		i++;
	return i;
}

/* It is not there: the next that would do, a mount, or our own bytes. */
static void is_absent(struct upload_part *part)
{
	const struct upload_item *item = part->item;

	if (part->fed) {
		forget_session(part);
		go(part, STEP_BEGIN);
	} else if (part->at + 1 < item->nr_known) {
		part->at++;
		go(part, STEP_ASK);
	} else if (mountable(part) < item->nr_known) {
		part->at = mountable(part);
		go(part, STEP_MOUNT);
	} else {
		upload_part_set_state(part, STATE_HUNGRY);
	}
}

static void answer_ask(struct upload_part *part)
{
	const struct http_head *head = &part->transfer.head;
	const struct upload_known *known = known_of(part);
	const struct digest *digest = known ? &known->digest : &part->digest;
	uint64_t size = known ? known->size : part->size;

	if (head->status != 200) {
		is_absent(part); /* or nobody tells us; then we see */
		return;
	}
	if (head->content_length > 0 && (uint64_t)head->content_length != size) {
		log_debug("%s has %jd bytes there", digest->text, (intmax_t)head->content_length);
		is_absent(part);
		return;
	}
	done(part, digest, size, part->ended ? "Pushed" : "Layer already exists");
}

/* Where to go on; returns -1 when it is no place. */
static int take_location(struct upload_part *part, bool needed, struct error *err)
{
	const char *location = part->transfer.head.location;
	char *url;

	if (!location)
		return needed ? err_set(err, ERR_REMOTE, "the registry does not say where to") : 0;
	if (location_resolve(part->url, location, &url, err) < 0)
		return -1;
	free(part->location);
	part->location = url;
	return 0;
}

static void take_chunk_min(struct upload_part *part)
{
	int64_t min = part->transfer.head.chunk_min;

	if (part->chunk && min > 0 && (uint64_t)min > part->chunk)
		part->chunk = (uint64_t)min;
}

static void answer_mount(struct upload_part *part)
{
	const struct upload_known *known = known_of(part);
	struct error err;

	if (part->transfer.head.status == 201) {
		part->mounted = xasprintf("Mounted from %s", known->mount_from);
		done(part, &known->digest, known->size, part->mounted);
		return;
	}
	if (part->transfer.head.status == 202) {
		if (take_location(part, true, &err) < 0) {
			upload_part_fail(part, &err);
			return;
		}
		take_chunk_min(part);
	}
	upload_part_set_state(part, STATE_HUNGRY);
}

/* The status is not what it has to be: the refusal, or the lie. */
static void not_expected(struct upload_part *part, long expected)
{
	const struct http_head *head = &part->transfer.head;
	struct error err;

	if (head->status / 100 == 2)
		err_set(&err, ERR_REMOTE, "the registry answers with status %ld where %ld is due",
			head->status, expected);
	else
		refusal_read(head, &part->answer, &err);
	upload_part_fail(part, &err);
}

static void answer_begin(struct upload_part *part)
{
	struct error err;

	if (part->transfer.head.status != 202) {
		not_expected(part, 202);
	} else if (take_location(part, true, &err) < 0) {
		upload_part_fail(part, &err);
	} else {
		take_chunk_min(part);
		go(part, part->size > SMALL_BYTES ? STEP_SEND : STEP_END);
	}
}

/* The registry has the bytes before `sent`. */
static void go_on_from(struct upload_part *part, uint64_t sent)
{
	struct error err;

	if (sent > part->size) {
		err_set(&err, ERR_REMOTE, "the registry claims to have more bytes than were sent");
		upload_part_fail(part, &err);
		return;
	}
	part->sent = sent;
	go(part, sent == part->size ? STEP_END : STEP_SEND);
}

static void anew(struct upload_part *part, const struct error *err)
{
	forget_session(part);
	try_again(part, STEP_BEGIN, NULL, err);
}

static void answer_send(struct upload_part *part)
{
	const struct http_head *head = &part->transfer.head;
	uint64_t end = part->sent + part->piece;
	struct error err;

	if (head->status == 416) {
		err_set(&err, ERR_REMOTE, "the registry wants another range");
		try_again(part, STEP_LOOK, NULL, &err);
		return;
	}
	if (head->status == 413 && !part->chunk) {
		part->chunk = CHUNK_BYTES;
		err_set(&err, ERR_REMOTE, "the registry refuses %ju bytes at once",
			(uintmax_t)part->piece);
		anew(part, &err);
		return;
	}
	if (head->status / 100 != 2) {
		not_expected(part, 202);
		return;
	}
	if (take_location(part, true, &err) < 0) {
		upload_part_fail(part, &err);
		return;
	}
	if (head->taken_end >= 0 && (uint64_t)head->taken_end + 1 != end) {
		if ((uint64_t)head->taken_end + 1 > end) {
			go_on_from(part, UINT64_MAX);
			return;
		}
		part->sent = head->taken_end ? (uint64_t)head->taken_end + 1 : 0;
		err_set(&err, ERR_REMOTE, "the registry takes less than was sent");
		try_again(part, STEP_SEND, NULL, &err);
		return;
	}
	go_on_from(part, end);
}

static void answer_look(struct upload_part *part)
{
	const struct http_head *head = &part->transfer.head;
	struct error err;

	if (head->status / 100 == 2 && take_location(part, false, &err) < 0) {
		upload_part_fail(part, &err);
		return;
	}
	if (head->status / 100 == 2) {
		/* "0-0" is nothing, too, in some registries: that byte is sent again. */
		go_on_from(part, head->taken_end > 0 ? (uint64_t)head->taken_end + 1 : 0);
		return;
	}
	forget_session(part); /* nor does the registry know it any more */
	go(part, STEP_BEGIN);
}

static void answer_end(struct upload_part *part)
{
	const struct http_head *head = &part->transfer.head;
	struct error err;

	if (head->status == 201) {
		done(part, &part->digest, part->size, "Pushed");
	} else if (head->status == 404 || head->status == 416) {
		refusal_read(head, &part->answer, &err);
		anew(part, &err);
	} else {
		not_expected(part, 201);
	}
}

static void log_in(struct upload_part *part)
{
	struct error err;
	int again = 0;

	if (registry_owns(registry_of(part), part->url) && part->logins++ < LOGINS_MAX)
		again = registry_authenticate_for(registry_of(part), part->more_scope,
						  &part->transfer.head, &err);
	if (again > 0) {
		part->due_ms = 0;
		upload_part_set_state(part, STATE_DUE);
	} else if (part->step == STEP_ASK) {
		is_absent(part); /* who may not look may still write */
	} else if (part->step == STEP_MOUNT) {
		upload_part_set_state(part, STATE_HUNGRY);
	} else {
		if (again == 0)
			refusal_read(&part->transfer.head, &part->answer, &err);
		upload_part_fail(part, &err);
	}
}

static void finish_answer(struct upload_part *part)
{
	static void (*const answers[])(struct upload_part * part) = {
		[STEP_ASK] = answer_ask,   [STEP_MOUNT] = answer_mount, [STEP_BEGIN] = answer_begin,
		[STEP_SEND] = answer_send, [STEP_LOOK] = answer_look,	[STEP_END] = answer_end,
	};
	const struct http_head *head = &part->transfer.head;
	struct error err;

	if (head->status == 401) {
		log_in(part);
	} else if (registry_is_passing(head->status)) {
		refusal_read(head, &part->answer, &err);
		try_again(part, after_cut(part), head, &err);
	} else {
		answers[part->step](part);
	}
}

void upload_part_finish(struct upload_part *part, CURLcode code)
{
	struct upload *upload = part->upload;
	struct error err;

	upload->lib->multi_remove_handle(upload->multi, part->transfer.curl);
	if (code == CURLE_OK || part->transfer.head.status >= 400) {
		finish_answer(part); /* who refuses may not wait until everything was sent */
	} else {
		http_transfer_failed(&part->transfer, code, &err);
		if (err.kind == ERR_REMOTE && http_may_retry(code))
			try_again(part, after_cut(part), NULL, &err);
		else
			upload_part_fail(part, &err);
	}
	http_transfer_done(&part->transfer);
	buf_reset(&part->answer);
}

/* ---- requests ---- */

static int read_body(void *ctx, uint64_t at, void *data, size_t len)
{
	struct upload_part *part = ctx;
	struct error err;

	if (io_pread(part->fd, data, len, part->sent + at, &err) < 0) {
		log_debug("%s", err.text);
		return -1;
	}
	upload_part_tell(part, "Pushing", part->sent + at + len);
	return 0;
}

static size_t on_answer(char *data, size_t one, size_t size, void *ctx)
{
	struct upload_part *part = ctx;

	(void)one;
	if (part->answer.len + size > LIMIT_REFUSAL_BYTES)
		return size ? 0 : 1;
	buf_append(&part->answer, data, size);
	return size;
}

static char *url_of(const struct upload_part *part)
{
	const struct upload_known *known = known_of(part);
	auto_free char *begin = registry_url(registry_of(part), "blobs", "uploads/");
	auto_free char *url = NULL;

	switch (part->step) {
	case STEP_ASK:
		return registry_blob_url(registry_of(part), known ? &known->digest : &part->digest);
	case STEP_MOUNT:
		url = location_with(begin, "mount", known->digest.text);
		return location_with(url, "from", known->mount_from);
	case STEP_BEGIN:
		return take_ptr(begin);
	case STEP_END:
		return location_with(part->location, "digest", part->digest.text);
	case STEP_SEND:
	case STEP_LOOK:
		break;
	}
	return xstrdup(part->location);
}

static const char *const methods[] = {
	[STEP_ASK] = "HEAD",   [STEP_MOUNT] = "POST", [STEP_BEGIN] = "POST",
	[STEP_SEND] = "PATCH", [STEP_LOOK] = "GET",   [STEP_END] = "PUT",
};

/* How many bytes go with the request. */
static uint64_t piece_of(const struct upload_part *part)
{
	uint64_t left = part->size - part->sent;

	if (part->step != STEP_SEND && part->step != STEP_END)
		return 0;
	return part->step == STEP_SEND && part->chunk && part->chunk < left ? part->chunk : left;
}

int upload_part_start(struct upload_part *part, struct error *err)
{
	struct upload *upload = part->upload;
	auto_free char *range = NULL;
	struct registry_request request = { .method = methods[part->step] };

	free(part->url);
	part->url = url_of(part);
	request.url = part->url;
	free(take_ptr(part->more_scope));
	if (part->step == STEP_MOUNT)
		part->more_scope = xasprintf("repository:%s:pull", known_of(part)->mount_from);
	request.more_scope = part->more_scope;
	part->piece = piece_of(part);
	request.body = (struct http_body){ part->piece, read_body, part };
	if (part->piece) {
		request.headers[0] = "Content-Type: application/octet-stream";
		if (part->step == STEP_SEND && part->piece < part->size)
			request.headers[1] = range =
				xasprintf("Content-Range: %ju-%ju", (uintmax_t)part->sent,
					  (uintmax_t)(part->sent + part->piece - 1));
	}
	if (part->step == STEP_END) {
		request.stall_seconds = COMMIT_STALL;
		part->ended = true;
	}
	if (registry_request(upload->args.registry, &request, on_answer, part, &part->transfer,
			     err) < 0)
		return -1;
	if (upload->lib->multi_add_handle(upload->multi, part->transfer.curl) == CURLM_OK)
		return 0;
	http_transfer_done(&part->transfer);
	return err_set(err, ERR_IO, "libcurl cannot begin a transfer");
}

/* It is asked for first, unless a session waits for it. */
void upload_part_take_bytes(struct upload_part *part)
{
	const struct upload_item *item = part->item;
	bool asked = false;

	for (size_t i = 0; i < item->nr_known; i++)
		asked |= digest_equal(&item->known[i].digest, &part->digest);
	part->at = item->nr_known;
	if (part->location)
		go(part, part->size > SMALL_BYTES ? STEP_SEND : STEP_END);
	else
		go(part, asked ? STEP_BEGIN : STEP_ASK);
}

void upload_part_end_session(struct upload_part *part)
{
	const struct registry_request request = {
		.method = "DELETE",
		.url = part->location,
		.last = true,
		.stall_seconds = FAREWELL_SECONDS,
	};
	struct upload *upload = part->upload;
	auto_http_transfer struct http_transfer transfer = { 0 };
	struct error err;

	if (!part->location)
		return;
	buf_reset(&part->answer);
	if (registry_request(upload->args.registry, &request, on_answer, part, &transfer, &err) ==
	    0)
		upload->lib->easy_perform(transfer.curl);
}

void upload_part_done(struct upload_part *part)
{
	if (part->fd >= 0)
		close(part->fd);
	free(part->location);
	free(part->url);
	free(part->more_scope);
	free(part->mounted);
	buf_done(&part->answer);
}
