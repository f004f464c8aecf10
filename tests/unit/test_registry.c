/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registry.h"

#include <time.h>

#include "layerbox.h"
#include "oci/reference.h"
#include "registry/auth.h"
#include "registry/endpoint.h"
#include "registry/resolve.h"
#include "registry/transport.h"
#include "registrybox.h"

#define MANIFEST	 "/v2/x/manifests/1"
#define REALM(port_path) "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%d" port_path

/* One registry, one client of it. */
struct client {
	struct registrybox box;
	struct registry *registry;
	struct reference ref;
	struct error err;
};

static struct client client_of(const struct page *pages, const char *config_dir)
{
	struct client client = { .box = registry_start(pages) };
	auto_free char *name = xasprintf("127.0.0.1:%d/x:1", client.box.server.port);
	const struct registry_options options = { .docker_config_dir = config_dir,
						  .pause_ms = 1,
						  .limits.stall_seconds = 2 };

	CU_ASSERT_EQUAL_FATAL(reference_parse(name, &client.ref, &client.err), 0);
	CU_ASSERT_EQUAL_FATAL(registry_open(&options, &client.ref, &client.registry, &client.err),
			      0);
	return client;
}

static void client_done(struct client *client)
{
	registry_free(client->registry);
	reference_done(&client->ref);
	registry_stop(&client->box);
}
#define auto_client __attribute__((cleanup(client_done)))

static int get(struct client *client, struct resolved *ret)
{
	struct platform platform;

	platform_set(&platform, "linux", "amd64", "");
	return resolve_manifest(client->registry, &client->ref, &platform, ret, &client->err);
}

static void check_kind(const struct client *client, enum err_kind kind, const char *text)
{
	CU_ASSERT_EQUAL(client->err.kind, kind);
	CU_ASSERT_PTR_NOT_NULL(strstr(client->err.text, text));
	if (client->err.kind != kind || !strstr(client->err.text, text))
		printf("kind %d: %s; ", client->err.kind, client->err.text);
}

/* One request for the manifest must fail so. */
static void refuse(struct page page, enum err_kind kind, const char *text)
{
	const struct page pages[] = { page, { NULL } };
	auto_client struct client client = client_of(pages, NULL);
	auto_resolved struct resolved resolved = { 0 };

	CU_ASSERT_EQUAL(get(&client, &resolved), -1);
	check_kind(&client, kind, text);
}

#define CONFIG_DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define IMAGE_MANIFEST                                                                            \
	"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\",\"config\":{"           \
	"\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\",\"size\":2,\"digest\":\"" CONFIG_DIGEST "\"}," \
	"\"layers\":[]}"
#define ERRORS(code, message) "{\"errors\":[{\"code\":\"" code "\",\"message\":\"" message "\"}]}"

static const struct page good = { .path = MANIFEST,
				  .body = IMAGE_MANIFEST,
				  .type = MEDIA_DOCKER_MANIFEST };

static struct page with_status(int status, const char *text)
{
	return (struct page){
		.path = MANIFEST, .mischief = STATUS, .status = status, .text = text
	};
}

static void test_manifest(void)
{
	const struct page pages[] = { good, { NULL } };
	auto_client struct client client = client_of(pages, NULL);
	auto_resolved struct resolved resolved = { 0 };
	struct digest digest;

	digest_of(IMAGE_MANIFEST, strlen(IMAGE_MANIFEST), &digest);
	CU_ASSERT_EQUAL_FATAL(get(&client, &resolved), 0);
	CU_ASSERT_TRUE(digest_equal(&resolved.digest, &digest));
	CU_ASSERT_STRING_EQUAL(resolved.manifest.config.digest.text, CONFIG_DIGEST);
	CU_ASSERT_EQUAL(client.box.seen->hits[0], 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(client.box.seen->request[0], MEDIA_OCI_INDEX));
	CU_ASSERT_PTR_NOT_NULL(strstr(client.box.seen->request[0], "User-Agent: veneer/"));
	CU_ASSERT_PTR_NULL(strcasestr(client.box.seen->request[0], "authorization"));
}

