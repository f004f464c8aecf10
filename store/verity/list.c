/* SPDX-License-Identifier: Apache-2.0 */
#include "verity/list.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/size.h"
#include "limits.h"

#define MAGIC	    "veneer digests\n"
#define DROPPED	    (UINT64_C(1) << 63)
#define CHUNK_BYTES (256 * KIB)

struct header {
	char magic[16];
	uint32_t version;
	uint32_t hash_block_bytes;
	uint64_t block_bytes;
	uint64_t thin_id;
	uint64_t nr_runs;
	uint64_t nr_own;
	unsigned char chain[DIGEST_RAW_LEN];
	unsigned char parent[DIGEST_RAW_LEN];
	unsigned char parent_root[DIGEST_RAW_LEN];
	unsigned char body[DIGEST_RAW_LEN]; /* digest of all behind the header */
	unsigned char root[DIGEST_RAW_LEN]; /* digest of all before it */
	unsigned char zero[40];
};
_Static_assert(sizeof(struct header) == 256, "the header's size is part of the format");

struct disk_run {
	uint64_t start;
	uint64_t length;
};

struct verity_writer {
	const struct root *root;
	struct verity_of of;
	int fd;
	char *temporary; /* below the root; NULL once published */
	uint64_t nr_runs, nr_own;
};

static char *list_name(const struct digest *chain)
{
	return xasprintf(VERITY_DIR "/%s", digest_hex(chain));
}

static uint64_t sum_bytes(uint64_t block_bytes)
{
	return verity_per_block(block_bytes) * VERITY_SUM_BYTES;
}

static uint64_t sums_at(uint64_t nr_runs)
{
	return sizeof(struct header) + nr_runs * sizeof(struct disk_run);
}

/* The digest of all behind the header. */
static int sum_body(int fd, uint64_t end, unsigned char ret[DIGEST_RAW_LEN], struct error *err)
{
	auto_hasher struct hasher *hasher = hasher_new();
	auto_free char *chunk = xmalloc(CHUNK_BYTES);

	for (uint64_t at = sizeof(struct header); at < end;) {
		size_t len = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;

		if (io_pread(fd, chunk, len, at, err) < 0)
			return -1;
		hasher_add(hasher, chunk, len);
		at += len;
	}
	hasher_end_raw(hasher, ret);
	return 0;
}

/* ---- reading ---- */

static int damaged(struct error *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "the layer's digests are damaged: %s", what);
}

static int check_header(const struct header *header, uint64_t file_bytes, struct error *err)
{
	static const unsigned char zero[sizeof(header->zero)];
	unsigned char root[DIGEST_RAW_LEN];
	uint64_t block_bytes = le64toh(header->block_bytes), nr_runs = le64toh(header->nr_runs),
		 nr_own = le64toh(header->nr_own);

	if (memcmp(header->magic, MAGIC, sizeof(header->magic)) != 0)
		return damaged(err, "no header");
	if (le32toh(header->version) != 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "the layer's digests have version %" PRIu32
			       ", which this program does not know",
			       le32toh(header->version));
	digest_raw_of(header, offsetof(struct header, root), root);
	if (memcmp(root, header->root, sizeof(root)) != 0 ||
	    memcmp(zero, header->zero, sizeof(zero)) != 0)
		return damaged(err, "the header's root does not match");
	if (le32toh(header->hash_block_bytes) != VERITY_BLOCK_BYTES || block_bytes < 64 * KIB ||
	    block_bytes > GIB || block_bytes % (64 * KIB) || le64toh(header->thin_id) < 1 ||
	    le64toh(header->thin_id) >= LIMIT_THIN_IDS)
		return damaged(err, "a number is out of range");
	if (nr_runs > LIMIT_VERITY_RUNS || nr_own > LIMIT_VERITY_BLOCKS)
		return err_set(err, ERR_LIMIT, "the layer's digests are of too many blocks");
	if (file_bytes != sums_at(nr_runs) + nr_own * sum_bytes(block_bytes))
		return damaged(err, "the file's length is wrong");
	return 0;
}

static int take_runs(const struct disk_run *disk, struct verity_list *list, struct error *err)
{
	uint64_t end = 0, nr_own = 0;

	for (size_t i = 0; i < list->nr_runs; i++) {
		struct verity_run *run = &list->runs[i];

		run->start = le64toh(disk[i].start);
		run->length = le64toh(disk[i].length) & ~DROPPED;
		run->dropped = (le64toh(disk[i].length) & DROPPED) != 0;
		if (run->start < end || !run->length || run->start > LIMIT_VERITY_BLOCKS ||
		    run->length > LIMIT_VERITY_BLOCKS)
			return damaged(err, "runs are out of order");
		end = run->start + run->length;
		nr_own += run->dropped ? 0 : run->length;
	}
	return nr_own == list->nr_own ? 0 : damaged(err, "runs and digests do not fit");
}

