/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/login.h"

#include <fcntl.h>
#include <time.h>

#include "base/io.h"
#include "base/secret.h"
#include "layerbox.h"
#include "webserver.h"

#define LEN(array) (sizeof(array) / sizeof(*(array)))
#define OK	   "HTTP/1.1 200 OK\r\n"
#define ASKED	   "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n"
#define BASIC	   ASKED "WWW-Authenticate: Basic realm=\"x\"\r\n\r\n"
#define BEARER \
	ASKED "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:@/token\",service=\"the service\"\r\n\r\n"
#define EMPTY "Connection: close\r\nContent-Length: 0\r\n\r\n"
/* ann:c2Vj!ret */
#define ANN "Authorization: Basic YW5uOmMyVmohcmV0\r\n"

/* ---- a registry ---- */

/* The first rule that fits answers. In a text, '@' is this server's port and '^' the other's. */
struct rule {
	const char *path; /* with its parameters; "/token" stands for any */
	const char *has;  /* in the request's headers; NULL: whatever they are */
	const char *answer;
};

struct registry {
	struct box box; /* "asked": every request */
	struct webserver server;
	char *host;
};

static void answer(int fd, const char *text, int port, int other)
{
	for (; *text; text++) {
		if (*text == '@' || *text == '^')
			dprintf(fd, "%d", *text == '@' ? port : other);
		else
			web_write(fd, text, 1);
	}
}

static size_t read_request(int fd, char *request, size_t size)
{
	size_t len = 0;

	while (len + 1 < size && !strstr(request, "\r\n\r\n")) {
		ssize_t got = read(fd, request + len, size - 1 - len);

		if (got <= 0 || *request == 0x16) /* TLS */
			return 0;
		len += (size_t)got;
	}
	return len;
}

static void serve_one(int fd, const struct rule *rules, int log_fd, int port, int other)
{
	char request[8192] = { 0 }, path[1024] = { 0 }, rest[64];
	size_t len = read_request(fd, request, sizeof(request));

	if (!len || sscanf(request, "GET %1023s", path) != 1) {
		answer(fd, "HTTP/1.1 400 Bad Request\r\n" EMPTY, port, other);
		return;
	}
	CU_ASSERT_EQUAL(write(log_fd, request, len), (ssize_t)len);
	for (; rules->path; rules++) {
		bool fits = strcmp(rules->path, path) == 0 || (strcmp(rules->path, "/token") == 0 &&
							       strncmp(path, "/token?", 7) == 0);

		if (fits && (!rules->has || strstr(request, rules->has)))
			break;
	}
	answer(fd, rules->path ? rules->answer : "HTTP/1.1 404 Not Found\r\n" EMPTY, port, other);
	shutdown(fd, SHUT_WR);
	while (read(fd, rest, sizeof(rest)) > 0)
		;
}

