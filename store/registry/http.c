/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/http.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/secret.h"
#include "limits.h"

#define CONNECT_SECONDS 30
#define STALL_SECONDS	60
#define REDIRECTS_MAX	10L
#define PROTOCOLS	"http,https"
#define RECEIVE_BYTES	(256L * 1024)
#define SEND_BYTES	(256L * 1024)

/* ---- headers ---- */

void http_head_done(struct http_head *head)
{
	free(head->content_type);
	free(head->location);
	free(head->link);
	challenge_list_done(&head->challenges);
	*head = (struct http_head){ .retry_after_seconds = -1,
				    .range_start = -1,
				    .content_length = -1,
				    .taken_end = -1,
				    .chunk_min = -1 };
}

/* The value when the line is this header, else NULL. */
static const char *value_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	return line + strspn(line, " \t");
}

/* A whole number that fits, or -1. */
static int64_t number_of(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits && digits < 19 ? strtoll(text, NULL, 10) : -1;
}

/* "0-99", and "bytes=0-99": 99. */
static int64_t end_of_range(const char *value)
{
	const char *digits = strncasecmp(value, "bytes=", 6) == 0 ? value + 6 : value;

	if (number_of(digits) != 0)
		return -1;
	digits += strspn(digits, "0123456789");
	return *digits == '-' ? number_of(digits + 1) : -1;
}

/* Seconds, or a date. */
static int64_t retry_after_of(const struct curllib *lib, const char *value)
{
	time_t at;

	if (*value >= '0' && *value <= '9')
		return number_of(value);
	at = lib->getdate(value, NULL);
	if (at < 0)
		return -1;
	at -= time(NULL);
	return at > 0 ? at : 0;
}

/* Of an answer to something that was sent. */
static void take_upload_header(struct http_head *head, const char *line)
{
	const char *value;

	if ((value = value_of(line, "location"))) {
		free(head->location);
		head->location = xstrdup(value);
	} else if ((value = value_of(line, "range"))) {
		head->taken_end = end_of_range(value);
	} else if ((value = value_of(line, "oci-chunk-min-length"))) {
		head->chunk_min = number_of(value);
	}
}

static void take_header(struct http_transfer *transfer, const char *line)
{
	struct http_head *head = &transfer->head;
	const char *value;

	if ((value = value_of(line, "content-type"))) {
		free(head->content_type);
		head->content_type = xstrdup(value);
	} else if ((value = value_of(line, "link"))) {
		free(head->link);
		head->link = xstrdup(value);
	} else if ((value = value_of(line, "www-authenticate"))) {
		challenge_parse(value, &head->challenges);
	} else if ((value = value_of(line, "retry-after"))) {
		head->retry_after_seconds = retry_after_of(transfer->lib, value);
	} else if ((value = value_of(line, "content-length"))) {
		head->content_length = number_of(value);
	} else if (value_of(line, "transfer-encoding")) {
		head->chunked = true;
	} else if ((value = value_of(line, "content-range"))) {
		if (strncasecmp(value, "bytes ", 6) == 0)
			head->range_start = number_of(value + 6);
	} else {
		take_upload_header(head, line);
	}
}

size_t http_take_line(struct http_transfer *transfer, const char *data, size_t size)
{
	struct http_head *head = &transfer->head;
	auto_free char *line = xasprintf("%.*s", (int)(size < 32768 ? size : 32768), data);

	line[strcspn(line, "\r\n")] = '\0';
	if (strncasecmp(line, "HTTP/", 5) == 0) {
		const char *status = strchr(line, ' ');
		bool redirected = head->redirected || head->status / 100 == 3;

		http_head_done(head);
		head->redirected = redirected;
		head->status = status ? strtol(status, NULL, 10) : 0;
	}
	head->bytes += size;
	if (head->bytes > LIMIT_HEADER_BYTES)
		return size ? 0 : 1; /* ends the transfer */
	take_header(transfer, line);
	return size;
}

static size_t on_header(char *data, size_t one, size_t size, void *ctx)
{
	(void)one;
	return http_take_line(ctx, data, size);
}

