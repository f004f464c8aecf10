/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transport.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/proc.h"
#include "unit.h"

static int read_table(const char *text, struct registry_table *ret, struct error *err)
{
	json_auto_t *json = json_loads(text, 0, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	return registry_table_read(json, ret, err);
}

static void test_table(void)
{
	struct registry_table table = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(
		read_table("{\"docker.io\": {\"mirrors\": [\"m:5000\", \"https://n.example/\"]},"
			   " \"m:5000\": {\"insecure\": true}, \"[::2]:1\": {\"ca\": \"/x\"}}",
			   &table, &err),
		0);
	CU_ASSERT_EQUAL(table.nr, 3);
	CU_ASSERT_EQUAL(registry_table_find(&table, "docker.io")->mirrors.nr, 2);
	CU_ASSERT_STRING_EQUAL(registry_table_find(&table, "docker.io")->mirrors.items[1],
			       "n.example");
	CU_ASSERT_TRUE(registry_table_find(&table, "M:5000")->insecure);
	CU_ASSERT_STRING_EQUAL(registry_table_find(&table, "[::2]:1")->ca, "/x");
	CU_ASSERT_PTR_NULL(registry_table_find(&table, "other"));
	CU_ASSERT_PTR_NULL(registry_table_find(NULL, "other"));
	registry_table_done(&table);
}

static void test_wrong_table(void)
{
	static const char *const wrong[][2] = {
		{ "[]", "must be an object" },
		{ "{\"a\": 1}", "\"a\": must be an object" },
		{ "{\"a/b\": {}}", "'a/b' is not a registry's host" },
		{ "{\"..\": {}}", "'..' is not a registry's host" },
		{ "{\"\": {}}", "'' is not a registry's host" },
		{ "{\"a\": {\"mirror\": []}}", "\"a\": unknown key \"mirror\"" },
		{ "{\"a\": {\"mirrors\": \"b\"}}", "must be a list" },
		{ "{\"a\": {\"mirrors\": [1]}}", "must be a list of hosts" },
		{ "{\"a\": {\"mirrors\": [\"http://b\"]}}", "'http://b' is not a registry's host" },
		{ "{\"a\": {\"mirrors\": [\"b@c\"]}}", "'b@c' is not a registry's host" },
		{ "{\"a\": {\"insecure\": 1}}", "must be true or false" },
		{ "{\"a\": {\"ca\": \"x\"}}", "must be an absolute path" },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct registry_table table = { 0 };
		struct error err = { 0 };

		CU_ASSERT_EQUAL(read_table(wrong[i][0], &table, &err), -1);
		CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
		if (!strstr(err.text, wrong[i][1])) {
			printf("%s: %s; ", wrong[i][0], err.text);
			CU_FAIL("another text");
		}
		registry_table_done(&table);
	}
}

/* ---- folders ---- */

static char *folder;

static void put(const char *name, const char *text)
{
	auto_free char *path = xasprintf("%s/%s", folder, name);
	struct error err;

	CU_ASSERT_EQUAL_FATAL(io_replace_file(AT_FDCWD, path, text, strlen(text), 0600, &err), 0);
}

static void begin(const char *host)
{
	char made[] = "/tmp/veneer-certs-XXXXXX";
	auto_free char *path = NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(made));
	folder = xstrdup(made);
	path = xasprintf("%s/%s", folder, host);
	CU_ASSERT_EQUAL_FATAL(mkdir(path, 0755), 0);
}

static void end(void)
{
	const char *const argv[] = { "rm", "-r", folder, NULL };
	struct error err;

	CU_ASSERT_EQUAL(proc_check(argv, 10000, &err), 0);
	free(folder);
}

static void test_folders(void)
{
	struct registry_table table = { 0 };
	const char *folders[] = { "/nonexistent", NULL, NULL };
	auto_transport struct transport none = { 0 }, all = { 0 }, other = { 0 };
	struct error err;

	begin("example:5000");
	folders[1] = folder;
	table.folders = folders;
	put("example:5000/b.crt", "B");
	put("example:5000/a.crt", "A");
	put("example:5000/z.cert", "");
	put("example:5000/z.key", "");
	put("example:5000/y.cert", "");
	put("example:5000/y.key", "");
	put("example:5000/readme", "");
	CU_ASSERT_EQUAL_FATAL(transport_open(&table, "other", &none, &err), 0);
	CU_ASSERT_EQUAL(none.roots.len, 0);
	CU_ASSERT_PTR_NULL(none.cert);
	CU_ASSERT_EQUAL_FATAL(transport_open(&table, "example:5000", &all, &err), 0);
	CU_ASSERT_STRING_EQUAL(all.roots.data, "A\nB\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(all.cert);
	CU_ASSERT_STRING_EQUAL(strrchr(all.cert, '/'), "/y.cert");
	CU_ASSERT_STRING_EQUAL(strrchr(all.key, '/'), "/y.key");
	CU_ASSERT_FALSE(all.unverified);
	put("example:5000/alone.key", "");
	CU_ASSERT_EQUAL(transport_open(&table, "example:5000", &other, &err), -1);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "missing client certificate"));
	end();
}

/* Nothing is said in clear to a host that is elsewhere before it was tried with TLS. */
static void check_policy(const struct registry_table *table, const char *host, bool lax, bool first)
{
	auto_transport struct transport transport = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(transport_open(table, host, &transport, &err), 0);
	CU_ASSERT_EQUAL(transport.unverified, lax);
	CU_ASSERT_EQUAL(transport.plain_allowed, lax);
	CU_ASSERT_EQUAL(transport.plain_first, first);
}

static void test_policy(void)
{
	static const char *const nothing[] = { NULL };
	struct registry_table table = { .folders = nothing };
	auto_transport struct transport missing = { 0 }, odd = { 0 };
	auto_free char *text = NULL;
	struct error err;

	begin("127.0.0.1:2");
	put("ca", "C");
	text = xasprintf("{\"lax\": {\"insecure\": true}, \"127.0.0.1:1\": {\"ca\": \"%s/ca\"},"
			 "\"gone\": {\"ca\": \"%s/none\"}}",
			 folder, folder);
	CU_ASSERT_EQUAL_FATAL(read_table(text, &table, &err), 0);
	check_policy(&table, "example", false, false);
	check_policy(&table, "lax", true, false);
	check_policy(&table, "lax:1", false, false);
	check_policy(&table, "localhost:5000", true, true);
	check_policy(&table, "[::1]:5000", true, true);
	check_policy(&table, "127.0.0.1:1", false, false); /* it has a CA */
	check_policy(NULL, "docker.io", false, false);
	put("127.0.0.1:2/our.cert", "");
	put("127.0.0.1:2/our.key", "");
	table.folders = (const char *const[]){ folder, NULL };
	check_policy(&table, "127.0.0.1:2", true, false); /* it will ask for our certificate */
	CU_ASSERT_EQUAL(transport_open(&table, "gone", &missing, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_EQUAL(transport_open(&table, "../x", &odd, &err), -1);
	registry_table_done(&table);
	end();
}

UNIT_SUITE(transport, { "the table of the configuration", test_table },
	   { "what is wrong in the table", test_wrong_table },
	   { "certificates are read as Docker reads them", test_folders },
	   { "who may speak http, or have any certificate", test_policy });
