/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "base/log.h"
#include "limits.h"
#include "oci/descriptor.h"
#include "oci/reference.h"
#include "registry/auth.h"
#include "registry/endpoint.h"
#include "registry/link.h"
#include "registry/location.h"
#include "registry/transport.h"

#define PAUSE_MS	       5000
#define MIRROR_CONNECT_SECONDS 10
#define ACCEPT                                                                          \
	"Accept: " MEDIA_DOCKER_MANIFEST ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST \
	", " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_SIGNED1 ";q=0.5, application/json;q=0.4, */*;q=0.1"

struct registry {
	struct registry_options options;
	const struct curllib *lib;
	char *path;
	struct strlist hosts; /* as in references: mirrors, then the registry's own */
	unsigned turn;	      /* which of them is asked; what follows is of that one */
	char *host;	      /* with a port, if any */
	struct transport transport;
	bool plain; /* it speaks http */
	bool known; /* one of both was answered */
	struct auth *auth;
	struct http_keep keep;
};

static void list_hosts(const struct registry_options *options, const char *domain,
		       struct strlist *ret)
{
	const struct registry_row *row = registry_table_find(options->table, domain);

	/* What is pushed goes to the registry itself. */
	for (size_t i = 0; row && !options->push && i < row->mirrors.nr; i++)
		strlist_add(ret, row->mirrors.items[i]);
	strlist_add(ret, domain);
}

/* Whose turn it was, is forgotten with what was its own. */
static void leave_host(struct registry *registry)
{
	auth_free(registry->auth);
	registry->auth = NULL;
	transport_done(&registry->transport);
	free(registry->host);
	registry->host = NULL;
	registry->plain = registry->known = false;
}

/* Each has credentials of its own; nobody's are for another. */
static int turn_to(struct registry *registry, unsigned turn, struct error *err)
{
	const struct registry_options *options = &registry->options;
	const char *domain = registry->hosts.items[turn];
	auto_free char *scope =
		xasprintf("repository:%s:pull%s", registry->path, options->push ? ",push" : "");
	auto_credentials struct credentials credentials = { 0 };

	leave_host(registry);
	__atomic_store_n(&registry->turn, turn, __ATOMIC_SEQ_CST);
	registry->host = xstrdup(endpoint_host(domain));
	if ((options->docker_config_dir &&
	     credentials_find(options->docker_config_dir, domain, &credentials, err) < 0) ||
	    transport_open(options->table, domain, &registry->transport, err) < 0)
		return -1;
	registry->auth = auth_new(registry->lib, scope, &credentials, &options->limits);
	auth_set_transport(registry->auth, options->table, &registry->transport);
	if (options->push)
		auth_insist(registry->auth);
	return 0;
}

int registry_open(const struct registry_options *options, const struct reference *ref,
		  struct registry **ret, struct error *err)
{
	auto_registry struct registry *registry = xcalloc(1, sizeof(*registry));

	registry->options = *options;
	registry->lib = curllib_get(err);
	if (!registry->lib)
		return -1;
	registry->path = xstrdup(ref->path);
	list_hosts(options, ref->domain, &registry->hosts);
	if (turn_to(registry, 0, err) < 0) {
		log_debug("%s", err->text);
		if (!registry_fall_back(registry))
			return -1;
	}
	*ret = take_ptr(registry);
	return 0;
}

void registry_free(struct registry *registry)
{
	if (!registry)
		return;
	leave_host(registry);
	http_keep_done(&registry->keep);
	strlist_done(&registry->hosts);
	free(registry->path);
	free(registry);
}

unsigned registry_turn(const struct registry *registry)
{
	return __atomic_load_n(&registry->turn, __ATOMIC_SEQ_CST);
}

bool registry_try_plain(struct registry *registry)
{
	registry->plain |= !registry->known && registry->transport.plain_allowed;
	return registry->plain;
}

bool registry_is_mirror(const struct registry *registry, unsigned turn)
{
	return turn + 1 < registry->hosts.nr;
}

bool registry_has_other(const struct registry *registry)
{
	return registry_is_mirror(registry, registry_turn(registry));
}

