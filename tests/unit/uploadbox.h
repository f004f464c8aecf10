/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uploadbox - a registry for tests of uploads, on the loopback, that plays every bad one
 *
 * It has one repository, "x", and one session at a time, in memory that its processes share: one
 * for each connection.
 */
#ifndef UPLOADBOX_H
#define UPLOADBOX_H

#include <sys/mman.h>

#include "webserver.h"

#define UPLOADBOX_BYTES ((size_t)48 * 1024 * 1024)

struct uploadbox_play {
	bool has_blobs;	       /* HEAD finds whatever is asked for */
	int64_t wrong_length;  /* that HEAD says then; 0: the right one is not said */
	int head_status;       /* instead of 404 */
	int mount_status;      /* 0: 202 */
	int begin_status;      /* instead of 202 */
	int patch_status;      /* instead of 202 */
	int put_status;	       /* instead of 201 */
	unsigned busy;	       /* the first so many requests get 429 */
	const char *busy_more; /* header lines with it */
	size_t cut_at;	       /* the first PATCH is cut after so many bytes */
	bool cut_put;	       /* the first PUT is taken, and its answer lost */
	bool forgets;	       /* a session that was cut */
	bool hides;	       /* the first PATCH is taken half, with 416 */
	int64_t claims;	       /* bytes that a PATCH says to have got; 0: the truth */
	size_t max_bytes;      /* of one PATCH: else 413 */
	const char *session;   /* how Location begins; "": relative to the host */
	const char *authorization, *challenge;
	const char *chunk_min; /* header */
};

enum uploadbox_method { HEAD, POST, PATCH, GET, PUT, DELETE, METHODS };

struct uploadbox_seen {
	unsigned hits[METHODS], all, cuts;
	char request[METHODS][4096]; /* the last one of each */
	size_t stored;		     /* bytes of the session */
	bool open;
	char manifest[8192];	  /* that was put last */
	char manifest_head[4096]; /* its request */
	unsigned manifests;
	char done[128]; /* digest of the finished blob */
	size_t done_bytes;
	char data[UPLOADBOX_BYTES];
};

struct uploadbox {
	struct webserver server;
	const struct uploadbox_play *play;
	struct uploadbox_seen *seen;
};

static inline void upload_say(int fd, int status, const char *more)
{
	dprintf(fd, "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: 0\r\n%s\r\n", status,
		more);
}

static inline void upload_session(const struct uploadbox *box, int fd, int status, int64_t end)
{
	const struct uploadbox_play *play = box->play;

	dprintf(fd,
		"HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: 0\r\n"
		"Location: %s/v2/x/blobs/uploads/%u?state=%u\r\nRange: 0-%jd\r\n%s\r\n",
		status, play->session ? play->session : "", box->seen->hits[POST], box->seen->all,
		(intmax_t)(end > 0 ? end - 1 : 0), play->chunk_min ? play->chunk_min : "");
}

/* Reads the body; *had of it came with the headers. Returns false when it was cut. */
static inline bool upload_body(const struct uploadbox *box, int fd, const char *had, size_t had_len,
			       size_t len, size_t cut_at)
{
	struct uploadbox_seen *seen = box->seen;
	char data[65536];
	size_t got = 0;

	while (got < len) {
		ssize_t now = had_len ? (ssize_t)had_len : read(fd, data, sizeof(data));

		if (now <= 0)
			return false;
		if (seen->stored + (size_t)now <= UPLOADBOX_BYTES)
			memcpy(seen->data + seen->stored, had_len ? had : data, (size_t)now);
		had_len = 0;
		got += (size_t)now;
		seen->stored += (size_t)now;
		if (cut_at && seen->stored >= cut_at)
			return false;
	}
	return true;
}

static inline void upload_patch(const struct uploadbox *box, int fd, const char *request,
				size_t len, const char *had, size_t had_len)
{
	const struct uploadbox_play *play = box->play;
	struct uploadbox_seen *seen = box->seen;
	const char *range = strcasestr(request, "\r\nContent-Range: ");
	bool first = seen->hits[PATCH] == 1;

	if (!seen->open || (play->max_bytes && len > play->max_bytes)) {
		upload_say(fd, seen->open ? 413 : 404, "");
		return;
	}
	if (range && strtoul(range + 17, NULL, 10) != seen->stored) {
		upload_say(fd, 416, "");
		return;
	}
	if (strcasestr(request, "\r\nExpect: 100-continue"))
		dprintf(fd, "HTTP/1.1 100 Continue\r\n\r\n");
	if (!upload_body(box, fd, had, had_len, len, first ? play->cut_at : 0)) {
		seen->cuts++;
		seen->open = !play->forgets;
		_exit(0);
	}
	if (first && play->hides) {
		seen->stored /= 2;
		upload_say(fd, 416, "");
		return;
	}
	upload_session(box, fd, play->patch_status ? play->patch_status : 202,
		       play->claims ? play->claims : (int64_t)seen->stored);
}

static inline void upload_put(const struct uploadbox *box, int fd, const char *request, size_t len,
			      const char *had, size_t had_len)
{
	const char *digest = strstr(request, "digest=");
	struct uploadbox_seen *seen = box->seen;

	if (!seen->open || !digest || box->play->put_status) {
		upload_say(fd, seen->open ? box->play->put_status : 404, "");
		return;
	}
	if (strcasestr(request, "\r\nExpect: 100-continue"))
		dprintf(fd, "HTTP/1.1 100 Continue\r\n\r\n");
	upload_body(box, fd, had, had_len, len, 0);
	snprintf(seen->done, sizeof(seen->done), "sha256:%.64s",
		 digest + strlen("digest=sha256%3A"));
	seen->done_bytes = seen->stored;
	seen->open = false;
	if (box->play->cut_put && seen->hits[PUT] == 1)
		_exit(0);
	upload_say(fd, 201, "");
}