static struct registry registry_start(const struct rule *rules, int other)
{
	struct registry registry = { .box = box_new() };
	auto_fd int fd = web_listen(16, &registry.server.port);
	auto_fd int log_fd =
		openat(registry.box.fd, "asked", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	registry.host = xasprintf("127.0.0.1:%d", registry.server.port);
	registry.server.pid = fork();
	CU_ASSERT_FATAL(registry.server.pid >= 0);
	if (registry.server.pid)
		return registry;
	for (;;) {
		int client = accept(fd, NULL, NULL);

		if (client < 0)
			_exit(1);
		serve_one(client, rules, log_fd, registry.server.port, other);
		close(client);
	}
}

static void registry_done(struct registry *registry)
{
	web_stop(&registry->server);
	box_done(&registry->box);
	free(registry->host);
}
#define auto_registry __attribute__((cleanup(registry_done)))

/* How often a text was in the requests. */
static int asked(const struct registry *registry, const char *text)
{
	auto_buf struct buf all = { 0 };
	struct error err;
	int nr = 0;

	CU_ASSERT_EQUAL(io_read_file(registry->box.fd, "asked", 1 << 20, &all, &err), 0);
	for (const char *at = all.data; at && (at = strstr(at, text)); at++)
		nr++;
	return nr;
}

static int try_login(const struct registry *registry, char **ret_token, struct error *err)
{
	const struct credentials ann = { (char *)"ann", (char *)"c2Vj!ret", NULL };

	*ret_token = NULL;
	return login_check(registry->host, &ann, NULL, ret_token, err);
}

/* @token: NULL: the server gives none */
static void check_accepted(const struct registry *registry, const char *token)
{
	auto_secret char *found = NULL;
	struct error err = { 0 };

	CU_ASSERT_EQUAL(try_login(registry, &found, &err), 0);
	CU_ASSERT_STRING_EQUAL(found ?: "-", token ?: "-");
	CU_ASSERT_STRING_EQUAL(err.text, "");
	if (*err.text)
		printf("%s ", err.text);
}

static void check_refused(const struct rule *rules, enum err_kind kind, const char *part)
{
	auto_registry struct registry registry = registry_start(rules, 0);
	auto_secret char *token = NULL;
	struct error err = { 0 };

	CU_ASSERT_EQUAL(try_login(&registry, &token, &err), -1);
	CU_ASSERT_EQUAL(err.kind, kind);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, part));
	CU_ASSERT_PTR_NULL(strstr(err.text, "c2Vj"));
	CU_ASSERT_PTR_NULL(token);
	if (err.kind != kind || !strstr(err.text, part))
		printf("kind %d: %s ", err.kind, err.text);
}

static void test_basic(void)
{
	static const struct rule rules[] = { { "/v2/", ANN, OK EMPTY },
					     { "/v2/", NULL, BASIC },
					     { 0 } };
	static const struct rule no[] = { { "/v2/", NULL, BASIC }, { 0 } };
	static const struct rule open[] = { { "/v2/", NULL, OK EMPTY }, { 0 } };
	auto_registry struct registry registry = registry_start(rules, 0);
	auto_registry struct registry anybody = registry_start(open, 0);

	check_accepted(&registry, NULL);
	CU_ASSERT_EQUAL(asked(&registry, "GET /v2/ "), 2);
	CU_ASSERT_EQUAL(asked(&registry, "Authorization"), 1);
	CU_ASSERT_EQUAL(asked(&registry, "User-Agent: veneer/" VENEER_VERSION "\r\n"), 2);
	check_refused(no, ERR_DENIED, "/v2/ failed with status: 401 Unauthorized");
	/* One that asks nobody who he is gets no password. */
	check_accepted(&anybody, NULL);
	CU_ASSERT_EQUAL(asked(&anybody, "Authorization"), 0);
}

static void test_token(void)
{
	static const struct rule rules[] = {
		{ "/v2/", "Authorization: Bearer abc.d\r\n", OK EMPTY },
		{ "/v2/", NULL, BEARER },
		{ "/token", ANN, OK "\r\n{\"token\":\"abc.d\",\"refresh_token\":\"again\"}" },
		{ "/token", NULL, ASKED "\r\n" },
		{ 0 },
	};
	static const struct rule other[] = {
		{ "/v2/", "Authorization: Bearer x\r\n", OK EMPTY },
		{ "/v2/", NULL,
		  ASKED "WWW-Authenticate: Bearer realm=\"http://localhost:@/token?a=b\"\r\n\r\n" },
		{ "/token", NULL, OK "\r\n{\"access_token\":\"x\",\"refresh_token\":null}" },
		{ 0 },
	};
	auto_registry struct registry registry = registry_start(rules, 0);
	auto_registry struct registry second = registry_start(other, 0);

	check_accepted(&registry, "again");
	CU_ASSERT_EQUAL(asked(&registry, "GET /token?service=the%20service&account=ann&"
					 "client_id=veneer&offline_token=true HTTP/1.1\r\n"),
			1);
	CU_ASSERT_EQUAL(asked(&registry, "Basic"), 1);
	check_accepted(&second, NULL);
	CU_ASSERT_EQUAL(asked(&second, "GET /token?a=b&account=ann&"), 1);
}

