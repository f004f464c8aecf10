/* SPDX-License-Identifier: Apache-2.0 */
#include "run/container.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/jsonfield.h"
#include "base/size.h"
#include "db/journal.h"
#include "db/recover_container.h"
#include "db/rows.h"
#include "db/rows_image.h"
#include "db/rows_volume.h"
#include "limits.h"
#include "oci/reference.h"
#include "run/petname.h"
#include "run/stubs.h"
#include "store.h"

#define ID_HEX	     64
#define NAME_TRIES   1000
#define SIZE_MAX_EXP 44 /* ext4 with blocks of 4096 and these features: 16 TiB */

/* 0: there is none yet. */
static int64_t find_init(struct store *store, int64_t base, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(store->db,
		       "SELECT id FROM thin WHERE kind = 'init' AND origin = ?1 AND state = 'live'",
		       &stmt, err) < 0)
		return -1;
	db_bind_int(stmt, 1, base);
	got = db_step(stmt, err);
	return got <= 0 ? got : db_int(stmt, 0);
}

struct new_volume {
	struct store *store;
	uint32_t id;
	uint64_t size_bytes; /* 0: no change */
};

static int fill_init(void *ctx, struct error *err)
{
	const struct new_volume *init = ctx;
	auto_volume struct volume *volume = NULL;
	auto_fd int mount_fd = -1;

	if (volume_activate(init->store->pool, init->id, VOLUME_READ_WRITE, &volume, err) < 0 ||
	    volume_mount(volume, VOLUME_MOUNT_WRITE, &mount_fd, err) < 0 ||
	    stubs_make_all(mount_fd, err) < 0)
		return -1;
	crash_point("container-stubs");
	/* On the device before it becomes an origin; the unmount below reports nothing. */
	return volume_freeze(volume, mount_fd, false, err) < 0 ? -1 : volume_thaw(volume, err);
}

static int make_init(struct store *store, int64_t base, int64_t *ret, struct error *err)
{
	struct new_volume init = { .store = store };
	uint64_t txid;

	{
		auto_tx struct db_tx tx = { 0 };

		if (db_begin(&tx, store->db, err) < 0 ||
		    journal_next_txid(store->db, &txid, err) < 0 ||
		    journal_intend_create(store->db, txid, "init", (uint32_t)base, 0, &init.id,
					  err) < 0 ||
		    db_commit(&tx, err) < 0)
			return -1;
	}
	if (journal_fulfil(store->db, store->pool, txid, fill_init, &init, err) < 0)
		return err_add(err, "prepare the image for containers");
	*ret = init.id;
	return 0;
}

static int make_id(char ret[ID_HEX + 1], struct error *err)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[ID_HEX / 2];

	/* Docker's rule: a short id of digits only could be taken for a number. */
	do {
		if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
			return err_sys(err, errno, "choose an id");
		for (size_t i = 0; i < sizeof(bytes); i++) {
			ret[2 * i] = digits[bytes[i] >> 4];
			ret[2 * i + 1] = digits[bytes[i] & 15];
		}
		ret[ID_HEX] = '\0';
	} while (strspn(ret, "0123456789") >= 12);
	return 0;
}

static const struct container_row *by_name(const struct container_rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->nr; i++)
		if (strcmp(rows->items[i].name, name) == 0)
			return &rows->items[i];
	return NULL;
}

