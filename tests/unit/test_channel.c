/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/channel.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

static struct frame whole(const struct buf *buf)
{
	return (struct frame){ .type = 1, .data = (const uint8_t *)buf->data, .len = buf->len };
}

static void test_a_command_arrives_as_it_was_sent(void)
{
	struct channel_start start = { 0 }, got;
	auto_buf struct buf out = { 0 };
	struct frame frame;
	struct error err;

	start.root = xstrdup("/var/lib/a b,c:d");
	start.modules = xstrdup("/m");
	start.host = xstrdup("");
	start.cwd = xstrdup("/tmp/\xff\xfe not UTF-8");
	strlist_add(&start.argv, "veneer");
	strlist_add(&start.argv, "");
	strlist_add(&start.argv, "a\nb");
	strlist_add(&start.env, "A=1");
	strlist_add(&start.disks, "/dev/sdb");
	start.umask = 027;
	start.input = CHANNEL_INPUT_HOST;
	start.input_path = xstrdup("/x");
	start.input_offset = UINT64_C(1) << 40;
	start.terminals = 5;
	start.termios.c_lflag = ECHO;
	start.termios.c_cc[VEOF] = 4;
	start.has_termios = true;
	channel_start_encode(&start, &out);
	frame = whole(&out);
	CU_ASSERT_EQUAL_FATAL(0, channel_start_decode(&frame, &got, &err));
	CU_ASSERT_STRING_EQUAL(got.root, start.root);
	CU_ASSERT_STRING_EQUAL(got.host, "");
	CU_ASSERT_STRING_EQUAL(got.cwd, start.cwd);
	CU_ASSERT_PTR_NULL(got.program);
	CU_ASSERT_EQUAL_FATAL(got.argv.nr, 3);
	CU_ASSERT_STRING_EQUAL(got.argv.items[1], "");
	CU_ASSERT_STRING_EQUAL(got.argv.items[2], "a\nb");
	CU_ASSERT_EQUAL(got.env.nr, 1);
	CU_ASSERT_EQUAL(got.disks.nr, 1);
	CU_ASSERT_EQUAL(got.umask, 027);
	CU_ASSERT_EQUAL(got.input_offset, UINT64_C(1) << 40);
	CU_ASSERT_EQUAL(got.terminals, 5);
	CU_ASSERT(got.has_termios);
	CU_ASSERT_EQUAL(got.termios.c_lflag, ECHO);
	CU_ASSERT_EQUAL(got.termios.c_cc[VEOF], 4);
	channel_start_done(&got);
	channel_start_done(&start);
}

