/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "limits.h"
#include "oci/descriptor.h"
#include "oci/reference.h"
#include "registry/auth.h"
#include "registry/endpoint.h"
#include "registry/location.h"

#define PAUSE_MS 5000
#define ACCEPT                                                                          \
	"Accept: " MEDIA_DOCKER_MANIFEST ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST \
	", " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_SIGNED1 ";q=0.5, application/json;q=0.4, */*;q=0.1"

struct registry {
	struct registry_options options;
	const struct curllib *lib;
	char *host; /* with a port, if any */
	char *path;
	bool loopback;
	bool plain; /* it speaks http */
	bool known; /* one of both was answered */
	struct auth *auth;
};

int registry_open(const struct registry_options *options, const struct reference *ref,
		  struct registry **ret, struct error *err)
{
	auto_registry struct registry *registry = xcalloc(1, sizeof(*registry));
	auto_free char *scope =
		xasprintf("repository:%s:pull%s", ref->path, options->push ? ",push" : "");
	auto_credentials struct credentials credentials = { 0 };

	registry->options = *options;
	registry->lib = curllib_get(err);
	if (!registry->lib ||
	    (options->docker_config_dir &&
	     credentials_find(options->docker_config_dir, ref->domain, &credentials, err) < 0))
		return -1;
	registry->host = xstrdup(endpoint_host(ref->domain));
	registry->path = xstrdup(ref->path);
	registry->loopback = endpoint_is_loopback(registry->host);
	registry->auth = auth_new(registry->lib, scope, &credentials, &options->limits);
	if (options->push)
		auth_insist(registry->auth);
	*ret = take_ptr(registry);
	return 0;
}

void registry_free(struct registry *registry)
{
	if (!registry)
		return;
	auth_free(registry->auth);
	free(registry->host);
	free(registry->path);
	free(registry);
}

const struct curllib *registry_lib(const struct registry *registry)
{
	return registry->lib;
}

#define MEETING "" /* the kind of what is no document */

static char *url_of(const struct registry *registry, const char *kind, const char *what)
{
	const char *scheme = registry->plain ? "http" : "https";

	if (!*kind)
		return xasprintf("%s://%s/v2/", scheme, registry->host);
	return xasprintf("%s://%s/v2/%s/%s/%s", scheme, registry->host, registry->path, kind, what);
}

char *registry_url(const struct registry *registry, const char *kind, const char *what)
{
	return url_of(registry, kind, what);
}

char *registry_blob_url(const struct registry *registry, const struct digest *digest)
{
	return url_of(registry, "blobs", digest->text);
}

void registry_document_done(struct registry_document *document)
{
	buf_done(&document->bytes);
	free(document->content_type);
	document->content_type = NULL;
}

/* ---- documents ---- */

static int get_once(struct registry *registry, const char *kind, const char *what,
		    const char *accept, struct http_answer *ret, struct error *err)
{
	auto_free char *url = url_of(registry, kind, what);
	const char *headers[] = { accept, auth_line(registry->auth, NULL) };
	const struct http_request request = {
		.url = url,
		.headers = headers,
		.nr_headers = 2,
		.unverified = registry->loopback,
		.limits = registry->options.limits,
	};

	if (http_get(registry->lib, &request, LIMIT_JSON_BYTES, ret, err) < 0)
		return err_add(err, "Get \"%.512s\"", url);
	registry->known = true;
	return 0;
}

/* With http in the place of https where that is allowed and https is not spoken. */
static int get(struct registry *registry, const char *kind, const char *what, const char *accept,
	       struct http_answer *ret, struct error *err)
{
	struct error plain_err;

	if (get_once(registry, kind, what, accept, ret, err) == 0)
		return 0;
	if (registry->known || !registry->loopback || !http_is_no_tls(ret->code))
		return -1;
	http_answer_done(ret);
	registry->plain = true;
	if (get_once(registry, kind, what, accept, ret, &plain_err) == 0)
		return 0;
	registry->plain = false;
	*err = plain_err;
	return -1;
}

static int get_authenticated(struct registry *registry, const char *kind, const char *what,
			     const char *accept, struct http_answer *ret, struct error *err)
{
	int again = 1;

	for (int i = 0; i < 3 && again > 0; i++) {
		http_answer_done(ret);
		if (get(registry, kind, what, accept, ret, err) < 0)
			return -1;
		if (ret->head.status != 401)
			return 0;
		again = i < 2 ? registry_authenticate(registry, &ret->head, err) : 0;
	}
	return again < 0 ? -1 : 0;
}

bool registry_is_passing(long status)
{
	return status == 408 || status == 429 || status / 100 == 5;
}

int64_t registry_pause_ms(const struct registry *registry, unsigned try,
			  const struct http_head *head)
{
	int64_t pause = (int64_t)(registry->options.pause_ms ?: PAUSE_MS) * try;

	if (try >= REGISTRY_TRIES)
		return -1;
	if (!head || head->retry_after_seconds < 0)
		return pause;
	if (head->retry_after_seconds > LIMIT_RETRY_AFTER)
		return -1;
	return head->retry_after_seconds ? head->retry_after_seconds * 1000 : 1;
}