/* Returns 1 when no container has this name, 0 when one has, with its id. */
static int name_is_free(struct store *store, const char *name, char **ret_id, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (db_prepare(store->db, "SELECT id FROM container WHERE name = ?1", &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, name);
	got = db_step(stmt, err);
	if (got > 0)
		*ret_id = xstrdup(db_text(stmt, 0));
	return got < 0 ? -1 : !got;
}

static int take_name(struct store *store, const char *wanted, char **ret, struct error *err)
{
	auto_free char *other = NULL;
	int is_free = name_is_free(store, wanted, &other, err);

	if (is_free < 0)
		return -1;
	if (!is_free)
		return err_set(err, ERR_EXISTS,
			       "Conflict. The container name \"/%s\" is already in use by "
			       "container \"%s\". You have to remove (or rename) that "
			       "container to be able to reuse that name.",
			       wanted, other);
	*ret = xstrdup(wanted);
	return 0;
}

static int invent_name(struct store *store, char **ret, struct error *err)
{
	uint64_t seed;

	for (unsigned i = 0; i < NAME_TRIES; i++) {
		auto_free char *other = NULL;
		auto_free char *name = NULL;
		int is_free;

		if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
			return err_sys(err, errno, "choose a name");
		name = petname_make(seed, i < 10 ? 0 : i);
		is_free = name_is_free(store, name, &other, err);
		if (is_free < 0)
			return -1;
		if (is_free) {
			*ret = take_ptr(name);
			return 0;
		}
	}
	return err_set(err, ERR_EXISTS, "no free name was found: use --name");
}

static int choose_name(struct store *store, const char *wanted, char **ret, struct error *err)
{
	return wanted ? take_name(store, wanted, ret, err) : invent_name(store, ret, err);
}

static int grow_volume(void *ctx, struct error *err)
{
	const struct new_volume *new = ctx;
	auto_volume struct volume *volume = NULL;

	if (!new->size_bytes)
		return 0;
	if (volume_activate_sized(new->store->pool, new->id, new->size_bytes, VOLUME_READ_WRITE,
				  &volume, err) < 0)
		return -1;
	return volume_grow_fs(volume, err);
}

static int put_volumes(struct store *store, const char *id, const json_t *document,
		       struct error *err)
{
	json_t *mount;
	size_t i;

	json_array_foreach(json_object_get(document, "Mounts"), i, mount)
	{
		const char *name = json_string_value(json_object_get(mount, "Name"));

		if (name && rows_container_volume(store->db, id, name,
						  json_is_true(json_object_get(mount, "Anonymous")),
						  err) < 0)
			return -1;
	}
	return 0;
}

int container_ready(struct store *store, const struct container_row *row, struct error *err)
{
	struct new_volume new = { .store = store,
				  .id = row->thin_id,
				  .size_bytes = row->size_bytes };
	int planned = journal_is_planned(store->db, row->thin_id, err);
	uint64_t txid;

	if (planned <= 0)
		return planned;
	if (volume_pool_check_reserve(store->pool, err) < 0)
		return -1;
	{
		auto_tx struct db_tx tx = { 0 };

		if (db_begin(&tx, store->db, err) < 0 ||
		    journal_next_txid(store->db, &txid, err) < 0 ||
		    journal_intend_planned(store->db, txid, row->thin_id, err) < 0 ||
		    db_commit(&tx, err) < 0)
			return -1;
	}
	if (journal_fulfil(store->db, store->pool, txid, grow_volume, &new, err) < 0)
		return err_add(err, "container %s", row->name);
	crash_point("container-made");
	return 0;
}

/*
 * The size for a container that wants its own, 0 for the usual one. Nothing of the pool is changed,
 * so a look is enough, without the lock; but where it does not run it is started.
 */
static int choose_size(struct store *store, uint64_t wanted_bytes, uint64_t *ret, struct error *err)
{
	auto_volume_pool struct volume_pool *look = NULL;
	struct volume_pool *pool = store->pool;
	struct volume_pool_info info;

	*ret = 0;
	if (!wanted_bytes)
		return 0;
	if (!pool && volume_pool_look(store->root.path, &look, err) == 0)
		pool = look;
	else if (!pool && (err->kind != ERR_NOT_FOUND || store_pool(store, &pool, err) < 0))
		return -1;
	if (volume_pool_info(pool, &info, err) < 0)
		return -1;
	if (wanted_bytes < info.volume_bytes)
		return err_set(err, ERR_USAGE, "Container size cannot be smaller than %llu bytes",
			       (unsigned long long)info.volume_bytes);
	if (wanted_bytes > UINT64_C(1) << SIZE_MAX_EXP)
		return err_set(err, ERR_USAGE, "Container size cannot be larger than 16 TiB");
	wanted_bytes = size_round_up(wanted_bytes, info.block_bytes);
	*ret = wanted_bytes == info.volume_bytes ? 0 : wanted_bytes;
	return 0;
}

static int read_config(struct store *store, const struct image *image, struct image_config *ret,
		       struct error *err)
{
	auto_buf struct buf text = { 0 };

	if (image_read_config(store, image, &text, err) < 0)
		return -1;
	return image_config_parse(text.data, text.len, ret, err);
}

static int find_again(struct store *store, const struct container_row *row, struct image *ret,
		      struct error *err)
{
	if (image_find(store, row->image_name, ret, NULL, err) < 0)
		return -1;
	if (digest_equal(&ret->id, &row->image))
		return 0;
	return err_set(err, ERR_IN_USE, "image %s was replaced just now: try again",
		       row->image_name);
}

/* Under the lock: the init volume of an image that has none. */
static int make_first(struct store *store, const struct container_row *row, struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_image struct image image = { 0 };
	int64_t base, init;

	if (store_lock_pool(store, &held, err) < 0 || find_again(store, row, &image, err) < 0)
		return -1;
	base = image_thin(store, &image, err);
	init = base < 0 ? -1 : find_init(store, base, err);
	if (init < 0)
		return -1;
	if (init)
		return 0;
	return volume_pool_check_reserve(store->pool, err) < 0 ? -1
							       : make_init(store, base, &init, err);
}

/*
 * In one transaction of the catalogue, which keeps the image and its init volume from going away.
 * Returns 1, 0 when there is no init volume yet, or -1.
 */
static int record(struct store *store, struct container_row *row, const char *name,
		  const json_t *document, struct error *err)
{
	auto_tx struct db_tx tx = { 0 };
	auto_image struct image image = { 0 };
	int64_t base, init;

	if (db_begin_unsynced(&tx, store->db, err) < 0 || find_again(store, row, &image, err) < 0)
		return -1;
	base = image_thin(store, &image, err);
	init = base < 0 ? -1 : find_init(store, base, err);
	if (init <= 0)
		return (int)init;
	row->init_id = (uint32_t)init;
	free(row->name);
	row->name = NULL;
	if (choose_name(store, name, &row->name, err) < 0 ||
	    journal_plan(store->db, row->init_id, &row->thin_id, err) < 0 ||
	    rows_container_put(store->db, row, err) < 0 ||
	    rows_image_used(store->db, &image.id, image.used_ns, err) < 0 ||
	    put_volumes(store, row->id, document, err) < 0 || db_commit(&tx, err) < 0)
		return -1;
	crash_point("container-recorded");
	return 1;
}

static bool has_ended(const struct container_rows *rows)
{
	for (size_t i = 0; i < rows->nr; i++)
		if (rows->items[i].state == CONTAINER_STARTING ||
		    (rows->items[i].state == CONTAINER_RUNNING &&
		     !procmark_is_alive(&rows->items[i].process)))
			return true;
	return false;
}

int container_list(struct store *store, struct container_rows *ret, struct error *err)
{
	auto_root_lock struct root *held = NULL;

	if (rows_container_list(store->db, ret, err) < 0)
		return -1;
	if (!has_ended(ret))
		return 0;
	container_rows_done(ret);
	if (store_lock_pool(store, &held, err) < 0)
		return -1;
	return rows_container_list(store->db, ret, err);
}

/* Those that have ended are noticed, and go if they are to. */
static int notice_ended(struct store *store, struct error *err)
{
	auto_container_rows struct container_rows rows = { 0 };

	return container_list(store, &rows, err);
}

static int record_with_init(struct store *store, struct container_row *row, const char *name,
			    const json_t *document, struct error *err)
{
	bool noticed = false;
	int done;

	while ((done = record(store, row, name, document, err)) <= 0) {
		/* It can be gone again only if the image is removed just now. */
		if (done == 0 && make_first(store, row, err) < 0)
			return -1;
		/* Who has the name may go now that it has ended. */
		if (done < 0 &&
		    (noticed || err->kind != ERR_EXISTS || notice_ended(store, err) < 0))
			return -1;
		noticed = noticed || done < 0;
	}
	/* Outside of the transaction, so that others need not wait for our disk. */
	return db_sync(store->db, err);
}

/* Whoever names a block volume does not mean a new folder of that name. */
static int refuse_block_volumes(struct store *store, const json_t *document, struct error *err)
{
	json_t *mount;
	size_t i;

	json_array_foreach(json_object_get(document, "Mounts"), i, mount)
	{
		const char *name = json_string_value(json_object_get(mount, "Name"));
		auto_volume_row struct volume_row row = { 0 };
		int found = name ? rows_volume_get(store->db, name, &row, err) : 0;

		if (found < 0)
			return -1;
		if (found)
			return err_set(err, ERR_USAGE,
				       "volume %s is a disk: mount it with 'veneer volume mount %s "
				       "DIR', and give the container that folder",
				       name, name);
	}
	return 0;
}

int container_create(struct store *store, const struct run_options *options, const char *name,
		     uint64_t size_bytes, char **ret_id, struct error *err)
{
	auto_image struct image image = { 0 };
	auto_image_config struct image_config config = { 0 };
	auto_container_row struct container_row row = { 0 };
	json_auto_t *document = NULL;
	char id[ID_HEX + 1];

	if ((name && petname_check(name, err) < 0) || make_id(id, err) < 0 ||
	    image_find(store, options->image_name, &image, NULL, err) < 0 ||
	    read_config(store, &image, &config, err) < 0 ||
	    document_new(options, &config, &image.id, id, &document, err) < 0 ||
	    refuse_block_volumes(store, document, err) < 0)
		return -1;
	row.id = xstrdup(id);
	row.image = image.id;
	row.image_name = xstrdup(options->image_name);
	row.document = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
	row.created_ns = rows_now_ns();
	row.auto_remove = options->auto_remove;
	if (choose_size(store, size_bytes, &row.size_bytes, err) < 0 ||
	    record_with_init(store, &row, name, document, err) < 0)
		return -1;
	*ret_id = xstrdup(id);
	return 0;
}

const struct container_row *container_pick(const struct container_rows *rows, const char *operand,
					   struct error *err)
{
	const char *name = *operand == '/' ? operand + 1 : operand;
	const struct container_row *found = NULL;
	size_t len = strlen(operand);

	for (size_t i = 0; i < rows->nr; i++)
		if (strcmp(rows->items[i].id, operand) == 0)
			return &rows->items[i];
	found = by_name(rows, name);
	if (found)
		return found;
	for (size_t i = 0; len && i < rows->nr; i++) {
		if (strncmp(rows->items[i].id, operand, len) != 0)
			continue;
		if (found) {
			err_set(err, ERR_USAGE, "Multiple IDs found with provided prefix: %s",
				operand);
			return NULL;
		}
		found = &rows->items[i];
	}
	if (!found)
		err_set(err, ERR_NOT_FOUND, "No such container: %s", operand);
	return found;
}

static void copy_row(const struct container_row *from, struct container_row *ret)
{
	*ret = *from;
	ret->id = xstrdup(from->id);
	ret->name = xstrdup(from->name);
	ret->image_name = xstrdup(from->image_name);
	ret->document = xstrdup(from->document);
	ret->problem = xstrdup(from->problem ? from->problem : "");
}

int container_find(struct store *store, const char *operand, struct container_row *ret,
		   struct error *err)
{
	auto_container_rows struct container_rows rows = { 0 };
	const struct container_row *found;

	if (container_list(store, &rows, err) < 0)
		return -1;
	found = container_pick(&rows, operand, err);
	if (!found)
		return -1;
	copy_row(found, ret);
	return 0;
}

static int kill_it(struct store *store, struct container_row *row, struct error *err)
{
	if (recover_stop_container(store->pool, row, err) < 0)
		return -1;
	/* Whatever happens now, it is over. */
	row->state = CONTAINER_EXITED;
	row->exit_code = 137;
	row->finished_ns = rows_now_ns();
	row->process = (struct procmark){ 0 };
	return rows_container_set(store->db, row, err);
}

int container_remove(struct store *store, const char *operand, bool force, bool volumes,
		     struct error *err)
{
	auto_root_lock struct root *held = NULL;
	auto_container_rows struct container_rows rows = { 0 };
	auto_container_row struct container_row row = { 0 };
	const struct container_row *found;

	/* Looking first costs nothing. */
	if (container_find(store, operand, &row, err) < 0 ||
	    store_lock_pool(store, &held, err) < 0 ||
	    rows_container_list(store->db, &rows, err) < 0)
		return -1;
	container_row_done(&row);
	found = container_pick(&rows, operand, err);
	if (!found)
		return -1;
	copy_row(found, &row);
	if (row.state == CONTAINER_STARTING)
		return err_set(err, ERR_IN_USE,
			       "cannot remove container \"%s\": it is being started", row.name);
	if (row.state == CONTAINER_RUNNING && !force)
		return err_set(err, ERR_IN_USE,
			       "cannot remove container \"%s\": container is running: stop the "
			       "container before removing or force remove",
			       row.name);
	if (row.state == CONTAINER_RUNNING && kill_it(store, &row, err) < 0)
		return err_add(err, "cannot remove container \"%s\"", row.name);
	return recover_forget_container(&store->root, store->db, store->pool, &row, volumes, err);
}

int container_document(const struct container_row *row, json_t **ret, struct error *err)
{
	if (jsonfield_load(row->document, strlen(row->document), LIMIT_JSON_BYTES, ret, err) < 0)
		return err_add(err, "container %s", row->name);
	return 0;
}

int container_own_bytes(struct store *store, const struct container_row *row, int64_t *ret,
			struct error *err)
{
	int planned = journal_is_planned(store->db, row->thin_id, err);
	struct volume_pool *pool;
	struct volume_delta delta;

	*ret = 0;
	if (planned)
		return planned < 0 ? -1 : 0;
	if (store_existing_pool(store, &pool, err) < 0 ||
	    volume_delta(pool, row->init_id, row->thin_id, &delta, err) < 0)
		return -1;
	*ret = (int64_t)delta.own_bytes;
	return 0;
}

const char *container_state_name(const struct container_row *row)
{
	switch (row->state) {
	case CONTAINER_RUNNING:
		return "running";
	case CONTAINER_EXITED:
		return "exited";
	default:
		return "created";
	}
}
