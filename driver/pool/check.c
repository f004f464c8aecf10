/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why every crash point is safe. The damaged metadata is not written to before
 * a whole, checked and durable copy has its final name in the root. From then
 * on the pool does not start, until the copy is in place, the caller has seen
 * which volumes lost blocks and the name is removed: each call before that
 * starts with copying it again.
 */
#include "pool/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/size.h"
#include "dm/devmap.h"
#include "pool/config.h"
#include "pool/devices.h"
#include "pool/pool.h"
#include "pool/thinvol.h"
#include "tmeta/salvage.h"
#include "tmeta/tmeta.h"
#include "tmeta/usage.h"

#define CHECK_DEADLINE_MS (60 * 60 * 1000)
#define COPY_CHUNK_BYTES  ((size_t)MIB)
#define DAMAGED_NAME	  "pool.damaged"
#define COPY_PART_NAME	  POOL_COPY_NAME ".part"

struct repair {
	const char *root;
	struct buf *report;
	bool rebuild;  /* although it is sound */
	bool keep;     /* a copy first, in any case */
	bool kept;     /* it is there */
	char *damaged; /* as it was found */
	char *copy;    /* whole and checked */
	char *part;
	struct pool_loss *losses;
	size_t nr_losses;
	char node[DEVMAP_NODE_BYTES]; /* the metadata, while no pool runs on it */
	uint64_t meta_bytes;
	/* What a superblock says that cannot be read. */
	uint64_t txid, block_bytes, nr_data_blocks;
};

static void repair_done(struct repair *repair)
{
	free(repair->damaged);
	free(repair->copy);
	free(repair->part);
	free(repair->losses);
}
#define auto_repair __attribute__((cleanup(repair_done)))

/*
 * Returns 0 when it is sound, 1 when not. thin_repair may carry the flag over
 * that says needs check (0.9 does): here it has been checked.
 */
static int check_copy(const char *path, struct error *err)
{
	const char *const argv[] = { "thin_check", "-q", "--clear-needs-check-flag", path, NULL };
	int status = proc_run(argv, CHECK_DEADLINE_MS, NULL, err);

	return status < 0 ? -1 : status != 0;
}

/* Also gives back what nobody has of the metadata itself; for data blocks it takes a rebuild. */
static int clear_flag(struct repair *repair, struct error *err)
{
	const char *const argv[] = { "thin_check", "-q", "--auto-repair", repair->node, NULL };
	const char *const clear[] = { "thin_check", "-q", "--clear-needs-check-flag", repair->node,
				      NULL };
	int status = proc_run(argv, CHECK_DEADLINE_MS, NULL, err);

	if (status == 0)
		status = proc_run(clear, CHECK_DEADLINE_MS, NULL, err);
	if (status < 0)
		return -1;
	if (status > 0)
		return 1;
	buf_puts(repair->report, "the pool's metadata was checked and is sound\n");
	return 0;
}

static bool has_superblock(const struct repair *repair)
{
	auto_tmeta struct tmeta *tmeta = NULL;
	struct error why;

	return tmeta_open(repair->node, 0, &tmeta, &why) == 0;
}

static int run_repair(struct repair *repair, struct error *err)
{
	auto_free char *txid = xasprintf("%" PRIu64, repair->txid);
	auto_free char *block = xasprintf("%" PRIu64, size_to_sectors(repair->block_bytes));
	auto_free char *blocks = xasprintf("%" PRIu64, repair->nr_data_blocks);
	/* It asks for these where it finds no superblock, and for nothing more. */
	const char *first = has_superblock(repair) ? NULL : "--transaction-id";
	const char *const argv[] = {
		"thin_repair",	     "-i",  repair->node,	"-o",	repair->part, first, txid,
		"--data-block-size", block, "--nr-data-blocks", blocks, NULL
	};

	return proc_check(argv, CHECK_DEADLINE_MS, err);
}

/* Metadata and the volumes that it says. */
struct side {
	struct tmeta *tmeta;
	struct tmeta_volume *volumes;
	size_t nr;
};

static void side_done(struct side *side)
{
	tmeta_close(side->tmeta);
	free(side->volumes);
}
#define auto_side __attribute__((cleanup(side_done)))

static int side_open(const char *path, struct side *ret, struct error *err)
{
	return tmeta_open(path, 0, &ret->tmeta, err) < 0
		       ? -1
		       : tmeta_list(ret->tmeta, &ret->volumes, &ret->nr, err);
}

/* NULL without it. */
static const struct tmeta_volume *side_find(const struct side *side, uint32_t id)
{
	for (size_t i = 0; i < side->nr; i++)
		if (side->volumes[i].id == id)
			return &side->volumes[i];
	return NULL;
}

