/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pushrelay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "layer/stream.h"
#include "limits.h"

#define DATA_BYTES (64u * 1024)

struct frame {
	uint32_t type;
	uint32_t layer;
	uint32_t len;
};

struct line {
	int in_fd, out_fd;
};

static int nonsense(struct error *err)
{
	return err_set(err, ERR_CORRUPT, "the appliance talks nonsense");
}

/* ---- frames ---- */

static int put_frame(const struct line *line, uint32_t type, size_t layer, const void *data,
		     size_t len, struct error *err)
{
	const struct frame frame = { type, (uint32_t)layer, (uint32_t)len };

	if (io_write(line->out_fd, &frame, sizeof(frame), err) < 0)
		return -1;
	return len ? io_write(line->out_fd, data, len, err) : 0;
}

/* Returns 1, 0 when there is nothing any more, -1. */
static int read_whole(struct line *line, void *data, size_t len, struct error *err)
{
	size_t had = 0;

	while (had < len) {
		int got = stream_read_fd(&line->in_fd, (char *)data + had, len - had, err);

		if (got < 0)
			return -1;
		if (got == 0)
			return had ? err_set(err, ERR_IO, "the appliance has ended") : 0;
		had += (size_t)got;
	}
	return 1;
}

/* Returns 1, 0 at the end, -1. The bytes replace those of ret, with a NUL behind them. */
static int get_frame(struct line *line, struct frame *ret, struct buf *data, struct error *err)
{
	auto_free char *bytes = NULL;
	int got = read_whole(line, ret, sizeof(*ret), err);

	if (got <= 0)
		return got;
	if (ret->len > LIMIT_JSON_BYTES)
		return nonsense(err);
	bytes = xmalloc(ret->len + 1);
	if (ret->len && read_whole(line, bytes, ret->len, err) <= 0)
		return err_set(err, ERR_IO, "the appliance has ended");
	buf_reset(data);
	buf_append(data, bytes, ret->len);
	buf_puts(data, "");
	return 1;
}

/* ---- blobs that registries have ---- */

/* The media type may have anything in it, and is last. */
static int put_blob(const struct line *line, const struct remote_blob *blob, struct error *err)
{
	auto_free char *text =
		xasprintf("%s %s %jd %s %s", blob->diff_id.text, blob->digest.text,
			  (intmax_t)blob->size_bytes, blob->repository, blob->media_type);

	return put_frame(line, 'r', 0, text, strlen(text), err);
}

static int add_blob(const char *text, struct remote_blob **list, size_t *nr, struct error *err)
{
	char diff_id[DIGEST_TEXT_LEN + 1], digest[DIGEST_TEXT_LEN + 1];
	char repository[LIMIT_DOMAIN_BYTES + LIMIT_REPOSITORY_BYTES + 2];
	struct remote_blob blob = { 0 };
	intmax_t size;
	int at = 0;

	if (sscanf(text, "%71s %71s %jd %517s %n", diff_id, digest, &size, repository, &at) != 4 ||
	    !at)
		return nonsense(err);
	if (digest_parse(diff_id, &blob.diff_id, err) < 0 ||
	    digest_parse(digest, &blob.digest, err) < 0)
		return -1;
	blob.size_bytes = size;
	blob.repository = xstrdup(repository);
	blob.media_type = xstrdup(text + at);
	*list = xrealloc(*list, (*nr + 1) * sizeof(**list));
	(*list)[(*nr)++] = blob;
	return 0;
}

/* ---- the uploading side ---- */

struct remote {
	struct origin origin;
	struct line line;
	int folder_fd;
	const char *folder;
};

static struct remote *remote_of(struct origin *self)
{
	return (struct remote *)self; /* its first member */
}

static int take_error(const struct buf *data, struct error *err)
{
	if (data->len != sizeof(*err))
		return nonsense(err);
	memcpy(err, data->data, sizeof(*err));
	err->text[sizeof(err->text) - 1] = '\0';
	return -1;
}

/* Returns 1 with a frame of the answer, 0 at its end, -1. */
static int get_answer(struct remote *remote, struct frame *ret, struct buf *data, struct error *err)
{
	int got = get_frame(&remote->line, ret, data, err);

	if (got == 0)
		return err_set(err, ERR_IO, "the appliance has ended");
	if (got < 0)
		return -1;
	return ret->type == 'X' ? take_error(data, err) : ret->type != 'E';
}

