/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_log - what a power cut could leave of the writes that dm-log-writes has logged
 *
 * usage: replay-log LOG BASE START_MIB...
 *
 * The log is that of several disks side by side, which begin at START_MIB. BASE
 * is a copy of them as they were at its start. Each disk has a cache: a write
 * is durable when it has FUA, or when its own disk was flushed after it. Of
 * what is not durable a power cut leaves any part, as the disk writes 4096
 * bytes whole, in the order it likes.
 *
 * A moment is the time between two changes of what is durable. Answers each
 * line of standard input:
 *
 *	next			"moment NUMBER ENTRY MARK": BASE is what is durable in the next
 *				one, which ends at that entry of the log; MARK is the last mark
 *				before; or "end MARK"
 *	add FILE all|SEED	"done": what else was written by the moment's end is in FILE as
 *				well, all of it or a part
 *
 * Source: Linux drivers/md/dm-log-writes.c and
 * Documentation/admin-guide/device-mapper/log-writes.rst, "Log Format"
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/size.h"

#define LOG_MAGIC	0x6a736677736872ULL
#define LOG_VERSION	1
#define FLAG_FLUSH	(1u << 0)
#define FLAG_FUA	(1u << 1)
#define FLAG_DISCARD	(1u << 2)
#define FLAG_MARK	(1u << 3)
#define SECTOR_BYTES	512u
#define MARK_BYTES_MAX	64u
#define PIECE_BYTES	4096u
#define WRITE_BYTES_MAX (64 * MIB) /* of one entry: far more than a bio has */

struct log_super {
	uint64_t magic;
	uint64_t version;
	uint64_t nr_entries;
	uint32_t sector_bytes;
};

/* On the disk it fills a sector; a mark's text comes right behind it, data in the next sector. */
struct log_entry {
	uint64_t sector;
	uint64_t nr_sectors;
	uint64_t flags;
	uint64_t mark_bytes;
	char mark[MARK_BYTES_MAX];
};

struct write {
	uint64_t at_bytes;
	uint64_t len_bytes;
	uint64_t log_bytes; /* where the data is in the log */
	size_t disk;
	bool discard;
};

struct replay {
	int fd;
	int base_fd;
	const uint64_t *starts_bytes; /* of the disks */
	size_t nr_disks;
	uint32_t sector_bytes;
	uint64_t nr_entries;
	uint64_t nr_read;    /* entries */
	uint64_t next_bytes; /* where the next entry is in the log */
	uint64_t nr_moments;
	char mark[MARK_BYTES_MAX + 1];
	struct write *cached; /* what is not durable, in its order */
	size_t nr_cached;
	struct write due[2]; /* what ended the moment: a flush has no length */
	size_t nr_due;
};

static void replay_done(struct replay *log)
{
	if (log->fd >= 0)
		close(log->fd);
	if (log->base_fd >= 0)
		close(log->base_fd);
	free(log->cached);
}
#define auto_replay __attribute__((cleanup(replay_done)))

