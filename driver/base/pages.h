/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages - have memory before it is touched
 *
 * Each first touch of a page is a fault: 1.5 us on a real machine, 160 us in User-Mode Linux,
 * the appliance's kernel, where they were half of a short command's time and a quarter of a
 * load's. Many pages at once take 2 us each there.
 * Source: Linux arch/um/kernel/tlb.c: populating fills only the page tables of that kernel;
 * the host's mapping follows at a change of protection, for a range, or at a fault, for a page.
 */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

/* Of memory that may be written and is sure to be. A kernel that cannot (before 5.14) is left. */
void pages_touch(void *data, size_t len);

/* In User-Mode Linux: as much of what small allocations will get. Elsewhere nothing. */
void pages_touch_heap(size_t len);

/*
 * In User-Mode Linux: the program, its libraries as far as they are loaded and were not touched
 * before, and some of stack and heap. Elsewhere nothing. The first call is main()'s, before
 * there is a second thread.
 */
void pages_touch_program(void);

/* Of that, what was mapped from files: of a process that will mostly sleep. */
void pages_give_back(void);

#endif