static void test_refusals(void)
{
	refuse(with_status(404, ERRORS("MANIFEST_UNKNOWN", "manifest unknown")), ERR_NOT_FOUND,
	       "x:1 not found: manifest unknown: manifest unknown");
	refuse(with_status(404, "<html>"), ERR_NOT_FOUND, "manifest for 127.0.0.1:");
	refuse(with_status(404, ERRORS("NAME_UNKNOWN", "repository name not known to registry")),
	       ERR_NOT_FOUND, "/x not found: name unknown: repository name not known to registry");
	refuse(with_status(403, ERRORS("DENIED", "requested access to the resource is denied")),
	       ERR_DENIED,
	       "/x, repository does not exist or may require 'docker login': denied: requested "
	       "access to the resource is denied");
	refuse(with_status(403, ""), ERR_DENIED, "pull access denied for ");
	refuse(with_status(401, ""), ERR_DENIED, "unauthorized: authentication required");
	refuse(with_status(400, ERRORS("MADE_UP", "no")), ERR_REMOTE, "unknown: no");
	refuse(with_status(418, "{}"), ERR_REMOTE, "received unexpected HTTP status: 418");
	refuse(with_status(500, "{"), ERR_REMOTE, "received unexpected HTTP status: 500");
}

static void test_lies(void)
{
	struct page page = good;

	page.body = "<html>login</html>";
	page.type = "text/html; charset=utf-8";
	refuse(page, ERR_UNSUPPORTED, "unsupported media type text/html");
	page.type = MEDIA_DOCKER_MANIFEST;
	refuse(page, ERR_CORRUPT, "invalid manifest");
	page.body = "{\"schemaVersion\":1,\"fsLayers\":[]}";
	refuse(page, ERR_UNSUPPORTED, "schema 1 support has been removed");
	page.mischief = ENDLESS;
	refuse(page, ERR_LIMIT, "is larger than 4194304 bytes");
	page.mischief = HEADERS;
	refuse(page, ERR_LIMIT, "bytes of headers");
	page.mischief = CUT;
	page.at = 10;
	refuse(page, ERR_REMOTE, "Get \"http://127.0.0.1:");
}

static void test_digest(void)
{
	struct page page = good;
	auto_resolved struct resolved resolved = { 0 };
	struct digest digest;
	auto_free char *path = NULL;

	digest_of(IMAGE_MANIFEST, strlen(IMAGE_MANIFEST), &digest);
	page.path = path = xasprintf("/v2/x/manifests/%s", digest.text);
	page.mischief = OTHER_BYTES;
	const struct page pages[] = { page, { NULL } };
	auto_client struct client client = client_of(pages, NULL);

	client.ref.digest = digest;
	CU_ASSERT_EQUAL(get(&client, &resolved), -1);
	check_kind(&client, ERR_CORRUPT, "manifest verification failed for digest sha256:");
}

static void test_index(void)
{
	struct digest digest;
	auto_free char *path = NULL, *index = NULL;

	digest_of(IMAGE_MANIFEST, strlen(IMAGE_MANIFEST), &digest);
	path = xasprintf("/v2/x/manifests/%s", digest.text);
	index = xasprintf("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST
			  "\",\"size\":%zu,\"digest\":\"%s\",\"platform\":{\"os\":\"linux\","
			  "\"architecture\":\"%s\"}}]}",
			  strlen(IMAGE_MANIFEST), digest.text, "amd64");
	{
		const struct page pages[] = {
			{ .path = MANIFEST, .body = index, .type = MEDIA_OCI_INDEX },
			{ .path = path, .body = IMAGE_MANIFEST },
			{ NULL },
		};
		auto_client struct client client = client_of(pages, NULL);
		auto_resolved struct resolved resolved = { 0 };
		struct platform arm;

		CU_ASSERT_EQUAL_FATAL(get(&client, &resolved), 0);
		digest_of(index, strlen(index), &digest);
		CU_ASSERT_TRUE(digest_equal(&resolved.digest, &digest));
		CU_ASSERT_STRING_EQUAL(resolved.manifest.config.digest.text, CONFIG_DIGEST);
		platform_set(&arm, "linux", "arm64", "");
		CU_ASSERT_EQUAL(resolve_manifest(client.registry, &client.ref, &arm, &resolved,
						 &client.err),
				-1);
		check_kind(&client, ERR_NOT_FOUND, "no matching manifest for linux/arm64");
	}
}