static int open_log(struct replay *log, const char *path, const char *base, struct error *err)
{
	struct log_super super;

	log->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (log->fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	log->base_fd = open(base, O_RDWR | O_CLOEXEC);
	if (log->base_fd < 0)
		return err_sys(err, errno, "open '%s'", base);
	if (io_pread(log->fd, &super, sizeof(super), 0, err) < 0)
		return -1;
	log->sector_bytes = le32toh(super.sector_bytes);
	log->nr_entries = le64toh(super.nr_entries);
	if (le64toh(super.magic) != LOG_MAGIC || le64toh(super.version) != LOG_VERSION ||
	    log->sector_bytes < SECTOR_BYTES)
		return err_set(err, ERR_CORRUPT, "'%s' is no log", path);
	log->next_bytes = log->sector_bytes;
	return 0;
}

static int read_entry(struct replay *log, struct log_entry *ret, struct error *err)
{
	struct log_entry *entry = ret;

	if (io_pread(log->fd, entry, sizeof(*entry), log->next_bytes, err) < 0)
		return err_add(err, "entry %" PRIu64, log->nr_read);
	entry->sector = le64toh(entry->sector);
	entry->nr_sectors = le64toh(entry->nr_sectors);
	entry->flags = le64toh(entry->flags);
	entry->mark_bytes = le64toh(entry->mark_bytes);
	if (entry->mark_bytes > MARK_BYTES_MAX ||
	    (!(entry->flags & FLAG_DISCARD) &&
	     entry->nr_sectors > WRITE_BYTES_MAX / log->sector_bytes))
		return err_set(err, ERR_CORRUPT, "entry %" PRIu64 " cannot be", log->nr_read);
	log->nr_read++;
	log->next_bytes += log->sector_bytes;
	return 0;
}

static size_t disk_of(const struct replay *log, uint64_t at_bytes)
{
	size_t disk = log->nr_disks - 1;

	while (disk > 0 && at_bytes < log->starts_bytes[disk])
		disk--;
	return disk;
}

/* Its data follows in the log. */
static struct write take_write(struct replay *log, const struct log_entry *entry)
{
	struct write write = {
		.at_bytes = entry->sector * log->sector_bytes,
		.len_bytes = entry->nr_sectors * log->sector_bytes,
		.log_bytes = log->next_bytes,
		.discard = entry->flags & FLAG_DISCARD,
	};

	write.disk = disk_of(log, write.at_bytes);
	if (!write.discard)
		log->next_bytes += write.len_bytes;
	return write;
}

/* Up to PIECE_BYTES of a write; a disk has them whole. Returns their number, 0 at the end. */
static ssize_t read_piece(const struct replay *log, const struct write *write, uint64_t done_bytes,
			  uint8_t ret[PIECE_BYTES], struct error *err)
{
	uint64_t left = write->len_bytes - done_bytes;
	size_t len = PIECE_BYTES - (write->at_bytes + done_bytes) % PIECE_BYTES;

	len = left < len ? (size_t)left : len;
	memset(ret, 0, len);
	if (!write->discard && io_pread(log->fd, ret, len, write->log_bytes + done_bytes, err) < 0)
		return -1;
	return (ssize_t)len;
}

/* Which pieces are there: a number that the seed, the write and the place decide. */
static bool is_kept(uint64_t seed, const struct write *write, uint64_t done_bytes)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + write->log_bytes + done_bytes;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return (x ^ (x >> 31)) & 1;
}

/* seed 0: all of it */
static int copy_write(const struct replay *log, const struct write *write, int fd, uint64_t seed,
		      struct error *err)
{
	uint8_t piece[PIECE_BYTES];
	uint64_t done_bytes = 0;
	ssize_t len;

	while ((len = read_piece(log, write, done_bytes, piece, err)) > 0) {
		if ((!seed || is_kept(seed, write, done_bytes)) &&
		    io_pwrite(fd, piece, (size_t)len, write->at_bytes + done_bytes, err) < 0)
			return -1;
		done_bytes += (uint64_t)len;
	}
	return len < 0 ? -1 : 0;
}

/* Would it change the base? */
static int is_news(const struct replay *log, const struct write *write, struct error *err)
{
	uint8_t piece[PIECE_BYTES], there[PIECE_BYTES];
	uint64_t done_bytes = 0;
	ssize_t len;

	while ((len = read_piece(log, write, done_bytes, piece, err)) > 0) {
		if (io_pread(log->base_fd, there, (size_t)len, write->at_bytes + done_bytes, err) <
		    0)
			return -1;
		if (memcmp(piece, there, (size_t)len) != 0)
			return 1;
		done_bytes += (uint64_t)len;
	}
	return len < 0 ? -1 : 0;
}

/* A flush takes along all writes of its disk; a write with FUA older ones of its place. */
static bool takes_along(const struct write *due, const struct write *write)
{
	if (!due->len_bytes)
		return write->disk == due->disk;
	return write->at_bytes < due->at_bytes + due->len_bytes &&
	       due->at_bytes < write->at_bytes + write->len_bytes;
}

/* Does it change what is durable? */
static int is_change(const struct replay *log, const struct write *due, struct error *err)
{
	int got = due->len_bytes ? is_news(log, due, err) : 0;

	for (size_t i = 0; i < log->nr_cached && got == 0; i++) {
		if (takes_along(due, &log->cached[i]))
			got = is_news(log, &log->cached[i], err);
	}
	return got;
}

static int make_durable(struct replay *log, const struct write *due, struct error *err)
{
	size_t nr = 0;

	for (size_t i = 0; i < log->nr_cached; i++) {
		const struct write *write = &log->cached[i];

		if (!takes_along(due, write))
			log->cached[nr++] = *write;
		else if (copy_write(log, write, log->base_fd, 0, err) < 0)
			return -1;
	}
	log->nr_cached = nr;
	return copy_write(log, due, log->base_fd, 0, err);
}

