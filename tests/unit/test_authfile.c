/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/authfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/jsonfield.h"
#include "base/secret.h"
#include "layerbox.h"
#include "registry/base64.h"

#define LEN(array) (sizeof(array) / sizeof(*(array)))

static void check_base64(const char *plain, size_t len, const char *coded)
{
	auto_secret_buf struct buf text = { 0 }, back = { 0 };

	base64_encode(plain, len, &text);
	CU_ASSERT_STRING_EQUAL(text.data, coded);
	CU_ASSERT_EQUAL_FATAL(base64_decode(coded, &back), 0);
	CU_ASSERT_EQUAL(back.len, len);
	CU_ASSERT_EQUAL(memcmp(back.data, plain, len), 0);
}

static void test_base64(void)
{
	static const char *const bad[] = { "Z",	   "Zg",       "Zg=",	  "Zg===", "=",
					   "====", "Zg==Zg==", "Z=g=",	  "Zm9v!", "Zm9v Zg==",
					   "Zm9-", "Zm9v=",    "Zm9v====" };
	auto_secret_buf struct buf lines = { 0 };

	check_base64("", 0, "");
	check_base64("f", 1, "Zg==");
	check_base64("fo", 2, "Zm8=");
	check_base64("foo", 3, "Zm9v");
	check_base64("foob", 4, "Zm9vYg==");
	check_base64("\xff\xfe\xfd\0\xfb", 5, "//79APs=");
	for (size_t i = 0; i < LEN(bad); i++) {
		auto_secret_buf struct buf back = { 0 };

		CU_ASSERT_EQUAL(base64_decode(bad[i], &back), -1);
	}
	CU_ASSERT_EQUAL(base64_decode("Zm9v\r\nYg==\n", &lines), 0);
	CU_ASSERT_STRING_EQUAL(lines.data, "foob");
}

/* ---- read ---- */

/* @user: NULL: there must be none */
static void check_get(const char *text, const char *key, const char *user, const char *password,
		      const char *token)
{
	auto_credentials struct credentials found = { 0 };
	auto_json json_t *document = NULL;
	struct error err = { 0 };
	int result;

	CU_ASSERT_EQUAL_FATAL(authfile_parse(text, strlen(text), &document, &err), 0);
	result = authfile_get(document, key, &found, &err);
	CU_ASSERT_EQUAL(result, user || token ? 1 : 0);
	CU_ASSERT_STRING_EQUAL(found.username ?: "-", user ?: "-");
	CU_ASSERT_STRING_EQUAL(found.password ?: "-", password ?: "-");
	CU_ASSERT_STRING_EQUAL(found.identity_token ?: "-", token ?: "-");
}

static void test_entries(void)
{
	/* ann:pa:ss, ann:, ann:x with NULs behind */
	check_get("{\"auths\":{\"h\":{\"auth\":\"YW5uOnBhOnNz\"}}}", "h", "ann", "pa:ss", NULL);
	check_get("{\"auths\":{\"h\":{\"auth\":\"YW5uOg==\"}}}", "h", "ann", "", NULL);
	check_get("{\"auths\":{\"h\":{\"auth\":\"YW5uOngAAA==\"}}}", "h", "ann", "x", NULL);
	check_get("{\"auths\":{\"h\":{\"auth\":\"YW5uOg==\",\"identitytoken\":\"t\"}}}", "h", "ann",
		  NULL, "t");
	check_get("{\"auths\":{\"h\":{\"identitytoken\":\"t\"}}}", "h", NULL, NULL, "t");
	check_get("{\"auths\":{\"h\":{\"username\":\"u\",\"password\":\"p\"}}}", "h", "u", "p",
		  NULL);
	check_get("{\"auths\":{\"h\":{\"username\":\"u\",\"password\":\"p\","
		  "\"auth\":\"YW5uOnBhOnNz\"}}}",
		  "h", "ann", "pa:ss", NULL);
	check_get("{\"auths\":{\"h\":{}}}", "h", NULL, NULL, NULL);
	check_get("{\"auths\":{\"h\":null}}", "h", NULL, NULL, NULL);
	check_get("{\"auths\":{\"h\":{\"auth\":\"\"}}}", "h", NULL, NULL, NULL);
	check_get("{\"auths\":{\"h2\":{\"auth\":\"YW5uOg==\"}}}", "h", NULL, NULL, NULL);
	check_get("{\"auths\":null}", "h", NULL, NULL, NULL);
	check_get("{}", "h", NULL, NULL, NULL);
	check_get(" \n", "h", NULL, NULL, NULL);
	check_get("", "h", NULL, NULL, NULL);
}

