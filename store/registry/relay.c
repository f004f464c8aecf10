/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/relay.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "layer/stream.h"
#include "limits.h"
#include "oci/reference.h"
#include "registry/source.h"

#define DATA_BYTES (64u * 1024)
#define LINE_BYTES 4096u
#define POLL_MS	   100

struct frame {
	uint32_t type;
	uint32_t layer;
	uint32_t len;
};

/* ---- the asking side ---- */

struct guest {
	struct source source;
	int in_fd, out_fd;
	size_t layer;  /* begun last */
	uint32_t left; /* of the present frame */
	bool stale;    /* they are of a layer before */
	bool ended;    /* all of the layer came */
	bool resumed;  /* in pieces */
	bool failed;   /* with err */
	struct error err;
};

static int read_whole(struct guest *guest, void *data, size_t len, struct error *err)
{
	while (len) {
		int got = stream_read_fd(&guest->in_fd, data, len, err);

		if (got < 0)
			return -1;
		if (got == 0)
			return err_set(err, ERR_IO, "the download has ended");
		data = (char *)data + got;
		len -= (size_t)got;
	}
	return 0;
}

static int take_error(struct guest *guest, uint32_t len, struct error *err)
{
	if (len != sizeof(guest->err))
		return err_set(err, ERR_CORRUPT, "the download talks nonsense");
	if (read_whole(guest, &guest->err, len, err) < 0)
		return -1;
	guest->err.text[sizeof(guest->err.text) - 1] = '\0';
	guest->failed = true;
	*err = guest->err;
	return -1;
}

/* A document, which has this type. */
static int read_document(struct guest *guest, uint32_t type, struct buf *ret, struct error *err)
{
	auto_free char *data = NULL;
	struct frame frame;

	if (read_whole(guest, &frame, sizeof(frame), err) < 0)
		return -1;
	if (frame.type == 'X')
		return take_error(guest, frame.len, err);
	if (frame.type != type || frame.len > LIMIT_JSON_BYTES)
		return err_set(err, ERR_CORRUPT, "the download talks nonsense");
	data = xmalloc(frame.len + 1);
	if (read_whole(guest, data, frame.len, err) < 0)
		return -1;
	buf_append(ret, data, frame.len);
	return 0;
}

static void put_line(struct guest *guest, const char *line)
{
	struct error err;

	/* Without the other side nothing more will come from it either. */
	io_write(guest->out_fd, line, strlen(line), &err);
}

static void ask(struct guest *guest, const char *what, size_t layer)
{
	auto_free char *line = xasprintf("%s %zu\n", what, layer);

	put_line(guest, line);
}

static struct guest *guest_of(void *self)
{
	return self; /* its first member */
}

static int guest_manifest(struct source *self, struct resolved *ret, struct error *err)
{
	auto_buf struct buf digest = { 0 };

	buf_puts(&digest, "");
	if (read_document(guest_of(self), 'M', &digest, err) < 0 ||
	    digest_parse(digest.data, &ret->digest, err) < 0 ||
	    read_document(guest_of(self), 'm', &ret->manifest_bytes, err) < 0)
		return -1;
	return manifest_parse(ret->manifest_bytes.data, ret->manifest_bytes.len, &ret->manifest,
			      err);
}

static int guest_config(struct source *self, struct resolved *resolved, struct error *err)
{
	auto_buf struct buf bytes = { 0 };

	put_line(guest_of(self), "config\n");
	if (read_document(guest_of(self), 'C', &bytes, err) < 0)
		return -1;
	return resolve_use_config(resolved, &bytes, err);
}

static int guest_start(struct source *self, const bool *unwanted, size_t nr, struct error *err)
{
	auto_buf struct buf line = { 0 };

	(void)err;
	buf_puts(&line, "start ");
	for (size_t i = 0; i < nr; i++)
		buf_putc(&line, unwanted[i] ? '-' : 'w');
	buf_putc(&line, '\n');
	put_line(guest_of(self), line.data);
	return 0;
}

static void again(struct guest *guest, const char *what, size_t layer)
{
	guest->stale = guest->left > 0;
	guest->layer = layer;
	guest->ended = guest->resumed = false;
	ask(guest, what, layer);
}

static void guest_begin(struct source *self, size_t layer)
{
	again(guest_of(self), "begin", layer);
}

static int skip(struct guest *guest, struct error *err)
{
	char data[4096];

	while (guest->left) {
		uint32_t len = guest->left < sizeof(data) ? guest->left : sizeof(data);

		if (read_whole(guest, data, len, err) < 0)
			return -1;
		guest->left -= len;
	}
	return 0;
}

