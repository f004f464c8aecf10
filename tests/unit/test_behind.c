/* SPDX-License-Identifier: Apache-2.0 */
#include "base/behind.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "unit.h"

#define NR_PIECES 4u
#define BYTES	  4096u
#define MOST	  64

/* What was written, in its order. The thread may be held before each piece. */
struct sink {
	sem_t may_write;
	bool held;
	atomic_uint nr;
	uint64_t offsets[MOST];
	uint8_t bytes[MOST];
	pthread_t by;
	unsigned int fail_at; /* 0: never */
};

static int put(void *ctx, const struct behind_piece *piece, struct error *err)
{
	struct sink *sink = ctx;

	if (sink->held)
		sem_wait(&sink->may_write);
	sink->by = pthread_self();
	sink->offsets[sink->nr] = piece->offset;
	sink->bytes[sink->nr] = piece->data[piece->len - 1];
	sink->nr++;
	return sink->nr == sink->fail_at ? err_set(err, ERR_IO, "the disk is gone") : 0;
}

static struct behind *begin(struct sink *sink)
{
	const struct behind_args args = { NR_PIECES, BYTES, put, sink };

	sem_init(&sink->may_write, 0, 0);
	return behind_new(&args);
}

static void fill(struct behind *behind, unsigned int nr)
{
	struct behind_piece *piece = behind_open(behind);

	CU_ASSERT_EQUAL(piece->len, 0);
	behind_touch(behind);
	memset(piece->data, (int)nr, BYTES);
	piece->offset = (uint64_t)nr * BYTES;
	piece->len = BYTES;
}

static void test_order(void)
{
	struct sink sink = { 0 };
	struct behind *behind = begin(&sink);
	struct error err = { 0 };

	for (unsigned int i = 0; i < 50; i++) {
		fill(behind, i);
		CU_ASSERT_EQUAL(0, behind_put(behind, &err));
	}
	fill(behind, 50);
	CU_ASSERT_EQUAL(0, behind_drain(behind, &err));
	CU_ASSERT_EQUAL(sink.nr, 51);
	CU_ASSERT_FALSE(pthread_equal(sink.by, pthread_self()));
	for (unsigned int i = 0; i < sink.nr; i++) {
		CU_ASSERT_EQUAL(sink.offsets[i], (uint64_t)i * BYTES);
		CU_ASSERT_EQUAL(sink.bytes[i], i);
	}
	CU_ASSERT_EQUAL(0, behind_drain(behind, &err)); /* with nothing new */
	CU_ASSERT_EQUAL(sink.nr, 51);
	behind_free(behind);
}

static void test_one_piece_needs_no_thread(void)
{
	struct sink sink = { .fail_at = 2 };
	struct behind *behind = begin(&sink);
	struct error err = { 0 };

	CU_ASSERT_EQUAL(0, behind_drain(behind, &err));
	CU_ASSERT_EQUAL(sink.nr, 0);
	fill(behind, 7);
	CU_ASSERT_EQUAL(0, behind_drain(behind, &err));
	CU_ASSERT_EQUAL(sink.nr, 1);
	CU_ASSERT(pthread_equal(sink.by, pthread_self()));
	fill(behind, 8);
	CU_ASSERT_EQUAL(-1, behind_drain(behind, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_IO);
	fill(behind, 9);
	CU_ASSERT_EQUAL(-1, behind_drain(behind, &err));
	CU_ASSERT_EQUAL(sink.nr, 2);
	behind_free(behind);
}

static void test_what_waits_is_known(void)
{
	struct sink sink = { .held = true };
	struct behind *behind = begin(&sink);
	struct error err = { 0 };

	fill(behind, 3);
	CU_ASSERT(behind_has(behind, 4 * BYTES - 1, 1)); /* still open */
	CU_ASSERT_EQUAL(0, behind_put(behind, &err));
	fill(behind, 4);
	CU_ASSERT_EQUAL(0, behind_put(behind, &err));
	CU_ASSERT(behind_has(behind, 0, 3 * BYTES + 1));
	CU_ASSERT(behind_has(behind, 5 * BYTES - 1, 100));
	CU_ASSERT_FALSE(behind_has(behind, 0, 3 * BYTES));
	CU_ASSERT_FALSE(behind_has(behind, 5 * BYTES, BYTES));
	sem_post(&sink.may_write);
	sem_post(&sink.may_write);
	CU_ASSERT_EQUAL(0, behind_drain(behind, &err));
	CU_ASSERT_FALSE(behind_has(behind, 0, 100 * BYTES));
	behind_free(behind);
}

/* The error of the thread comes with a later piece, and nothing is written after it. */
static void test_errors(void)
{
	struct sink sink = { .fail_at = 3 };
	struct behind *behind = begin(&sink);
	struct error err = { 0 };
	int result = 0;

	for (unsigned int i = 0; i < 20 && result == 0; i++) {
		fill(behind, i);
		result = behind_put(behind, &err);
	}
	CU_ASSERT_EQUAL(result, -1);
	CU_ASSERT_STRING_EQUAL(err.text, "the disk is gone");
	CU_ASSERT_EQUAL(-1, behind_drain(behind, &err));
	CU_ASSERT_EQUAL(sink.nr, 3);
	behind_free(behind);
}

/* Who gives up need not wait for what is not being written yet. */
static void test_given_up(void)
{
	struct sink sink = { .held = true };
	struct behind *behind = begin(&sink);
	struct error err = { 0 };

	for (unsigned int i = 0; i < NR_PIECES - 1; i++) {
		fill(behind, i);
		CU_ASSERT_EQUAL(0, behind_put(behind, &err));
	}
	sem_post(&sink.may_write); /* for the one that may have been begun */
	behind_free(behind);
	CU_ASSERT(sink.nr <= 1);
}

UNIT_SUITE(behind, { "pieces are written in their order", test_order },
	   { "one piece needs no thread", test_one_piece_needs_no_thread },
	   { "what waits is known", test_what_waits_is_known },
	   { "an error comes back, and ends it", test_errors },
	   { "what was not begun need not be written", test_given_up });