/* Whatever is wrong, no byte of the secret is told. */
static void check_bad(const char *text, const char *part)
{
	auto_credentials struct credentials found = { 0 };
	auto_json json_t *document = NULL;
	struct error err = { 0 };
	int result = authfile_parse(text, strlen(text), &document, &err);

	if (result == 0)
		result = authfile_get(document, "h", &found, &err);
	CU_ASSERT_EQUAL(result, -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, part));
	CU_ASSERT_PTR_NULL(strstr(err.text, "c2Vj"));
	if (!strstr(err.text, part) || strstr(err.text, "c2Vj"))
		printf("%s ", err.text);
}

static void test_malformed(void)
{
	check_bad("{\"auths\":{\"h\":{\"auth\":\"c2VjcmV0\"}}}", "'h': auth is no base64 of USER");
	check_bad("{\"auths\":{\"h\":{\"auth\":\"c2VjcmV0!\"}}}", "'h': auth is no base64");
	check_bad("{\"auths\":{\"h\":{\"auth\":\"OnNlY3JldA==\"}}}", "auth is no base64 of USER");
	check_bad("{\"auths\":{\"h\":{\"auth\":\"YQBiOmM=\"}}}", "NUL");
	check_bad("{\"auths\":{\"h\":{\"auth\":7}}}", "auth is not text");
	check_bad("{\"auths\":{\"h\":{\"identitytoken\":[]}}}", "identitytoken is not text");
	check_bad("{\"auths\":{\"h\":[]}}", "'h' is not an object");
	check_bad("{\"auths\":[]}", "auths is not an object");
	check_bad("{\"credHelpers\":7}", "credHelpers is not an object");
	check_bad("{\"credHelpers\":{\"h\":7}}", "credHelpers: 'h' is not text");
	check_bad("{\"credsStore\":{}}", "credsStore is not text");
	check_bad("[]", "not an object");
	check_bad("{\"auths\":{\"h\":{\"auth\":\"c2VjcmV0\" \"c2VjcmV0\"}}}", "line 1");
	check_bad("{\"auths\":{\"h\":{\"auth\":\"c2VjcmV0}}}", "line 1");
	check_bad("{\"auths\":{\"h\":{\"c2Vj\":1,\"c2Vj\":1}}}", "duplicate");
}

static void test_helpers_and_hosts(void)
{
	static const char text[] =
		"{\"credsStore\":\"all\",\"credHelpers\":{\"a\":\"one\",\"b\":\"\"},"
		"\"auths\":{\"x\":{},\"https://y:5000/v1/\":{},\"y:5000\":{}}}";
	static const char *const hosts[] = { "z", "y:5000", NULL };
	auto_json json_t *document = NULL;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(authfile_parse(text, strlen(text), &document, &err), 0);
	CU_ASSERT_STRING_EQUAL(authfile_helper(document, "a"), "one");
	CU_ASSERT_PTR_NULL(authfile_helper(document, "b"));
	CU_ASSERT_STRING_EQUAL(authfile_helper(document, "c"), "all");
	CU_ASSERT_STRING_EQUAL(authfile_match(document, hosts), "https://y:5000/v1/");
	CU_ASSERT_PTR_NULL(authfile_match(document, hosts + 2));
}

/* Any cut, and any byte changed: an error or an answer, and never more than that. */
static void test_mutations(void)
{
	static const char text[] =
		"{\"auths\":{\"h\":{\"auth\":\"YW5uOnBhOnNz\",\"identitytoken\":\"\\u00e9t\"}},"
		"\"credsStore\":\"x\",\"credHelpers\":{\"g\":\"y\"},\"o\":[1,2.5,null,true]}";
	static const char bytes[] = "\0\"{}[]:,\\=\xff\x80u0 ";
	int nr_good = 0;

	for (size_t i = 0; i < sizeof(text) * sizeof(bytes); i++) {
		size_t at = i / sizeof(bytes), which = i % sizeof(bytes);
		auto_credentials struct credentials found = { 0 };
		auto_free char *copy = xstrdup(text);
		auto_json json_t *document = NULL;
		size_t len = sizeof(text) - 1;
		struct error err;

		if (which == sizeof(bytes) - 1)
			len = at;
		else
			copy[at] = bytes[which];
		if (authfile_parse(copy, len, &document, &err) < 0)
			continue;
		nr_good += authfile_get(document, "h", &found, &err) == 1;
		authfile_helper(document, "g");
	}
	CU_ASSERT_TRUE(nr_good > 0);
}