static void test_config(void)
{
	struct digest digest;
	auto_free char *path = NULL, *manifest = NULL;
	const char *config = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":"
			     "\"layers\",\"diff_ids\":[\"" CONFIG_DIGEST "\"]}}";

	digest_of(config, strlen(config), &digest);
	path = xasprintf("/v2/x/blobs/%s", digest.text);
	manifest = xasprintf("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
			     "\",\"size\":%zu,\"digest\":\"%s\"},\"layers\":[]}",
			     strlen(config), digest.text);
	for (int i = 0; i < 2; i++) {
		const struct page pages[] = {
			{ .path = MANIFEST, .body = manifest },
			{ .path = path, .body = config, .mischief = i ? OTHER_BYTES : NO_MISCHIEF },
			{ NULL },
		};
		auto_client struct client client = client_of(pages, NULL);
		auto_resolved struct resolved resolved = { 0 };

		CU_ASSERT_EQUAL_FATAL(get(&client, &resolved), 0);
		CU_ASSERT_EQUAL(resolve_config(client.registry, &resolved, &client.err), -1);
		check_kind(&client, ERR_CORRUPT,
			   i ? "image config verification failed for digest sha256:"
			     : "layers from manifest don't match image configuration");
	}
}

static void test_patience(void)
{
	struct page busy = good;
	auto_resolved struct resolved resolved = { 0 };
	struct timespec before, after;

	busy.mischief = STATUS;
	busy.times = 4;
	busy.status = 503;
	{
		const struct page pages[] = { busy, { NULL } };
		auto_client struct client client = client_of(pages, NULL);

		CU_ASSERT_EQUAL(get(&client, &resolved), 0);
		CU_ASSERT_EQUAL(client.box.seen->hits[0], 5);
		resolved_done(&resolved);
	}
	busy.times = 1;
	busy.status = 429;
	busy.extra = "Retry-After: 1";
	clock_gettime(CLOCK_MONOTONIC, &before);
	{
		const struct page pages[] = { busy, { NULL } };
		auto_client struct client client = client_of(pages, NULL);

		CU_ASSERT_EQUAL(get(&client, &resolved), 0);
	}
	clock_gettime(CLOCK_MONOTONIC, &after);
	CU_ASSERT((after.tv_sec - before.tv_sec) * 1000 +
			  (after.tv_nsec - before.tv_nsec) / 1000000 >=
		  900);
	busy.times = 0;
	busy.extra = "Retry-After: 3600";
	busy.text = ERRORS("TOOMANYREQUESTS", "You have reached your limit");
	refuse(busy, ERR_REMOTE, "toomanyrequests: You have reached your limit");
}

/* ---- who we are ---- */