bool registry_fall_back(struct registry *registry)
{
	struct error err;

	while (registry_has_other(registry)) {
		log_debug("mirror %s: not asked again", registry->hosts.items[registry->turn]);
		if (turn_to(registry, registry->turn + 1, &err) == 0)
			return true;
		log_debug("%s", err.text);
	}
	return false;
}

const struct curllib *registry_lib(const struct registry *registry)
{
	return registry->lib;
}

#define HTTP_TO_TLS 400 /* what TLS servers answer to http, when they do not just hang up */

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
	free(document->link);
	document->content_type = document->link = NULL;
}

/* ---- documents ---- */

/* Somebody else stands in for a mirror that is not there: it is not waited for as long. */
static struct http_limits limits_of(const struct registry *registry)
{
	struct http_limits limits = registry->options.limits;

	if (registry_has_other(registry) && !limits.connect_seconds)
		limits.connect_seconds = MIRROR_CONNECT_SECONDS;
	return limits;
}

/* What to do about it. */
static int distrusted(const struct registry *registry, struct error *err)
{
	auto_free char *why = xstrdup(err->text);

	return err_set(err, ERR_REMOTE,
		       "%s; to trust it, put its CA's certificate into "
		       "/etc/docker/certs.d/%s/ca.crt, or name it as \"ca\" in \"registries\" of "
		       "the configuration",
		       why, registry->host);
}

static int get_once(struct registry *registry, const char *kind, const char *what,
		    const char *accept, struct http_answer *ret, struct error *err)
{
	auto_free char *url = url_of(registry, kind, what);
	const char *headers[] = { accept, auth_line(registry->auth, NULL) };
	struct http_request request = {
		.url = url,
		.headers = headers,
		.nr_headers = 2,
		.keep = &registry->keep,
		.limits = limits_of(registry),
	};

	transport_apply(&registry->transport, &request);
	if (http_get(registry->lib, &request, LIMIT_JSON_BYTES, ret, err) < 0) {
		if (http_is_distrust(ret->code))
			distrusted(registry, err);
		return err_add(err, "Get \"%.512s\"", url);
	}
	registry->known = true;
	return 0;
}

/*
 * Where a registry without TLS is likely: to set TLS up takes longer than all else that one request
 * takes. Returns 1 when https has to be tried, else as get_once().
 */
static int get_plain_first(struct registry *registry, const char *kind, const char *what,
			   const char *accept, struct http_answer *ret, struct error *err)
{
	int result;

	registry->plain = true;
	result = get_once(registry, kind, what, accept, ret, err);
	if (result == 0 && ret->head.status != HTTP_TO_TLS)
		return 0;
	registry->plain = registry->known = false;
	if (result < 0 && !http_is_no_http(ret->code))
		return -1;
	http_answer_done(ret);
	return 1;
}

/* With http in the place of https where that is allowed and https is not spoken. */
static int get(struct registry *registry, const char *kind, const char *what, const char *accept,
	       struct http_answer *ret, struct error *err)
{
	struct error plain_err;

	if (registry->transport.plain_first && !registry->known) {
		int result = get_plain_first(registry, kind, what, accept, ret, err);

		if (result <= 0)
			return result;
	}
	if (get_once(registry, kind, what, accept, ret, err) == 0)
		return 0;
	if (registry->known || !registry->transport.plain_allowed || !http_is_no_tls(ret->code))
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