static int read_runs(int fd, struct verity_list *list, struct error *err)
{
	auto_free struct disk_run *disk = calloc(list->nr_runs + 1, sizeof(*disk));

	list->runs = calloc(list->nr_runs + 1, sizeof(*list->runs));
	if (!disk || !list->runs)
		return err_set(err, ERR_LIMIT, "no memory for %zu runs", list->nr_runs);
	if (io_pread(fd, disk, list->nr_runs * sizeof(*disk), sizeof(struct header), err) < 0)
		return -1;
	return take_runs(disk, list, err);
}

int verity_list_read(int fd, struct verity_list *ret, struct error *err)
{
	auto_verity_list struct verity_list list = VERITY_LIST_NONE;
	unsigned char body[DIGEST_RAW_LEN];
	struct header header;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "look at the layer's digests");
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < sizeof(header))
		return damaged(err, "no header");
	if (io_pread(fd, &header, sizeof(header), 0, err) < 0 ||
	    check_header(&header, (uint64_t)st.st_size, err) < 0 ||
	    sum_body(fd, (uint64_t)st.st_size, body, err) < 0)
		return -1;
	if (memcmp(body, header.body, sizeof(body)) != 0)
		return damaged(err, "their own digest does not match");
	list.nr_runs = le64toh(header.nr_runs);
	list.nr_own = le64toh(header.nr_own);
	list.sums_at = sums_at(list.nr_runs);
	list.of.block_bytes = le64toh(header.block_bytes);
	list.of.thin_id = (uint32_t)le64toh(header.thin_id);
	digest_from_raw(header.chain, &list.of.chain);
	digest_from_raw(header.parent, &list.of.parent);
	memcpy(list.of.parent_root, header.parent_root, DIGEST_RAW_LEN);
	memcpy(list.root, header.root, DIGEST_RAW_LEN);
	if (read_runs(fd, &list, err) < 0)
		return -1;
	list.fd = fd;
	*ret = list;
	list = VERITY_LIST_NONE;
	return 0;
}

static int check_of(const struct verity_of *is, const struct verity_of *wanted, struct error *err)
{
	if (!digest_equal(&is->chain, &wanted->chain) ||
	    !digest_equal(&is->parent, &wanted->parent))
		return err_set(err, ERR_CORRUPT, "the digests belong to another layer (%s)",
			       is->chain.text);
	if (is->thin_id != wanted->thin_id || is->block_bytes != wanted->block_bytes)
		return err_set(err, ERR_CORRUPT,
			       "the digests belong to another volume (thin id %" PRIu32 ")",
			       is->thin_id);
	if (!wanted->parent_unknown &&
	    memcmp(is->parent_root, wanted->parent_root, DIGEST_RAW_LEN) != 0)
		return err_set(err, ERR_CORRUPT,
			       "the digests were made above other ones than those of the parent");
	return 0;
}

int verity_list_open(const struct root *root, const struct verity_of *of, struct verity_list *ret,
		     struct error *err)
{
	auto_free char *name = list_name(&of->chain);
	auto_fd int fd = openat(root->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_verity_list struct verity_list list = VERITY_LIST_NONE;

	if (fd < 0)
		return err_sys(err, errno, "open '%s/%s'", root->path, name);
	if (verity_list_read(fd, &list, err) < 0)
		return err_add(err, "'%s/%s'", root->path, name);
	fd = -1; /* is the list's */
	if (check_of(&list.of, of, err) < 0)
		return err_add(err, "'%s/%s'", root->path, name);
	*ret = list;
	list = VERITY_LIST_NONE;
	return 0;
}

int verity_list_root(const struct root *root, const struct digest *chain, uint32_t thin_id,
		     unsigned char ret[DIGEST_RAW_LEN], struct error *err)
{
	auto_free char *name = list_name(chain);
	auto_fd int fd = openat(root->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct header header;
	struct digest is;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open '%s/%s'", root->path, name);
	if (io_pread(fd, &header, sizeof(header), 0, err) < 0 ||
	    check_header(&header, (uint64_t)st.st_size, err) < 0)
		return err_add(err, "'%s/%s'", root->path, name);
	digest_from_raw(header.chain, &is);
	if (!digest_equal(&is, chain) || le64toh(header.thin_id) != thin_id)
		return err_set(err, ERR_CORRUPT, "'%s/%s' belongs to another layer", root->path,
			       name);
	memcpy(ret, header.root, DIGEST_RAW_LEN);
	return 0;
}

void verity_list_done(struct verity_list *list)
{
	if (list->fd >= 0)
		close(list->fd);
	free(list->runs);
	*list = VERITY_LIST_NONE;
}

int verity_list_sums(const struct verity_list *list, uint64_t first, uint64_t nr,
		     unsigned char *ret, struct error *err)
{
	uint64_t bytes = sum_bytes(list->of.block_bytes);

	if (io_pread(list->fd, ret, nr * bytes, list->sums_at + first * bytes, err) < 0)
		return err_add(err, "digests of layer %s", list->of.chain.text);
	return 0;
}

const struct verity_run *verity_list_find(const struct verity_list *list, uint64_t block)
{
	size_t low = 0, high = list->nr_runs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct verity_run *run = &list->runs[middle];

		if (block < run->start)
			high = middle;
		else if (block - run->start >= run->length)
			low = middle + 1;
		else
			return run;
	}
	return NULL;
}

/* ---- writing ---- */

static int write_runs(struct verity_writer *writer, const struct verity_run *runs,
		      struct error *err)
{
	auto_free struct disk_run *disk = xcalloc(writer->nr_runs + 1, sizeof(*disk));