/* config.json with me:secret for whatever port; and a refresh token, maybe. */
static struct box config_for(int port, const char *more)
{
	struct box box = box_new();
	auto_fd int fd = openat(box.fd, "config.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	dprintf(fd, "{\"auths\":{\"127.0.0.1:%d\":{\"auth\":\"bWU6c2VjcmV0\"%s}}}", port, more);
	return box;
}

/* The port is known only when the server runs: the registry is opened anew with the credentials. */
static void log_in(struct client *client, const char *more)
{
	auto_box struct box box = config_for(client->box.server.port, more);
	const struct registry_options options = { .docker_config_dir = box.path, .pause_ms = 1 };

	registry_free(client->registry);
	CU_ASSERT_EQUAL_FATAL(
		registry_open(&options, &client->ref, &client->registry, &client->err), 0);
}

static void test_basic(void)
{
	struct page page = good;

	page.authorization = "\r\nAuthorization: Basic bWU6c2VjcmV0\r\n";
	page.challenge = "WWW-Authenticate: Basic realm=\"x\"";
	const struct page pages[] = { page, { NULL } };
	auto_client struct client client = client_of(pages, NULL);
	auto_resolved struct resolved resolved = { 0 };

	CU_ASSERT_EQUAL(get(&client, &resolved), -1);
	check_kind(&client, ERR_DENIED, "unauthorized: authentication required");
	CU_ASSERT_EQUAL(client.box.seen->hits[0], 1);
	log_in(&client, "");
	CU_ASSERT_EQUAL(get(&client, &resolved), 0);
	CU_ASSERT_EQUAL(client.box.seen->hits[0], 3);
}

/* The realm is a path of the same server, whose port is told by the pages' owner. */
static void check_bearer(const char *more, const char *token_answer, int wanted_result,
			 const char *text, const char *in_request, const char *not_in_request)
{
	struct registrybox realm;
	auto_client struct client client = { 0 };
	auto_resolved struct resolved resolved = { 0 };
	const struct page tokens[] = {
		{ .path = "/t?service=s%2F1&scope=repository%3Ax%3Apull", .body = token_answer },
		{ .path = "/t?service=s%2F1&scope=repository%3Ax%3Apull&account=me",
		  .body = token_answer },
		{ .path = "/t", .body = token_answer },
		{ NULL },
	};
	struct page page = good;
	auto_free char *challenge = NULL;
	unsigned at = 0;

	realm = registry_start(tokens);
	challenge = xasprintf(REALM("/t\",service=\"s/1\",scope=\"repository:x:pull\""),
			      realm.server.port);
	page.authorization = "\r\nAuthorization: Bearer tok\r\n";
	page.challenge = challenge;
	const struct page pages[] = { page, { NULL } };

	client = client_of(pages, NULL);
	if (more)
		log_in(&client, more);
	CU_ASSERT_EQUAL(get(&client, &resolved), wanted_result);
	if (wanted_result < 0)
		check_kind(&client, ERR_REMOTE, text);
	while (at < 2 && !realm.seen->hits[at])
		at++;
	CU_ASSERT_EQUAL(realm.seen->hits[at], 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(realm.seen->request[at], in_request));
	CU_ASSERT_PTR_NULL(strcasestr(realm.seen->request[at], not_in_request));
	registry_stop(&realm);
}

static void test_bearer(void)
{
	check_bearer(NULL, "{\"token\":\"tok\"}", 0, NULL, "GET /t?", "authorization");
	check_bearer("", "{\"access_token\":\"tok\",\"token\":\"\"}", 0, NULL,
		     "Authorization: Basic bWU6c2VjcmV0", "secret");
	check_bearer(",\"identitytoken\":\"re/fresh\"", "{\"access_token\":\"tok\"}", 0, NULL,
		     "POST /t ", "bWU6");
	check_bearer(NULL, "{}", -1, "did not include a token", "GET /t?", "authorization");
	check_bearer(NULL, "{\"token\":\"a\\r\\nX: y\"}", -1, "did not include a token", "GET /t?",
		     "tok");
	check_bearer(NULL, "<html>", -1, "unable to decode token response", "GET /t?", "tok");
}

/* A redirect to another host gets no Authorization, and its 401 no credentials. */
static void test_redirect(void)
{
	auto_registrybox struct registrybox other = { 0 };
	auto_resolved struct resolved resolved = { 0 };
	struct page there = good, moved = good;
	auto_free char *location = NULL;

	const struct page others[] = { there,
				       { .path = "/secret",
					 .body = "x",
					 .authorization = "nobody has this",
					 .challenge = "WWW-Authenticate: Basic realm=\"x\"" },
				       { NULL } };

	other = registry_start(others);
	for (int i = 0; i < 2; i++) {
		location = xasprintf("Location: http://127.0.0.1:%d%s", other.server.port,
				     i ? "/secret" : MANIFEST);
		moved.mischief = STATUS;
		moved.status = 307;
		moved.extra = location;
		moved.authorization = "\r\nAuthorization: Basic bWU6c2VjcmV0\r\n";
		moved.challenge = "WWW-Authenticate: Basic realm=\"x\"";
		const struct page pages[] = { moved, { NULL } };
		auto_client struct client client = client_of(pages, NULL);

		log_in(&client, "");
		CU_ASSERT_EQUAL(get(&client, &resolved), i ? -1 : 0);
		CU_ASSERT_EQUAL(client.box.seen->hits[0], 2);
		CU_ASSERT_EQUAL(other.seen->hits[i], 1);
		CU_ASSERT_PTR_NULL(strcasestr(other.seen->request[i], "authorization"));
		CU_ASSERT_PTR_NULL(strstr(other.seen->request[i], "bWU6"));
		resolved_done(&resolved);
		resolved = (struct resolved){ 0 };
		free(take_ptr(location));
	}
}

/* A refresh token is posted to the realm alone, and nothing secret goes to http from https. */
static void test_secrets(void)
{
	const struct page nothing[] = { { .path = "/t", .body = "{\"token\":\"tok\"}" }, { NULL } };
	auto_registrybox struct registrybox other = registry_start(nothing);
	auto_free char *location = xasprintf("Location: http://127.0.0.1:%d/t", other.server.port);
	const struct page moved[] = {
		{ .path = "/t", .mischief = STATUS, .status = 307, .extra = location }, { NULL }
	};
	auto_registrybox struct registrybox realm = registry_start(moved);
	auto_free char *challenge =
		xasprintf("Bearer realm=\"http://127.0.0.1:%d/t\"", realm.server.port);
	struct http_head head = { .status = 401 };
	const struct http_limits limits = { 0 };
	struct error err;

	challenge_parse(challenge, &head.challenges);
	for (int secure = 0; secure < 2; secure++) {
		struct credentials credentials = { .identity_token = xstrdup("secret") };
		auto_auth struct auth *auth =
			auth_new(curllib_get(&err), "scope", &credentials, &limits);

		CU_ASSERT_EQUAL(auth_answer(auth, NULL, &head, secure, &err), -1);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, secure ? "unencrypted" : "307"));
		CU_ASSERT_PTR_NULL(strstr(err.text, "secret"));
		CU_ASSERT_EQUAL(realm.seen->hits[0], 1);
		CU_ASSERT_EQUAL(other.seen->hits[0], 0);
	}
	challenge_list_done(&head.challenges);
}