static int remote_tags(struct origin *self, struct strlist *ret, struct error *err)
{
	struct remote *remote = remote_of(self);
	auto_buf struct buf data = { 0 };
	struct frame frame;
	int got;

	if (put_frame(&remote->line, 'T', 0, NULL, 0, err) < 0)
		return -1;
	while ((got = get_answer(remote, &frame, &data, err)) > 0)
		strlist_add(ret, data.data);
	return got;
}

static int take_frame(const struct frame *frame, const struct buf *data, struct origin_image *ret,
		      struct error *err)
{
	switch (frame->type) {
	case 'c':
		buf_append(&ret->config, data->data, data->len);
		return 0;
	case 'm':
		buf_append(&ret->manifest, data->data, data->len);
		return 0;
	case 'r':
		return add_blob(data->data, &ret->blobs, &ret->nr_blobs, err);
	case 'l':
		if (data->len != sizeof(*ret->layers) || ret->nr_layers >= LIMIT_LAYERS)
			return nonsense(err);
		ret->layers = xrealloc(ret->layers, (ret->nr_layers + 1) * sizeof(*ret->layers));
		memcpy(&ret->layers[ret->nr_layers++], data->data, data->len);
		return 0;
	default:
		return nonsense(err);
	}
}

static int remote_image(struct origin *self, const char *tag, struct origin_image *ret,
			struct error *err)
{
	struct remote *remote = remote_of(self);
	auto_buf struct buf data = { 0 };
	struct frame frame;
	int got;

	if (put_frame(&remote->line, 'I', 0, tag, strlen(tag), err) < 0)
		return -1;
	while ((got = get_answer(remote, &frame, &data, err)) > 0)
		if (take_frame(&frame, &data, ret, err) < 0)
			return -1;
	return got;
}

/* A failure of the taker leaves the line in the midst of an answer: nothing more can be asked. */
static int take_bytes(struct remote *remote, uint32_t what, size_t layer, origin_write_fn *write,
		      void *ctx, struct error *err)
{
	auto_buf struct buf data = { 0 };
	struct frame frame;
	int got;

	if (put_frame(&remote->line, what, layer, NULL, 0, err) < 0)
		return -1;
	while ((got = get_answer(remote, &frame, &data, err)) > 0)
		if (write(ctx, data.data, data.len, err) < 0)
			return -1;
	return got;
}

static int write_fd(void *fd, const void *data, size_t len, struct error *err)
{
	return io_write(*(int *)fd, data, len, err);
}

