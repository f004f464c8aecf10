/* SPDX-License-Identifier: Apache-2.0 */
#include "db/recover_container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/proc.h"
#include "db/journal.h"
#include "db/rows.h"
#include "devlink.h"
#include "limits.h"

#define KILL_DEADLINE_MS    10000
#define RUNTIME_DEADLINE_MS 30000
#define MONITOR_WAIT_MS	    5000
#define GATE_WAIT_MS	    30000
#define GATE_PAUSE_MS	    10
#define SMALL_TREE_FILES    256
#define GONE_PREFIX	    ".gone-"

int recover_run_dir(struct volume_pool *pool, char **ret, struct error *err)
{
	struct volume_pool_info info;

	if (volume_pool_info(pool, &info, err) < 0)
		return -1;
	*ret = xasprintf(CONTAINER_RUN_DIR "/%s", info.store_id);
	return 0;
}

/* Lets the runtime take its own state away; it does not know containers that it did not finish. */
static void forget_runtime(const char *run_dir, const char *id)
{
	auto_free char *root = xasprintf("%s/crun", run_dir);
	auto_free char *folder = xasprintf("%s/%s", root, id);
	const char *const argv[] = { CONTAINER_RUNTIME, "--root", root, "delete",
				     "--force",		id,	  NULL };
	const char *const rm[] = { "rm", "-rf", "--one-file-system", "--", folder, NULL };
	struct error err;

	if (access(folder, F_OK) < 0)
		return;
	if (proc_run(argv, RUNTIME_DEADLINE_MS, NULL, &err) < 0)
		log_debug("%s", err.text);
	if (access(folder, F_OK) == 0 && proc_run(rm, RUNTIME_DEADLINE_MS, NULL, &err) < 0)
		log_debug("%s", err.text);
}

char *recover_container_link(const struct container_row *row)
{
	return xasprintf("containers/%s",
			 strlen(row->name) <= DEVLINK_NAME_MAX ? row->name : row->id);
}

int recover_stop_container(struct volume_pool *pool, const struct container_row *row,
			   struct error *err)
{
	auto_free char *cgroup = xasprintf(CONTAINER_CGROUP "/%s", row->id);
	auto_free char *link = recover_container_link(row);
	auto_free char *run_dir = NULL;

	if (recover_run_dir(pool, &run_dir, err) < 0 ||
	    cgroup_end(cgroup, KILL_DEADLINE_MS, err) < 0)
		return -1;
	crash_point("container-killed");
	forget_runtime(run_dir, row->id);
	/* Also a device that a kill left without a table, which is not active. */
	if (volume_deactivate(pool, row->thin_id, err) < 0)
		return -1;
	crash_point("container-stopped");
	return devlink_remove(link, err);
}

char *recover_steps_folder(const char *run_dir, int64_t session)
{
	return xasprintf("%s/session-%" PRId64, run_dir, session);
}

/*
 * Without a process, which costs more than a few files do. Stops at one that does
 * not go, and in a large tree, which a signal to `rm` can end. Returns whether
 * nothing is left.
 */
static bool remove_small_tree(const char *path)
{
	auto_free char *copy = xstrdup(path);
	char *const paths[] = { copy, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	bool done = fts;
	int nr_left = SMALL_TREE_FILES;
	FTSENT *entry;

	while (done && (entry = fts_read(fts))) {
		if (entry->fts_info == FTS_D)
			continue;
		done = nr_left-- > 0 && (entry->fts_info == FTS_DP ? rmdir(entry->fts_path)
								   : unlink(entry->fts_path)) == 0;
	}
	if (fts)
		fts_close(fts);
	return done && access(path, F_OK) < 0;
}

int recover_remove_tree(const char *path, struct error *err)
{
	const char *const argv[] = { "rm", "-rf", "--one-file-system", "--", path, NULL };

	if (access(path, F_OK) < 0 || remove_small_tree(path))
		return 0;
	return proc_check(argv, 10 * 60 * 1000, err);
}

/*
 * No runtime is under way behind the gate any more, and none will pass it. The
 * first process of a container that waits to be started has the gate open too,
 * as crun has passed it on: so what is in the group is killed while we wait.
 */
static int close_gate(const char *folder, const char *cgroup, struct error *err)
{
	auto_free char *token = xasprintf("%s/token", folder);
	auto_free char *gate = xasprintf("%s/gate", folder);
	auto_fd int fd = -1;
	struct error ignored;

	unlink(token);
	fd = open(gate, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "open '%s'", gate);
	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += GATE_PAUSE_MS) {
		if (waited > GATE_WAIT_MS)
			return err_set(err, ERR_IN_USE, "'%s' stays locked", gate);
		if (cgroup_end(cgroup, KILL_DEADLINE_MS, &ignored) < 0)
			log_debug("%s", ignored.text);
		poll(NULL, 0, GATE_PAUSE_MS);
	}
	return 0;
}