static void test_redirect_loop(void)
{
	refuse((struct page){ .path = MANIFEST,
			      .mischief = STATUS,
			      .status = 302,
			      .extra = "Location: " MANIFEST },
	       ERR_REMOTE, "Maximum (10) redirects");
	refuse((struct page){ .path = MANIFEST,
			      .mischief = STATUS,
			      .status = 302,
			      .extra = "Location: file:///etc/passwd" },
	       ERR_REMOTE, "file");
}

/* ---- mirrors ---- */

/* What becomes of a pull when a mirror answers so, and how often the registry itself is asked. */
static void check_mirror(const struct page *mirror_page, int wanted, unsigned wanted_hits)
{
	const struct page mirror_pages[] = { *mirror_page, { NULL } };
	struct page page = good;

	page.authorization = "\r\nAuthorization: Basic bWU6c2VjcmV0\r\n";
	page.challenge = "WWW-Authenticate: Basic realm=\"x\"";
	const struct page pages[] = { page, { NULL } };
	struct registrybox mirror = registry_start(mirror_pages);
	auto_client struct client client = client_of(pages, NULL);
	auto_box struct box box = config_for(client.box.server.port, "");
	auto_free char *host = xasprintf("127.0.0.1:%d", mirror.server.port);
	struct registry_row row = { .host = client.ref.domain };
	const struct registry_table table = { .rows = &row, .nr = 1 };
	const struct registry_options options = { .docker_config_dir = box.path,
						  .table = &table,
						  .pause_ms = 60000, /* nobody waits for a mirror */
						  .limits.stall_seconds = 2 };
	auto_resolved struct resolved resolved = { 0 };

	strlist_add(&row.mirrors, host);
	registry_free(client.registry);
	CU_ASSERT_EQUAL_FATAL(registry_open(&options, &client.ref, &client.registry, &client.err),
			      0);
	CU_ASSERT_EQUAL(get(&client, &resolved), wanted);
	CU_ASSERT_EQUAL(client.box.seen->hits[0], wanted_hits);
	CU_ASSERT_EQUAL(mirror.seen->hits[0] > 0, mirror_page->body != NULL);
	CU_ASSERT_PTR_NULL(strcasestr(mirror.seen->request[0], "authorization"));
	strlist_done(&row.mirrors);
	registry_stop(&mirror);
}

static void test_mirror(void)
{
	struct page page = good;

	check_mirror(&page, 0, 0);
	page.mischief = STATUS;
	page.status = 404;
	check_mirror(&page, 0, 2);
	page.status = 429;
	page.extra = "Retry-After: 50";
	check_mirror(&page, 0, 2);
	page.extra = NULL;
	page.mischief = CUT;
	page.at = 10;
	check_mirror(&page, 0, 2);
	page.mischief = ENDLESS;
	check_mirror(&page, 0, 2);
	page.mischief = NO_MISCHIEF;
	page.type = "text/html";
	page.body = "<html>";
	check_mirror(&page, 0, 2);
	page = good;
	page.authorization = "\r\nAuthorization: Basic bWU6c2VjcmV0\r\n";
	page.challenge = "WWW-Authenticate: Basic realm=\"x\"";
	check_mirror(&page, 0, 2);
	page.path = "/elsewhere";
	page.body = NULL;
	check_mirror(&page, 0, 2);
}

