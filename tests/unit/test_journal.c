/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool is a fake behind the linker's --wrap: a set of ids and a transaction
 * id. What a kill leaves is made by stopping the journal's steps half way.
 */
#include "db/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "db/rows.h"
#include "db/rows_container.h"
#include "unit.h"

#define NR_IDS 32

static struct {
	bool there[NR_IDS];
	bool busy[NR_IDS];
	uint64_t txid;
	int fail_after; /* messages until one fails; -1: never */
} fake;

/* The journal only passes it on. */
static struct volume_pool *const pool = (struct volume_pool *)&fake;

int __wrap_volume_create(struct volume_pool *p, uint32_t id, struct error *err);
int __wrap_volume_snapshot(struct volume_pool *p, uint32_t id, uint32_t origin, struct error *err);
int __wrap_volume_delete(struct volume_pool *p, uint32_t id, uint32_t origin, struct error *err);
int __wrap_volume_pool_advance(struct volume_pool *p, uint64_t old_id, uint64_t new_id,
			       struct error *err);
int __wrap_volume_pool_info(struct volume_pool *p, struct volume_pool_info *ret, struct error *err);

int __wrap_volume_create(struct volume_pool *p, uint32_t id, struct error *err)
{
	(void)p;
	if (fake.fail_after >= 0 && fake.fail_after-- == 0)
		return err_set(err, ERR_NO_SPACE, "fake pool is full");
	if (fake.there[id])
		return err_set(err, ERR_EXISTS, "thin id %u", id);
	fake.there[id] = true;
	return 0;
}

int __wrap_volume_snapshot(struct volume_pool *p, uint32_t id, uint32_t origin, struct error *err)
{
	if (!fake.there[origin])
		return err_set(err, ERR_NOT_FOUND, "thin id %u", origin);
	return __wrap_volume_create(p, id, err);
}

int __wrap_volume_delete(struct volume_pool *p, uint32_t id, uint32_t origin, struct error *err)
{
	(void)p;
	(void)origin;
	if (!fake.there[id])
		return err_set(err, ERR_NOT_FOUND, "thin id %u", id);
	if (fake.busy[id])
		return err_set(err, ERR_IN_USE, "thin id %u", id);
	fake.there[id] = false;
	return 0;
}

int __wrap_volume_pool_advance(struct volume_pool *p, uint64_t old_id, uint64_t new_id,
			       struct error *err)
{
	(void)p;
	if (fake.txid != old_id)
		return err_set(err, ERR_CORRUPT, "fake pool is elsewhere");
	fake.txid = new_id;
	return 0;
}

int __wrap_volume_pool_info(struct volume_pool *p, struct volume_pool_info *ret, struct error *err)
{
	(void)p;
	(void)err;
	*ret = (struct volume_pool_info){ .transaction_id = fake.txid };
	return 0;
}

static char folder[64];
static struct db *db;

/* How often the disk was waited for. */
static int nr_syncs;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	nr_syncs++;
	return __real_fdatasync(fd);
}

static void set_up(void)
{
	char path[128];
	struct error err;

	memset(&fake, 0, sizeof(fake));
	fake.fail_after = -1;
	snprintf(folder, sizeof(folder), "/tmp/veneer-unit-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/catalogue.db", folder);
	CU_ASSERT_EQUAL_FATAL(0, db_open(path, &db, &err));
}

static void tear_down(void)
{
	static const char *const names[] = { "catalogue.db", "catalogue.db-wal",
					     "catalogue.db-shm" };
	char path[128];

	db_close(db);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

static int64_t query(const char *sql)
{
	auto_stmt struct db_stmt *stmt = NULL;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, db_prepare(db, sql, &stmt, &err));
	CU_ASSERT_TRUE_FATAL(db_step(stmt, &err) >= 0);
	return db_int(stmt, 0);
}

/* Step 1 for one creation; the id is returned, the txid too. */
static uint32_t intend(const char *kind, uint32_t origin, uint64_t *txid)
{
	auto_tx struct db_tx tx = { 0 };
	struct error err;
	uint32_t id;

	CU_ASSERT_EQUAL_FATAL(0, db_begin(&tx, db, &err));
	CU_ASSERT_EQUAL_FATAL(0, journal_next_txid(db, txid, &err));
	CU_ASSERT_EQUAL_FATAL(0, journal_intend_create(db, *txid, kind, origin, 0, &id, &err));
	CU_ASSERT_EQUAL_FATAL(0, db_commit(&tx, &err));
	return id;
}

static uint32_t make(const char *kind, uint32_t origin)
{
	struct error err;
	uint64_t txid;
	uint32_t id = intend(kind, origin, &txid);

	CU_ASSERT_EQUAL_FATAL(0, journal_fulfil(db, pool, txid, NULL, NULL, &err));
	return id;
}