/* Every folder with a gate below the session's. */
static int close_gates(const char *session, const char *cgroup, struct error *err)
{
	auto_dir DIR *dir = opendir(session);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		auto_free char *folder = xasprintf("%s/%s", session, entry->d_name);

		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' &&
		    close_gate(folder, cgroup, err) < 0)
			return -1;
	}
	return 0;
}

int recover_steps(struct volume_pool *pool, int64_t session, struct error *err)
{
	auto_free char *cgroup = xasprintf(RECOVER_STEPS_CGROUP, session);
	auto_free char *run_dir = NULL;
	auto_free char *folder = NULL;

	if (recover_run_dir(pool, &run_dir, err) < 0)
		return -1;
	folder = recover_steps_folder(run_dir, session);
	if (access(folder, F_OK) < 0)
		return 0;
	if (close_gates(folder, cgroup, err) < 0 || cgroup_end(cgroup, KILL_DEADLINE_MS, err) < 0)
		return -1;
	return recover_remove_tree(folder, err);
}

int recover_mark_inits(struct db *db, uint64_t txid, struct error *err)
{
	return db_exec(db, err,
		       "UPDATE thin SET state = 'deleting', txid = ?1"
		       " WHERE kind = 'init' AND state = 'live'"
		       " AND NOT EXISTS (SELECT 1 FROM container c WHERE c.init_id = thin.id)"
		       " AND NOT EXISTS (SELECT 1 FROM thin o WHERE o.id = thin.origin"
		       "   AND o.state <> 'deleting')",
		       "i", (int64_t)txid);
}

static int forget_rows(struct db *db, const struct container_row *row,
		       const struct strlist *volumes, uint64_t *ret_txid, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };

	if (db_begin(&tx, db, err) < 0 || journal_next_txid(db, ret_txid, err) < 0 ||
	    journal_intend_delete(db, *ret_txid, row->thin_id, err) < 0)
		return -1;
	for (size_t i = 0; i < volumes->nr; i++)
		if (db_exec(db, err, "DELETE FROM local_volume WHERE name = ?1", "s",
			    volumes->items[i]) < 0)
			return -1;
	if (recover_mark_inits(db, *ret_txid, err) < 0)
		return -1;
	return db_commit(&tx, err);
}

