/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/shellword.h"
#include "blocktarget.h"
#include "db/rows.h"
#include "doctor.h"
#include "fs/holders.h"
#include "image/view.h"
#include "pool/config.h"
#include "pool/devices.h"
#include "pool/pool.h"
#include "pool/sizing.h"
#include "store.h"
#include "volume.h"

#define LINE_TEXT_MAX 4096

/* What of the store could be opened. */
struct patient {
	struct doctor *doctor;
	struct store *store; /* NULL: no catalogue */
	char store_id[9];    /* "": no pool */
	bool active;	     /* the pool is */
};

static bool is_in_root(const struct patient *patient, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", patient->doctor->cli->settings->root, name);

	return access(path, F_OK) == 0;
}

/* Returns 1 with a row of which the first column is true, 0 without one. */
static int ask(const struct patient *patient, const char *sql, const char *text, int64_t number)
{
	auto_stmt struct db_stmt *stmt = NULL;
	struct error ignored;

	if (db_prepare(patient->store->db, sql, &stmt, &ignored) < 0)
		return 0;
	if (text)
		db_bind_text(stmt, 1, text);
	else
		db_bind_int(stmt, 1, number);
	return db_step(stmt, &ignored) > 0 && db_int(stmt, 0);
}

static void look_at_part(struct doctor *doctor, const char *what, const char *grow, uint64_t used,
			 uint64_t total, uint64_t reserve)
{
	uint64_t free_bytes = used < total ? total - used : 0;
	enum doctor_level level = DOCTOR_OK;

	if (free_bytes < reserve)
		level = DOCTOR_ERROR;
	else if (free_bytes < 2 * reserve)
		level = DOCTOR_WARNING;
	doctor_found(doctor, level, "pool", level ? grow : "",
		     "%" PRIu64 " of %" PRIu64 " MiB of %s are free%s", free_bytes / MIB,
		     total / MIB, what,
		     level == DOCTOR_ERROR ? ": less than the reserve, so nothing new is made"
					   : "");
}

static void look_at_status(struct patient *patient, struct pool *pool)
{
	struct doctor *doctor = patient->doctor;
	struct pool_status status;
	struct error err;

	if (pool_status(pool, &status, &err) < 0) {
		doctor_found(doctor, doctor->root ? DOCTOR_ERROR : DOCTOR_NOTE, "pool",
			     doctor->root ? "" : "sudo veneer doctor", "%s", err.text);
		return;
	}
	if (!status.active) {
		doctor_found(doctor, DOCTOR_NOTE, "pool", "veneer pool activate",
			     "the pool %s is not active", pool_name(pool));
		return;
	}
	patient->active = true;
	if (pool_check_health(pool, &status, &err) < 0 ||
	    pool_check_writable(pool, &status, &err) < 0)
		doctor_found(doctor, DOCTOR_ERROR, "pool", "veneer check --repair", "%s", err.text);
	else
		doctor_found(doctor, DOCTOR_OK, "pool", "", "%s: %s", pool_name(pool),
			     pool_health(&status));
	look_at_part(doctor, "data", "veneer pool grow", status.data_used_bytes,
		     status.data_total_bytes, sizing_data_reserve_bytes(status.data_total_bytes));
	look_at_part(doctor, "metadata", "veneer pool grow --metadata-size SIZE",
		     status.meta_used_bytes, status.meta_total_bytes,
		     sizing_meta_reserve_bytes(status.meta_total_bytes));
}

static void look_at_pool(struct patient *patient)
{
	struct doctor *doctor = patient->doctor;
	const char *root = doctor->cli->settings->root;
	auto_pool struct pool *pool = NULL;
	struct error err;

	if (is_in_root(patient, CONFIG_PART_NAME))
		doctor_found(doctor, DOCTOR_WARNING, "pool", "veneer pool destroy --force",
			     "a pool in '%s' is half made, or half taken away", root);
	if (pool_open(root, &pool, &err) < 0) {
		if (err.kind == ERR_NOT_FOUND)
			doctor_found(doctor, DOCTOR_NOTE, "pool", "veneer pool create",
				     "there is no pool in '%s' yet: the first command that needs "
				     "one makes it",
				     root);
		else
			doctor_found(doctor, DOCTOR_ERROR, "pool", "", "%s", err.text);
		return;
	}
	snprintf(patient->store_id, sizeof(patient->store_id), "%s", pool_config(pool)->store_id);
	if (pool_refuse_half_repaired(root, &err) < 0)
		doctor_found(doctor, DOCTOR_ERROR, "pool", "veneer check --repair", "%s", err.text);
	look_at_status(patient, pool);
}

static void look_at_reader(struct patient *patient, const char *name, const char *remove)
{
	const char *dot = strrchr(name, '.');
	pid_t pid = dot ? (pid_t)strtol(dot + 1, NULL, 10) : 0;

	if (pid > 0 && (kill(pid, 0) == 0 || errno != ESRCH))
		return;
	doctor_found(patient->doctor, DOCTOR_WARNING, "devices", remove,
		     "%s is of process %d, which is no more", name, (int)pid);
}