static void check_token_answer(const char *text, enum err_kind kind, const char *part)
{
	const struct rule rules[] = { { "/v2/", NULL, BEARER }, { "/token", ANN, text }, { 0 } };

	check_refused(rules, kind, part);
}

static void test_token_servers_that_refuse(void)
{
	check_token_answer(ASKED "\r\n", ERR_DENIED, "unauthorized: authentication required");
	check_token_answer(
		"HTTP/1.1 401 No\r\n\r\n{\"details\":\"incorrect username or password\"}",
		ERR_DENIED, "unauthorized: incorrect username or password");
	check_token_answer(
		"HTTP/1.1 403 No\r\n\r\n{\"errors\":[{\"code\":\"TOO_MANY\",\"message\":\"wait\"}]}",
		ERR_DENIED, "unknown: wait");
	check_token_answer("HTTP/1.1 401 No\r\n\r\n{\"details\":\"ann with c2Vj!ret is wrong\"}",
			   ERR_DENIED, "refuses with status 401");
	check_token_answer("HTTP/1.1 500 No\r\n\r\n<html>", ERR_REMOTE,
			   "unexpected HTTP status: 500");
	check_token_answer(OK "\r\n<html>c2Vj</html>", ERR_REMOTE, "decode token response");
	check_token_answer(OK "\r\n{\"token\":\"c2Vj", ERR_REMOTE, "decode token response");
	check_token_answer(OK "\r\n", ERR_REMOTE, "decode token response");
	check_token_answer(OK "\r\n[]", ERR_REMOTE, "not include a token");
	check_token_answer(OK "\r\n{\"token\":7}", ERR_REMOTE, "not include a token");
	check_token_answer(OK "\r\n{\"token\":\"a\\r\\nX: c2Vj\"}", ERR_REMOTE,
			   "not include a token");
	check_token_answer(OK "\r\n{\"token\":\"a\",\"refresh_token\":\"r\"}", ERR_DENIED,
			   "/v2/ failed with status: 401");
	check_token_answer(OK "Content-Length: 99\r\n\r\n{\"token\":\"a\"}", ERR_REMOTE,
			   "/token\"");
}

static void check_challenged(const char *text, enum err_kind kind, const char *part)
{
	const struct rule rules[] = { { "/v2/", NULL, text }, { 0 } };

	check_refused(rules, kind, part);
}

#define REALM(realm) ASKED "WWW-Authenticate: Bearer realm=\"" realm "\"\r\n\r\n"

static void test_registries_that_lie(void)
{
	auto_buf struct buf large = { 0 };

	check_challenged(ASKED "\r\n", ERR_DENIED, "status: 401 Unauthorized");
	check_challenged(ASKED "WWW-Authenticate: Digest realm=x\r\n\r\n", ERR_DENIED,
			 "status: 401");
	check_challenged("HTTP/1.1 404 Not Found\r\n" EMPTY, ERR_REMOTE, "status: 404 Not Found");
	check_challenged("HTTP/1.1 299 Odd\r\n" EMPTY, ERR_REMOTE, "status: 299");
	check_challenged(REALM("http://example.com/token"), ERR_DENIED, "unencrypted");
	check_challenged(REALM("http://127.0.0.1.example.com/token"), ERR_DENIED, "unencrypted");
	check_challenged(REALM("http://localhost:1#.example.com/"), ERR_REMOTE, "token server");
	check_challenged(REALM("ftp://127.0.0.1/token"), ERR_REMOTE, "token server");
	check_challenged(REALM("file:///etc/passwd"), ERR_REMOTE, "token server");
	check_challenged(REALM("/token"), ERR_REMOTE, "token server");
	check_challenged(REALM(""), ERR_REMOTE, "token server");
	check_challenged("this is no HTTP\r\n\r\n", ERR_REMOTE, "HTTP/0.9");
	buf_puts(&large, OK "\r\n");
	while (large.len < 300 * 1024)
		buf_puts(&large, "0123456789abcdef0123456789abcdef");
	check_token_answer(large.data, ERR_LIMIT, "longer than 262144 bytes");
}