/* Returns 1 when a volume is not as it was, as far as that can be read; 0, -1. */
static int is_of_another_moment(const struct side *damaged, const struct side *mended,
				const struct tmeta_volume *after, struct error *err)
{
	const struct tmeta_volume *before = side_find(damaged, after->id);
	struct tmeta_salvage salvage;

	if (!before || before->creation_time != after->creation_time ||
	    before->transaction_id != after->transaction_id ||
	    before->snapshotted_time != after->snapshotted_time ||
	    before->mapped_blocks < after->mapped_blocks)
		return 1;
	if (tmeta_salvage(damaged->tmeta, mended->tmeta, after->id, &salvage, err) < 0)
		return -1;
	return salvage.other;
}

/*
 * Metadata is never written in place, so older trees lie about, and thin_repair 1.0 and later take
 * them where the newest cannot be read whole. But their data blocks may belong to others since.
 */
static int check_moment(const struct repair *repair, struct error *err)
{
	auto_side struct side damaged = { 0 };
	auto_side struct side mended = { 0 };
	struct error why;

	if (side_open(repair->damaged, &damaged, &why) < 0)
		return 0; /* find_losses() says what to do */
	if (side_open(repair->part, &mended, err) < 0)
		return -1;
	for (size_t i = 0; i < mended.nr; i++) {
		int other = is_of_another_moment(&damaged, &mended, &mended.volumes[i], err);

		if (other)
			return other < 0 ? -1
					 : err_set(err, ERR_CORRUPT,
						   "it went back to an earlier moment, of which "
						   "volume %" PRIu32 " is",
						   mended.volumes[i].id);
	}
	return 0;
}