static inline void upload_manifest(const struct uploadbox *box, int fd, const char *request,
				   size_t len, const char *had, size_t had_len)
{
	struct uploadbox_seen *seen = box->seen;

	seen->stored = 0;
	upload_body(box, fd, had, had_len, len, 0);
	snprintf(seen->manifest, sizeof(seen->manifest), "%.*s", (int)len, seen->data);
	snprintf(seen->manifest_head, sizeof(seen->manifest_head), "%s", request);
	seen->manifests++;
	upload_say(fd, 201, "");
}

static inline void upload_head(const struct uploadbox *box, int fd, const char *path)
{
	const struct uploadbox_play *play = box->play;
	bool has = play->has_blobs || (*box->seen->done && strstr(path, box->seen->done));

	if (has && play->wrong_length)
		dprintf(fd, "HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: %jd\r\n\r\n",
			(intmax_t)play->wrong_length);
	else if (has)
		dprintf(fd, "HTTP/1.1 200 X\r\nConnection: close\r\n\r\n");
	else
		upload_say(fd, play->head_status ? play->head_status : 404, "");
}

static inline void upload_begin(const struct uploadbox *box, int fd, bool mount)
{
	const struct uploadbox_play *play = box->play;
	int status = mount ? play->mount_status : play->begin_status;

	if (status && status != 202) {
		upload_say(fd, status, status == 200 ? "Location: /v2/x/blobs/uploads/1\r\n" : "");
		return;
	}
	box->seen->open = true;
	box->seen->stored = 0;
	upload_session(box, fd, 202, 0);
}

static inline void upload_serve(const struct uploadbox *box, int fd)
{
	static const char *const names[METHODS] = { "HEAD ", "POST ", "PATCH ",
						    "GET ",  "PUT ",  "DELETE " };
	char request[4096] = { 0 }, path[1024] = { 0 };
	struct uploadbox_seen *seen = box->seen;
	const char *end = NULL, *length;
	size_t len = 0, body = 0;
	int method = 0;
	ssize_t got = 1;

	while (len + 1 < sizeof(request) && !end && got > 0) {
		got = read(fd, request + len, sizeof(request) - 1 - len);
		len += got > 0 ? (size_t)got : 0;
		if (request[0] == 0x16)
			return; /* TLS, which we do not speak */
		end = strstr(request, "\r\n\r\n");
	}
	if (!end || sscanf(request, "%*s %1023s", path) != 1)
		return;
	if (strcmp(path, "/v2/") == 0) {
		upload_say(fd, 200, "");
		return;
	}
	while (strncmp(request, names[method], strlen(names[method])) != 0)
		method++;
	end += 4;
	length = strcasestr(request, "\r\nContent-Length: ");
	body = length && length < end ? strtoul(length + 18, NULL, 10) : 0;
	memcpy(seen->request[method], request, sizeof(request));
	seen->hits[method]++;
	if (seen->all++ < box->play->busy) {
		upload_say(fd, 429, box->play->busy_more);
		return;
	}
	if (box->play->authorization && !strstr(request, box->play->authorization)) {
		upload_say(fd, 401, box->play->challenge);
		return;
	}
	if (method == PUT && strstr(path, "/manifests/"))
		upload_manifest(box, fd, request, body, end, len - (size_t)(end - request));
	else if (method == HEAD)
		upload_head(box, fd, path);
	else if (method == POST)
		upload_begin(box, fd, strstr(path, "mount=") != NULL);
	else if (method == PATCH)
		upload_patch(box, fd, request, body, end, len - (size_t)(end - request));
	else if (method == PUT)
		upload_put(box, fd, request, body, end, len - (size_t)(end - request));
	else if (method == GET && seen->open)
		upload_session(box, fd, 204, (int64_t)seen->stored);
	else
		upload_say(fd, method == DELETE ? 204 : 404, "");
}

static inline struct uploadbox uploadbox_start(const struct uploadbox_play *play)
{
	struct uploadbox box = { .play = play };
	auto_fd int fd = web_listen(64, &box.server.port);

	box.seen = mmap(NULL, sizeof(*box.seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	CU_ASSERT_FATAL(box.seen != MAP_FAILED);
	box.server.pid = fork();
	CU_ASSERT_FATAL(box.server.pid >= 0);
	if (box.server.pid)
		return box;
	setpgid(0, 0);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int client = accept(fd, NULL, NULL);
		char rest[4096];

		if (client < 0)
			_exit(1);
		if (fork() == 0) {
			upload_serve(&box, client);
			shutdown(client, SHUT_WR);
			while (read(client, rest, sizeof(rest)) > 0)
				;
			_exit(0);
		}
		close(client);
	}
}

static inline void uploadbox_stop(struct uploadbox *box)
{
	if (!box->seen)
		return;
	kill(-box->server.pid, SIGKILL);
	web_stop(&box->server);
	munmap(box->seen, sizeof(*box->seen));
}
#define auto_uploadbox __attribute__((cleanup(uploadbox_stop)))

#endif