/* Another port is another host: it must not hear of what was meant for the first. */
static void test_redirects_lose_the_credentials(void)
{
	static const struct rule thief[] = { { "/v2/", NULL, OK EMPTY },
					     { "/token", NULL, OK "\r\n{\"token\":\"t\"}" },
					     { "/taken", NULL, OK "\r\n{\"token\":\"t\"}" },
					     { 0 } };
	static const struct rule basic[] = {
		{ "/v2/", "Authorization",
		  "HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:^/v2/\r\n" EMPTY },
		{ "/v2/", NULL, BASIC },
		{ 0 },
	};
	static const struct rule bearer[] = {
		{ "/v2/", "Authorization",
		  "HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:^/v2/\r\n" EMPTY },
		{ "/v2/", NULL, BEARER },
		{ "/token", NULL,
		  "HTTP/1.1 302 Away\r\nLocation: http://127.0.0.1:^/taken\r\n" EMPTY },
		{ 0 },
	};
	static const struct rule loop[] = {
		{ "/v2/", NULL, "HTTP/1.1 302 Away\r\nLocation: /v2/\r\n" EMPTY },
		{ 0 },
	};
	auto_registry struct registry other = registry_start(thief, 0);
	auto_registry struct registry first = registry_start(basic, other.server.port);
	auto_registry struct registry second = registry_start(bearer, other.server.port);

	check_accepted(&first, NULL);
	check_accepted(&second, NULL);
	CU_ASSERT_EQUAL(asked(&first, ANN), 1);
	CU_ASSERT_EQUAL(asked(&second, "Authorization: Bearer t"), 1);
	CU_ASSERT_EQUAL(asked(&other, "GET /taken HTTP"), 1);
	CU_ASSERT_EQUAL(asked(&other, "GET /v2/ "), 2);
	CU_ASSERT_EQUAL(asked(&other, "Authorization"), 0);
	CU_ASSERT_EQUAL(asked(&other, "ann"), 0);
	check_refused(loop, ERR_REMOTE, "redirects");
}

/* Neither .netrc nor a proxy gets between this machine and itself. */
static void test_environment(void)
{
	static const struct rule rules[] = { { "/v2/", ANN, OK EMPTY },
					     { "/v2/", NULL, BASIC },
					     { 0 } };
	static const struct rule nothing[] = { { 0 } };
	auto_registry struct registry registry = registry_start(rules, 0);
	auto_registry struct registry proxy = registry_start(nothing, 0);
	auto_free char *url = xasprintf("http://%s", proxy.host);

	setenv("http_proxy", url, 1);
	setenv("https_proxy", url, 1);
	setenv("all_proxy", url, 1);
	check_accepted(&registry, NULL);
	unsetenv("http_proxy");
	unsetenv("https_proxy");
	unsetenv("all_proxy");
	CU_ASSERT_EQUAL(asked(&proxy, "GET"), 0);
}

static void test_names_of_servers(void)
{
	static const char *const bad[] = { "",		"https://", "a b",     "u:c2Vj@h",
					   "h\r\nX: y", "h%2f",	    "\xc3\xa9" };
	const struct credentials ann = { (char *)"ann", (char *)"c2Vj!ret", NULL };

	for (size_t i = 0; i < LEN(bad); i++) {
		struct error err = { 0 };
		char *token;

		CU_ASSERT_EQUAL(login_check(bad[i], &ann, NULL, &token, &err), -1);
		CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
		CU_ASSERT_PTR_NULL(strstr(err.text, "c2Vj"));
	}
}

UNIT_SUITE(login, { "Basic: the password, for whom it is asked", test_basic },
	   { "Bearer: a token, and a refresh token if there is one", test_token },
	   { "token servers that refuse", test_token_servers_that_refuse },
	   { "registries that lie", test_registries_that_lie },
	   { "redirects lose the credentials", test_redirects_lose_the_credentials },
	   { "no proxy before this machine", test_environment },
	   { "names that are no registry's", test_names_of_servers });
