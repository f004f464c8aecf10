/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/fetch.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cancel.h"
#include "layerbox.h"
#include "webserver.h"

#define OK "HTTP/1.1 200 OK\r\n"
/* One request for each connection: the server says so, or libcurl may come again on one at its end. */
#define MOVED	   "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 5\r\nLocation: "
#define MOVED_BODY "\r\n\r\nmoved"
#define DATED	   "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n"
#define OTHER_DATE "Last-Modified: Thu, 01 Jan 2004 00:00:00 GMT\r\n"

static const struct webanswer answers[] = {
	{ "/file", OK DATED "Content-Length: 5\r\n\r\nhello" },
	{ "/plain", OK "Content-Length: 5\r\n\r\nplain" },
	{ "/odd-date", OK "Last-Modified: yesterday\r\nContent-Length: 1\r\n\r\nx" },
	{ "/old", OK "Last-Modified: Fri, 01 Jan 1960 00:00:00 GMT\r\nContent-Length: 1\r\n\r\nx" },
	{ "/lower", "HTTP/1.1 200\r\nlast-modified:Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\nlower" },
	{ "/empty", OK "Content-Length: 0\r\n\r\n" },
	{ "/chunks", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" },
	{ "/echo", NULL },
	{ "/to-file", MOVED "/file\r\n" OTHER_DATE MOVED_BODY },
	{ "/to-plain", MOVED "/plain\r\n" OTHER_DATE MOVED_BODY },
	{ "/to-ftp", MOVED "ftp://127.0.0.1/file" MOVED_BODY },
	{ "/to-local", MOVED "file:///etc/passwd" MOVED_BODY },
	{ "/to-nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\nmoved" },
	{ "/to-password", MOVED "http://user:secret@127.0.0.1/file" MOVED_BODY },
	{ "/0", MOVED "/1" MOVED_BODY },
	{ "/1", MOVED "/2" MOVED_BODY },
	{ "/2", MOVED "/3" MOVED_BODY },
	{ "/3", MOVED "/4" MOVED_BODY },
	{ "/4", MOVED "/5" MOVED_BODY },
	{ "/5", MOVED "/6" MOVED_BODY },
	{ "/6", MOVED "/7" MOVED_BODY },
	{ "/7", MOVED "/8" MOVED_BODY },
	{ "/8", MOVED "/9" MOVED_BODY },
	{ "/9", MOVED "/10" MOVED_BODY },
	{ "/10", MOVED "/file" MOVED_BODY },
	{ "/410", "HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone" },
	{ "/401", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
		  "Content-Length: 4\r\n\r\nauth" },
	{ "/500", "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops" },
	{ "/large", OK "Content-Length: 1000000\r\n\r\nbegin" },
	{ "/ten", OK "\r\n0123456789" },
	{ "/short", OK "Content-Length: 10\r\n\r\nshort" },
	{ "/noise", "this is no HTTP\r\n\r\n" },
	{ "/silent", "", true },
	{ "/stall", OK "Content-Length: 10\r\n\r\nbegin", true },
	{ "http://veneer.invalid/file", OK "Content-Length: 9\r\n\r\nby proxy\n" },
	{ NULL },
};

/* One download into a file without a name. */
struct download {
	struct fetch_args args;
	struct fetch_result result;
	struct error err;
	char body[8192];
};

static int download(struct download *load, const struct webserver *server, const char *path)
{
	auto_free char *url = xasprintf("http://127.0.0.1:%d%s", server->port, path);
	auto_fd int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int result;

	CU_ASSERT_FATAL(fd >= 0);
	if (!load->args.url)
		load->args.url = url;
	load->args.fd = fd;
	result = fetch_url(&load->args, &load->result, &load->err);
	memset(load->body, 0, sizeof(load->body));
	CU_ASSERT(pread(fd, load->body, sizeof(load->body) - 1, 0) >= 0);
	load->args = (struct fetch_args){ 0 };
	return result;
}

static void check_body(const struct webserver *server, const char *path, const char *body,
		       time_t mtime)
{
	struct download load = { 0 };

	if (download(&load, server, path) < 0) {
		printf("%s ", load.err.text);
		CU_FAIL("fetch_url");
	}
	CU_ASSERT_STRING_EQUAL(load.body, body);
	CU_ASSERT_EQUAL(load.result.bytes, strlen(body));
	CU_ASSERT_EQUAL(load.result.mtime.tv_sec, mtime);
	CU_ASSERT_EQUAL(load.result.mtime.tv_nsec, 0);
}

/* The text must name the URL, and have this part. */
static void check_refused(struct download *load, const struct webserver *server, const char *path,
			  enum err_kind kind, const char *part)
{
	auto_free char *named = xasprintf("download 'http://127.0.0.1:%d%s': ", server->port, path);

	CU_ASSERT_EQUAL(download(load, server, path), -1);
	CU_ASSERT_EQUAL(load->err.kind, kind);
	CU_ASSERT_EQUAL(strncmp(load->err.text, named, strlen(named)), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(load->err.text, part));
	if (load->err.kind != kind || !strstr(load->err.text, part))
		printf("kind %d: %s ", load->err.kind, load->err.text);
}

static void refuse(const struct webserver *server, const char *path, enum err_kind kind,
		   const char *part)
{
	struct download load = { 0 };

	check_refused(&load, server, path, kind, part);
}

/* The machine's own proxies are not asked for the loopback. */
static struct webserver start(void)
{
	const char *const proxies[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
					"ALL_PROXY",  "no_proxy",    "NO_PROXY" };

	for (size_t i = 0; i < sizeof(proxies) / sizeof(*proxies); i++)
		unsetenv(proxies[i]);
	return web_start(answers);
}

static void test_bodies(void)
{
	auto_webserver struct webserver server = start();

	check_body(&server, "/file", "hello", 1445412480);
	check_body(&server, "/plain", "plain", 0);
	check_body(&server, "/odd-date", "x", 0);
	check_body(&server, "/old", "x", 0);
	check_body(&server, "/lower", "lower", 1445412480);
	check_body(&server, "/empty", "", 0);
	check_body(&server, "/chunks", "abcde", 0);
}

static void test_redirects(void)
{
	auto_webserver struct webserver server = start();

	check_body(&server, "/to-file", "hello", 1445412480);
	check_body(&server, "/to-plain", "plain", 0);
	check_body(&server, "/1", "hello", 1445412480);
	refuse(&server, "/0", ERR_REMOTE, "Maximum (10) redirects");
	refuse(&server, "/to-ftp", ERR_REMOTE, "ftp");
	refuse(&server, "/to-local", ERR_REMOTE, "file");
	refuse(&server, "/to-nowhere", ERR_REMOTE, "status 302");
	refuse(&server, "/to-password", ERR_USAGE, "a URL with credentials is not supported");
}

static void test_status(void)
{
	auto_webserver struct webserver server = start();
	struct download load = { 0 };

	refuse(&server, "/404", ERR_NOT_FOUND, "invalid response status 404");
	refuse(&server, "/410", ERR_NOT_FOUND, "status 410");
	refuse(&server, "/401", ERR_REMOTE, "status 401");
	check_refused(&load, &server, "/500", ERR_REMOTE, "status 500");
	CU_ASSERT_STRING_EQUAL(load.body, "");
}

static void test_broken(void)
{
	auto_webserver struct webserver server = start();
	struct webserver nobody = server;
	int fd;

	refuse(&server, "/short", ERR_REMOTE, "5 bytes");
	refuse(&server, "/noise", ERR_REMOTE, "HTTP/0.9");
	fd = web_listen(1, &nobody.port);
	close(fd);
	refuse(&nobody, "/file", ERR_REMOTE, "onnect");
}

static void test_bounds(void)
{
	auto_webserver struct webserver server = start();
	struct download load = { .args.max_bytes = 10 };

	CU_ASSERT_EQUAL(download(&load, &server, "/ten"), 0);
	CU_ASSERT_EQUAL(load.result.bytes, 10);
	load.args.max_bytes = 9;
	check_refused(&load, &server, "/ten", ERR_LIMIT, "more than 9 bytes");
	load.args.max_bytes = 999999;
	check_refused(&load, &server, "/large", ERR_LIMIT, "more than 999999 bytes");
	CU_ASSERT_STRING_EQUAL(load.body, "");
}

static void check_waits(const struct webserver *server, const char *path, struct fetch_args args,
			const char *part)
{
	struct download load = { .args = args };
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	check_refused(&load, server, path, ERR_REMOTE, part);
	clock_gettime(CLOCK_MONOTONIC, &after);
	CU_ASSERT(after.tv_sec - before.tv_sec < 20);
}

static void test_timeouts(void)
{
	auto_webserver struct webserver server = start();
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct webserver full = { 0 };
	auto_fd int fd = web_listen(0, &full.port);
	auto_fd int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_FATAL(fd >= 0 && waiting >= 0);
	check_waits(&server, "/stall", (struct fetch_args){ .stall_seconds = 1 }, "too slow");
	check_waits(&server, "/silent", (struct fetch_args){ .stall_seconds = 1 }, "too slow");
	/* Nobody accepts, and the queue has room for one. */
	address.sin_port = htons((uint16_t)full.port);
	CU_ASSERT_EQUAL(0, connect(waiting, (struct sockaddr *)&address, sizeof(address)));
	check_waits(&full, "/file", (struct fetch_args){ .connect_seconds = 1 }, "");
}

static void test_urls(void)
{
	const struct {
		const char *url, *text;
	} cases[] = {
		{ "ftp://127.0.0.1/x", "download 'ftp://127.0.0.1/x': not an http or https URL" },
		{ "file:///etc/passwd", "download 'file:///etc/passwd': not an http or https URL" },
		{ "x", "download 'x': not an http or https URL" },
		{ "http://user:secret@127.0.0.1:1/x@y", "download 'http://***@127.0.0.1:1/x@y': "
							"a URL with credentials is not supported" },
	};
	struct webserver nobody = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct download load = { .args.url = cases[i].url };

		CU_ASSERT_EQUAL(download(&load, &nobody, ""), -1);
		CU_ASSERT_EQUAL(load.err.kind, ERR_USAGE);
		CU_ASSERT_STRING_EQUAL(load.err.text, cases[i].text);
	}
}