static void intend_delete(uint32_t id, uint64_t *txid)
{
	auto_tx struct db_tx tx = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, db_begin(&tx, db, &err));
	CU_ASSERT_EQUAL_FATAL(0, journal_next_txid(db, txid, &err));
	CU_ASSERT_EQUAL_FATAL(0, journal_intend_delete(db, *txid, id, &err));
	CU_ASSERT_EQUAL_FATAL(0, db_commit(&tx, &err));
}

static void test_a_change_goes_through(void)
{
	set_up();
	CU_ASSERT_EQUAL(1, make("template", JOURNAL_NO_ORIGIN));
	CU_ASSERT_EQUAL(2, make("work", 1));
	CU_ASSERT_TRUE(fake.there[1] && fake.there[2]);
	CU_ASSERT_EQUAL(fake.txid, 2);
	CU_ASSERT_EQUAL(query("SELECT value FROM meta WHERE key = 'pool_txid'"), 2);
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin WHERE state = 'live'"), 2);
	tear_down();
}

/* The fourth step can be lost: what the pool says brings it back. */
static void test_a_change_waits_for_the_disk_once(void)
{
	set_up();
	make("template", JOURNAL_NO_ORIGIN);
	nr_syncs = 0;
	make("work", 1);
	CU_ASSERT_EQUAL(nr_syncs, 1);
	CU_ASSERT_EQUAL(query("PRAGMA synchronous"), 2);
	tear_down();
}

static void test_the_log_outlives_the_last_process(void)
{
	struct stat log;
	char path[128];
	struct error err;

	set_up();
	make("template", JOURNAL_NO_ORIGIN);
	nr_syncs = 0;
	db_close(db);
	CU_ASSERT_EQUAL(nr_syncs, 0);
	snprintf(path, sizeof(path), "%s/catalogue.db-wal", folder);
	CU_ASSERT_EQUAL(0, stat(path, &log));
	CU_ASSERT_TRUE(log.st_size > 4096);
	snprintf(path, sizeof(path), "%s/catalogue.db", folder);
	CU_ASSERT_EQUAL_FATAL(0, db_open(path, &db, &err));
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin WHERE state = 'live'"), 1);
	tear_down();
}

/* Neither a long life makes it long, nor do many short ones. */
static void test_the_log_stays_short(void)
{
	char name[128], log_name[128];
	struct error err;
	struct stat log;

	set_up();
	snprintf(name, sizeof(name), "%s/catalogue.db", folder);
	snprintf(log_name, sizeof(log_name), "%s/catalogue.db-wal", folder);
	make("template", JOURNAL_NO_ORIGIN);
	for (uint32_t i = 2; i < NR_IDS; i++)
		make("work", 1);
	CU_ASSERT_EQUAL(0, stat(log_name, &log));
	CU_ASSERT_TRUE(log.st_size < 96 * 4096);
	for (int i = 0; i < 100; i++) {
		auto_tx struct db_tx tx = { 0 };
		uint32_t id;

		db_close(db);
		CU_ASSERT_EQUAL_FATAL(0, db_open(name, &db, &err));
		/* One commit: a second would notice what the first has copied. */
		CU_ASSERT_EQUAL_FATAL(0, db_begin(&tx, db, &err));
		CU_ASSERT_EQUAL_FATAL(0, journal_plan(db, 1, &id, &err));
		CU_ASSERT_EQUAL_FATAL(0, db_commit(&tx, &err));
	}
	CU_ASSERT_EQUAL(0, stat(log_name, &log));
	CU_ASSERT_TRUE(log.st_size < 96 * 4096);
	tear_down();
}

/* A container with a planned id, as `create` leaves it. */
static uint32_t plan(uint32_t origin)
{
	struct container_row row = {
		.id = (char *)"c0ffee",
		.name = (char *)"one",
		.image_name = (char *)"image",
		.document = (char *)"{}",
		.init_id = origin,
	};
	auto_tx struct db_tx tx = { 0 };
	struct error err;

	digest_of("", 0, &row.image);
	CU_ASSERT_EQUAL_FATAL(0, db_begin_unsynced(&tx, db, &err));
	CU_ASSERT_EQUAL_FATAL(0, journal_plan(db, origin, &row.thin_id, &err));
	CU_ASSERT_EQUAL_FATAL(0, rows_container_put(db, &row, &err));
	CU_ASSERT_EQUAL_FATAL(0, db_commit(&tx, &err));
	return row.thin_id;
}