static void cache(struct replay *log, const struct write *write)
{
	log->cached = xrealloc(log->cached, (log->nr_cached + 1) * sizeof(*log->cached));
	log->cached[log->nr_cached++] = *write;
}

static int end_moment(struct replay *log, struct error *err)
{
	for (size_t i = 0; i < log->nr_due; i++) {
		if (make_durable(log, &log->due[i], err) < 0)
			return -1;
	}
	log->nr_due = 0;
	return 0;
}

/* Returns 1 when it is the end of a moment. */
static int take_entry(struct replay *log, const struct log_entry *entry, struct error *err)
{
	struct write write = take_write(log, entry);
	int got = 0;

	if (entry->flags & FLAG_FLUSH)
		log->due[log->nr_due++] = (struct write){ .disk = write.disk };
	if (write.len_bytes && entry->flags & FLAG_FUA)
		log->due[log->nr_due++] = write;
	for (size_t i = 0; i < log->nr_due && got == 0; i++)
		got = is_change(log, &log->due[i], err);
	if (got == 0 && end_moment(log, err) < 0)
		return -1;
	if (write.len_bytes && !(entry->flags & FLAG_FUA))
		cache(log, &write);
	return got;
}

static int next_moment(struct replay *log, struct error *err)
{
	int got = end_moment(log, err);

	while (got == 0 && log->nr_read < log->nr_entries) {
		struct log_entry entry;

		if (read_entry(log, &entry, err) < 0)
			return -1;
		if (entry.flags & FLAG_MARK) {
			memcpy(log->mark, entry.mark, entry.mark_bytes);
			log->mark[entry.mark_bytes] = '\0';
		} else {
			got = take_entry(log, &entry, err);
		}
	}
	if (got == 1)
		printf("moment %" PRIu64 " %" PRIu64 " %s\n", ++log->nr_moments, log->nr_read,
		       log->mark);
	else if (got == 0)
		printf("end %s\n", log->mark);
	return got < 0 ? -1 : 0;
}

static int add_cached(const struct replay *log, const char *path, uint64_t seed, struct error *err)
{
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	for (size_t i = 0; i < log->nr_cached; i++) {
		if (copy_write(log, &log->cached[i], fd, seed, err) < 0)
			return err_add(err, "'%s'", path);
	}
	/* What ends the moment is on its way as well. */
	for (size_t i = 0; i < log->nr_due; i++) {
		if (copy_write(log, &log->due[i], fd, seed, err) < 0)
			return err_add(err, "'%s'", path);
	}
	return fsync(fd) < 0 ? err_sys(err, errno, "sync '%s'", path) : 0;
}

static int answer(struct replay *log, char *line, struct error *err)
{
	char *rest = line;
	const char *verb = strsep(&rest, " \n") ?: "";
	const char *path = strsep(&rest, " \n") ?: "";
	const char *seed = strsep(&rest, " \n") ?: "";

	if (strcmp(verb, "next") == 0)
		return next_moment(log, err);
	if (strcmp(verb, "add") != 0)
		return err_set(err, ERR_USAGE, "unknown request '%s'", verb);
	if (add_cached(log, path, strcmp(seed, "all") == 0 ? 0 : strtoull(seed, NULL, 10), err) < 0)
		return -1;
	printf("done\n");
	return 0;
}

static int serve(char **argv, const uint64_t *starts_bytes, size_t nr_disks, struct error *err)
{
	auto_replay struct replay log = {
		.fd = -1, .base_fd = -1, .starts_bytes = starts_bytes, .nr_disks = nr_disks
	};
	char line[4096];

	if (open_log(&log, argv[1], argv[2], err) < 0)
		return -1;
	while (fgets(line, sizeof(line), stdin)) {
		if (answer(&log, line, err) < 0)
			return -1;
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	auto_free uint64_t *starts_bytes = NULL;
	struct error err;

	if (argc < 4)
		return 2;
	starts_bytes = xcalloc((size_t)argc, sizeof(*starts_bytes));
	for (int i = 3; i < argc; i++)
		starts_bytes[i - 3] = strtoull(argv[i], NULL, 10) * MIB;
	if (serve(argv, starts_bytes, (size_t)argc - 3, &err) == 0)
		return 0;
	fprintf(stderr, "replay-log: %s\n", err.text);
	return 1;
}