	for (size_t i = 0; i < writer->nr_runs; i++) {
		disk[i].start = htole64(runs[i].start);
		disk[i].length = htole64(runs[i].length | (runs[i].dropped ? DROPPED : 0));
		writer->nr_own += runs[i].dropped ? 0 : runs[i].length;
	}
	if (writer->nr_own > LIMIT_VERITY_BLOCKS || writer->nr_runs > LIMIT_VERITY_RUNS)
		return err_set(err, ERR_LIMIT, "the layer has too many blocks for a list of them");
	return io_pwrite(writer->fd, disk, writer->nr_runs * sizeof(*disk), sizeof(struct header),
			 err);
}

int verity_begin(const struct root *root, int64_t session, const struct verity_of *of,
		 const struct verity_run *runs, size_t nr_runs, struct verity_writer **ret,
		 struct error *err)
{
	static unsigned counter;
	auto_verity_writer struct verity_writer *writer = xcalloc(1, sizeof(*writer));

	writer->root = root;
	writer->of = *of;
	writer->nr_runs = nr_runs;
	writer->temporary = xasprintf("tmp/%" PRId64 "-verity-%u", session, counter++);
	writer->fd = openat(root->fd, writer->temporary,
			    O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (writer->fd < 0)
		return err_sys(err, errno, "create '%s/%s'", root->path, writer->temporary);
	if (write_runs(writer, runs, err) < 0)
		return -1;
	*ret = take_ptr(writer);
	return 0;
}

int verity_write(struct verity_writer *writer, uint64_t first, uint64_t nr,
		 const unsigned char *sums, struct error *err)
{
	uint64_t bytes = sum_bytes(writer->of.block_bytes);

	return io_pwrite(writer->fd, sums, nr * bytes, sums_at(writer->nr_runs) + first * bytes,
			 err);
}

int verity_finish(struct verity_writer *writer, unsigned char ret_root[DIGEST_RAW_LEN],
		  struct error *err)
{
	struct header header = {
		.magic = MAGIC,
		.version = htole32(1),
		.hash_block_bytes = htole32(VERITY_BLOCK_BYTES),
		.block_bytes = htole64(writer->of.block_bytes),
		.thin_id = htole64(writer->of.thin_id),
		.nr_runs = htole64(writer->nr_runs),
		.nr_own = htole64(writer->nr_own),
	};
	uint64_t end =
		sums_at(writer->nr_runs) + writer->nr_own * sum_bytes(writer->of.block_bytes);

	digest_to_raw(&writer->of.chain, header.chain);
	digest_to_raw(&writer->of.parent, header.parent);
	memcpy(header.parent_root, writer->of.parent_root, DIGEST_RAW_LEN);
	if (sum_body(writer->fd, end, header.body, err) < 0)
		return -1;
	digest_raw_of(&header, offsetof(struct header, root), header.root);
	if (io_pwrite(writer->fd, &header, sizeof(header), 0, err) < 0)
		return -1;
	if (fsync(writer->fd) < 0)
		return err_sys(err, errno, "sync '%s/%s'", writer->root->path, writer->temporary);
	memcpy(ret_root, header.root, DIGEST_RAW_LEN);
	return 0;
}

int verity_publish(struct verity_writer *writer, struct error *err)
{
	auto_free char *name = list_name(&writer->of.chain);

	if (renameat(writer->root->fd, writer->temporary, writer->root->fd, name) < 0)
		return err_sys(err, errno, "keep the digests of layer %s", writer->of.chain.text);
	free(take_ptr(writer->temporary));
	return verity_sync(writer->root, err);
}

void verity_writer_free(struct verity_writer *writer)
{
	if (!writer)
		return;
	if (writer->temporary)
		unlinkat(writer->root->fd, writer->temporary, 0);
	if (writer->fd >= 0)
		close(writer->fd);
	free(writer->temporary);
	free(writer);
}

int verity_remove(const struct root *root, const struct digest *chain, struct error *err)
{
	auto_free char *name = list_name(chain);

	if (unlinkat(root->fd, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s/%s'", root->path, name);
	return 0;
}

int verity_sync(const struct root *root, struct error *err)
{
	auto_fd int dir = openat(root->fd, VERITY_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(err, errno, "open '%s/" VERITY_DIR "'", root->path);
	return io_sync_dir(dir, err);
}