static void look_at_device(struct patient *patient, const char *name, size_t *nr)
{
	static const char known[] = "SELECT 1 FROM thin WHERE id = ?1";
	auto_free char *remove = xasprintf("dmsetup remove %s", name);
	struct devname parsed;

	if (strncmp(name, "veneer-", 7) != 0)
		return;
	++*nr;
	if (!devname_parse(name, &parsed) || parsed.kind == DEVNAME_OTHER)
		doctor_found(patient->doctor, DOCTOR_WARNING, "devices", remove,
			     "%s has a name like ours, but is none that veneer makes", name);
	else if (strcmp(parsed.store_id, patient->store_id) != 0)
		doctor_found(patient->doctor, DOCTOR_WARNING, "devices",
			     "veneer --root DIR pool deactivate",
			     "%s belongs to another store, %s: to that in DIR, or one that is gone "
			     "(then '%s')",
			     name, parsed.store_id, remove);
	else if (parsed.kind == DEVNAME_READER)
		look_at_reader(patient, name, remove);
	else if (parsed.kind == DEVNAME_VOLUME && patient->store &&
		 !ask(patient, known, NULL, parsed.thin_id))
		doctor_found(patient->doctor, DOCTOR_WARNING, "devices", remove,
			     "%s is active, but the catalogue has no thin id %" PRIu32
			     ": then 'veneer check --repair'",
			     name, parsed.thin_id);
}

static void look_at_devices(struct patient *patient)
{
	auto_strlist struct strlist names = { 0 };
	size_t nr = 0, before = patient->doctor->nr;

	devname_list(&names);
	for (size_t i = 0; i < names.nr; i++)
		look_at_device(patient, names.items[i], &nr);
	if (patient->doctor->nr == before)
		doctor_found(patient->doctor, DOCTOR_OK, "devices", "",
			     "%zu of veneer, all accounted for", nr);
}

/* Where an attached device is mounted is its user's affair: a mount unit's, say. */
static bool is_attached(const struct patient *patient, uint32_t thin_id)
{
	static const char attached[] =
		"SELECT 1 FROM volume WHERE attached AND thin_id = ?1"
		" UNION ALL SELECT 1 FROM view WHERE kind = 'attach' AND thin_id = ?1";

	return ask(patient, attached, NULL, thin_id);
}

/* The mounts of volumes of ours in this namespace, but for attached ones; points are new. */
static void list_mounts(const struct patient *patient, struct strlist *ret)
{
	auto_file FILE *file = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	size_t cap = 0;

	while (file && getline(&line, &cap, file) > 0) {
		unsigned int major_number, minor_number;
		struct devname_texts texts;
		struct devname name;
		dev_t device;
		char *point;

		if (sscanf(line, "%*d %*d %u:%u", &major_number, &minor_number) != 2)
			continue;
		device = makedev(major_number, minor_number);
		if (!devname_read(device, &texts) || !devname_parse(texts.uuid, &name) ||
		    strcmp(name.store_id, patient->store_id) != 0 ||
		    is_attached(patient, name.thin_id))
			continue;
		point = holders_mount_point(line, device);
		if (point)
			strlist_take(ret, point);
	}
}