static void test_tags(void)
{
	const struct page pages[] = {
		{ .path = "/v2/x/tags/list",
		  .body = "{\"name\":\"x\",\"tags\":[\"1\",\"-\",\"a b\",3,\"b@sha256:1\"]}",
		  .extra = "Link: </v2/x/tags/list?last=1>; rel=\"next\"",
		  .mischief = STATUS,
		  .status = 200,
		  .text = "{\"name\":\"x\",\"tags\":[\"1\",\"-\",\"a b\",3,\"b@sha256:1\"]}" },
		{ .path = "/v2/x/tags/list?last=1",
		  .mischief = STATUS,
		  .status = 200,
		  .extra = "Link: <?last=2>; rel=\"next\"",
		  .text = "{\"tags\":[\"2\"]}" },
		{ .path = "/v2/x/tags/list?last=2", .body = "{\"tags\":null}" },
		{ NULL },
	};
	auto_client struct client client = client_of(pages, NULL);
	auto_strlist struct strlist tags = { 0 };
	enum refusal refusal;

	CU_ASSERT_EQUAL(registry_tags(client.registry, &tags, &refusal, &client.err), 0);
	CU_ASSERT_EQUAL_FATAL(tags.nr, 2);
	CU_ASSERT_STRING_EQUAL(tags.items[0], "1");
	CU_ASSERT_STRING_EQUAL(tags.items[1], "2");
}

static void refuse_tags(const char *text, const char *link, enum err_kind kind, const char *why)
{
	const struct page pages[] = { { .path = "/v2/x/tags/list",
					.mischief = STATUS,
					.status = 200,
					.extra = link,
					.text = text },
				      { .path = "/v2/x/tags/list?x",
					.mischief = STATUS,
					.status = 200,
					.extra = link,
					.text = text },
				      { NULL } };
	auto_client struct client client = client_of(pages, NULL);
	auto_strlist struct strlist tags = { 0 };
	enum refusal refusal;

	CU_ASSERT_EQUAL(registry_tags(client.registry, &tags, &refusal, &client.err), -1);
	check_kind(&client, kind, why);
}

static void test_wrong_tags(void)
{
	refuse_tags("{\"tags\":[\"1\"]}", "Link: <?x>; rel=next", ERR_LIMIT,
		    "the list of tags has more than");
	refuse_tags("{}", "Link: <http://other/v2/x/tags/list?x>; rel=next", ERR_REMOTE,
		    "goes on elsewhere");
	refuse_tags("{\"tags\":{}}", NULL, ERR_REMOTE, "is no list");
	refuse_tags("<html>", NULL, ERR_CORRUPT, "list of tags");
}

static void test_endpoint(void)
{
	static const char *const near[] = { "localhost",      "localhost:5000", "LOCALHOST:1",
					    "127.0.0.1:5000", "127.3.2.1",	"[::1]:5000" };
	static const char *const far[] = { "localhost.example", "127.0.0.1.example", "128.0.0.1",
					   "example:5000",	"[::2]:5000",	     "127.1" };

	CU_ASSERT_STRING_EQUAL(endpoint_host("docker.io"), "registry-1.docker.io");
	CU_ASSERT_STRING_EQUAL(endpoint_host("quay.io"), "quay.io");
	for (size_t i = 0; i < sizeof(near) / sizeof(*near); i++)
		CU_ASSERT_TRUE(endpoint_is_loopback(near[i]));
	for (size_t i = 0; i < sizeof(far) / sizeof(*far); i++)
		CU_ASSERT_FALSE(endpoint_is_loopback(far[i]));
}

UNIT_SUITE(registry, { "a manifest comes with its digest", test_manifest },
	   { "refusals have Docker's words", test_refusals },
	   { "what is no manifest is refused, and has a bound", test_lies },
	   { "bytes that are not those of the digest", test_digest },
	   { "an index leads to the platform's manifest", test_index },
	   { "a config is verified and must fit", test_config },
	   { "a busy registry is asked again", test_patience },
	   { "Basic, when it is asked for", test_basic },
	   { "Bearer: anonymous, with a password, with an identity token", test_bearer },
	   { "credentials stay with their host", test_redirect },
	   { "secrets stay with their server", test_secrets },
	   { "a mirror is asked first, the registry after it", test_mirror },
	   { "tags come in pages", test_tags },
	   { "a list of tags that has no end, or is none", test_wrong_tags },
	   { "redirects end", test_redirect_loop }, { "where a registry is", test_endpoint });