	if (try >= REGISTRY_TRIES || registry_has_other(registry))
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

static int get_somewhere(struct registry *registry, const char *kind, const char *what,
			 const char *accept, struct http_answer *ret, struct error *err)
{
	for (;;) {
		int result = get_patiently(registry, kind, what, accept, ret, err);

		if (result == 0 && ret->head.status / 100 == 2 && !ret->too_long)
			return 0;
		if ((result < 0 && err->kind == ERR_CANCELLED) || !registry_fall_back(registry))
			return result;
		http_answer_done(ret);
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
	if (get_somewhere(registry, kind, what, accept, &answer, err) < 0)
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
	ret->link = take_ptr(answer.head.link);
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

static int add_tags(const struct registry_document *document, struct strlist *ret,
		    struct error *err)
{
	auto_json json_t *json = NULL;
	const json_t *tags;

	if (jsonfield_load(document->bytes.data ?: "", document->bytes.len, LIMIT_JSON_BYTES, &json,
			   err) < 0)
		return err_add(err, "list of tags");
	tags = json_object_get(json, "tags");
	if (tags && !json_is_array(tags) && !json_is_null(tags))
		return err_set(err, ERR_REMOTE, "list of tags: \"tags\" is no list");
	if (ret->nr + json_array_size(tags) > LIMIT_TAGS)
		return err_set(err, ERR_LIMIT, "more than %u tags", LIMIT_TAGS);
	for (size_t i = 0; i < json_array_size(tags); i++) {
		const char *text = json_string_value(json_array_get(tags, i));
		auto_free char *name = xasprintf("x:%s", text ? text : "");
		auto_reference struct reference ref = { 0 };
		struct error ignored;

		if (reference_parse(name, &ref, &ignored) == 0 && ref.tag &&
		    strcmp(ref.tag, text) == 0)
			strlist_add(ret, text);
	}
	return 0;
}

/* Returns new, or NULL at the end or with *ret_elsewhere. */
static char *next_page(const struct registry *registry, const struct registry_document *document,
		       bool *ret_elsewhere)
{
	auto_free char *target = document->link ? link_next(document->link) : NULL;
	char *page = target ? link_tags(target, registry->host, registry->path) : NULL;

	*ret_elsewhere = target && !page;
	return page;
}

int registry_tags(struct registry *registry, struct strlist *ret, enum refusal *ret_refusal,
		  struct error *err)
{
	auto_free char *page = xstrdup("list");

	while (registry_fall_back(registry))
		;
	for (unsigned nr = 0; page; nr++) {
		auto_registry_document struct registry_document document = { 0 };
		bool elsewhere;

		if (get_document(registry, "tags", page, NULL, &document, ret_refusal, err) < 0)
			return -1;
		*ret_refusal = REFUSAL_OTHER;
		if (add_tags(&document, ret, err) < 0)
			return -1;
		free(page);
		page = next_page(registry, &document, &elsewhere);
		if (elsewhere)
			return err_set(err, ERR_REMOTE, "the list of tags goes on elsewhere");
		if (nr >= LIMIT_TAG_PAGES)
			return err_set(err, ERR_LIMIT, "the list of tags has more than %u pages",
				       LIMIT_TAG_PAGES);
	}
	return 0;
}

/* ---- for transfers that are made elsewhere ---- */

int registry_transfer(struct registry *registry, const char *url, bool foreign,
		      uint64_t range_start, http_write_fn *write, void *write_ctx,
		      struct http_transfer *ret, struct error *err)
{
	const char *headers[] = { foreign ? NULL : auth_line(registry->auth, NULL) };
	struct http_request request = {
		.url = url,
		.headers = headers,
		.nr_headers = 1,
		.range_start = range_start,
		.limits = limits_of(registry),
	};

	if (!foreign)
		transport_apply(&registry->transport, &request);
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
		.last = request->last,
		.limits = registry->options.limits,
	};

	if (own)
		transport_apply(&registry->transport, &http);
	if (request->stall_seconds)
		http.limits.stall_seconds = request->stall_seconds;
	return http_transfer_init(ret, registry->lib, &http, write, write_ctx, err);
}

int registry_authenticate_for(struct registry *registry, const char *more_scope,
			      const struct http_head *head, struct error *err)
{
	return auth_answer(registry->auth, more_scope, head, !registry->plain, err);
}

const char *registry_retry_phase(int64_t seconds)
{
	static char texts[LIMIT_RETRY_AFTER + 1][48];
	char *text = texts[seconds < LIMIT_RETRY_AFTER ? seconds : LIMIT_RETRY_AFTER];

	snprintf(text, sizeof(texts[0]), "Retrying in %jd second%s", (intmax_t)seconds,
		 seconds == 1 ? "" : "s");
	return text;
}
