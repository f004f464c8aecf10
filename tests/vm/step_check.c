/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_check - run one command as a build's step would, in a working volume that is thrown away
 *
 * usage: step-check ROOT IMAGE DEADLINE_MS none|host USER CWD WORD...
 *
 * Prints "out LINE" and "err LINE", then "status N" or "error TEXT", then what
 * of the root folder the step has changed: "PATH SIZE MTIME" of the places that
 * are mounted onto, before and after.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "db/journal.h"
#include "db/rows.h"
#include "image/image.h"
#include "run/shim.h"
#include "run/step.h"
#include "store.h"

static void print_line(void *ctx, enum log_stream stream, const char *text, size_t len)
{
	(void)ctx;
	printf("%s %.*s\n", stream == LOG_STDOUT ? "out" : "err", (int)len, text);
	fflush(stdout);
}

static void print_places(int root_fd, const char *when)
{
	static const char *const places[] = { "proc",	      "sys",	   "dev",
					      "etc",	      "etc/hosts", "etc/resolv.conf",
					      "etc/hostname", ".",	   "cache" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct stat st;

		if (fstatat(root_fd, places[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		printf("%s %s %jd %jd.%09ld\n", when, places[i],
		       (intmax_t)(S_ISREG(st.st_mode) ? st.st_size : 0),
		       (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	}
}

static int make_volume(struct store *store, const char *operand, uint32_t *ret, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_image struct image image = { 0 };
	auto_layer_row struct layer_row row = { 0 };
	auto_tx struct db_tx tx = { 0 };
	uint64_t txid;

	if (image_find(store, operand, &image, NULL, err) < 0 ||
	    rows_layer_get(store->db, &image.top, &row, err) < 0 || store_session(store, err) < 0 ||
	    store_lock_pool(store, &held, err) < 0 || db_begin(&tx, store->db, err) < 0 ||
	    journal_next_txid(store->db, &txid, err) < 0 ||
	    journal_intend_create(store->db, txid, "work", row.thin_id, store->session, ret, err) <
		    0 ||
	    db_commit(&tx, err) < 0)
		return -1;
	return journal_fulfil(store->db, store->pool, txid, NULL, NULL, err);
}

static int run_step(struct step_args *args, struct error *err)
{
	auto_step struct step *step = NULL;
	int status;

	if (step_start(args, &step, err) < 0)
		return -1;
	status = step_wait(step, err);
	if (status >= 0)
		printf("status %d\n", status);
	return status < 0 ? -1 : 0;
}

static int check(char **argv, struct error *err)
{
	const struct store_options options = { .root = argv[1], .command = "step-check" };
	auto_store struct store *store = NULL;
	auto_volume struct volume *volume = NULL;
	auto_fd int root_fd = -1;
	auto_strlist struct strlist words = { 0 };
	auto_strlist struct strlist env = { 0 };
	auto_bundle_mounts struct bundle_mounts mounts = { 0 };
	struct step_args args = { .argv = &words, .env = &env, .mounts = &mounts };
	struct volume_pool *pool;
	uint32_t id;
	int result;

	strlist_add(&env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	bundle_mounts_add(&mounts, NULL, "/cache/here", false, "size=1m");
	for (char **word = argv + 7; *word; word++)
		strlist_add(&words, *word);
	if (store_open(&options, &store, err) < 0 || store_pool(store, &pool, err) < 0 ||
	    make_volume(store, argv[2], &id, err) < 0 ||
	    volume_activate(pool, id, VOLUME_READ_WRITE, &volume, err) < 0 ||
	    volume_mount(volume, VOLUME_MOUNT_UNPACK, &root_fd, err) < 0)
		return -1;
	args.store = store;
	args.volume = volume;
	args.root_fd = root_fd;
	args.deadline_ms = strtoll(argv[3], NULL, 10);
	args.own_network = strcmp(argv[4], "none") == 0;
	args.user = argv[5];
	args.cwd = argv[6];
	args.output = print_line;
	print_places(root_fd, "before");
	result = run_step(&args, err);
	print_places(root_fd, "after");
	return result;
}

int main(int argc, char **argv)
{
	struct error err;

	/* It is called again by itself, as the program is by itself. */
	if (argc > 1 && strcmp(argv[1], SHIM_COMMAND) == 0) {
		shim_run((const char *const *)argv + 2, (size_t)argc - 2, &err);
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (argc < 8)
		return 2;
	cancel_catch_signals();
	if (check(argv, &err) == 0)
		return 0;
	printf("error %s\n", err.text);
	return 1;
}
