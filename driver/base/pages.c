/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pages.h"

#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define STACK_BYTES ((size_t)48 * 1024) /* below main(); a new stack has 128 KiB */
#define HEAP_BYTES  ((size_t)512 * 1024)
#define LARGE_BYTES ((size_t)8 * 1024 * 1024)  /* of a library: most of it is for others */
#define KEEP_BYTES  ((size_t)16 * 1024 * 1024) /* what is freed is used again, not given back */

static bool known, in_uml;
static size_t nr_objects; /* that were touched, in the order of dl_iterate_phdr() */

static uintptr_t page_of(uintptr_t at)
{
	return at & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

static void touch(uintptr_t start, uintptr_t end, int prot)
{
	void *from = (void *)page_of(start);
	size_t len = end - page_of(start);
	/* One right more, and back: nothing that runs meanwhile can miss one. */
	int more = prot & PROT_WRITE ? PROT_EXEC : PROT_WRITE;

	if (madvise(from, len, prot & PROT_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) < 0 ||
	    !in_uml)
		return;
	if (mprotect(from, len, prot | more) == 0)
		(void)mprotect(from, len, prot);
}

void pages_touch(void *data, size_t len)
{
	touch((uintptr_t)data, (uintptr_t)data + len, PROT_READ | PROT_WRITE);
}

static int segment_prot(const ElfW(Phdr) * segment)
{
	return (segment->p_flags & PF_R ? PROT_READ : 0) |
	       (segment->p_flags & PF_W ? PROT_WRITE : 0) |
	       (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* The start of a segment that can be written is not, after it was relocated. Returns its end. */
static uintptr_t touch_relro(const struct dl_phdr_info *object, uintptr_t start)
{
	for (unsigned int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];

		if (part->p_type == PT_GNU_RELRO && object->dlpi_addr + part->p_vaddr == start) {
			uintptr_t end = page_of(start + part->p_memsz);

			if (start < end)
				touch(start, end, PROT_READ);
			return end;
		}
	}
	return start;
}

static bool is_kernels(const struct dl_phdr_info *object)
{
	return strstr(object->dlpi_name, "vdso") != NULL;
}

static int touch_object(struct dl_phdr_info *object, size_t size, void *nr)
{
	(void)size;
	if ((*(size_t *)nr)++ < nr_objects || is_kernels(object))
		return 0;
	for (unsigned int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;
		uintptr_t end = start + segment->p_memsz;

		if (segment->p_type != PT_LOAD)
			continue;
		if (segment->p_flags & PF_W)
			start = touch_relro(object, start);
		if (start < end && end - start < LARGE_BYTES)
			touch(start, end, segment_prot(segment));
	}
	return 0;
}

static int give_back(struct dl_phdr_info *object, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	if (is_kernels(object))
		return 0;
	for (unsigned int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;
		uintptr_t end = start + segment->p_memsz;

		/* Which none of them has changed: each comes again when it is used. */
		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
			(void)madvise((void *)page_of(start), end - page_of(start), MADV_DONTNEED);
	}
	return 0;
}

void pages_give_back(void)
{
	if (in_uml)
		dl_iterate_phdr(give_back, NULL);
}

void pages_touch_heap(size_t len)
{
	void *heap = in_uml ? malloc(len) : NULL;

	if (heap)
		pages_touch(heap, len);
	free(heap);
}

/* Once. */
static void touch_memory(void)
{
	uintptr_t stack = (uintptr_t)__builtin_frame_address(0);

	mallopt(M_TRIM_THRESHOLD, (int)KEEP_BYTES);
	mallopt(M_MMAP_THRESHOLD, (int)KEEP_BYTES);
	touch(stack - STACK_BYTES, stack, PROT_READ | PROT_WRITE);
	pages_touch_heap(HEAP_BYTES);
}

void pages_touch_program(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	size_t nr = 0;

	pthread_mutex_lock(&lock);
	if (!known)
		in_uml = access("/proc/exitcode", F_OK) == 0; /* only there */
	if (in_uml)
		dl_iterate_phdr(touch_object, &nr);
	if (in_uml && !known)
		touch_memory();
	known = true;
	nr_objects = nr;
	pthread_mutex_unlock(&lock);
}
