/* SPDX-License-Identifier: Apache-2.0 */
/*
 * delta - what it costs to know the own bytes of a volume
 *
 *	delta METADATA HELD PARENT CHILD
 *
 * Prints "OWN_BLOCKS NODES_READ MILLISECONDS", opening of the metadata included.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tmeta/delta.h"

static int compare(char **argv, struct tmeta_delta *ret, struct error *err)
{
	auto_tmeta struct tmeta *tmeta = NULL;

	if (tmeta_open(argv[1], strtoull(argv[2], NULL, 10), &tmeta, err) < 0)
		return -1;
	return tmeta_delta(tmeta, (uint32_t)strtoul(argv[3], NULL, 10),
			   (uint32_t)strtoul(argv[4], NULL, 10), ret, err);
}

int main(int argc, char **argv)
{
	struct timespec start, end;
	struct tmeta_delta delta;
	struct error err;

	if (argc != 5) {
		fprintf(stderr, "usage: delta METADATA HELD PARENT CHILD\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (compare(argv, &delta, &err) < 0) {
		fprintf(stderr, "delta: %s\n", err.text);
		return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%" PRIu64 " %" PRIu64 " %.2f\n", delta.own_blocks, delta.nodes_read,
	       1e3 * (double)(end.tv_sec - start.tv_sec) +
		       1e-6 * (double)(end.tv_nsec - start.tv_nsec));
	return 0;
}