static uint64_t intend_planned(uint32_t id)
{
	auto_tx struct db_tx tx = { 0 };
	struct error err;
	uint64_t txid;

	CU_ASSERT_EQUAL_FATAL(0, db_begin(&tx, db, &err));
	CU_ASSERT_EQUAL_FATAL(0, journal_next_txid(db, &txid, &err));
	CU_ASSERT_EQUAL_FATAL(0, journal_intend_planned(db, txid, id, &err));
	CU_ASSERT_EQUAL_FATAL(0, db_commit(&tx, &err));
	return txid;
}

static int64_t nr_containers(void)
{
	auto_container_rows struct container_rows rows = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, rows_container_list(db, &rows, &err));
	return (int64_t)rows.nr;
}

static void test_a_planned_volume_is_made_when_it_is_meant(void)
{
	struct error err;
	uint64_t txid;
	uint32_t id;

	set_up();
	make("init", JOURNAL_NO_ORIGIN);
	nr_syncs = 0;
	id = plan(1);
	CU_ASSERT_EQUAL(nr_syncs, 0);
	CU_ASSERT_EQUAL(0, db_sync(db, &err));
	CU_ASSERT_EQUAL(nr_syncs, 1);
	CU_ASSERT_EQUAL(1, journal_is_planned(db, id, &err));
	CU_ASSERT_EQUAL(0, journal_recover(db, pool, &err));
	make("work", 1);
	CU_ASSERT_FALSE(fake.there[id]);
	CU_ASSERT_EQUAL(nr_containers(), 1);
	txid = intend_planned(id);
	CU_ASSERT_EQUAL(nr_containers(), 1);
	CU_ASSERT_EQUAL(0, journal_fulfil(db, pool, txid, NULL, NULL, &err));
	CU_ASSERT_TRUE(fake.there[id]);
	CU_ASSERT_EQUAL(0, journal_is_planned(db, id, &err));
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin WHERE state = 'live'"), 3);
	tear_down();
}

static void test_what_was_not_made_is_planned_again(void)
{
	struct error err;
	uint64_t txid;
	uint32_t id;

	set_up();
	make("init", JOURNAL_NO_ORIGIN);
	id = plan(1);
	/* The pool says no; then a kill before the pool advanced; then after. */
	txid = intend_planned(id);
	fake.fail_after = 0;
	CU_ASSERT_EQUAL(-1, journal_fulfil(db, pool, txid, NULL, NULL, &err));
	fake.fail_after = -1;
	CU_ASSERT_EQUAL(1, journal_is_planned(db, id, &err));
	intend_planned(id);
	fake.there[id] = true;
	CU_ASSERT_EQUAL(0, journal_recover(db, pool, &err));
	CU_ASSERT_FALSE(fake.there[id]);
	CU_ASSERT_EQUAL(1, journal_is_planned(db, id, &err));
	CU_ASSERT_EQUAL(nr_containers(), 1);
	fake.txid = intend_planned(id);
	fake.there[id] = true;
	CU_ASSERT_EQUAL(0, journal_recover(db, pool, &err));
	CU_ASSERT_EQUAL(0, journal_is_planned(db, id, &err));
	CU_ASSERT_EQUAL(nr_containers(), 1);
	tear_down();
}

static void test_a_container_outlives_what_cannot_be_undone(void)
{
	struct error err;
	uint32_t id;

	set_up();
	make("init", JOURNAL_NO_ORIGIN);
	id = plan(1);
	intend_planned(id);
	fake.there[id] = true;
	fake.busy[id] = true;
	CU_ASSERT_EQUAL(0, journal_recover(db, pool, &err));
	CU_ASSERT_EQUAL(nr_containers(), 1);
	CU_ASSERT_EQUAL(query("SELECT thin_id FROM container"), id + 1);
	CU_ASSERT_EQUAL(query("SELECT origin FROM thin WHERE state = 'planned'"), 1);
	fake.busy[id] = false;
	CU_ASSERT_EQUAL(0, journal_recover(db, pool, &err));
	CU_ASSERT_FALSE(fake.there[id]);
	CU_ASSERT_EQUAL(nr_containers(), 1);
	tear_down();
}

static void test_what_was_planned_goes_without_the_pool(void)
{
	struct error err;
	uint64_t txid;
	uint32_t id;

	set_up();
	make("init", JOURNAL_NO_ORIGIN);
	id = plan(1);
	intend_delete(id, &txid);
	CU_ASSERT_EQUAL(0, journal_fulfil(db, pool, txid, NULL, NULL, &err));
	CU_ASSERT_EQUAL(fake.txid, 1);
	CU_ASSERT_EQUAL(nr_containers(), 0);
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin"), 1);
	make("work", 1);
	CU_ASSERT_EQUAL(fake.txid, 2);
	tear_down();
}

static void test_killed_before_the_messages(void)
{
	struct error err;
	uint64_t txid;

	set_up();
	make("template", JOURNAL_NO_ORIGIN);
	intend("work", 1, &txid);
	CU_ASSERT_EQUAL(0, journal_recover(db, pool, &err));
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin"), 1);
	CU_ASSERT_EQUAL(fake.txid, 1);
	tear_down();
}