static int make_copy(struct repair *repair, struct error *err)
{
	auto_fd int fd = open(repair->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int status;

	/* It wants a file of the right size. */
	if (fd < 0 || ftruncate(fd, (off_t)repair->meta_bytes) < 0)
		return err_sys(err, errno, "create '%s'", repair->part);
	if (run_repair(repair, err) < 0) {
		if (err->kind == ERR_IO)
			err->kind = ERR_CORRUPT;
		return -1;
	}
	status = check_copy(repair->part, err);
	if (status < 0)
		return -1;
	if (status > 0)
		return err_set(err, ERR_CORRUPT, "thin_repair made metadata that is not sound");
	if (check_moment(repair, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return err_sys(err, errno, "sync '%s'", repair->part);
	return config_rename(repair->root, COPY_PART_NAME, POOL_COPY_NAME, err);
}

/* Skips what is zero: to must read as zeros, or sparse be false. */
static int copy_bytes(int from_fd, int to_fd, uint64_t bytes, bool sparse, struct error *err)
{
	auto_free uint8_t *chunk = xmalloc(COPY_CHUNK_BYTES);

	for (uint64_t done = 0; done < bytes;) {
		size_t len =
			bytes - done < COPY_CHUNK_BYTES ? (size_t)(bytes - done) : COPY_CHUNK_BYTES;

		if (io_pread(from_fd, chunk, len, done, err) < 0)
			return -1;
		if ((!sparse || chunk[0] || memcmp(chunk, chunk + 1, len - 1) != 0) &&
		    io_pwrite(to_fd, chunk, len, done, err) < 0)
			return -1;
		done += len;
	}
	/* The kernel reads metadata past the page cache. */
	if (fsync(to_fd) < 0)
		return err_sys(err, errno, "sync a copy of the metadata");
	return 0;
}

/* thin_repair drops what it cannot read, up to every volume: people may want to try more. */
static int keep_damaged(struct repair *repair, struct error *err)
{
	auto_fd int from_fd = open(repair->node, O_RDONLY | O_CLOEXEC);
	auto_fd int to_fd = open(repair->damaged, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (from_fd < 0)
		return err_sys(err, errno, "open %s", repair->node);
	if (to_fd < 0 || ftruncate(to_fd, (off_t)repair->meta_bytes) < 0)
		return err_sys(err, errno, "create '%s'", repair->damaged);
	return copy_bytes(from_fd, to_fd, repair->meta_bytes, true, err);
}

static int install_copy(struct repair *repair, struct error *err)
{
	auto_fd int from_fd = open(repair->copy, O_RDONLY | O_CLOEXEC);
	auto_fd int to_fd = open(repair->node, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (from_fd < 0 || fstat(from_fd, &st) < 0)
		return err_sys(err, errno, "open '%s'", repair->copy);
	if (to_fd < 0)
		return err_sys(err, errno, "open %s", repair->node);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != repair->meta_bytes)
		return err_set(err, ERR_CORRUPT, "'%s' is not a copy of this pool's metadata",
			       repair->copy);
	if (copy_bytes(from_fd, to_fd, repair->meta_bytes, false, err) < 0)
		return -1;
	buf_printf(
		repair->report,
		repair->rebuild
			? "thin_repair has counted the pool's blocks anew, and the metadata that "
			  "was there is kept in %s\n"
			: "the pool's metadata was damaged; thin_repair has rebuilt what it could "
			  "read, and the damaged metadata is kept in %s\n",
		repair->damaged);
	return 0;
}

/* thin_repair says nothing of the leaves that it leaves out, but counts anew what is left. */
static int find_losses(struct repair *repair, struct error *err)
{
	auto_side struct side damaged = { 0 };
	auto_side struct side mended = { 0 };
	struct error why;

	if (side_open(repair->copy, &mended, err) < 0)
		return -1;
	if (side_open(repair->damaged, &damaged, &why) < 0) {
		buf_printf(repair->report,
			   "which volumes lost blocks cannot be told (%s): 'veneer verify --all' "
			   "compares what is there with its digests\n",
			   why.text);
		return 0;
	}
	repair->losses = xcalloc(damaged.nr + 1, sizeof(*repair->losses));
	for (size_t i = 0; i < damaged.nr; i++) {
		const struct tmeta_volume *had = &damaged.volumes[i];
		const struct tmeta_volume *left = side_find(&mended, had->id);
		struct pool_loss loss = { .id = had->id,
					  .had_blocks = had->mapped_blocks,
					  .lost_blocks = had->mapped_blocks };
		struct tmeta_salvage salvage = { 0 };

		if (left && tmeta_salvage(damaged.tmeta, mended.tmeta, left->id, &salvage, err) < 0)
			return -1;
		if (left)
			loss.lost_blocks -= left->mapped_blocks < loss.had_blocks
						    ? left->mapped_blocks
						    : loss.had_blocks;
		/* Where nobody can tell what was there, an earlier moment's blocks may be. */
		if (!loss.lost_blocks)
			loss.lost_blocks = salvage.unsure_blocks;
		if (loss.lost_blocks)
			repair->losses[repair->nr_losses++] = loss;
	}
	return 0;
}

/* The program may have crashed: 0.9 does when a root of a tree cannot be read. */
static int no_copy(struct repair *repair, struct error *err)
{
	unlink(repair->part);
	return err_add(
		err,
		"the metadata is damaged, and thin_repair cannot mend it; it was not "
		"changed, and '%s' is a copy. With another version of thin_repair installed, run "
		"'veneer check --repair' again, or give the images up with 'veneer pool "
		"destroy --force'",
		repair->damaged);
}

static int mend(struct repair *repair, struct error *err)
{
	bool have_copy = access(repair->copy, F_OK) == 0;
	int damaged = 1;

	if (repair->keep && !have_copy) {
		if (keep_damaged(repair, err) < 0)
			return -1;
		buf_printf(repair->report,
			   "a copy of the metadata as it was is kept in %s, in case the repair "
			   "makes it worse\n",
			   repair->damaged);
		repair->kept = true;
	}
	if (!have_copy && !repair->rebuild)
		damaged = clear_flag(repair, err);
	if (damaged <= 0)
		return damaged;
	if (!have_copy && !repair->kept && keep_damaged(repair, err) < 0)
		return -1;
	if (!have_copy && make_copy(repair, err) < 0)
		return no_copy(repair, err);
	crash_point("pool-repair-copied");
	if (install_copy(repair, err) < 0 || find_losses(repair, err) < 0)
		return -1;
	crash_point("pool-repair-installed");
	return 0;
}

static int repair_stopped(struct repair *repair, const struct pool_config *config,
			  struct error *err)
{
	auto_devices struct devices devices = { 0 };
	dev_t device;

	if (devices_open_ours(config, &devices, err) < 0 ||
	    devices_map_meta(config, &devices, &device, err) < 0)
		return -1;
	devmap_node(device, repair->node);
	repair->meta_bytes = header_bytes(devices_meta_header(&devices), HEADER_META);
	repair->block_bytes = config->block_bytes;
	repair->nr_data_blocks =
		header_bytes(&devices.data_header, HEADER_DATA) / config->block_bytes;
	return mend(repair, err);
}

/* @status: of a thin_check that minds everything. Returns 0 when it is sound, 1 when not, -1. */
static int say_verdict(const char *node, int status, struct buf *report, struct error *err)
{
	const char *const argv[] = { "thin_check", "-q", "--ignore-non-fatal-errors", node, NULL };
	int fatal = status ? proc_run(argv, CHECK_DEADLINE_MS, NULL, err) : 0;

	if (fatal > 0)
		buf_puts(report, "the metadata is damaged, or was not closed: run 'veneer pool "
				 "repair'\n");
	else if (fatal == 0)
		buf_printf(report, "the metadata is sound%s\n",
			   status ? ", but for blocks that nobody has: 'veneer pool repair' gives "
				    "them back"
				  : "");
	return fatal < 0 ? -1 : fatal > 0;
}

/* Returns 0 when it is sound, 1 when not. */
static int look_over(const struct pool_config *config, struct buf *report, struct error *err)
{
	auto_devices struct devices devices = { 0 };
	auto_buf struct buf output = { 0 };
	char node[DEVMAP_NODE_BYTES];
	const char *const argv[] = { "thin_check", node, NULL };
	dev_t device;
	int status;

	if (devices_open_ours(config, &devices, err) < 0 ||
	    devices_map_meta(config, &devices, &device, err) < 0)
		return -1;
	devmap_node(device, node);
	buf_printf(report, "thin_check reads the metadata on %s\n", config->meta_path);
	status = proc_run(argv, CHECK_DEADLINE_MS, &output, err);
	if (status < 0)
		return -1;
	if (output.len)
		buf_append(report, output.data, output.len);
	if (output.len && output.data[output.len - 1] != '\n')
		buf_putc(report, '\n');
	return say_verdict(node, status, report, err);
}

static int start(const struct pool_config *config, struct error *err)
{
	auto_devices struct devices devices = { 0 };

	return devices_open_ours(config, &devices, err) < 0 ||
			       devices_apply(config, &devices, err) < 0
		       ? -1
		       : 0;
}

/* A pool that cannot run leaves nothing in the kernel. */
static void stop(const struct pool_config *config)
{
	struct error why;

	if (devices_remove(config, &why) < 0)
		log_warn("%s", why.text);
}

int pool_check(const char *root, struct buf *ret_report, struct error *err)
{
	auto_pool struct pool *pool = NULL;
	const struct pool_config *config;
	struct pool_status status;
	struct error why;
	int result;

	if (pool_open(root, &pool, err) < 0 || pool_status(pool, &status, err) < 0 ||
	    devices_remove(pool_config(pool), err) < 0)
		return err_add(err, "check the pool of '%s'", root);
	config = pool_config(pool);
	buf_printf(ret_report, "the pool %s is %s\n", pool_name(pool),
		   status.active ? "stopped for the check" : "not active");
	result = look_over(config, ret_report, err);
	if (!status.active || pool_refuse_half_repaired(root, &why) < 0) {
		stop(config);
	} else if (start(config, &why) < 0) {
		stop(config);
		buf_printf(ret_report, "the pool does not start: %s\n", why.text);
	} else {
		buf_puts(ret_report, "the pool runs again\n");
	}
	return result < 0 ? err_add(err, "check the pool of '%s'", root) : result;
}

int pool_repair(const char *root, unsigned how, uint64_t txid, struct buf *ret_report,
		struct pool_loss **ret_losses, size_t *ret_nr, struct error *err)
{
	auto_pool struct pool *pool = NULL;
	auto_repair struct repair repair = {
		.root = root,
		.report = ret_report,
		.rebuild = how & POOL_REPAIR_REBUILD,
		.keep = how & POOL_REPAIR_KEEP,
		.kept = how & POOL_REPAIR_KEPT,
		.damaged = xasprintf("%s/%s", root, DAMAGED_NAME),
		.copy = xasprintf("%s/%s", root, POOL_COPY_NAME),
		.part = xasprintf("%s/%s", root, COPY_PART_NAME),
		.txid = txid,
	};
	struct pool_status status;

	if (pool_open(root, &pool, err) < 0 || devices_remove(pool_config(pool), err) < 0)
		return err_add(err, "repair the pool of '%s'", root);
	if (repair_stopped(&repair, pool_config(pool), err) < 0) {
		stop(pool_config(pool));
		return err_add(err, "repair the pool of '%s'", root);
	}
	if (start(pool_config(pool), err) < 0 || pool_status(pool, &status, err) < 0 ||
	    pool_check_health(pool, &status, err) < 0)
		return err_add(err, "repair the pool of '%s'", root);
	*ret_losses = take_ptr(repair.losses);
	*ret_nr = repair.nr_losses;
	return 0;
}

int pool_repair_end(const char *root, const uint32_t *ids, size_t nr, struct error *err)
{
	auto_pool struct pool *pool = NULL;

	if (pool_open(root, &pool, err) < 0)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		if (thinvol_delete(pool, ids[i], err) < 0 && err->kind != ERR_NOT_FOUND)
			return err_add(err, "delete volume %u, which lost blocks", ids[i]);
		crash_point("pool-repair-deleted");
	}
	return config_remove(root, POOL_COPY_NAME, err);
}