static void test_a_broken_command_is_refused(void)
{
	struct channel_start start = { 0 }, got;
	auto_buf struct buf out = { 0 };
	struct error err;
	size_t whole_len;

	start.root = xstrdup("/r");
	start.modules = xstrdup("/m");
	start.host = xstrdup("h");
	start.cwd = xstrdup("/");
	strlist_add(&start.argv, "veneer");
	channel_start_encode(&start, &out);
	whole_len = out.len;
	for (size_t len = 0; len < whole_len; len++) {
		struct frame frame = { .data = (const uint8_t *)out.data, .len = len };
		int result = channel_start_decode(&frame, &got, &err);

		/* At the end of a field only numbers may be missing, which have a default. */
		CU_ASSERT(result == 0 ? got.cwd != NULL : err.kind == ERR_CORRUPT);
		channel_start_done(&got);
	}
	field_put(&out, 'u', "abc", 3);
	struct frame frame = whole(&out);

	CU_ASSERT_EQUAL(-1, channel_start_decode(&frame, &got, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	channel_start_done(&got);
	channel_start_done(&start);
}

static void test_an_exit_arrives(void)
{
	struct channel_exit end = { .status = 143, .stays = 1, .input_offset = 7 }, got;
	auto_buf struct buf out = { 0 };
	struct frame frame;
	struct error err;

	strlist_add(&end.disks, "/dev/sdc");
	channel_exit_encode(&end, &out);
	frame = whole(&out);
	CU_ASSERT_EQUAL_FATAL(0, channel_exit_decode(&frame, &got, &err));
	CU_ASSERT_EQUAL(got.status, 143);
	CU_ASSERT_EQUAL(got.stays, 1);
	CU_ASSERT_EQUAL(got.input_offset, 7);
	CU_ASSERT_EQUAL(got.disks.nr, 1);
	channel_exit_done(&got);
	channel_exit_done(&end);
}

static void test_two_ends_of_a_line(void)
{
	struct frame_key key;
	struct channel here, there;
	uint64_t numbers[2] = { 15, 1 }, got[3];
	auto_buf struct buf big = { 0 };
	struct frame frame;
	struct error err;
	size_t received = 0;
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	frame_key_make(&key);
	channel_init(&here, pair[0], &key);
	channel_init(&there, pair[1], &key);
	for (int i = 0; i < 300000; i++)
		buf_puts(&big, "0123456789");
	channel_put_key(&here);
	channel_put_numbers(&here, CHANNEL_SIGNAL, numbers, 2);
	channel_put(&here, CHANNEL_INPUT, big.data, big.len);
	while (received == 0) {
		enum frame_event event;

		CU_ASSERT_EQUAL_FATAL(0, channel_flush(&here, &err));
		CU_ASSERT_EQUAL_FATAL(1, channel_fill(&there, &err));
		while ((event = frame_reader_next(&there.reader, &frame)) != FRAME_NONE) {
			if (event == FRAME_WHOLE && frame.type == CHANNEL_INPUT)
				received = frame.len;
			if (event != FRAME_WHOLE || frame.type != CHANNEL_SIGNAL)
				continue;
			CU_ASSERT_TRUE(channel_numbers(&frame, got, 2));
			CU_ASSERT_EQUAL(got[0], 15);
			CU_ASSERT_EQUAL(got[1], 1);
			CU_ASSERT_FALSE(channel_numbers(&frame, got, 3));
		}
	}
	CU_ASSERT_EQUAL(received, big.len);
	CU_ASSERT_EQUAL(channel_pending(&here), 0);
	signal(SIGPIPE, SIG_IGN);
	close(pair[0]);
	CU_ASSERT_EQUAL(0, channel_fill(&there, &err));
	channel_put_key(&there);
	CU_ASSERT_EQUAL(-1, channel_flush(&there, &err));
	signal(SIGPIPE, SIG_DFL);
	close(pair[1]);
	channel_done(&here);
	channel_done(&there);
}

static void test_no_more_is_sent_than_the_window_allows(void)
{
	char received[4096];
	struct frame_key key;
	struct channel channel;
	auto_buf struct buf big = { 0 };
	struct error err;
	int pair[2];

	CU_ASSERT_EQUAL_FATAL(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair));
	frame_key_make(&key);
	channel_init(&channel, pair[0], &key);
	channel.window = 1000;
	for (int i = 0; i < 150; i++)
		buf_puts(&big, "0123456789");
	channel_put(&channel, CHANNEL_INPUT, big.data, big.len);
	CU_ASSERT_EQUAL(0, channel_flush(&channel, &err));
	CU_ASSERT_EQUAL(1000, read(pair[1], received, sizeof(received)));
	CU_ASSERT_EQUAL(506, channel_pending(&channel));
	CU_ASSERT_EQUAL(0, channel_sendable(&channel));
	channel_note_heard(&channel, 300);
	CU_ASSERT_EQUAL(300, channel_sendable(&channel));
	channel_note_heard(&channel, 5000);
	CU_ASSERT_EQUAL(506, channel_sendable(&channel));
	CU_ASSERT_EQUAL(0, channel_flush(&channel, &err));
	CU_ASSERT_EQUAL(506, read(pair[1], received, sizeof(received)));
	CU_ASSERT_EQUAL(0, channel_pending(&channel));
	channel_done(&channel);
	close(pair[0]);
	close(pair[1]);
}

UNIT_SUITE(channel, { "a command arrives as it was sent", test_a_command_arrives_as_it_was_sent },
	   { "a broken command is refused", test_a_broken_command_is_refused },
	   { "an exit arrives", test_an_exit_arrives },
	   { "two ends of a line", test_two_ends_of_a_line },
	   { "no more is sent than the window allows",
	     test_no_more_is_sent_than_the_window_allows });