int recover_hide_volume(const struct root *root, const char *name, struct error *err)
{
	auto_free char *from = xasprintf("volumes/%s", name);
	auto_free char *to = xasprintf("volumes/" GONE_PREFIX "%s", name);

	if (renameat(root->fd, from, root->fd, to) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove volume '%s'", name);
	return 0;
}

int recover_remove_hidden_volume(const struct root *root, const char *name, struct error *err)
{
	auto_free char *path = xasprintf("%s/volumes/" GONE_PREFIX "%s", root->path, name);

	return recover_remove_tree(path, err);
}

int recover_forget_container(const struct root *root, struct db *db, struct volume_pool *pool,
			     const struct container_row *row, bool volumes, struct error *err)
{
	auto_strlist struct strlist names = { 0 };
	auto_free char *folder = xasprintf("%s/containers/%s", root->path, row->id);
	uint64_t txid;

	if (volumes && rows_container_own_volumes(db, row->id, &names, err) < 0)
		return -1;
	/* A volume that has its row and not its folder gets it back: see restore_volume(). */
	for (size_t i = 0; i < names.nr; i++)
		if (recover_hide_volume(root, names.items[i], err) < 0)
			return -1;
	crash_point("container-forgetting");
	if (forget_rows(db, row, &names, &txid, err) < 0)
		return -1;
	crash_point("container-forgotten");
	if (journal_fulfil(db, pool, txid, NULL, NULL, err) < 0 ||
	    recover_remove_tree(folder, err) < 0)
		return -1;
	for (size_t i = 0; i < names.nr; i++)
		if (recover_remove_hidden_volume(root, names.items[i], err) < 0)
			return -1;
	return 0;
}

static bool has_row(struct db *db, const char *sql, const char *value)
{
	auto_stmt struct db_stmt *stmt = NULL;
	struct error err;

	if (db_prepare(db, sql, &stmt, &err) < 0)
		return true;
	db_bind_text(stmt, 1, value);
	return db_step(stmt, &err) != 0;
}

/* A removal that was killed before its rows were gone has not happened. */
static int restore_volume(const struct root *root, struct db *db, const char *gone,
			  struct error *err)
{
	const char *name = gone + strlen(GONE_PREFIX);
	auto_free char *from = xasprintf("%s/volumes/%s", root->path, gone);
	auto_free char *to = xasprintf("%s/volumes/%s", root->path, name);

	if (!has_row(db, "SELECT 1 FROM local_volume WHERE name = ?1", name))
		return recover_remove_tree(from, err);
	if (rename(from, to) < 0)
		return err_sys(err, errno, "restore volume '%s'", name);
	return 0;
}

int recover_container_folders(const struct root *root, struct db *db, struct error *err)
{
	auto_strlist struct strlist containers = { 0 };
	auto_strlist struct strlist volumes = { 0 };

	io_list_folder(root->fd, "containers", &containers);
	for (size_t i = 0; i < containers.nr; i++) {
		auto_free char *path =
			xasprintf("%s/containers/%s", root->path, containers.items[i]);

		if (!has_row(db, "SELECT 1 FROM container WHERE id = ?1", containers.items[i]) &&
		    recover_remove_tree(path, err) < 0)
			return -1;
	}
	io_list_folder(root->fd, "volumes", &volumes);
	for (size_t i = 0; i < volumes.nr; i++)
		if (strncmp(volumes.items[i], GONE_PREFIX, strlen(GONE_PREFIX)) == 0 &&
		    restore_volume(root, db, volumes.items[i], err) < 0)
			return -1;
	return 0;
}

/* A number in a file of the container's folder; -1 without. */
static int64_t read_number(const struct root *root, const char *id, const char *name)
{
	auto_free char *path = xasprintf("containers/%s/%s", id, name);
	auto_buf struct buf text = { 0 };
	struct error err;

	if (io_read_file(root->fd, path, LIMIT_RUNTIME_BYTES, &text, &err) < 0 || !text.len)
		return -1;
	return strtoll(text.data, NULL, 10);
}

/* conmon sees the end first, and writes the status a moment later. */
static void wait_for_monitor(const struct root *root, const char *id)
{
	int64_t pid = read_number(root, id, "conmon.pid");
	auto_free char *path = xasprintf("containers/%s/exit", id);
	struct procmark monitor;
	struct error err;

	if (pid <= 0 || procmark_read((pid_t)pid, &monitor, &err) < 0)
		return;
	for (int waited = 0; waited < MONITOR_WAIT_MS; waited += 20)
		if (faccessat(root->fd, path, F_OK, 0) == 0 || procmark_wait(&monitor, 20))
			return;
}

static void read_end(const struct root *root, struct container_row *row)
{
	auto_free char *path = xasprintf("containers/%s/exit", row->id);
	struct stat st;
	int64_t code;

	if (faccessat(root->fd, path, F_OK, 0) < 0)
		wait_for_monitor(root, row->id);
	code = read_number(root, row->id, "exit");
	row->exit_code = code < 0 ? CONTAINER_EXIT_UNKNOWN : code;
	row->finished_ns = rows_now_ns();
	if (code >= 0 && fstatat(root->fd, path, &st, 0) == 0)
		row->finished_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

/* It ran and has ended. */
static int end_container(const struct root *root, struct db *db, struct volume_pool *pool,
			 struct container_row *row, struct error *err)
{
	read_end(root, row);
	if (recover_stop_container(pool, row, err) < 0) {
		if (err->kind != ERR_IN_USE)
			return -1;
		log_warn("container %s: %s", row->name, err->text);
		return 0;
	}
	if (row->auto_remove)
		return recover_forget_container(root, db, pool, row, true, err);
	row->state = CONTAINER_EXITED;
	row->process = (struct procmark){ 0 };
	return rows_container_set(db, row, err);
}

/* Who started it is dead: nothing that it left may go on. */
static int undo_start(const struct root *root, struct db *db, struct volume_pool *pool,
		      struct container_row *row, struct error *err)
{
	auto_free char *folder = xasprintf("%s/containers/%s", root->path, row->id);
	auto_free char *cgroup = xasprintf(CONTAINER_CGROUP "/%s", row->id);

	if (close_gate(folder, cgroup, err) < 0)
		return -1;
	crash_point("container-undoing");
	if (recover_stop_container(pool, row, err) < 0)
		return -1;
	row->state = row->started_ns ? CONTAINER_EXITED : CONTAINER_CREATED;
	row->process = (struct procmark){ 0 };
	log_debug("container %s: undid a start that was killed", row->name);
	return rows_container_set(db, row, err);
}

/* Processes rest under the store's lock only: who made them is dead. */
static int let_run(const struct container_row *row, struct error *err)
{
	auto_free char *cgroup = xasprintf(CONTAINER_CGROUP "/%s", row->id);

	if (!cgroup_is_frozen(cgroup))
		return 0;
	log_debug("container %s: was left at rest by a killed process", row->name);
	return cgroup_thaw(cgroup, err);
}

static int look_at(const struct root *root, struct db *db, struct volume_pool *pool,
		   struct container_row *row, struct error *err)
{
	auto_free char *lock = xasprintf("containers/%s/lock", row->id);
	auto_fd int lock_fd = -1;

	if (row->state == CONTAINER_RUNNING)
		return procmark_is_alive(&row->process) ? let_run(row, err)
							: end_container(root, db, pool, row, err);
	lock_fd = root_lock_file(root, lock, 0, err);
	if (lock_fd < 0)
		return err->kind == ERR_IN_USE ? 0 : -1;
	return undo_start(root, db, pool, row, err);
}

int recover_containers(const struct root *root, struct db *db, struct volume_pool *pool,
		       struct error *err)
{
	auto_container_rows struct container_rows rows = { 0 };

	if (rows_container_active(db, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.nr; i++)
		if (look_at(root, db, pool, &rows.items[i], err) < 0)
			return err_add(err, "container %s", rows.items[i].name);
	return 0;
}
