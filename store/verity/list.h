/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list - the digests of what one layer has of its own: verity/HEX, named by its chain id
 *
 * For each pool block that the layer's volume maps otherwise than its parent's the
 * SHA-256 of its blocks of 4096 bytes, without salt; what it no longer maps is listed,
 * too. A base layer is compared with an empty volume. So the lists of an image, from the
 * base upwards, say what each block of its device must be, and a dm-verity tree can be
 * made of them without reading the device.
 *
 *	header	256 bytes, little-endian: magic, sizes, counts, thin id, chain id, parent's
 *		chain id and root, digest of the rest of the file, root
 *	runs	16 bytes each: first pool block; length, with the top bit for a dropped run
 *	digests	32 bytes for each block, in the order of the runs
 *
 * The root is the digest of the header before it. Since that has the parent's root, a
 * layer's root stands for everything below it, as its chain id does.
 *
 * Crash safety: written under a session's name in tmp/, synced and renamed after the
 * layer's row is there and before an image or a build step has the layer. A session that
 * dies before takes the layer with it, or leaves one without a list, which is not damage.
 * blob/gc removes a list after its row.
 */
#ifndef VERITY_LIST_H
#define VERITY_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "root.h"

#define VERITY_DIR	   "verity"
#define VERITY_BLOCK_BYTES 4096u
#define VERITY_SUM_BYTES   DIGEST_RAW_LEN

/* Counts pool blocks. */
struct verity_run {
	uint64_t start;
	uint64_t length;
	bool dropped; /* reads as zeros; without digests */
};

/* What a list is of. */
struct verity_of {
	struct digest chain;
	struct digest parent; /* unset for a base layer */
	uint32_t thin_id;
	uint64_t block_bytes;			   /* of the pool */
	unsigned char parent_root[DIGEST_RAW_LEN]; /* zero for a base layer */
	bool parent_unknown; /* to verity_list_open(): any parent_root will do */
};

/* An opened list: all of it was checked. */
struct verity_list {
	struct verity_of of;
	unsigned char root[DIGEST_RAW_LEN];
	struct verity_run *runs; /* rising, not overlapping */
	size_t nr_runs;
	uint64_t nr_own; /* pool blocks with digests */
	int fd;
	uint64_t sums_at;
};

/* Digests for one pool block. */
static inline uint64_t verity_per_block(uint64_t block_bytes)
{
	return block_bytes / VERITY_BLOCK_BYTES;
}

/**
 * verity_list_open - the list of a layer
 * @of: what it must be of
 *
 * Reads all of it once. ERR_NOT_FOUND when there is none, ERR_CORRUPT when it is damaged or
 * of something else, ERR_LIMIT, ERR_IO. The caller owns *ret.
 */
int verity_list_open(const struct root *root, const struct verity_of *of, struct verity_list *ret,
		     struct error *err);
/* Takes fd, on success only; whatever it is of. */
int verity_list_read(int fd, struct verity_list *ret, struct error *err);
void verity_list_done(struct verity_list *list);
#define auto_verity_list __attribute__((cleanup(verity_list_done)))
#define VERITY_LIST_NONE ((struct verity_list){ .fd = -1 })

/* Only the header: the root of a layer's list. ERR_NOT_FOUND, ERR_CORRUPT as above. */
int verity_list_root(const struct root *root, const struct digest *chain, uint32_t thin_id,
		     unsigned char ret[DIGEST_RAW_LEN], struct error *err);

/* Digests of nr own pool blocks from the first-th on. For several threads. */
int verity_list_sums(const struct verity_list *list, uint64_t first, uint64_t nr,
		     unsigned char *ret, struct error *err);
/* Has the layer a say in this pool block? */
const struct verity_run *verity_list_find(const struct verity_list *list, uint64_t block);

struct verity_writer;

/* Borrows runs. session names the temporary file, see db/recover. */
int verity_begin(const struct root *root, int64_t session, const struct verity_of *of,
		 const struct verity_run *runs, size_t nr_runs, struct verity_writer **ret,
		 struct error *err);
/* In any order, by any thread. */
int verity_write(struct verity_writer *writer, uint64_t first, uint64_t nr,
		 const unsigned char *sums, struct error *err);
/* Everything was written: makes it whole and durable. */
int verity_finish(struct verity_writer *writer, unsigned char ret_root[DIGEST_RAW_LEN],
		  struct error *err);
/* Gives it its name, after its layer's row is there. */
int verity_publish(struct verity_writer *writer, struct error *err);
void verity_writer_free(struct verity_writer *writer);
static inline void verity_writer_free_(struct verity_writer **writer)
{
	verity_writer_free(*writer);
}
#define auto_verity_writer __attribute__((cleanup(verity_writer_free_)))

/* Missing is fine; durable after verity_sync(). */
int verity_remove(const struct root *root, const struct digest *chain, struct error *err);
int verity_sync(const struct root *root, struct error *err);

#endif