static void test_killed_between_message_and_advance(void)
{
	struct error err;
	uint64_t txid;
	uint32_t id;

	set_up();
	make("template", JOURNAL_NO_ORIGIN);
	id = intend("work", 1, &txid);
	fake.there[id] = true; /* the message had gone out */
	CU_ASSERT_EQUAL(0, journal_recover(db, pool, &err));
	CU_ASSERT_FALSE(fake.there[id]);
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin"), 1);
	/* The id is not given again. */
	CU_ASSERT_EQUAL(make("work", 1), id + 1);
	tear_down();
}

static void test_killed_after_the_advance(void)
{
	struct error err;
	uint64_t txid;
	uint32_t id;

	set_up();
	make("template", JOURNAL_NO_ORIGIN);
	id = intend("work", 1, &txid);
	fake.there[id] = true;
	fake.txid = txid;
	CU_ASSERT_EQUAL(0, journal_recover(db, pool, &err));
	CU_ASSERT_TRUE(fake.there[id]);
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin WHERE state = 'live'"), 2);
	CU_ASSERT_EQUAL(query("SELECT value FROM meta WHERE key = 'pool_txid'"), (int64_t)txid);
	tear_down();
}

static void test_a_deletion_is_redone(void)
{
	struct error err;
	uint64_t txid;
	uint32_t id;

	set_up();
	make("template", JOURNAL_NO_ORIGIN);
	id = make("work", 1);
	intend_delete(id, &txid);
	CU_ASSERT_EQUAL(0, journal_recover(db, pool, &err));
	CU_ASSERT_FALSE(fake.there[id]);
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin"), 1);
	tear_down();
}

static void test_what_is_held_open_waits(void)
{
	struct error err;
	uint64_t txid;
	uint32_t id;

	set_up();
	make("template", JOURNAL_NO_ORIGIN);
	id = make("work", 1);
	fake.busy[id] = true;
	intend_delete(id, &txid);
	CU_ASSERT_EQUAL(0, journal_fulfil(db, pool, txid, NULL, NULL, &err));
	CU_ASSERT_EQUAL(fake.txid, txid);
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin WHERE state = 'deleting'"), 1);
	fake.busy[id] = false;
	CU_ASSERT_EQUAL(0, journal_recover(db, pool, &err));
	CU_ASSERT_FALSE(fake.there[id]);
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin"), 1);
	tear_down();
}

static void test_a_failure_takes_everything_back(void)
{
	struct error err;
	uint64_t txid;
	uint32_t id;

	set_up();
	make("template", JOURNAL_NO_ORIGIN);
	id = intend("work", 1, &txid);
	fake.fail_after = 0;
	CU_ASSERT_EQUAL(-1, journal_fulfil(db, pool, txid, NULL, NULL, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_NO_SPACE);
	CU_ASSERT_FALSE(fake.there[id]);
	CU_ASSERT_EQUAL(fake.txid, 1);
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin"), 1);
	tear_down();
}

static void test_a_pool_from_elsewhere_is_refused(void)
{
	struct error err;

	set_up();
	make("template", JOURNAL_NO_ORIGIN);
	fake.txid = 7;
	CU_ASSERT_EQUAL(-1, journal_recover(db, pool, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "veneer check"));
	CU_ASSERT_EQUAL(query("SELECT count(*) FROM thin"), 1);
	tear_down();
}

UNIT_SUITE(journal, { "a change goes through all four steps", test_a_change_goes_through },
	   { "a change waits for the disk once", test_a_change_waits_for_the_disk_once },
	   { "the log outlives the last process", test_the_log_outlives_the_last_process },
	   { "the log stays short", test_the_log_stays_short },
	   { "a planned volume is made when it is meant",
	     test_a_planned_volume_is_made_when_it_is_meant },
	   { "what was not made is planned again", test_what_was_not_made_is_planned_again },
	   { "a container outlives what cannot be undone",
	     test_a_container_outlives_what_cannot_be_undone },
	   { "what was planned goes without the pool",
	     test_what_was_planned_goes_without_the_pool },
	   { "killed before the messages: as if nothing was", test_killed_before_the_messages },
	   { "killed before the pool advanced: undone", test_killed_between_message_and_advance },
	   { "killed after the pool advanced: done", test_killed_after_the_advance },
	   { "an interrupted deletion is redone", test_a_deletion_is_redone },
	   { "what is held open is deleted later", test_what_is_held_open_waits },
	   { "a failed message takes everything back", test_a_failure_takes_everything_back },
	   { "a pool at another transaction is refused", test_a_pool_from_elsewhere_is_refused });
