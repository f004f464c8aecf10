/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/fetch.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "limits.h"
#include "registry/curllib.h"

#define CONNECT_SECONDS 30
#define STALL_SECONDS	60
#define REDIRECTS_MAX	10L
#define PROTOCOLS	"http,https"
#define LAST_MODIFIED	"last-modified:"

struct fetch {
	const struct fetch_args *args;
	const struct curllib *lib;
	uint64_t max_bytes;
	struct fetch_result result;
	char detail[CURL_ERROR_SIZE];
	bool failed; /* with err */
	struct error err;
};

/* ---- what libcurl calls ---- */

/* Anything but `size` ends the transfer. */
static size_t on_data(char *data, size_t one, size_t size, void *ctx)
{
	struct fetch *fetch = ctx;

	(void)one;
	if (size > fetch->max_bytes - fetch->result.bytes)
		err_set(&fetch->err, ERR_LIMIT, "more than %ju bytes", (uintmax_t)fetch->max_bytes);
	else if (io_write(fetch->args->fd, data, size, &fetch->err) == 0) {
		fetch->result.bytes += size;
		return size;
	}
	fetch->failed = true;
	return size ? 0 : 1;
}

/* The last answer counts: each begins with its status, and those before it were redirects. */
static size_t on_header(char *line, size_t one, size_t size, void *ctx)
{
	const size_t len = strlen(LAST_MODIFIED);
	struct fetch *fetch = ctx;
	auto_free char *date = NULL;
	time_t seconds;

	(void)one;
	if (size >= 5 && strncasecmp(line, "HTTP/", 5) == 0)
		fetch->result.mtime = (struct timespec){ 0 };
	if (size <= len || strncasecmp(line, LAST_MODIFIED, len) != 0)
		return size;
	date = xasprintf("%.*s", (int)(size - len), line + len);
	seconds = fetch->lib->getdate(date, NULL);
	if (seconds > 0)
		fetch->result.mtime.tv_sec = seconds;
	return size;
}

/* Comes once in a second at least, also when nothing moves. */
static int on_progress(void *ctx, curl_off_t total, curl_off_t done, curl_off_t up_total,
		       curl_off_t up_done)
{
	struct fetch *fetch = ctx;
	const struct fetch_args *args = fetch->args;

	(void)up_total;
	(void)up_done;
	if (cancel_check(&fetch->err) < 0) {
		fetch->failed = true;
		return 1;
	}
	progress_update(args->progress, args->progress_item, "Downloading", (uint64_t)done,
			(uint64_t)total);
	return 0;
}

/* ---- the request ---- */

/* The URL without what is secret in it; new. */
static char *shown_url(const char *url)
{
	const char *host = strstr(url, "://"), *at;
	size_t len;

	if (!host)
		return xstrdup(url);
	host += 3;
	len = strcspn(host, "/?#");
	at = memrchr(host, '@', len);
	return at ? xasprintf("%.*s***%s", (int)(host - url), url, at) : xstrdup(url);
}

static bool is_web(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* Returns a number that is not 0 when libcurl lacks any of it. */
static int set_options(struct fetch *fetch, CURL *curl)
{
	const struct fetch_args *args = fetch->args;
	__typeof__(fetch->lib->easy_setopt) set = fetch->lib->easy_setopt;
	long connect = args->connect_seconds ?: CONNECT_SECONDS;
	long stall = args->stall_seconds ?: STALL_SECONDS;

	return set(curl, CURLOPT_URL, args->url) || set(curl, CURLOPT_PROTOCOLS_STR, PROTOCOLS) ||
	       set(curl, CURLOPT_REDIR_PROTOCOLS_STR, PROTOCOLS) ||
	       set(curl, CURLOPT_FOLLOWLOCATION, 1L) ||
	       set(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX) ||
	       set(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) ||
	       set(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) ||
	       set(curl, CURLOPT_SSL_VERIFYPEER, 1L) || set(curl, CURLOPT_SSL_VERIFYHOST, 2L) ||
	       set(curl, CURLOPT_USERAGENT, "veneer/" VENEER_VERSION) ||
	       set(curl, CURLOPT_NOSIGNAL, 1L) || set(curl, CURLOPT_CONNECTTIMEOUT, connect) ||
	       set(curl, CURLOPT_LOW_SPEED_LIMIT, 1L) || set(curl, CURLOPT_LOW_SPEED_TIME, stall) ||
	       set(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)fetch->max_bytes) ||
	       set(curl, CURLOPT_ERRORBUFFER, fetch->detail) ||
	       set(curl, CURLOPT_FAILONERROR, 1L) || set(curl, CURLOPT_NOPROGRESS, 0L) ||
	       set(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) ||
	       set(curl, CURLOPT_WRITEFUNCTION, on_data) || set(curl, CURLOPT_WRITEDATA, fetch) ||
	       set(curl, CURLOPT_HEADERFUNCTION, on_header) ||
	       set(curl, CURLOPT_HEADERDATA, fetch) ||
	       set(curl, CURLOPT_XFERINFOFUNCTION, on_progress) ||
	       set(curl, CURLOPT_XFERINFODATA, fetch);
}

static int failed(const struct fetch *fetch, CURLcode code, struct error *err)
{
	const char *detail = *fetch->detail ? fetch->detail : fetch->lib->easy_strerror(code);

	if (fetch->failed) {
		*err = fetch->err;
		return -1;
	}
	switch (code) {
	case CURLE_URL_MALFORMAT:
		return err_set(err, ERR_USAGE, "%s", detail);
	case CURLE_FILESIZE_EXCEEDED:
		return err_set(err, ERR_LIMIT, "more than %ju bytes", (uintmax_t)fetch->max_bytes);
	case CURLE_LOGIN_DENIED:
		return err_set(err, ERR_USAGE, "a URL with credentials is not supported");
	default:
		return err_set(err, ERR_REMOTE, "%s", detail);
	}
}

static int perform(struct fetch *fetch, CURL *curl, struct error *err)
{
	CURLcode code;
	long status = 0;

	if (set_options(fetch, curl) != 0)
		return err_set(err, ERR_UNSUPPORTED, "this libcurl is too old");
	code = fetch->lib->easy_perform(curl);
	fetch->lib->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_HTTP_RETURNED_ERROR || (code == CURLE_OK && status / 100 != 2))
		return err_set(err, status == 404 || status == 410 ? ERR_NOT_FOUND : ERR_REMOTE,
			       "invalid response status %ld", status);
	return code == CURLE_OK ? 0 : failed(fetch, code, err);
}

int fetch_url(const struct fetch_args *args, struct fetch_result *ret, struct error *err)
{
	struct fetch fetch = { .args = args, .max_bytes = args->max_bytes ?: LIMIT_FETCH_BYTES };
	auto_free char *shown = shown_url(args->url);
	CURL *curl;
	int result;

	if (!is_web(args->url))
		return err_set(err, ERR_USAGE, "download '%.512s': not an http or https URL",
			       shown);
	fetch.lib = curllib_get(err);
	if (!fetch.lib)
		return err_add(err, "download '%.512s'", shown);
	curl = fetch.lib->easy_init();
	if (!curl)
		return err_set(err, ERR_IO, "libcurl cannot begin a transfer");
	result = perform(&fetch, curl, err);
	fetch.lib->easy_cleanup(curl);
	if (result < 0)
		return err_add(err, "download '%.512s'", shown);
	*ret = fetch.result;
	return 0;
}
