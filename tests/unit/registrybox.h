/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registrybox - a registry for tests, on the loopback, that plays every bad one
 *
 * Each connection has a process of its own, so several are served at once. What they were asked
 * is counted in memory that all of them share.
 */
#ifndef REGISTRYBOX_H
#define REGISTRYBOX_H

#include <sys/mman.h>

#include "webserver.h"

enum mischief {
	NO_MISCHIEF,
	CUT,	       /* after `at` bytes of the body */
	STATUS,	       /* `status`, with `extra` headers, and `text` as body */
	OTHER_BYTES,   /* of the same length */
	NO_RANGE,      /* in full, whatever was asked */
	WRONG_RANGE,   /* one byte further on than was asked */
	TOO_SHORT,     /* without the last byte, and it says so */
	SHORT_CHUNKED, /* likewise, without a Content-Length */
	ENDLESS,       /* chunks without an end */
	SILENT,	       /* after `at` bytes nothing more, and no end */
	HEADERS,       /* without an end */
};

struct page {
	const char *path;
	const char *body; /* NULL: what was asked, as text */
	size_t len;	  /* 0: strlen(body) */
	const char *type; /* NULL: none */
	enum mischief mischief;
	unsigned times; /* the first so many requests; 0: all */
	size_t at;
	size_t cut_first; /* the first answer, here; the mischief comes later */
	int status;
	const char *extra, *text;
	const char *authorization; /* asked for with `challenge`, a whole header line */
	const char *challenge;
};

#define PAGES_MAX 16

struct registrybox {
	struct webserver server;
	struct registry_seen {
		unsigned hits[PAGES_MAX];
		char request[PAGES_MAX][4096]; /* the last one */
		unsigned unknown;
	} * seen; /* shared */
	const struct page *pages;
};

static inline size_t page_len(const struct page *page)
{
	return page->len ? page->len : strlen(page->body);
}

static inline void send_text(int fd, const char *text)
{
	web_write(fd, text, strlen(text));
}

static inline void send_status(int fd, const struct page *page)
{
	const char *text = page->text ? page->text : "";
	auto_free char *head =
		xasprintf("HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n%s%s\r\n%s",
			  page->status, strlen(text), page->extra ? page->extra : "",
			  page->extra ? "\r\n" : "", text);

	send_text(fd, head);
}

static inline void send_chunked(int fd, const struct page *page, bool endless)
{
	auto_free char *head = xasprintf(
		"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n%s%s\r\n\r\n",
		page->type ? "Content-Type: " : "X: y", page->type ? page->type : "");
	auto_free char *size = xasprintf("%zx\r\n", page_len(page) - 1);

	send_text(fd, head);
	if (!endless) {
		send_text(fd, size);
		web_write(fd, page->body, page_len(page) - 1);
		send_text(fd, "\r\n0\r\n\r\n");
		return;
	}
	for (int i = 0; i < 200000; i++)
		send_text(fd, "100\r\n"
			      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
			      "\r\n");
}

static inline void send_body(int fd, const struct page *page, size_t from, bool partial,
			     bool mischief)
{
	size_t len = page_len(page), end = len;
	auto_free char *body = xmalloc(len + 1);
	auto_free char *range =
		partial ? xasprintf("Content-Range: bytes %zu-%zu/%zu\r\n", from, len - 1, len)
			: xstrdup("");
	auto_free char *head = NULL;

	memcpy(body, page->body, len);
	if (mischief && page->mischief == OTHER_BYTES)
		body[len / 2] ^= 1;
	if (mischief && page->mischief == TOO_SHORT)
		end = --len;
	head = xasprintf("HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n%s%s%s%s\r\n",
			 partial ? "206 Partial Content" : "200 OK", len - from, range,
			 page->type ? "Content-Type: " : "", page->type ? page->type : "",
			 page->type ? "\r\n" : "");
	send_text(fd, head);
	if (mischief && (page->mischief == CUT || page->mischief == SILENT) &&
	    from + page->at < end)
		end = from + page->at;
	web_write(fd, body + from, end - from);
	if (mischief && page->mischief == SILENT)
		pause();
}

static inline void send_headers(int fd)
{
	send_text(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 10000; i++)
		send_text(fd, "X-Header: 0123456789abcdef0123456789abcdef0123456789abcdef\r\n");
}

static inline void send_page(int fd, const struct page *page, const char *request, unsigned hit)
{
	bool mischief = page->mischief && (!page->times || hit < page->times);
	const char *range = strcasestr(request, "\r\nRange: bytes=");
	struct page cut = *page;
	size_t from = 0;

	if (page->cut_first && hit == 0) {
		cut.mischief = CUT;
		cut.at = page->cut_first;
		send_body(fd, &cut, 0, false, true);
		return;
	}

	if (page->authorization && !strstr(request, page->authorization)) {
		auto_free char *head = xasprintf(
			"HTTP/1.1 401 X\r\nConnection: close\r\nContent-Length: 0\r\n%s\r\n\r\n",
			page->challenge);

		send_text(fd, head);
		return;
	}
	if (range)
		from = strtoul(range + strlen("\r\nRange: bytes="), NULL, 10);
	if (mischief && page->mischief == NO_RANGE)
		range = NULL;
	if (mischief && page->mischief == WRONG_RANGE && range)
		from++;
	if (mischief && page->mischief == STATUS)
		send_status(fd, page);
	else if (mischief && (page->mischief == ENDLESS || page->mischief == SHORT_CHUNKED))
		send_chunked(fd, page, page->mischief == ENDLESS);
	else if (mischief && page->mischief == HEADERS)
		send_headers(fd);
	else
		send_body(fd, page, range ? from : 0, range != NULL, mischief);
}

static inline void serve_connection(const struct registrybox *box, int fd)
{
	char request[4096] = { 0 }, path[512] = { 0 }, rest[64];
	size_t len = 0;
	ssize_t got = 1;

	while (len + 1 < sizeof(request) && !strstr(request, "\r\n\r\n") && got > 0) {
		got = read(fd, request + len, sizeof(request) - 1 - len);
		len += got > 0 ? (size_t)got : 0;
		if (request[0] == 0x16)
			return; /* TLS, which we do not speak */
	}
	if (sscanf(request, "%*s %511s", path) != 1)
		return;
	for (size_t i = 0; box->pages[i].path; i++) {
		if (strcmp(box->pages[i].path, path) != 0)
			continue;
		memcpy(box->seen->request[i], request, sizeof(request));
		send_page(fd, &box->pages[i], request,
			  __atomic_fetch_add(&box->seen->hits[i], 1, __ATOMIC_SEQ_CST));
		path[0] = '\0';
		break;
	}
	if (*path) {
		__atomic_fetch_add(&box->seen->unknown, 1, __ATOMIC_SEQ_CST);
		send_text(fd, "HTTP/1.1 404 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	}
	shutdown(fd, SHUT_WR);
	while (read(fd, rest, sizeof(rest)) > 0)
		;
}

/* @pages: at most PAGES_MAX, ends with a path of NULL */
static inline struct registrybox registry_start(const struct page *pages)
{
	struct registrybox box = { .pages = pages };
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

		if (client < 0)
			_exit(1);
		if (fork() == 0) {
			serve_connection(&box, client);
			_exit(0);
		}
		close(client);
	}
}

static inline void registry_stop(struct registrybox *box)
{
	kill(-box->server.pid, SIGKILL);
	web_stop(&box->server);
	munmap(box->seen, sizeof(*box->seen));
}
#define auto_registrybox __attribute__((cleanup(registry_stop)))

#endif