static bool contains(const struct strlist *list, const char *text)
{
	for (size_t i = 0; i < list->nr; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

/* Views that a reboot has ended. */
static void look_at_views(struct patient *patient, const struct strlist *mounts)
{
	auto_stmt struct db_stmt *stmt = NULL;
	struct error ignored;

	if (db_prepare(patient->store->db, "SELECT kind = 'mount', target FROM view", &stmt,
		       &ignored) < 0)
		return;
	while (db_step(stmt, &ignored) > 0) {
		const char *target = db_text(stmt, 1);
		bool mounted = db_int(stmt, 0) != 0;
		auto_free char *link = xasprintf(DEVLINK_DIR "/%s", target);
		auto_free char *word = shellword(target);
		auto_free char *remedy =
			xasprintf("veneer %s %s", mounted ? "unmount" : "detach", word);

		if (mounted ? contains(mounts, target) : access(link, F_OK) == 0)
			continue;
		doctor_found(patient->doctor, DOCTOR_NOTE, "mounts", remedy,
			     "the view at %s is recorded, but not %s here", mounted ? target : link,
			     mounted ? "mounted" : "attached");
	}
}

/* Mounts without a row, and rows without a mount. */
static void look_at_mounts(struct patient *patient)
{
	static const char known[] = "SELECT 1 FROM view WHERE kind = 'mount' AND target = ?1"
				    " UNION ALL SELECT 1 FROM volume WHERE target = ?1";
	auto_strlist struct strlist mounts = { 0 };
	size_t before = patient->doctor->nr;

	list_mounts(patient, &mounts);
	for (size_t i = 0; i < mounts.nr; i++) {
		auto_free char *word = shellword(mounts.items[i]);
		auto_free char *remedy = xasprintf("umount %s", word);

		if (!ask(patient, known, mounts.items[i], 0))
			doctor_found(
				patient->doctor, DOCTOR_WARNING, "mounts", remedy,
				"a volume is mounted at %s, and the catalogue has no such view",
				mounts.items[i]);
	}
	look_at_views(patient, &mounts);
	if (patient->doctor->nr == before)
		doctor_found(patient->doctor, DOCTOR_OK, "mounts", "",
			     "%zu of veneer, all accounted for", mounts.nr);
}

/* Files of the root as loop devices, of which the pool needs those that it runs on. */
static void look_at_loops(struct patient *patient)
{
	auto_free char *below = xasprintf("%s/", patient->doctor->cli->settings->root);
	auto_strlist struct strlist names = { 0 };
	size_t before = patient->doctor->nr;

	io_list_folder(AT_FDCWD, "/sys/block", &names);
	for (size_t i = 0; i < names.nr; i++) {
		auto_free char *path = xasprintf("/sys/block/%s/loop/backing_file", names.items[i]);
		auto_free char *remedy = xasprintf("losetup -d /dev/%s", names.items[i]);
		auto_buf struct buf file = { 0 };
		struct error ignored;

		if (io_read_file(AT_FDCWD, path, LINE_TEXT_MAX, &file, &ignored) < 0 || !file.len ||
		    strncmp(file.data, below, strlen(below)) != 0)
			continue;
		file.data[strcspn(file.data, "\n")] = '\0';
		if (!patient->active || strstr(file.data, " (deleted)"))
			doctor_found(patient->doctor, DOCTOR_WARNING, "loops", remedy,
				     "/dev/%s is still on %s, and no pool of this store runs on it",
				     names.items[i], file.data);
	}
	if (patient->doctor->nr == before)
		doctor_found(patient->doctor, DOCTOR_OK, "loops", "",
			     "no loop device is left over");
}

static void look_at_leftovers(struct patient *patient)
{
	struct doctor *doctor = patient->doctor;
	const int root_fd = patient->store->root.fd;
	auto_strlist struct strlist sessions = { 0 }, files = { 0 };

	io_list_folder(root_fd, "sessions", &sessions);
	io_list_folder(root_fd, "tmp", &files);
	if (files.nr && !sessions.nr)
		doctor_found(doctor, DOCTOR_NOTE, "leftovers", "veneer check --repair",
			     "%zu files in %s/tmp are of commands that have ended", files.nr,
			     patient->store->root.path);
	else
		doctor_found(doctor, DOCTOR_OK, "leftovers", "",
			     "%zu unfinished files, %zu commands at work", files.nr, sessions.nr);
	if (ask(patient, "SELECT 1 FROM thin WHERE state IN ('creating', 'deleting') AND 0 = ?1",
		NULL, 0) &&
	    !sessions.nr)
		doctor_found(doctor, DOCTOR_NOTE, "leftovers", "veneer pool activate",
			     "a change of the pool was interrupted: the next command ends it");
}

static void look_at_newest(struct patient *patient)
{
	auto_stmt struct db_stmt *stmt = NULL;
	struct error ignored;

	if (db_prepare(patient->store->db, "SELECT max(created_ns) FROM layer", &stmt, &ignored) <
		    0 ||
	    db_step(stmt, &ignored) <= 0 || db_is_null(stmt, 0))
		return;
	if (db_int(stmt, 0) > rows_now_ns())
		doctor_found(patient->doctor, DOCTOR_ERROR, "clock", "timedatectl set-ntp true",
			     "the clock is before the time at which the newest layer was made");
	else
		doctor_found(patient->doctor, DOCTOR_OK, "clock", "",
			     "it is later than the newest layer");
}

static void open_catalogue(struct patient *patient)
{
	struct doctor *doctor = patient->doctor;
	const char *root = doctor->cli->settings->root;
	struct error err;

	if (access(root, F_OK) == 0 && access(root, R_OK | X_OK) < 0)
		doctor_found(doctor, DOCTOR_NOTE, "store", "sudo veneer doctor",
			     "'%s' cannot be looked at: %s", root, strerror(errno));
	else if (cli_open_existing_store(doctor->cli, &patient->store, &err) < 0)
		doctor_found(doctor, DOCTOR_ERROR, "store", "veneer check --rebuild", "%s",
			     err.text);
	else if (patient->store)
		doctor_found(doctor, DOCTOR_OK, "store", "",
			     "%s; 'veneer check' compares it with the pool", root);
	else
		doctor_found(doctor, DOCTOR_NOTE, "store", "", "there is no store in '%s' yet",
			     root);
}

void doctor_look_at_store(struct doctor *doctor)
{
	struct patient patient = { .doctor = doctor };

	open_catalogue(&patient);
	look_at_pool(&patient);
	look_at_devices(&patient);
	look_at_loops(&patient);
	if (patient.store) {
		look_at_mounts(&patient);
		look_at_leftovers(&patient);
		look_at_newest(&patient);
	}
	store_close(patient.store);
}