/* A file with credentials at home is not looked at. */
static void test_request(void)
{
	auto_webserver struct webserver server = start();
	auto_box struct box home = box_new();
	auto_free char *old = xstrdup(getenv("HOME") ?: "/");
	auto_fd int fd = openat(home.fd, ".netrc", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct download load = { 0 };

	dprintf(fd, "default login user password secret\n");
	setenv("HOME", home.path, 1);
	CU_ASSERT_EQUAL(download(&load, &server, "/echo"), 0);
	setenv("HOME", old, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(load.body, "GET /echo HTTP/1.1\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(load.body, "User-Agent: veneer/" VENEER_VERSION "\r\n"));
	CU_ASSERT_PTR_NULL(strstr(load.body, "Authorization"));
	CU_ASSERT_PTR_NULL(strstr(load.body, "Accept-Encoding"));
}

static void test_proxy(void)
{
	auto_webserver struct webserver server = start();
	auto_free char *proxy = xasprintf("http://127.0.0.1:%d", server.port);
	struct download load = { .args.url = "http://veneer.invalid/file" };

	setenv("http_proxy", proxy, 1);
	CU_ASSERT_EQUAL(download(&load, &server, ""), 0);
	unsetenv("http_proxy");
	CU_ASSERT_STRING_EQUAL(load.body, "by proxy\n");
}

static void test_full(void)
{
	auto_webserver struct webserver server = start();
	auto_free char *url = xasprintf("http://127.0.0.1:%d/file", server.port);
	auto_fd int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct fetch_args args = { .url = url, .fd = fd };
	struct fetch_result result;
	struct error err = { 0 };

	CU_ASSERT_EQUAL(fetch_url(&args, &result, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_NO_SPACE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, url));
}

struct counter {
	struct progress progress;
	uint64_t done, total;
};

static void count(struct progress *self, const char *item, const char *phase, uint64_t done,
		  uint64_t total)
{
	struct counter *counter = (struct counter *)self;

	CU_ASSERT_STRING_EQUAL(item, "file");
	CU_ASSERT_STRING_EQUAL(phase, "Downloading");
	counter->done = done;
	counter->total = total;
}

static void test_progress(void)
{
	auto_webserver struct webserver server = start();
	struct counter counter = { { count } };
	struct download load = { .args = { .progress = &counter.progress,
					   .progress_item = "file" } };

	CU_ASSERT_EQUAL(download(&load, &server, "/file"), 0);
	CU_ASSERT_EQUAL(counter.done, 5);
	CU_ASSERT_EQUAL(counter.total, 5);
}

/* In a process of its own: what a signal said is remembered for ever. */
static void test_cancel(void)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	auto_webserver struct webserver server = start();
	struct download load = { 0 };
	int status = -1;
	pid_t pid = fork(), ended = 0;

	CU_ASSERT_FATAL(pid >= 0);
	if (pid == 0) {
		cancel_catch_signals();
		download(&load, &server, "/stall");
		_exit(load.err.kind == ERR_CANCELLED ? 0 : 1);
	}
	for (int i = 0; i < 500 && ended == 0; i++) {
		nanosleep(&moment, NULL);
		if (i >= 10)
			kill(pid, SIGTERM);
		ended = waitpid(pid, &status, WNOHANG);
	}
	if (ended == 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- TLS ---- */

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	CU_ASSERT_EQUAL(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* A certificate for the loopback that nobody has reason to trust, and its key. */
static void put_certificate(const char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	auto_file FILE *file = fopen(path, "we");

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"loopback", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	add_extension(cert, NID_subject_alt_name, "IP:127.0.0.1");
	CU_ASSERT(X509_sign(cert, key, EVP_sha256()) > 0);
	CU_ASSERT_EQUAL(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	CU_ASSERT_EQUAL(PEM_write_X509(file, cert), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static const char tls_server[] =
	"import socket, ssl, sys\n"
	"context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
	"context.load_cert_chain(sys.argv[1])\n"
	"server = socket.create_server(('127.0.0.1', 0))\n"
	"sys.stdout.write('%d\\n' % server.getsockname()[1])\n"
	"sys.stdout.flush()\n"
	"while True:\n"
	"    try:\n"
	"        with context.wrap_socket(server.accept()[0], server_side=True) as client:\n"
	"            client.recv(4096)\n"
	"            client.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nhidden')\n"
	"    except OSError:\n"
	"        pass\n";

/* Returns false where there is no python3. */
static bool tls_start(struct webserver *server, const char *certificate)
{
	char text[16] = { 0 };
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(0, pipe2(fds, O_CLOEXEC));
	server->pid = fork();
	CU_ASSERT_FATAL(server->pid >= 0);
	if (server->pid == 0) {
		dup2(fds[1], 1);
		execlp("python3", "python3", "-c", tls_server, certificate, NULL);
		_exit(127);
	}
	close(fds[1]);
	CU_ASSERT(read(fds[0], text, sizeof(text) - 1) >= 0);
	close(fds[0]);
	return sscanf(text, "%d", &server->port) == 1;
}

static void test_certificate(void)
{
	auto_box struct box box = box_new();
	auto_free char *path = xasprintf("%s/pem", box.path);
	auto_webserver struct webserver server = start();
	auto_webserver struct webserver tls = { 0 };
	auto_free char *url = NULL;
	struct download load = { 0 };

	put_certificate(path);
	if (!tls_start(&tls, path)) {
		printf("(skipped: no python3) ");
		CU_ASSERT_PTR_NULL(getenv("PYTHON_MUST_WORK"));
		return;
	}
	url = xasprintf("https://127.0.0.1:%d/file", tls.port);
	load.args.url = url;
	CU_ASSERT_EQUAL(download(&load, &server, ""), -1);
	CU_ASSERT_EQUAL(load.err.kind, ERR_REMOTE);
	CU_ASSERT_STRING_EQUAL(load.body, "");
	CU_ASSERT_PTR_NOT_NULL(strstr(load.err.text, url));
	CU_ASSERT_PTR_NOT_NULL(strstr(load.err.text, "certificate"));
	if (!strstr(load.err.text, "certificate"))
		printf("%s ", load.err.text);
}

UNIT_SUITE(fetch, { "a file comes with its time", test_bodies },
	   { "redirects are followed, on the web only, and not for ever", test_redirects },
	   { "a status that is none of success is an error", test_status },
	   { "an answer that is cut or none is an error", test_broken },
	   { "a file has a bound", test_bounds },
	   { "a server that is silent is given up", test_timeouts },
	   { "only URLs of the web, without credentials", test_urls },
	   { "nothing is sent that nobody asked for", test_request },
	   { "a proxy is used", test_proxy }, { "a file that cannot be written", test_full },
	   { "progress counts bytes", test_progress }, { "a signal ends the wait", test_cancel },
	   { "a certificate that nobody trusts is refused", test_certificate });