int registry_wait_ms(int64_t ms, struct error *err)
{
	for (; ms > 0; ms -= 100) {
		const struct timespec moment = { .tv_nsec = (ms < 100 ? ms : 100) * 1000000 };

		if (cancel_check(err) < 0)
			return -1;
		nanosleep(&moment, NULL);
	}
	return cancel_check(err);
}

/* A slip of the hand is told at once: who has not answered yet may not exist. */
static bool may_get_better(const struct registry *registry, CURLcode code)
{
	if (!registry->known && (http_is_no_tls(code) || code == CURLE_COULDNT_RESOLVE_HOST))
		return false;
	return code != CURLE_OK && http_may_retry(code);
}

/* Until it is there, or refused for good. */
static int get_patiently(struct registry *registry, const char *kind, const char *what,
			 const char *accept, struct http_answer *ret, struct error *err)
{
	for (unsigned try = 1;; try++) {
		int result = get_authenticated(registry, kind, what, accept, ret, err);
		int64_t pause;

		if (result == 0 && !registry_is_passing(ret->head.status))
			return 0;
		if (result < 0 && (err->kind != ERR_REMOTE || !may_get_better(registry, ret->code)))
			return -1;
		pause = registry_pause_ms(registry, try, result == 0 ? &ret->head : NULL);
		if (pause < 0)
			return result;
		log_debug("%s %s: asking again in %jd ms", kind, what, (intmax_t)pause);
		if (registry_wait_ms(pause, err) < 0)
			return -1;
	}
}

static int get_document(struct registry *registry, const char *kind, const char *what,
			const char *accept, struct registry_document *ret,
			enum refusal *ret_refusal, struct error *err)
{
	auto_http_answer struct http_answer answer = { 0 };
	enum refusal refusal;

	*ret = (struct registry_document){ 0 };
	if (ret_refusal)
		*ret_refusal = REFUSAL_OTHER;
	if (get_patiently(registry, kind, what, accept, &answer, err) < 0)
		return -1;
	if (answer.head.status / 100 != 2) {
		refusal = refusal_read(&answer.head, &answer.body, err);
		if (ret_refusal)
			*ret_refusal = refusal;
		return -1;
	}
	if (answer.too_long)
		return err_set(err, ERR_LIMIT, "%s %s is larger than %u bytes", kind, what,
			       LIMIT_JSON_BYTES);
	ret->bytes = answer.body;
	ret->content_type = take_ptr(answer.head.content_type);
	answer.body = (struct buf){ 0 };
	return 0;
}

int registry_manifest(struct registry *registry, const char *what, struct registry_document *ret,
		      enum refusal *ret_refusal, struct error *err)
{
	return get_document(registry, "manifests", what, ACCEPT, ret, ret_refusal, err);
}

int registry_blob(struct registry *registry, const struct digest *digest,
		  struct registry_document *ret, struct error *err)
{
	return get_document(registry, "blobs", digest->text, NULL, ret, NULL, err);
}

/* ---- for transfers that are made elsewhere ---- */

int registry_transfer(struct registry *registry, const char *url, bool foreign,
		      uint64_t range_start, http_write_fn *write, void *write_ctx,
		      struct http_transfer *ret, struct error *err)
{
	const char *headers[] = { foreign ? NULL : auth_line(registry->auth, NULL) };
	const struct http_request request = {
		.url = url,
		.headers = headers,
		.nr_headers = 1,
		.range_start = range_start,
		.unverified = registry->loopback && !foreign,
		.limits = registry->options.limits,
	};

	return http_transfer_init(ret, registry->lib, &request, write, write_ctx, err);
}

int registry_authenticate(struct registry *registry, const struct http_head *head,
			  struct error *err)
{
	return auth_answer(registry->auth, NULL, head, !registry->plain, err);
}

int registry_meet(struct registry *registry, struct error *err)
{
	auto_http_answer struct http_answer answer = { 0 };

	return get_patiently(registry, MEETING, "", NULL, &answer, err);
}

bool registry_owns(const struct registry *registry, const char *url)
{
	auto_free char *own = url_of(registry, MEETING, "");

	return location_same_origin(own, url);
}

int registry_request(struct registry *registry, const struct registry_request *request,
		     http_write_fn *write, void *write_ctx, struct http_transfer *ret,
		     struct error *err)
{
	bool own = registry_owns(registry, request->url);
	const char *headers[] = { request->headers[0], request->headers[1], request->headers[2],
				  own ? auth_line(registry->auth, request->more_scope) : NULL };
	struct http_request http = {
		.url = request->url,
		.method = request->method,
		.headers = headers,
		.nr_headers = 4,
		.body = request->body,
		.unverified = registry->loopback && own,
		.last = request->last,
		.limits = registry->options.limits,
	};

	if (request->stall_seconds)
		http.limits.stall_seconds = request->stall_seconds;
	return http_transfer_init(ret, registry->lib, &http, write, write_ctx, err);
}

int registry_authenticate_for(struct registry *registry, const char *more_scope,
			      const struct http_head *head, struct error *err)
{
	return auth_answer(registry->auth, more_scope, head, !registry->plain, err);
}
