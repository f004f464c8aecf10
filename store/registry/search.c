/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/search.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "limits.h"
#include "oci/reference.h"
#include "registry/credentials.h"
#include "registry/registry.h"
#include "registry/token.h"
#include "registry/transport.h"

#define HUB_INDEX  "index.docker.io"
#define HUB_FOLDER "library/" /* of what it shows without */

static const struct jsonfield result_fields[] = {
	{ "name", JSONFIELD_STRING, offsetof(struct search_result, name), true },
	{ "description", JSONFIELD_STRING, offsetof(struct search_result, description) },
	{ "star_count", JSONFIELD_INT64, offsetof(struct search_result, stars) },
	{ "is_official", JSONFIELD_BOOL, offsetof(struct search_result, official) },
	{ "is_automated", JSONFIELD_BOOL, offsetof(struct search_result, automated) },
	{ 0 },
};

void search_results_done(struct search_results *results)
{
	for (size_t i = 0; i < results->nr; i++)
		jsonfield_done(result_fields, &results->items[i]);
	free(results->items);
	*results = (struct search_results){ 0 };
}

/* A terminal does what control characters say. *text may be NULL. */
static void make_one_line(char **text)
{
	auto_free char *raw = *text;
	const char *at = raw ?: "", *end = at + strlen(at);
	struct buf line = { 0 };

	while (at < end) {
		uint32_t rune = utf8_next(&at, end, NULL);

		utf8_put(&line, rune < 0x20 || (rune >= 0x7f && rune < 0xa0) ? ' ' : rune);
	}
	*text = buf_take(&line);
}

int search_parse(const void *data, size_t len, struct search_results *ret, struct error *err)
{
	auto_json json_t *document = NULL;
	const json_t *rows;
	size_t nr;

	*ret = (struct search_results){ 0 };
	if (jsonfield_load(data, len, LIMIT_JSON_BYTES, &document, err) < 0)
		return err_add(err, "answer to a search");
	rows = json_object_get(document, "results");
	if (!json_is_array(rows))
		return err_set(err, ERR_REMOTE, "answer to a search: it has no \"results\"");
	nr = json_array_size(rows);
	ret->items = xcalloc(nr, sizeof(*ret->items));
	for (size_t i = 0; i < nr; i++) {
		struct search_result *item = &ret->items[i];

		if (jsonfield_decode(json_array_get(rows, i), result_fields, JSONFIELD_TOLERANT,
				     item, err) < 0)
			return err_add(err, "answer to a search: result %zu", i + 1);
		ret->nr++;
		make_one_line(&item->name);
		make_one_line(&item->description);
	}
	return 0;
}

/* Returns new: the host, of which the rest of the term is left in *term. */
static char *take_host(const char **term)
{
	size_t len = strcspn(*term, "/");
	auto_free char *host = xasprintf("%.*s", (int)len, *term);

	if (!(*term)[len] || !(strpbrk(host, ".:") || strcmp(host, "localhost") == 0))
		return xstrdup(REFERENCE_DEFAULT_DOMAIN);
	*term += len + 1;
	return take_ptr(host);
}

struct search {
	const struct curllib *lib;
	const struct transport *transport;
	const struct http_limits *limits;
	const char *line; /* Authorization; or NULL */
	const char *host, *query;
};

static int get(const struct search *search, bool plain, struct http_answer *ret, struct error *err)
{
	auto_free char *url = xasprintf("%s://%s/v1/search?%s", plain ? "http" : "https",
					search->host, search->query);
	struct http_request request = {
		.url = url,
		.headers = &search->line,
		.nr_headers = 1,
		.limits = *search->limits,
	};

	transport_apply(search->transport, &request);
	if (http_get(search->lib, &request, LIMIT_JSON_BYTES, ret, err) < 0) {
		if (!plain && search->transport->plain_allowed && http_is_no_tls(ret->code)) {
			http_answer_done(ret);
			return get(search, true, ret, err);
		}
		return err_add(err, "Get \"%.512s\"", url);
	}
	switch (ret->head.status) {
	case 200:
		break;
	case 401:
	case 403:
		return err_set(
			err, ERR_DENIED,
			"Get \"%.512s\": the registry refuses (status %ld): try 'veneer login'",
			url, ret->head.status);
	case 404:
		return err_set(err, ERR_REMOTE, "Get \"%.512s\": the registry has no search", url);
	default:
		return err_set(err, ERR_REMOTE, "Get \"%.512s\": unexpected status code %ld", url,
			       ret->head.status);
	}
	return ret->too_long
		       ? err_set(err, ERR_LIMIT, "Get \"%.512s\": the answer is too long", url)
		       : 0;
}

/* Who we are, when a password is known: the index knows no tokens. */
static int find_line(const struct registry_options *options, const char *host, char **ret,
		     struct error *err)
{
	auto_credentials struct credentials credentials = { 0 };

	if (credentials_find(options->docker_config_dir, host, &credentials, err) < 0)
		return -1;
	*ret = credentials.password ? token_basic_line(&credentials) : NULL;
	return 0;
}

static char *make_query(const char *term, unsigned limit)
{
	struct buf query = { 0 };

	buf_printf(&query, "q=");
	http_escape(term, &query);
	buf_printf(&query, "&n=%u", limit);
	return buf_take(&query);
}

int search_ask(const struct registry_options *options, const char *term, unsigned limit,
	       struct search_results *ret, struct error *err)
{
	const char *rest = term;
	auto_free char *host = NULL, *query = NULL;
	auto_secret char *line = NULL;
	auto_transport struct transport transport = { 0 };
	auto_http_answer struct http_answer answer = { 0 };
	struct search search = { .transport = &transport, .limits = &options->limits };
	bool is_hub;

	*ret = (struct search_results){ 0 };
	if (strstr(term, "://"))
		return err_set(err, ERR_USAGE,
			       "invalid term '%.512s': leave out what stands before the host",
			       term);
	host = take_host(&rest);
	is_hub = strcmp(host, REFERENCE_DEFAULT_DOMAIN) == 0;
	if (is_hub && strncmp(rest, HUB_FOLDER, strlen(HUB_FOLDER)) == 0)
		rest += strlen(HUB_FOLDER);
	query = make_query(rest, limit);
	if (transport_open(options->table, host, &transport, err) < 0 ||
	    (options->docker_config_dir && find_line(options, host, &line, err) < 0))
		return -1;
	search.lib = curllib_get(err);
	if (!search.lib)
		return -1;
	search.line = line;
	search.host = is_hub ? HUB_INDEX : host;
	search.query = query;
	if (get(&search, false, &answer, err) < 0)
		return -1;
	return search_parse(answer.body.data, answer.body.len, ret, err);
}
