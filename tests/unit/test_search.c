/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/search.h"

#include "layerbox.h"
#include "registry/registry.h"
#include "registrybox.h"

#define FOUND(rows) "{\"num_results\":1,\"results\":[" rows "]}"

static void test_answer(void)
{
	static const char text[] =
		FOUND("{\"name\":\"debian\",\"description\":\"Two\\nlines \\u001b[31m\\u009b"
		      "\",\"star_count\":5000,\"is_official\":true,\"is_automated\":false},"
		      "{\"name\":\"me/x\",\"description\":null}");
	auto_search_results struct search_results results = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(search_parse(text, strlen(text), &results, &err), 0);
	CU_ASSERT_EQUAL_FATAL(results.nr, 2);
	CU_ASSERT_STRING_EQUAL(results.items[0].name, "debian");
	CU_ASSERT_STRING_EQUAL(results.items[0].description, "Two lines  [31m ");
	CU_ASSERT_EQUAL(results.items[0].stars, 5000);
	CU_ASSERT_TRUE(results.items[0].official);
	CU_ASSERT_STRING_EQUAL(results.items[1].name, "me/x");
	CU_ASSERT_STRING_EQUAL(results.items[1].description, "");
	CU_ASSERT_FALSE(results.items[1].official);
}

static void check_bad(const char *text, enum err_kind kind)
{
	auto_search_results struct search_results results = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(search_parse(text, strlen(text), &results, &err), -1);
	CU_ASSERT_EQUAL(err.kind, kind);
}

static void test_bad_answers(void)
{
	check_bad("<html>", ERR_CORRUPT);
	check_bad("[]", ERR_REMOTE);
	check_bad("{\"results\":{}}", ERR_REMOTE);
	check_bad(FOUND("1"), ERR_CORRUPT);
	check_bad(FOUND("{\"name\":\"x\"},{}"), ERR_CORRUPT);
	check_bad(FOUND("{\"name\":1}"), ERR_CORRUPT);
	check_bad(FOUND("{\"name\":\"x\",\"star_count\":-1}"), ERR_CORRUPT);
}

/* Returns 0 or -1; with the credentials of a config.json when config_dir is one. */
static int ask(const struct registrybox *box, const char *config_dir, struct search_results *ret,
	       struct error *err)
{
	const struct registry_options options = { .docker_config_dir = config_dir,
						  .limits.stall_seconds = 2 };
	auto_free char *term = xasprintf("127.0.0.1:%d/library/a b&c", box->server.port);

	return search_ask(&options, term, 7, ret, err);
}

#define PATH "/v1/search?q=library%2Fa%20b%26c&n=7"

static void test_ask(void)
{
	const struct page pages[] = { { .path = PATH, .body = FOUND("{\"name\":\"x\"}") },
				      { NULL } };
	auto_search_results struct search_results results = { 0 };
	auto_box struct box folder = box_new();
	auto_fd int fd = openat(folder.fd, "config.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct registrybox box = registry_start(pages);
	struct error err;

	CU_ASSERT_EQUAL(ask(&box, NULL, &results, &err), 0);
	CU_ASSERT_EQUAL(results.nr, 1);
	CU_ASSERT_PTR_NULL(strcasestr(box.seen->request[0], "authorization"));
	search_results_done(&results);
	dprintf(fd, "{\"auths\":{\"127.0.0.1:%d\":{\"auth\":\"bWU6c2VjcmV0\"}}}", box.server.port);
	CU_ASSERT_EQUAL(ask(&box, folder.path, &results, &err), 0);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(box.seen->request[0], "Authorization: Basic bWU6c2VjcmV0\r\n"));
	registry_stop(&box);
}

static void refuse(struct page page, enum err_kind kind, const char *text)
{
	const struct page pages[] = { page, { NULL } };
	auto_search_results struct search_results results = { 0 };
	struct registrybox box = registry_start(pages);
	struct error err;

	CU_ASSERT_EQUAL(ask(&box, NULL, &results, &err), -1);
	CU_ASSERT_EQUAL(err.kind, kind);
	if (!strstr(err.text, text)) {
		printf("%s; ", err.text);
		CU_FAIL("another text");
	}
	registry_stop(&box);
}

static void test_refusals(void)
{
	struct page page = { .path = PATH, .body = "{}", .mischief = STATUS, .status = 401 };

	refuse(page, ERR_DENIED, "the registry refuses (status 401): try 'veneer login'");
	page.status = 404;
	refuse(page, ERR_REMOTE, "the registry has no search");
	page.status = 503;
	refuse(page, ERR_REMOTE, "unexpected status code 503");
	page.mischief = ENDLESS;
	refuse(page, ERR_LIMIT, "the answer is too long");
	page.mischief = CUT;
	page.at = 1;
	refuse(page, ERR_REMOTE, "Get \"http://127.0.0.1:");
}

static void test_terms(void)
{
	const struct registry_options options = { 0 };
	struct search_results results;
	struct error err;

	CU_ASSERT_EQUAL(search_ask(&options, "https://x.example/y", 1, &results, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
}

UNIT_SUITE(search, { "an answer", test_answer }, { "answers that are none", test_bad_answers },
	   { "what is asked, and by whom", test_ask }, { "refusals", test_refusals },
	   { "terms", test_terms });