/* Comes once in a second at least, also when nothing moves. */
static int on_progress(void *ctx, curl_off_t total, curl_off_t done, curl_off_t up_total,
		       curl_off_t up_done)
{
	struct error err;

	(void)ctx;
	(void)total;
	(void)done;
	(void)up_total;
	(void)up_done;
	return cancel_check(&err) < 0;
}

/* ---- what is sent ---- */

static size_t on_read(char *data, size_t one, size_t size, void *ctx)
{
	struct http_transfer *transfer = ctx;
	uint64_t left = transfer->body.bytes - transfer->body_at;

	size *= one;
	if (left < size)
		size = (size_t)left;
	if (size && transfer->body.read(transfer->body.ctx, transfer->body_at, data, size) < 0)
		return CURL_READFUNC_ABORT;
	transfer->body_at += size;
	return size;
}

/* A connection that was kept turned out to be closed. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct http_transfer *transfer = ctx;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > transfer->body.bytes)
		return CURL_SEEKFUNC_FAIL;
	transfer->body_at = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- the request ---- */

static int set_common(struct http_transfer *transfer, const struct http_request *request)
{
	__typeof__(transfer->lib->easy_setopt) set = transfer->lib->easy_setopt;
	CURL *curl = transfer->curl;
	long connect = request->limits.connect_seconds ?: CONNECT_SECONDS;
	long stall = request->limits.stall_seconds ?: STALL_SECONDS;
	long verify = !request->unverified;
	bool sealed = request->secret && strncasecmp(request->url, "https:", 6) == 0;

	/* Refused where a redirect that failed left the buffer of before, which is as large. */
	set(curl, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
	return set(curl, CURLOPT_URL, request->url) ||
	       set(curl, CURLOPT_PROTOCOLS_STR, PROTOCOLS) ||
	       set(curl, CURLOPT_REDIR_PROTOCOLS_STR, sealed ? "https" : PROTOCOLS) ||
	       set(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX) ||
	       /* Several at once are faster than one connection of HTTP/2, and a pause is plain. */
	       set(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ||
	       set(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) ||
	       set(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) ||
	       set(curl, CURLOPT_SSL_VERIFYPEER, verify) ||
	       set(curl, CURLOPT_SSL_VERIFYHOST, verify * 2) ||
	       set(curl, CURLOPT_USERAGENT, "veneer/" VENEER_VERSION) ||
	       set(curl, CURLOPT_NOSIGNAL, 1L) || set(curl, CURLOPT_CONNECTTIMEOUT, connect) ||
	       set(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) || set(curl, CURLOPT_LOW_SPEED_TIME, stall) ||
	       set(curl, CURLOPT_ERRORBUFFER, transfer->detail) ||
	       set(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) ||
	       set(curl, CURLOPT_HEADERFUNCTION, on_header) ||
	       set(curl, CURLOPT_HEADERDATA, transfer) || set(curl, CURLOPT_NOPROGRESS, 0L) ||
	       set(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
}

/* The loopback is never behind a proxy; where nobody is, the environment says. */
static char *no_proxy(void)
{
	const char *others = getenv("no_proxy") ?: getenv("NO_PROXY");

	return xasprintf("localhost,127.0.0.0/8,::1%s%s", others && *others ? "," : "",
			 others ?: "");
}

static bool is_reading(const struct http_request *request)
{
	const char *method = request->method;

	return !request->form &&
	       (!method || strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0);
}

static int set_method(struct http_transfer *transfer, const struct http_request *request)
{
	__typeof__(transfer->lib->easy_setopt) set = transfer->lib->easy_setopt;
	CURL *curl = transfer->curl;

	if (is_reading(request))
		return request->method && strcmp(request->method, "HEAD") == 0 &&
		       set(curl, CURLOPT_NOBODY, 1L);
	if (request->form)
		return 0;
	transfer->body = request->body;
	return set(curl, CURLOPT_UPLOAD, 1L) || set(curl, CURLOPT_CUSTOMREQUEST, request->method) ||
	       set(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body.bytes) ||
	       set(curl, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BYTES) ||
	       set(curl, CURLOPT_READFUNCTION, on_read) || set(curl, CURLOPT_READDATA, transfer) ||
	       set(curl, CURLOPT_SEEKFUNCTION, on_seek) || set(curl, CURLOPT_SEEKDATA, transfer);
}

/* Roots of the caller's take the place of the system's file; its folder, if it has one, stays. */
static int set_roots(struct http_transfer *transfer, const struct http_tls *tls)
{
	const struct curllib *lib = transfer->lib;
	auto_buf struct buf all = { 0 };
	const char *file = NULL, *folder = NULL;
	struct curl_blob blob = { .flags = CURL_BLOB_COPY };
	struct error ignored;

	lib->easy_getinfo(transfer->curl, CURLINFO_CAPATH, &folder);
	lib->easy_getinfo(transfer->curl, CURLINFO_CAINFO, &file);
	if (!folder && file)
		io_read_file(AT_FDCWD, file, LIMIT_CERTIFICATE_BYTES, &all, &ignored);
	buf_append(&all, "\n", 1);
	buf_append(&all, tls->roots, tls->roots_len);
	blob.data = all.data;
	blob.len = all.len;
	return lib->easy_setopt(transfer->curl, CURLOPT_CAINFO_BLOB, &blob);
}

static int set_tls(struct http_transfer *transfer, const struct http_request *request)
{
	__typeof__(transfer->lib->easy_setopt) set = transfer->lib->easy_setopt;
	const struct http_tls *tls = &request->tls;

	return (tls->roots && tls->roots_len && set_roots(transfer, tls)) ||
	       (tls->cert && set(transfer->curl, CURLOPT_SSLCERT, tls->cert)) ||
	       (tls->key && set(transfer->curl, CURLOPT_SSLKEY, tls->key));
}

/* Whatever is posted is secret, and stays with whom it was meant for. */
static int set_special(struct http_transfer *transfer, const struct http_request *request)
{
	__typeof__(transfer->lib->easy_setopt) set = transfer->lib->easy_setopt;
	auto_free char *range = xasprintf("%ju-", (uintmax_t)request->range_start);
	auto_free char *direct = no_proxy();
	CURL *curl = transfer->curl;

	for (size_t i = 0; i < request->nr_headers; i++) {
		struct curl_slist *lines;

		if (!request->headers[i])
			continue;
		lines = transfer->lib->slist_append(transfer->lines, request->headers[i]);
		if (!lines)
			return -1;
		transfer->lines = lines;
	}
	return set(curl, CURLOPT_HTTPHEADER, transfer->lines) ||
	       set(curl, CURLOPT_NOPROXY, direct) ||
	       set(curl, CURLOPT_FOLLOWLOCATION, is_reading(request) ? 1L : 0L) ||
	       (request->last &&
		(set(curl, CURLOPT_NOPROGRESS, 1L) ||
		 set(curl, CURLOPT_TIMEOUT, (long)request->limits.stall_seconds))) ||
	       (request->form && set(curl, CURLOPT_POSTFIELDS, request->form)) ||
	       (request->range_start && set(curl, CURLOPT_RANGE, range));
}

static CURL *take_kept(struct http_keep *keep)
{
	CURL *curl = keep ? take_ptr(keep->curl) : NULL;

	if (curl)
		keep->lib->easy_reset(curl); /* but for its connection */
	return curl;
}

static void give_back(struct http_transfer *transfer)
{
	struct http_keep *keep = transfer->keep;

	if (!keep || keep->curl) {
		transfer->lib->easy_cleanup(transfer->curl);
		return;
	}
	transfer->lib->easy_reset(transfer->curl); /* forgets headers, which are secret */
	keep->lib = transfer->lib;
	keep->curl = transfer->curl;
}

void http_keep_done(struct http_keep *keep)
{
	if (keep->curl)
		keep->lib->easy_cleanup(keep->curl);
	keep->curl = NULL;
}

int http_transfer_init(struct http_transfer *transfer, const struct curllib *lib,
		       const struct http_request *request, http_write_fn *write, void *write_ctx,
		       struct error *err)
{
	*transfer = (struct http_transfer){ .lib = lib, .keep = request->keep };
	transfer->curl = take_kept(request->keep) ?: lib->easy_init();
	if (!transfer->curl)
		return err_set(err, ERR_IO, "libcurl cannot begin a transfer");
	http_head_done(&transfer->head);
	if (set_common(transfer, request) || set_special(transfer, request) ||
	    set_method(transfer, request) || set_tls(transfer, request) ||
	    lib->easy_setopt(transfer->curl, CURLOPT_WRITEFUNCTION, write) ||
	    lib->easy_setopt(transfer->curl, CURLOPT_WRITEDATA, write_ctx)) {
		http_transfer_done(transfer);
		return err_set(err, ERR_UNSUPPORTED, "this libcurl is too old");
	}
	return 0;
}

void http_transfer_done(struct http_transfer *transfer)
{
	if (!transfer->curl)
		return;
	give_back(transfer);
	transfer->lib->slist_free_all(transfer->lines);
	http_head_done(&transfer->head);
	transfer->curl = NULL;
	transfer->lines = NULL;
}

/* Did the other side say, in TLS, that it does not take our certificate, or wants one? */
static bool is_refused(const char *detail)
{
	const char *alert = strstr(detail, " alert ");

	return alert && (strstr(alert, "certificate") || strstr(alert, "unknown ca"));
}

int http_transfer_failed(const struct http_transfer *transfer, CURLcode code, struct error *err)
{
	if (cancel_check(err) < 0)
		return -1;
	if (transfer->head.bytes > LIMIT_HEADER_BYTES)
		return err_set(err, ERR_LIMIT, "more than %u bytes of headers", LIMIT_HEADER_BYTES);
	if (is_refused(transfer->detail))
		return err_set(err, ERR_DENIED, "%s; it wants a client certificate that it knows",
			       transfer->detail);
	return err_set(err, ERR_REMOTE, "%s",
		       *transfer->detail ? transfer->detail : transfer->lib->easy_strerror(code));
}

bool http_may_retry(CURLcode code)
{
	switch (code) {
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_TOO_MANY_REDIRECTS:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_LOGIN_DENIED:
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_WRITE_ERROR:
	case CURLE_OUT_OF_MEMORY:
		return false;
	default:
		return true;
	}
}

bool http_is_distrust(CURLcode code)
{
	return code == CURLE_PEER_FAILED_VERIFICATION;
}

bool http_is_no_tls(CURLcode code)
{
	return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_COULDNT_CONNECT;
}

bool http_is_no_http(CURLcode code)
{
	return code == CURLE_COULDNT_CONNECT || code == CURLE_GOT_NOTHING ||
	       code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
	       code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY;
}

/* ---- a whole answer ---- */

struct body {
	struct http_answer *answer;
	size_t max_bytes;
};

static size_t on_body(char *data, size_t one, size_t size, void *ctx)
{
	struct body *body = ctx;
	size_t room = body->max_bytes - body->answer->body.len;

	(void)one;
	buf_append(&body->answer->body, data, size < room ? size : room);
	if (size <= room)
		return size;
	body->answer->too_long = true;
	return size ? 0 : 1;
}

void http_answer_done(struct http_answer *answer)
{
	http_head_done(&answer->head);
	secret_buf_done(&answer->body);
}

int http_get(const struct curllib *lib, const struct http_request *request, size_t max_bytes,
	     struct http_answer *ret, struct error *err)
{
	auto_http_transfer struct http_transfer transfer = { 0 };
	struct body body = { ret, max_bytes };

	*ret = (struct http_answer){ 0 };
	http_head_done(&ret->head);
	if (request->secret)
		secret_buf_init(&ret->body, max_bytes);
	if (http_transfer_init(&transfer, lib, request, on_body, &body, err) < 0)
		return -1;
	ret->code = lib->easy_perform(transfer.curl);
	if (ret->code != CURLE_OK && !ret->too_long)
		return http_transfer_failed(&transfer, ret->code, err);
	ret->head = transfer.head;
	transfer.head = (struct http_head){ 0 };
	return 0;
}

void http_escape(const char *text, struct buf *ret)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			buf_putc(ret, *text);
		else
			buf_printf(ret, "%%%02X", (unsigned char)*text);
	}
}
