/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/login_request.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/secret.h"
#include "limits.h"
#include "registry/curllib.h"

#define CONNECT_SECONDS 30
#define TOTAL_SECONDS	120
#define REDIRECTS_MAX	5L
#define CHALLENGE	"www-authenticate:"

struct exchange {
	const struct login_request *request;
	const struct curllib *lib;
	struct login_answer *answer;
	char detail[CURL_ERROR_SIZE];
	bool failed; /* with err */
	struct error err;
};

void login_answer_done(struct login_answer *answer)
{
	strlist_done(&answer->challenges);
	secret_buf_done(&answer->body);
	*answer = (struct login_answer){ 0 };
}

/* ---- hosts ---- */

char *login_url_host(const char *url)
{
	const char *host = strstr(url, "://");
	size_t len, name;

	host = host ? host + 3 : url;
	len = strcspn(host, "/?#");
	if (memchr(host, '@', len) || memchr(host, '\\', len))
		return NULL;
	if (*host == '[') {
		name = strcspn(host, "]");
		return name < len ? xasprintf("%.*s", (int)name - 1, host + 1) : NULL;
	}
	name = strcspn(host, ":");
	return xasprintf("%.*s", (int)(name < len ? name : len), host);
}

bool login_is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;

	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* ---- what libcurl calls ---- */

static size_t on_data(char *data, size_t one, size_t size, void *ctx)
{
	struct exchange *exchange = ctx;
	struct buf *body = &exchange->answer->body;

	(void)one;
	if (size <= LIMIT_AUTH_ANSWER_BYTES - body->len) {
		buf_append(body, data, size);
		return size;
	}
	err_set(&exchange->err, ERR_LIMIT, "more than %u bytes", LIMIT_AUTH_ANSWER_BYTES);
	exchange->failed = true;
	return size ? 0 : 1;
}

/* The last answer counts: each begins with its status, and those before it were redirects. */
static size_t on_header(char *line, size_t one, size_t size, void *ctx)
{
	const size_t len = strlen(CHALLENGE);
	struct exchange *exchange = ctx;
	struct strlist *list = &exchange->answer->challenges;
	size_t end = size;

	(void)one;
	if (size >= 5 && strncasecmp(line, "HTTP/", 5) == 0)
		strlist_done(list);
	if (size <= len || strncasecmp(line, CHALLENGE, len) != 0)
		return size;
	if (size > LIMIT_CHALLENGE_BYTES || list->nr >= LIMIT_CHALLENGES) {
		err_set(&exchange->err, ERR_LIMIT, "too long or too many WWW-Authenticate");
		exchange->failed = true;
		return 0;
	}
	while (end > len && (line[end - 1] == '\n' || line[end - 1] == '\r'))
		end--;
	strlist_take(list, xasprintf("%.*s", (int)(end - len), line + len));
	return size;
}

static int on_progress(void *ctx, curl_off_t total, curl_off_t done, curl_off_t up_total,
		       curl_off_t up_done)
{
	struct exchange *exchange = ctx;

	(void)total;
	(void)done;
	(void)up_total;
	(void)up_done;
	if (cancel_check(&exchange->err) == 0)
		return 0;
	exchange->failed = true;
	return 1;
}

/* ---- the request ---- */

