/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_verity - the digests of a layer, as a file that somebody else has written
 *
 * Taken as they are, and then with their own digests made right, as else nothing would come
 * behind these. Beyond "no crash": runs rise, and a tree can be made, or is refused.
 */
#include <endian.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "fuzz.h"
#include "verity/list.h"
#include "verity/tree.h"

/* Offsets in the header, see verity/list.h. */
#define HEADER_BYTES 256u
#define AT_VERSION   16u
#define AT_BLOCK     20u
#define AT_POOL	     24u
#define AT_RUNS	     40u
#define AT_OWN	     48u
#define AT_PARENT    120u
#define AT_BODY	     152u
#define AT_ROOT	     184u

static void use(const struct verity_list *list)
{
	unsigned char root[DIGEST_RAW_LEN];
	struct error err;
	uint64_t end = 0;
	int fd;

	for (size_t i = 0; i < list->nr_runs; i++) {
		must(list->runs[i].start >= end && list->runs[i].length, "runs rise");
		end = list->runs[i].start + list->runs[i].length;
		must(verity_list_find(list, list->runs[i].start) == &list->runs[i],
		     "they are found");
	}
	fd = memfd_create("tree", 0);
	tree_write(list, 1, 64 * list->of.block_bytes, fd, root, &err);
	close(fd);
}

static void read_list(const uint8_t *data, size_t len)
{
	auto_verity_list struct verity_list list = VERITY_LIST_NONE;
	struct error err;
	int fd = memfd_create("list", 0);

	must(write(fd, data, len) == (ssize_t)len, "the file is written");
	if (verity_list_read(fd, &list, &err) == 0)
		use(&list);
	else
		close(fd);
}

/* Whatever it is, it is taken for a list of 64 KiB blocks with as many digests as there is room for. */
static void make_right(uint8_t *data, size_t len)
{
	uint32_t version = htole32(1), block = htole32(VERITY_BLOCK_BYTES);
	uint64_t pool = htole64(64 * KIB), own, runs, room = len - HEADER_BYTES;

	memcpy(data, "veneer digests\n", 16);
	memcpy(data + AT_VERSION, &version, sizeof(version));
	memcpy(data + AT_BLOCK, &block, sizeof(block));
	memcpy(data + AT_POOL, &pool, sizeof(pool));
	own = htole64(room / 512);
	runs = htole64(room % 512 / 16);
	memcpy(data + AT_OWN, &own, sizeof(own));
	memcpy(data + AT_RUNS, &runs, sizeof(runs));
	memset(data + AT_PARENT, 0, DIGEST_RAW_LEN);
	digest_raw_of(data + HEADER_BYTES, room, data + AT_BODY);
	digest_raw_of(data, AT_ROOT, data + AT_ROOT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	auto_free uint8_t *copy = NULL;

	read_list(data, len);
	if (len < HEADER_BYTES)
		return 0;
	copy = malloc(len);
	must(copy != NULL, "there is memory");
	memcpy(copy, data, len);
	make_right(copy, len);
	read_list(copy, len);
	return 0;
}
