/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http - one request to a registry and what its answer begins with
 *
 * A transfer can be made alone (http_get) or be one of several of a curl_multi handle. What is
 * sent are the headers given and the program's name; an Authorization among them goes to the
 * host, port and protocol of the URL only, wherever that redirects to. Certificates are
 * verified unless the request says otherwise. Proxies as in fetch.h, but none for the loopback.
 */
#ifndef REGISTRY_HTTP_H
#define REGISTRY_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/challenge.h"
#include "registry/curllib.h"

struct http_limits {
	/* Seconds, 0: what is usual. For a connection, names and TLS included; and without any data. */
	unsigned connect_seconds, stall_seconds;
};

/* What is sent along. */
struct http_body {
	uint64_t bytes;
	/* Fills data with the len bytes from `at` on; returns 0, or -1. NULL when there are none. */
	int (*read)(void *ctx, uint64_t at, void *data, size_t len);
	void *ctx;
};

/* Beside what the system has. */
struct http_tls {
	const char *roots; /* PEM; NULL: none */
	size_t roots_len;
	const char *cert, *key; /* files of our own certificate; or NULL */
};

/* A connection that requests after each other use again. Starts as { 0 }. */
struct http_keep {
	const struct curllib *lib;
	CURL *curl; /* NULL: none, or in use */
};

void http_keep_done(struct http_keep *keep);

/* Everything borrowed. */
struct http_request {
	const char *url;
	const char *method; /* NULL: GET, or POST of a form; redirects are for GET and HEAD only */
	struct http_body body;	    /* of a method that is neither */
	const char *const *headers; /* whole lines; NULL among them is none */
	size_t nr_headers;
	const char *form;     /* posted; NULL: GET */
	uint64_t range_start; /* bytes from here on; 0: all */
	bool unverified;      /* any certificate will do */
	bool secret;	      /* the answer is one: wiped, and never asked for over http by https */
	bool last; /* goes on after a signal, for so many seconds as may pass without data */
	struct http_tls tls;
	struct http_keep *keep; /* or NULL */
	struct http_limits limits;
};

/* Of the last answer: those before it were redirects. */
struct http_head {
	long status; /* 0: none came */
	char *content_type;
	char *link; /* the value of the last Link; NULL: none */
	struct challenge_list challenges;
	int64_t retry_after_seconds; /* -1: not said */
	int64_t range_start;	     /* of a 206; -1: not said */
	int64_t content_length;	     /* -1: not said */
	int64_t taken_end; /* last byte of an upload that is there ("Range"); -1: not said */
	int64_t chunk_min; /* bytes ("OCI-Chunk-Min-Length"); -1: not said */
	char *location;	   /* as it came; NULL: not said */
	bool chunked;	   /* so its end is told, too */
	bool redirected;   /* somebody else may have said it */
	size_t bytes;	   /* of its lines so far */
};

struct http_transfer {
	const struct curllib *lib;
	CURL *curl; /* NULL: nothing to release */
	struct http_keep *keep;
	struct curl_slist *lines;
	struct http_head head;
	struct http_body body;
	uint64_t body_at; /* so much of it was handed over */
	char detail[CURL_ERROR_SIZE];
};

/*
 * A line of the answer's beginning, as it came; size is its length, and what is returned unless
 * there were too many. For libcurl, and for who tests it: lib and head alone are used.
 */
size_t http_take_line(struct http_transfer *transfer, const char *data, size_t size);
void http_head_done(struct http_head *head);

/* As CURLOPT_WRITEFUNCTION. */
typedef size_t http_write_fn(char *data, size_t one, size_t size, void *ctx);

/* Everything is copied but the form. ERR_UNSUPPORTED, ERR_IO. */
int http_transfer_init(struct http_transfer *transfer, const struct curllib *lib,
		       const struct http_request *request, http_write_fn *write, void *write_ctx,
		       struct error *err);
void http_transfer_done(struct http_transfer *transfer);
#define auto_http_transfer __attribute__((cleanup(http_transfer_done)))

/* Why libcurl could not: ERR_CANCELLED, ERR_DENIED (our certificate) or ERR_REMOTE. Returns -1. */
int http_transfer_failed(const struct http_transfer *transfer, CURLcode code, struct error *err);
/* Is it of use to try again what ended so? */
bool http_may_retry(CURLcode code);
/* Did it end so because the other side's certificate is not believed? */
bool http_is_distrust(CURLcode code);
/* Did it end so because the other side does not speak TLS, or is not there? */
bool http_is_no_tls(CURLcode code);
/* Likewise http: it hung up, or answered with something else. */
bool http_is_no_http(CURLcode code);

struct http_answer {
	struct http_head head;
	struct buf body;
	bool too_long; /* the body was cut at its bound; the status tells what that means */
	CURLcode code; /* after a failure */
};

void http_answer_done(struct http_answer *answer);
#define auto_http_answer __attribute__((cleanup(http_answer_done)))

/**
 * http_get - make a request and wait for its whole answer
 * @max_bytes: of the body
 * @ret: overwritten; also after a failure, for its code
 *
 * Returns 0 with any status, or -1 as http_transfer_failed().
 */
int http_get(const struct curllib *lib, const struct http_request *request, size_t max_bytes,
	     struct http_answer *ret, struct error *err);

/* Appends text with everything but letters, digits and "-._~" as %XX. */
void http_escape(const char *text, struct buf *ret);

#endif