/* Returns a number that is not 0 when libcurl lacks any of it. */
static int set_options(struct exchange *exchange, CURL *curl)
{
	const struct login_request *request = exchange->request;
	__typeof__(exchange->lib->easy_setopt) set = exchange->lib->easy_setopt;
	long connect = request->connect_seconds ?: CONNECT_SECONDS;
	long total = request->total_seconds ?: TOTAL_SECONDS;

	return set(curl, CURLOPT_URL, request->url) ||
	       set(curl, CURLOPT_PROTOCOLS_STR, "http,https") ||
	       set(curl, CURLOPT_FOLLOWLOCATION, 1L) ||
	       set(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX) ||
	       set(curl, CURLOPT_UNRESTRICTED_AUTH, 0L) ||
	       set(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) ||
	       set(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) ||
	       set(curl, CURLOPT_SSL_VERIFYPEER, 1L) || set(curl, CURLOPT_SSL_VERIFYHOST, 2L) ||
	       set(curl, CURLOPT_USERAGENT, "veneer/" VENEER_VERSION) ||
	       set(curl, CURLOPT_NOSIGNAL, 1L) || set(curl, CURLOPT_CONNECTTIMEOUT, connect) ||
	       set(curl, CURLOPT_TIMEOUT, total) ||
	       set(curl, CURLOPT_ERRORBUFFER, exchange->detail) ||
	       set(curl, CURLOPT_NOPROGRESS, 0L) ||
	       set(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) ||
	       set(curl, CURLOPT_WRITEFUNCTION, on_data) ||
	       set(curl, CURLOPT_WRITEDATA, exchange) ||
	       set(curl, CURLOPT_HEADERFUNCTION, on_header) ||
	       set(curl, CURLOPT_HEADERDATA, exchange) ||
	       set(curl, CURLOPT_XFERINFOFUNCTION, on_progress) ||
	       set(curl, CURLOPT_XFERINFODATA, exchange);
}

/* What was asked for with TLS stays so, and this machine is spoken to without a detour. */
static int set_route(struct exchange *exchange, CURL *curl)
{
	__typeof__(exchange->lib->easy_setopt) set = exchange->lib->easy_setopt;
	const char *url = exchange->request->url;
	bool tls = strncasecmp(url, "https://", 8) == 0;
	auto_free char *host = login_url_host(url);

	return set(curl, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https") ||
	       (host && login_is_loopback(host) && set(curl, CURLOPT_PROXY, ""));
}

static int set_credentials(struct exchange *exchange, CURL *curl)
{
	const struct login_request *request = exchange->request;
	__typeof__(exchange->lib->easy_setopt) set = exchange->lib->easy_setopt;

	if (request->bearer)
		return set(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER) ||
		       set(curl, CURLOPT_XOAUTH2_BEARER, request->bearer);
	if (request->username)
		return set(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) ||
		       set(curl, CURLOPT_USERNAME, request->username) ||
		       set(curl, CURLOPT_PASSWORD, request->password ?: "");
	return 0;
}

static int failed(struct exchange *exchange, CURLcode code, struct error *err)
{
	const char *detail =
		*exchange->detail ? exchange->detail : exchange->lib->easy_strerror(code);

	if (exchange->failed) {
		*err = exchange->err;
		return -1;
	}
	exchange->answer->no_tls = code == CURLE_COULDNT_CONNECT ||
				   code == CURLE_SSL_CONNECT_ERROR || code == CURLE_GOT_NOTHING ||
				   code == CURLE_RECV_ERROR;
	if (code == CURLE_URL_MALFORMAT)
		return err_set(err, ERR_USAGE, "%s", detail);
	return err_set(err, ERR_REMOTE, "%s", detail);
}

static int perform(struct exchange *exchange, CURL *curl, struct error *err)
{
	CURLcode code;

	if (set_options(exchange, curl) || set_route(exchange, curl) ||
	    set_credentials(exchange, curl))
		return err_set(err, ERR_UNSUPPORTED, "this libcurl is too old");
	code = exchange->lib->easy_perform(curl);
	if (code != CURLE_OK)
		return failed(exchange, code, err);
	exchange->lib->easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &exchange->answer->status);
	return 0;
}

int login_get(const struct login_request *request, struct login_answer *ret, struct error *err)
{
	struct exchange exchange = { .request = request, .answer = ret };
	int shown = (int)strcspn(request->url, "?"), result;
	CURL *curl;

	*ret = (struct login_answer){ 0 };
	secret_buf_init(&ret->body, LIMIT_AUTH_ANSWER_BYTES);
	exchange.lib = curllib_get(err);
	if (!exchange.lib)
		return -1;
	curl = exchange.lib->easy_init();
	if (!curl)
		return err_set(err, ERR_IO, "libcurl cannot begin a transfer");
	result = perform(&exchange, curl, err);
	exchange.lib->easy_cleanup(curl);
	return result < 0 ? err_add(err, "Get \"%.*s\"", shown < 512 ? shown : 512, request->url)
			  : 0;
}