static int remote_blob(struct origin *self, size_t layer, struct error *err)
{
	struct remote *remote = remote_of(self);
	auto_fd int fd =
		openat(remote->folder_fd, remote->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(err, errno, "temporary file in '%s'", remote->folder);
	return take_bytes(remote, 'B', layer, write_fd, &fd, err) < 0 ? -1 : take_fd(fd);
}

static int remote_tar(struct origin *self, size_t layer, origin_write_fn *write, void *ctx,
		      struct error *err)
{
	return take_bytes(remote_of(self), 'R', layer, write, ctx, err);
}

static int remote_keep(struct origin *self, const struct origin_pushed *pushed, struct error *err)
{
	const struct digest both[2] = { pushed->id, pushed->digest };
	struct remote *remote = remote_of(self);
	auto_buf struct buf data = { 0 };
	struct frame frame;

	if (put_frame(&remote->line, 'm', 0, pushed->manifest->data, pushed->manifest->len, err) <
	    0)
		return -1;
	for (size_t i = 0; i < pushed->nr_blobs; i++)
		if (put_blob(&remote->line, &pushed->blobs[i], err) < 0)
			return -1;
	if (put_frame(&remote->line, 'K', 0, both, sizeof(both), err) < 0)
		return -1;
	return get_answer(remote, &frame, &data, err);
}

static void remote_free(struct origin *self)
{
	free(self);
}

struct origin *pushrelay_open(int in_fd, int out_fd, int folder_fd, const char *folder)
{
	struct remote *remote = xcalloc(1, sizeof(*remote));

	*remote = (struct remote){
		.origin = { .get_tags = remote_tags,
			    .get_image = remote_image,
			    .open_blob = remote_blob,
			    .write_tar = remote_tar,
			    .keep = remote_keep,
			    .free = remote_free },
		.line = { in_fd, out_fd },
		.folder_fd = folder_fd,
		.folder = folder,
	};
	return &remote->origin;
}

/* ---- the side that has the store ---- */

struct server {
	struct origin *origin;
	struct line line;
	size_t nr_layers; /* of the image given out last */
	/* What is said before 'K'. */
	struct buf manifest;
	struct remote_blob *blobs;
	size_t nr_blobs;
};

static void server_done(struct server *server)
{
	buf_done(&server->manifest);
	remote_blob_free_list(server->blobs, server->nr_blobs);
	server->blobs = NULL;
	server->nr_blobs = 0;
}
#define auto_server __attribute__((cleanup(server_done)))

static int send_tags(struct server *server, struct error *err)
{
	auto_strlist struct strlist tags = { 0 };

	if (server->origin->get_tags(server->origin, &tags, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.nr; i++)
		if (put_frame(&server->line, 't', 0, tags.items[i], strlen(tags.items[i]), err) < 0)
			return -1;
	return 0;
}

static int send_image(struct server *server, const char *tag, struct error *err)
{
	auto_origin_image struct origin_image image = { 0 };
	const struct line *line = &server->line;

	server->nr_layers = 0;
	if (server->origin->get_image(server->origin, tag, &image, err) < 0 ||
	    put_frame(line, 'c', 0, image.config.data, image.config.len, err) < 0 ||
	    put_frame(line, 'm', 0, image.manifest.data, image.manifest.len, err) < 0)
		return -1;
	for (size_t i = 0; i < image.nr_layers; i++)
		if (put_frame(line, 'l', i, &image.layers[i], sizeof(image.layers[i]), err) < 0)
			return -1;
	for (size_t i = 0; i < image.nr_blobs; i++)
		if (put_blob(line, &image.blobs[i], err) < 0)
			return -1;
	server->nr_layers = image.nr_layers;
	return 0;
}

static int send_bytes(void *ctx, const void *data, size_t len, struct error *err)
{
	const struct server *server = ctx;

	for (size_t at = 0; at < len; at += DATA_BYTES)
		if (put_frame(&server->line, 'D', 0, (const char *)data + at,
			      len - at < DATA_BYTES ? len - at : DATA_BYTES, err) < 0)
			return -1;
	return 0;
}

static int send_blob(struct server *server, size_t layer, struct error *err)
{
	auto_fd int fd = server->origin->open_blob(server->origin, layer, err);
	auto_free char *data = xmalloc(DATA_BYTES);
	ssize_t got;

	if (fd < 0)
		return -1;
	while ((got = io_read(fd, data, DATA_BYTES, err)) > 0)
		if (send_bytes(server, data, (size_t)got, err) < 0)
			return -1;
	return got < 0 ? -1 : 0;
}

static int keep(struct server *server, const struct buf *data, struct error *err)
{
	struct origin_pushed pushed = {
		.manifest = &server->manifest,
		.blobs = server->blobs,
		.nr_blobs = server->nr_blobs,
	};
	int result;

	if (data->len != 2 * sizeof(struct digest))
		return nonsense(err);
	memcpy(&pushed.id, data->data, sizeof(struct digest));
	memcpy(&pushed.digest, data->data + sizeof(struct digest), sizeof(struct digest));
	result = server->origin->keep(server->origin, &pushed, err);
	server_done(server);
	return result;
}

/* Returns 1 when there is nothing to answer, 0, -1. */
static int answer(struct server *server, const struct frame *frame, const struct buf *data,
		  struct error *err)
{
	switch (frame->type) {
	case 'T':
		return send_tags(server, err);
	case 'I':
		return send_image(server, data->data, err);
	case 'm':
		buf_reset(&server->manifest);
		buf_append(&server->manifest, data->data, data->len);
		return 1;
	case 'r':
		return add_blob(data->data, &server->blobs, &server->nr_blobs, err) < 0 ? -1 : 1;
	case 'K':
		return keep(server, data, err);
	default:
		break;
	}
	if (frame->layer >= server->nr_layers)
		return nonsense(err);
	if (frame->type == 'B')
		return send_blob(server, frame->layer, err);
	if (frame->type == 'R')
		return server->origin->write_tar(server->origin, frame->layer, send_bytes, server,
						 err);
	return nonsense(err);
}

int pushrelay_serve(struct origin *origin, int in_fd, int out_fd, struct error *err)
{
	auto_server struct server server = { .origin = origin, .line = { in_fd, out_fd } };
	auto_buf struct buf data = { 0 };
	struct frame frame;
	int got;

	while ((got = get_frame(&server.line, &frame, &data, err)) > 0) {
		struct error why = { 0 };
		int result = answer(&server, &frame, &data, &why);

		if (why.kind == ERR_CANCELLED) {
			*err = why;
			return -1;
		}
		if (result < 0)
			result = put_frame(&server.line, 'X', 0, &why, sizeof(why), err);
		else if (result == 0)
			result = put_frame(&server.line, 'E', 0, NULL, 0, err);
		if (result < 0)
			return -1;
	}
	return got;
}