/* Until there are bytes of the layer, or it has ended. */
static int next_frame(struct guest *guest, struct error *err)
{
	if (guest->stale && skip(guest, err) < 0)
		return -1;
	guest->stale = false;
	while (!guest->left && !guest->ended) {
		struct frame frame;

		if (read_whole(guest, &frame, sizeof(frame), err) < 0)
			return -1;
		if (frame.type == 'X')
			return take_error(guest, frame.len, err);
		if (frame.type != 'D' && frame.type != 'E' && frame.type != 'R')
			return err_set(err, ERR_CORRUPT, "the download talks nonsense");
		guest->left = frame.len;
		if (frame.layer != guest->layer && skip(guest, err) < 0)
			return -1; /* what was on the way when nobody wanted it any more */
		guest->ended = frame.layer == guest->layer && frame.type != 'D';
		guest->resumed = frame.type == 'R';
	}
	return 0;
}

static int guest_read(void *self, void *data, size_t len, struct error *err)
{
	struct guest *guest = guest_of(self);
	int got;

	if (next_frame(guest, err) < 0)
		return -1;
	if (guest->ended)
		return 0;
	got = stream_read_fd(&guest->in_fd, data, len < guest->left ? len : guest->left, err);
	if (got == 0)
		return err_set(err, ERR_IO, "the download has ended");
	guest->left -= got > 0 ? (uint32_t)got : 0;
	return got;
}

static void guest_end(struct source *self, size_t layer)
{
	ask(guest_of(self), "end", layer);
}

static bool guest_restart(struct source *self, size_t layer)
{
	struct guest *guest = guest_of(self);

	if (!guest->ended || !guest->resumed)
		return false;
	again(guest, "restart", layer);
	return true;
}

static bool guest_error(struct source *self, size_t layer, struct error *ret)
{
	struct guest *guest = guest_of(self);

	(void)layer;
	if (guest->failed)
		*ret = guest->err;
	return guest->failed;
}

static bool guest_is_complete(struct source *self, size_t layer)
{
	(void)self;
	(void)layer;
	return false; /* each line costs more than it shows */
}

static void guest_show(struct source *self, size_t layer, const char *phase, uint64_t done_bytes,
		       uint64_t total_bytes)
{
	auto_free char *line = xasprintf("show %zu %s\n", layer, phase);

	(void)done_bytes;
	(void)total_bytes;
	put_line(guest_of(self), line);
}

int relay_pull(struct store *store, const struct reference *ref, const char *platform, int in_fd,
	       int out_fd, struct error *err)
{
	auto_resolved struct resolved resolved = { 0 };
	struct guest guest = {
		.source = { .get_manifest = guest_manifest,
			    .get_config = guest_config,
			    .start = guest_start,
			    .begin = guest_begin,
			    .read = guest_read,
			    .end = guest_end,
			    .restart = guest_restart,
			    .get_error = guest_error,
			    .is_complete = guest_is_complete,
			    .show = guest_show },
		.in_fd = in_fd,
		.out_fd = out_fd,
	};
	struct pull_result result;

	if (pull_from(store, ref, platform, &guest.source, &resolved, &result, err) < 0)
		return -1;
	ask(&guest, "done", result.news);
	return 0;
}

/* ---- the serving side ---- */

struct host {
	struct source *source;
	struct resolved *resolved;
	bool *unwanted;
	int in_fd, out_fd;
	struct buf lines; /* came and were not looked at yet */
	bool started, done, news;
};

static int put_frame(struct host *host, uint32_t type, size_t layer, const void *data, size_t len,
		     struct error *err)
{
	const struct frame frame = { type, (uint32_t)layer, (uint32_t)len };

	if (io_write(host->out_fd, &frame, sizeof(frame), err) < 0)
		return -1;
	return io_write(host->out_fd, data, len, err);
}

/* err goes to the other side, which tells the user. Returns -1. */
static int put_error(struct host *host, const struct error *err)
{
	struct error sent = { .kind = err->kind }, lost;

	snprintf(sent.text, sizeof(sent.text), "%s", err->text);
	put_frame(host, 'X', 0, &sent, sizeof(sent), &lost);
	return -1;
}

/* Returns 1 when something came, 0 when not within the time, -1 at the end. */
static int receive(struct host *host, int wait_ms, struct error *err)
{
	struct pollfd wait = { .fd = host->in_fd, .events = POLLIN };
	char data[LINE_BYTES];
	ssize_t got;

	if (cancel_check(err) < 0)
		return -1;
	if (poll(&wait, 1, wait_ms) <= 0)
		return 0;
	got = read(host->in_fd, data, sizeof(data));
	if (got < 0 && errno == EINTR)
		return 0;
	if (got <= 0 || host->lines.len > LINE_BYTES)
		return err_set(err, ERR_IO, "the appliance has ended");
	buf_append(&host->lines, data, (size_t)got);
	return 1;
}

static bool has_line(const struct host *host)
{
	return host->lines.len && memchr(host->lines.data, '\n', host->lines.len);
}

/* New; NULL at the end. */
static char *next_line(struct host *host, struct error *err)
{
	size_t len;
	char *line;

	while (!has_line(host))
		if (receive(host, POLL_MS, err) < 0)
			return NULL;
	len = (size_t)((char *)memchr(host->lines.data, '\n', host->lines.len) - host->lines.data);
	line = xasprintf("%.*s", (int)len, host->lines.data);
	host->lines.len -= len + 1;
	memmove(host->lines.data, host->lines.data + len + 1, host->lines.len);
	return line;
}

