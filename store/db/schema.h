/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema - the catalogue's tables, as a list of migrations
 *
 * Version N of the catalogue has had the first N migrations applied; the
 * number stands in SQLite's user_version.
 */
#ifndef DB_SCHEMA_H
#define DB_SCHEMA_H

/* NULL terminated; each is one script for sqlite3_exec(). */
extern const char *const schema_migrations[];

#endif
