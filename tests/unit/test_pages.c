/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "unit.h"

#define NR 64

static long faults(void)
{
	struct rusage usage;

	CU_ASSERT_EQUAL(getrusage(RUSAGE_THREAD, &usage), 0);
	return usage.ru_minflt;
}

static void test_touch(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *data =
		mmap(NULL, NR * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char there[NR];
	long before;

	CU_ASSERT_PTR_NOT_EQUAL_FATAL(data, MAP_FAILED);
	data[2 * page + 5] = 'x';
	/* From the midst of a page into the midst of another. */
	pages_touch(data + page + 100, 9 * page);
	CU_ASSERT_EQUAL(mincore(data, NR * page, there), 0);
	for (int i = 0; i < NR; i++)
		CU_ASSERT_EQUAL(there[i] & 1, i >= 1 && i <= 10);
	CU_ASSERT_EQUAL(data[2 * page + 5], 'x');
	pages_touch(data, NR * page);
	before = faults();
	memset(data, 1, NR * page);
	CU_ASSERT(faults() - before < NR / 2);
	munmap(data, NR * page);
}

/* Whatever it does here, everything stays as it can be used. */
static void test_program(void)
{
	static char variable[100000];
	char *heap;

	pages_touch_program();
	pages_touch_program();
	pages_touch_heap(1000000);
	pages_give_back();
	memset(variable, 1, sizeof(variable));
	heap = malloc(1000000);
	CU_ASSERT_PTR_NOT_NULL_FATAL(heap);
	memset(heap, 1, 1000000);
	free(heap);
	CU_ASSERT_EQUAL(variable[99999], 1);
}

UNIT_SUITE(pages, { "what is touched is there", test_touch },
	   { "a program is as it was", test_program });