/* The layer's bytes, until its end or a line comes. */
static int pump(struct host *host, size_t layer, struct error *err)
{
	auto_free char *data = xmalloc(DATA_BYTES);
	int got;

	do {
		got = host->source->read(host->source, data, DATA_BYTES, err);
		if (got < 0)
			return put_error(host, err);
		if (got > 0 && put_frame(host, 'D', layer, data, (size_t)got, err) < 0)
			return -1;
		if (receive(host, 0, err) < 0)
			return -1;
	} while (got > 0 && !has_line(host));
	if (got > 0)
		return 0;
	return put_frame(host, host->source->was_resumed(host->source, layer) ? 'R' : 'E', layer,
			 "", 0, err);
}

static int send_config(struct host *host, struct error *err)
{
	const struct buf *bytes = &host->resolved->config_bytes;

	if (host->source->get_config(host->source, host->resolved, err) < 0)
		return put_error(host, err);
	return put_frame(host, 'C', 0, bytes->data, bytes->len, err);
}

static int start(struct host *host, const char *flags, struct error *err)
{
	size_t nr = host->resolved->manifest.nr_layers;

	if (host->started || strlen(flags) != nr)
		return err_set(err, ERR_CORRUPT, "the appliance talks nonsense");
	host->unwanted = xcalloc(nr + 1, sizeof(*host->unwanted));
	for (size_t i = 0; i < nr; i++)
		host->unwanted[i] = flags[i] != 'w';
	host->started = true;
	if (host->source->start(host->source, host->unwanted, nr, err) < 0)
		return put_error(host, err);
	return 0;
}

static const char *known_phase(const char *text)
{
	static const char *const phases[] = { "Already exists", "Pulling fs layer", "Waiting",
					      "Download complete", "Pull complete" };

	for (size_t i = 0; i < sizeof(phases) / sizeof(*phases); i++)
		if (strcmp(phases[i], text) == 0)
			return phases[i];
	return NULL;
}

static int answer_layer(struct host *host, const char *word, size_t layer, const char *rest,
			struct error *err)
{
	struct source *source = host->source;
	const char *phase;

	if (strcmp(word, "show") == 0) {
		phase = known_phase(rest);
		if (phase)
			source->show(source, layer, phase, 0, 0);
		return 0;
	}
	if (!host->started)
		return err_set(err, ERR_CORRUPT, "the appliance talks nonsense");
	if (strcmp(word, "end") == 0) {
		source->end(source, layer);
		return 0;
	}
	if (strcmp(word, "begin") == 0)
		source->begin(source, layer);
	else if (strcmp(word, "restart") != 0 || !source->restart(source, layer))
		return err_set(err, ERR_CORRUPT, "the appliance talks nonsense");
	return pump(host, layer, err);
}

static int answer(struct host *host, char *line, struct error *err)
{
	char *rest = strchr(line, ' ');
	size_t number;

	if (rest)
		*rest++ = '\0';
	if (strcmp(line, "config") == 0)
		return send_config(host, err);
	if (rest && strcmp(line, "start") == 0)
		return start(host, rest, err);
	number = rest ? strtoul(rest, &rest, 10) : 0;
	if (rest && strcmp(line, "done") == 0) {
		host->done = true;
		host->news = number != 0;
		return 0;
	}
	if (!rest || number >= host->resolved->manifest.nr_layers)
		return err_set(err, ERR_CORRUPT, "the appliance talks nonsense");
	return answer_layer(host, line, number, rest + strspn(rest, " "), err);
}

static int serve(struct host *host, struct error *err)
{
	const struct resolved *resolved = host->resolved;

	if (host->source->get_manifest(host->source, host->resolved, err) < 0)
		return put_error(host, err);
	if (put_frame(host, 'M', 0, resolved->digest.text, strlen(resolved->digest.text), err) <
		    0 ||
	    put_frame(host, 'm', 0, resolved->manifest_bytes.data, resolved->manifest_bytes.len,
		      err) < 0)
		return -1;
	while (!host->done) {
		auto_free char *line = next_line(host, err);

		if (!line || answer(host, line, err) < 0)
			return -1;
	}
	return 0;
}

int relay_serve(const struct pull_args *args, int folder_fd, int in_fd, int out_fd,
		struct pull_result *ret, struct error *err)
{
	auto_resolved struct resolved resolved = { 0 };
	auto_source struct source *source = NULL;
	struct host host = { .resolved = &resolved, .in_fd = in_fd, .out_fd = out_fd };
	int result;

	if (source_open(args, &resolved, folder_fd, ".", &source, err) < 0)
		return put_error(&host, err);
	host.source = source;
	result = serve(&host, err);
	buf_done(&host.lines);
	free(host.unwanted);
	ret->digest = resolved.digest;
	ret->news = host.news;
	return result;
}
