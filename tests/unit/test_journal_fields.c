/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal is a datagram socket here, and libsystemd a function that sends there what it is
 * given. Each message is a process's first, with a file as its standard error.
 */
#include "base/journal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/library.h"
#include "unit.h"

int __real_library_load(const char *file, const struct library_symbol *symbols, struct error *err);
int __wrap_library_load(const char *file, const struct library_symbol *symbols, struct error *err);

static enum { LIBRARY_REAL, LIBRARY_FAKE, LIBRARY_REFUSES, LIBRARY_NONE } library;
static int journal[2];

static int sendv(const struct iovec *iov, int n)
{
	auto_buf struct buf text = { 0 };

	for (int i = 0; i < n; i++) {
		buf_append(&text, iov[i].iov_base, iov[i].iov_len);
		buf_putc(&text, '\n');
	}
	return library == LIBRARY_REFUSES || send(journal[1], text.data, text.len, 0) < 0 ? -1 : 0;
}

int __wrap_library_load(const char *file, const struct library_symbol *symbols, struct error *err)
{
	int (*function)(const struct iovec *iov, int n) = sendv;

	if (library == LIBRARY_REAL || strcmp(file, "libsystemd.so.0") != 0)
		return __real_library_load(file, symbols, err);
	if (library == LIBRARY_NONE)
		return err_set(err, ERR_UNSUPPORTED, "%s: it is not here", file);
	CU_ASSERT_STRING_EQUAL(symbols->name, "sd_journal_sendv");
	memcpy(symbols->at, &function, sizeof(function));
	return 0;
}

/* JOURNAL_STREAM says that it is the journal, or that another file is. */
enum stream { STREAM_NONE, STREAM_THIS, STREAM_OTHER };

struct heard {
	char journal[1024], lines[1024];
};

static void say_in_child(int stderr_fd, enum stream stream)
{
	auto_strlist struct strlist fields = { 0 };
	struct stat st;
	char text[64];

	dup2(stderr_fd, STDERR_FILENO);
	fstat(stderr_fd, &st);
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino + (stream == STREAM_OTHER));
	unsetenv("JOURNAL_STREAM");
	if (stream != STREAM_NONE)
		setenv("JOURNAL_STREAM", text, 1);
	strlist_add(&fields, "VENEER_EVENT=data-grown");
	strlist_add(&fields, "VENEER_ROOT=/a b");
	journal_send(JOURNAL_NOTICE, "the pool has grown", &fields);
	fflush(stderr);
}

static void say(int with, enum stream stream, struct heard *ret)
{
	char path[] = "/tmp/veneer-unit-XXXXXX";
	auto_fd int fd = mkostemp(path, O_CLOEXEC);
	pid_t child;

	*ret = (struct heard){ 0 };
	unlink(path);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_DGRAM, 0, journal), 0);
	fflush(NULL);
	library = with;
	child = fork();
	if (child == 0) {
		say_in_child(fd, stream);
		_exit(0);
	}
	library = LIBRARY_REAL;
	CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
	if (recv(journal[0], ret->journal, sizeof(ret->journal) - 1, MSG_DONTWAIT) < 0)
		ret->journal[0] = '\0';
	CU_ASSERT_TRUE(pread(fd, ret->lines, sizeof(ret->lines) - 1, 0) >= 0);
	close(journal[0]);
	close(journal[1]);
}

static void test_the_journal_gets_fields(void)
{
	struct heard heard;

	say(LIBRARY_FAKE, STREAM_THIS, &heard);
	CU_ASSERT_STRING_EQUAL(heard.journal, "MESSAGE=the pool has grown\n"
					      "PRIORITY=5\n"
					      "SYSLOG_IDENTIFIER=veneer\n"
					      "VENEER_EVENT=data-grown\n"
					      "VENEER_ROOT=/a b\n");
	CU_ASSERT_STRING_EQUAL(heard.lines, "");
}

static void test_a_terminal_gets_a_line(void)
{
	struct heard heard;

	say(LIBRARY_FAKE, STREAM_NONE, &heard);
	CU_ASSERT_STRING_EQUAL(heard.journal, "");
	CU_ASSERT_STRING_EQUAL(heard.lines, "the pool has grown\n");
}

/* The variable goes on to children whose standard error is a file of their own. */
static void test_a_redirected_line_stays_one(void)
{
	struct heard heard;

	say(LIBRARY_FAKE, STREAM_OTHER, &heard);
	CU_ASSERT_STRING_EQUAL(heard.journal, "");
	CU_ASSERT_STRING_EQUAL(heard.lines, "the pool has grown\n");
}

static void test_without_the_library_the_priority_stays(void)
{
	struct heard heard;

	say(LIBRARY_NONE, STREAM_THIS, &heard);
	CU_ASSERT_STRING_EQUAL(heard.lines, "<5>the pool has grown\n");
	say(LIBRARY_REFUSES, STREAM_THIS, &heard);
	CU_ASSERT_STRING_EQUAL(heard.journal, "");
	CU_ASSERT_STRING_EQUAL(heard.lines, "<5>the pool has grown\n");
}

UNIT_SUITE(journal_fields, { "the journal gets fields", test_the_journal_gets_fields },
	   { "a terminal gets a line", test_a_terminal_gets_a_line },
	   { "a line that is redirected stays one", test_a_redirected_line_stays_one },
	   { "without the library the priority stays",
	     test_without_the_library_the_priority_stays });