static void test_bounds(void)
{
	auto_buf struct buf text = { 0 };
	auto_json json_t *document = NULL;
	auto_box struct box box = box_new();
	auto_free char *path = xasprintf("%s/config.json", box.path);
	struct error err;
	int fd;

	for (int i = 0; i < 100000; i++)
		buf_puts(&text, "[");
	CU_ASSERT_EQUAL(authfile_parse(text.data, text.len, &document, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	while (text.len < 1024 * 1024)
		buf_puts(&text, "                                                ");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CU_ASSERT_EQUAL(write(fd, text.data, text.len), (ssize_t)text.len);
	close(fd);
	CU_ASSERT_EQUAL(authfile_read(path, &document, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	/* A pipe that nobody writes to is not waited for; a device without end has a bound. */
	unlink(path);
	CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
	CU_ASSERT_EQUAL(authfile_read(path, &document, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_EQUAL(authfile_read("/dev/zero", &document, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(authfile_read("/dev/null", &document, &err), 0);
}

/* ---- change ---- */

static void put_file(struct box *box, const char *name, const char *text)
{
	auto_fd int fd = openat(box->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int put(struct box *box, const char *name, const char *key, const char *user,
	       const char *password, struct error *err)
{
	const struct credentials credentials = { (char *)user, (char *)password, NULL };
	auto_free char *path = xasprintf("%s/%s", box->path, name);

	return authfile_put(path, key, user ? &credentials : NULL, err);
}

static int erase(struct box *box, const char *name, const char *key, struct error *err)
{
	auto_free char *path = xasprintf("%s/%s", box->path, name);

	return authfile_remove(path, key, err);
}

static void test_other_keys_stay_in_their_order(void)
{
	auto_box struct box box = box_new();
	struct error err;

	put_file(&box, "c",
		 "{\"z\":{\"b\":1,\"a\":[1,2.5,\"\\u00e9<\"]},\"auths\":{\"y\":{\"auth\":"
		 "\"eTp5\",\"mail\":\"m\"},\"x\":{}},\"a\":null}");
	CU_ASSERT_EQUAL(put(&box, "c", "y", "ann", "s", &err), 1);
	check_content(
		&box, "c",
		"{\n\t\"z\": {\n\t\t\"b\": 1,\n\t\t\"a\": [\n\t\t\t1,\n\t\t\t2.5,\n\t\t\t\"é<\"\n"
		"\t\t]\n\t},\n\t\"auths\": {\n\t\t\"y\": {\n\t\t\t\"mail\": \"m\",\n"
		"\t\t\t\"auth\": \"YW5uOnM=\"\n\t\t},\n\t\t\"x\": {}\n\t},\n\t\"a\": null\n}");
	CU_ASSERT_EQUAL(stat_in(&box, "c").st_mode & 07777, 0600);
	CU_ASSERT_EQUAL(put(&box, "c", "y", "ann", "s", &err), 0);
	CU_ASSERT_EQUAL(put(&box, "c", "x", NULL, NULL, &err), 0);
	CU_ASSERT_EQUAL(erase(&box, "c", "y", &err), 1);
	CU_ASSERT_EQUAL(erase(&box, "c", "y", &err), 0);
	CU_ASSERT_EQUAL(erase(&box, "c", "x", &err), 1);
	check_content(
		&box, "c",
		"{\n\t\"z\": {\n\t\t\"b\": 1,\n\t\t\"a\": [\n\t\t\t1,\n\t\t\t2.5,\n\t\t\t\"é<\"\n"
		"\t\t]\n\t},\n\t\"auths\": {},\n\t\"a\": null\n}");
	check_tree(&box, "c");
}

static void test_a_new_file(void)
{
	auto_box struct box box = box_new();
	struct error err;

	CU_ASSERT_EQUAL(erase(&box, "new/deep/c", "h", &err), 0);
	check_tree(&box, "");
	CU_ASSERT_EQUAL(put(&box, "new/deep/c", "h", "ann", "s", &err), 1);
	check_content(
		&box, "new/deep/c",
		"{\n\t\"auths\": {\n\t\t\"h\": {\n\t\t\t\"auth\": \"YW5uOnM=\"\n\t\t}\n\t}\n}");
	CU_ASSERT_EQUAL(stat_in(&box, "new/deep/c").st_mode & 07777, 0600);
	CU_ASSERT_EQUAL(stat_in(&box, "new/deep").st_mode & 07777, 0700);
}

static void test_links(void)
{
	auto_box struct box box = box_new();
	struct error err;

	mkdirat(box.fd, "a", 0755);
	mkdirat(box.fd, "b", 0755);
	CU_ASSERT_EQUAL(symlinkat("a/one", box.fd, "c"), 0);
	CU_ASSERT_EQUAL(symlinkat("../b/two", box.fd, "a/one"), 0);
	CU_ASSERT_EQUAL(put(&box, "c", "h", "ann", "s", &err), 1); /* leads to nothing yet */
	CU_ASSERT_EQUAL(put(&box, "c", "h", "ann", "t", &err), 1);
	check_tree(&box, "a/ a/one b/ b/two c");
	check_target(&box, "c", "a/one");
	check_target(&box, "a/one", "../b/two");
	CU_ASSERT_EQUAL(symlinkat("loop", box.fd, "loop"), 0);
	CU_ASSERT_EQUAL(put(&box, "loop", "h", "ann", "s", &err), -1);
	CU_ASSERT_EQUAL(err.sys_errno, ELOOP);
}

/* What is malformed is never replaced; what a killed writer left is. */
static void test_kept_files(void)
{
	auto_box struct box box = box_new();
	struct error err;

	put_file(&box, "c", "{\"auths\":");
	CU_ASSERT_EQUAL(put(&box, "c", "h", "ann", "s", &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_EQUAL(erase(&box, "c", "h", &err), -1);
	check_content(&box, "c", "{\"auths\":");
	check_tree(&box, "c");
	put_file(&box, "d", "{}");
	put_file(&box, "target", "other");
	CU_ASSERT_EQUAL(symlinkat("target", box.fd, "d.new"), 0);
	CU_ASSERT_EQUAL(put(&box, "d", "h", "ann", "s", &err), 1);
	check_content(&box, "target", "other");
	check_tree(&box, "c d target");
}

static void test_owner(void)
{
	auto_box struct box box = box_new();
	struct error err;

	if (skip_unless_root())
		return;
	put_file(&box, "c", "{}");
	CU_ASSERT_EQUAL(fchownat(box.fd, "c", 1234, 1235, 0), 0);
	CU_ASSERT_EQUAL(put(&box, "c", "h", "ann", "s", &err), 1);
	CU_ASSERT_EQUAL(stat_in(&box, "c").st_uid, 1234);
	CU_ASSERT_EQUAL(stat_in(&box, "c").st_gid, 1235);
}

/* Many at once: each finds what the others stored. */
static void test_writers_at_once(void)
{
	auto_box struct box box = box_new();
	auto_free char *path = xasprintf("%s/c", box.path);
	auto_json json_t *document = NULL;
	struct error err;
	int status, nr_bad = 0;

	for (int i = 0; i < 8; i++) {
		if (fork() != 0)
			continue;
		for (int j = 0; j < 5; j++) {
			auto_free char *key = xasprintf("h%d-%d", i, j);

			if (put(&box, "c", key, "ann", "s", &err) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++)
		nr_bad += wait(&status) < 0 || status != 0;
	CU_ASSERT_EQUAL(nr_bad, 0);
	CU_ASSERT_EQUAL_FATAL(authfile_read(path, &document, &err), 0);
	CU_ASSERT_EQUAL(json_object_size(json_object_get(document, "auths")), 40);
}

static int intruder_fd = -1;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

/* Between a writer's look at the file and its rename another program writes. */
int __wrap_fsync(int fd)
{
	int folder_fd = intruder_fd;

	if (folder_fd >= 0) {
		struct box box = { .fd = folder_fd };

		intruder_fd = -1;
		put_file(&box, "c", "{\"other\":1}");
	}
	return __real_fsync(fd);
}

static void test_a_stranger_comes_between(void)
{
	auto_box struct box box = box_new();
	struct error err;

	put_file(&box, "c", "{\"mine_\":2}"); /* as long as the other */
	intruder_fd = box.fd;
	CU_ASSERT_EQUAL(put(&box, "c", "h", "ann", "s", &err), 1);
	CU_ASSERT_EQUAL(intruder_fd, -1);
	check_content(&box, "c",
		      "{\n\t\"other\": 1,\n\t\"auths\": {\n\t\t\"h\": {\n"
		      "\t\t\t\"auth\": \"YW5uOnM=\"\n\t\t}\n\t}\n}");
	check_tree(&box, "c");
}

UNIT_SUITE(authfile, { "base64 is strict", test_base64 }, { "what an entry says", test_entries },
	   { "what is malformed is refused, without its secrets", test_malformed },
	   { "helpers by name, hosts by URL", test_helpers_and_hosts },
	   { "a document that is cut or changed", test_mutations },
	   { "a document has bounds", test_bounds },
	   { "other keys stay, in their order", test_other_keys_stay_in_their_order },
	   { "a file that is not there is made", test_a_new_file },
	   { "links are followed, and stay", test_links },
	   { "what is malformed stays; what a killed writer left goes", test_kept_files },
	   { "the file's owner stays", test_owner },
	   { "what a stranger writes meanwhile is kept", test_a_stranger_comes_between },
	   { "writers at once lose nothing", test_writers_at_once });
