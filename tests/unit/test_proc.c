/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/secret.h"
#include "unit.h"

static void test_output_and_status(void)
{
	const char *const argv[] = { "sh", "-c", "echo out; echo '  err' >&2; exit 3", NULL };
	auto_buf struct buf output = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(3, proc_run(argv, 10000, &output, &err));
	CU_ASSERT_STRING_EQUAL(output.data, "out\n  err\n");
	CU_ASSERT_EQUAL(-1, proc_check(argv, 10000, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "exit status 3): err"));
}

static void check_reason(const char *script, const char *text)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct error err;

	CU_ASSERT_EQUAL(-1, proc_check(argv, 10000, &err));
	CU_ASSERT_STRING_EQUAL(err.text, text);
}

static void test_the_reason_of_a_failure(void)
{
	check_reason("echo 'sh 1.47.0 (5-Feb-2023)'; exit 1",
		     "sh failed (exit status 1): it gave no reason, the kernel's log may have one");
	check_reason("echo 'sh 1.47.0'; echo 'sh: first'; echo 'sh: it'; echo Resizing; exit 2",
		     "sh failed (exit status 2): sh: it");
	check_reason("echo 'sh 1.47.0'; echo Creating; echo done; exit 1",
		     "sh failed (exit status 1): it gave no reason, the kernel's log may have one");
	check_reason("echo 'sh is here'; echo; echo why; exit 3", "sh failed (exit status 3): why");
	check_reason("exit 4", "sh failed (exit status 4): it printed nothing");
}

static void test_missing_program(void)
{
	const char *const argv[] = { "no-such-program-here", NULL };
	struct error err;

	CU_ASSERT_EQUAL(-1, proc_run(argv, 10000, NULL, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
}

static void test_a_path_without_the_folders_of_root(void)
{
	const char *const argv[] = { "mkfs.ext4", "-V", NULL };
	auto_free char *before = xstrdup(getenv("PATH"));
	auto_buf struct buf output = { 0 };
	struct error err;
	int result;

	setenv("PATH", "/usr/bin:/bin", 1);
	result = proc_run(argv, 10000, &output, &err);
	setenv("PATH", before, 1);
	CU_ASSERT_EQUAL(0, result);
}

static void test_deadline(void)
{
	const char *const argv[] = { "cat", "/dev/zero", NULL };
	struct error err;

	CU_ASSERT_EQUAL(-1, proc_run(argv, 50, NULL, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_IO);
}

/* Returns what proc_talk() says of a shell script that reads a request. */
static int talk(const char *script, const char *input, size_t max, struct buf *ret,
		struct error *err)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	const struct proc_talk args = { argv, input, strlen(input), max, .deadline_ms = 500 };

	secret_buf_init(ret, max);
	return proc_talk(&args, ret, err);
}

static void test_a_request_and_an_answer(void)
{
	auto_secret_buf struct buf output = { 0 };
	auto_buf struct buf large = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL(talk("cat; exit 3", "asked", 5, &output, &err), 3);
	CU_ASSERT_EQUAL(output.len, 5);
	CU_ASSERT_STRING_EQUAL(output.data, "asked");
	secret_buf_done(&output);
	/* More than a pipe takes at once, to a child that answers before it reads. */
	for (int i = 0; i < 30000; i++)
		buf_puts(&large, "0123456789");
	CU_ASSERT_EQUAL(talk("echo first; cat", large.data, 400000, &output, &err), 0);
	CU_ASSERT_EQUAL(output.len, 6 + large.len);
	secret_buf_done(&output);
	CU_ASSERT_EQUAL(talk("true", large.data, 10, &output, &err), 0);
	CU_ASSERT_EQUAL(output.len, 0);
}

static void check_no_answer(const char *script, enum err_kind kind, const char *text)
{
	auto_secret_buf struct buf output = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL(talk(script, "", 5, &output, &err), -1);
	CU_ASSERT_EQUAL(err.kind, kind);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
}

static void test_answers_have_bounds(void)
{
	check_no_answer("echo 12345", ERR_LIMIT, "more than 5 bytes");
	check_no_answer("cat /dev/zero", ERR_LIMIT, "more than 5 bytes");
	check_no_answer("exec sleep 60", ERR_IO, "did not end");
	check_no_answer("exec >&-; exec sleep 60", ERR_IO, "did not end");
	check_no_answer("kill -9 $$", ERR_IO, "signal 9");
}

UNIT_SUITE(proc, { "output and exit status arrive", test_output_and_status },
	   { "a failure has the program's reason", test_the_reason_of_a_failure },
	   { "a missing program is not found", test_missing_program },
	   { "root's programs are found without their folders in PATH",
	     test_a_path_without_the_folders_of_root },
	   { "a child that does not end is killed", test_deadline },
	   { "a child reads a request and answers", test_a_request_and_an_answer },
	   { "answers have bounds", test_answers_have_bounds });
