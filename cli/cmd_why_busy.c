/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/shellword.h"
#include "blocktarget.h"
#include "cli.h"
#include "cmd.h"
#include "db/rows_container.h"
#include "fs/holders.h"
#include "image/explain.h"
#include "image/image.h"
#include "image/view.h"
#include "listing.h"
#include "run/container.h"
#include "store.h"

struct busy_opts {
	const char *format;
};

/* One question on its way. */
struct busy {
	struct store *store;
	const char *store_id; /* NULL: no pool */
	struct need_list needs;
};

static void busy_done(struct busy *busy)
{
	need_list_done(&busy->needs);
}
#define auto_busy __attribute__((cleanup(busy_done)))

static const struct listing_kind busy_listing = {
	.type =
		&(const struct gotmpl_type){
			.kind = GOTMPL_STRUCT,
			.name = "*busy.holderContext",
			.fields =
				(const struct gotmpl_field[]){
					{ "Kind", &gotmpl_string },
					{ "Release", &gotmpl_string },
					{ "What", &gotmpl_string },
					{ 0 },
				},
			.is_row = true,
		},
	.headers =
		(const struct listing_header[]){
			{ "Kind", "HELD BY" },
			{ "Release", "RELEASED BY" },
			{ "What", "WHAT" },
			{ 0 },
		},
	.table = "{{.Kind}}\t{{.What}}\t{{.Release}}",
};

static bool is_known_mount(const struct busy *busy, const char *point)
{
	for (size_t i = 0; i < busy->needs.nr; i++)
		if (strcmp(busy->needs.items[i].kind, "mount") == 0 &&
		    strcmp(busy->needs.items[i].what, point) == 0)
			return true;
	return false;
}

static void add_mount(struct busy *busy, const struct holder *holder)
{
	auto_free char *word = shellword(holder->what);
	char *release;

	if (is_known_mount(busy, holder->what))
		return;
	release = holder->elsewhere
			  ? xasprintf("nsenter -t %d -m umount %s", (int)holder->pid, word)
			  : xasprintf("umount %s", word);
	need_list_add(&busy->needs, "mount", xstrdup(holder->what), release);
}

static void add_device(struct busy *busy, const struct holder *holder)
{
	bool loop = strncmp(holder->what, "loop", 4) == 0;

	need_list_add(
		&busy->needs, "device", xasprintf("/dev/%s", holder->what),
		xasprintf(loop ? "losetup -d /dev/%s" : "dmsetup remove /dev/%s", holder->what));
}

/*
 * What the kernel and other programs have of a device. The processes of a running container
 * and their mounts go when it is stopped.
 * @view: its mount point, which is no holder of itself; or NULL
 */
static void add_holders(struct busy *busy, dev_t device, bool running, const char *view)
{
	auto_holder_list struct holder_list holders = { 0 };

	holders_find(device, &holders);
	for (size_t i = 0; i < holders.nr; i++) {
		const struct holder *holder = &holders.items[i];

		if (holder->kind == HOLDER_DEVICE)
			add_device(busy, holder);
		else if (holder->kind == HOLDER_MOUNT && !(running && holder->elsewhere) &&
			 !(view && !holder->elsewhere && strcmp(view, holder->what) == 0))
			add_mount(busy, holder);
		else if (holder->kind == HOLDER_PROCESS && !(running && !holder->opened))
			need_list_add(&busy->needs, "process",
				      xasprintf("%d %s", (int)holder->pid, holder->what),
				      xasprintf("kill %d", (int)holder->pid));
	}
	if (holders.nr_unseen)
		fprintf(stderr, "%zu processes could not be looked at: only root may\n",
			holders.nr_unseen);
}

static int add_thin_holders(struct busy *busy, uint32_t id, bool running, const char *view,
			    struct error *err)
{
	auto_free char *operand = xasprintf("%" PRIu32, id);
	struct blocktarget target;

	if (!busy->store_id)
		return 0;
	if (blocktarget_find(operand, busy->store_id, &target, err) < 0)
		return -1;
	if (target.has_device)
		add_holders(busy, target.device, running, view);
	return 0;
}

static int busy_container(struct busy *busy, const struct container_row *row, struct error *err)
{
	bool running = row->state == CONTAINER_STARTING || row->state == CONTAINER_RUNNING;

	if (running)
		need_list_add(&busy->needs, "running container", xstrdup(row->name),
			      xasprintf("veneer stop %s", row->name));
	return add_thin_holders(busy, row->thin_id, running, NULL, err);
}

/* Each returns 1 when the name is one of these, 0, or -1. */
static int try_container(struct busy *busy, const char *name, struct error *err)
{
	auto_container_rows struct container_rows rows = { 0 };
	const struct container_row *row;
	struct error why;

	if (rows_container_list(busy->store->db, &rows, err) < 0)
		return -1;
	row = container_pick(&rows, name, &why);
	if (!row)
		return 0;
	return busy_container(busy, row, err) < 0 ? -1 : 1;
}

static int try_image(struct busy *busy, const char *name, struct error *err)
{
	auto_image struct image image = { 0 };
	struct error why;
	int64_t thin;

	if (image_find(busy->store, name, &image, NULL, &why) < 0) {
		if (why.kind == ERR_NOT_FOUND || why.kind == ERR_USAGE)
			return 0;
		*err = why;
		return -1;
	}
	if (explain_image_needs(busy->store, &image.id, &busy->needs, err) < 0)
		return -1;
	if (!digest_is_set(&image.top))
		return 1;
	thin = image_thin(busy->store, &image, err);
	return thin < 0 || add_thin_holders(busy, (uint32_t)thin, true, NULL, err) < 0 ? -1 : 1;
}

static int try_view(struct busy *busy, const char *name, struct error *err)
{
	auto_stmt struct db_stmt *stmt = NULL;
	int got;

	if (strncmp(name, DEVLINK_DIR "/", strlen(DEVLINK_DIR "/")) == 0)
		name += strlen(DEVLINK_DIR "/");
	if (db_prepare(
		    busy->store->db,
		    "SELECT thin_id, kind = 'mount', target FROM view WHERE target = ?1"
		    " UNION ALL SELECT thin_id, 0, '' FROM volume WHERE name = ?1 OR target = ?1",
		    &stmt, err) < 0)
		return -1;
	db_bind_text(stmt, 1, name);
	got = db_step(stmt, err);
	if (got <= 0)
		return got;
	return add_thin_holders(busy, (uint32_t)db_int(stmt, 0), false,
				db_int(stmt, 1) ? db_text(stmt, 2) : NULL, err) < 0
		       ? -1
		       : 1;
}

static int busy_layer(struct busy *busy, const struct digest *chain_id, uint32_t thin_id,
		      struct error *err)
{
	if (explain_layer_needs(busy->store, chain_id, &busy->needs, err) < 0)
		return -1;
	return add_thin_holders(busy, thin_id, false, NULL, err);
}

static int try_layer(struct busy *busy, const char *name, struct error *err)
{
	struct digest chain_id;
	uint32_t thin_id;
	int got = explain_find_layer(busy->store, name, &chain_id, &thin_id, err);

	return got > 0 && busy_layer(busy, &chain_id, thin_id, err) < 0 ? -1 : got;
}

static int busy_thin(struct busy *busy, uint32_t id, struct error *err)
{
	auto_explanation struct explanation what = { 0 };

	if (explain_thin(busy->store, id, &what, err) < 0)
		return -1;
	if (what.container)
		return try_container(busy, what.container, err) < 0 ? -1 : 0;
	if (strcmp(what.kind, "layer") == 0)
		return busy_layer(busy, &what.chain_id, id, err);
	for (size_t i = 0; i < what.containers.nr; i++)
		need_list_add(&busy->needs, "container", xstrdup(what.containers.items[i]),
			      xasprintf("veneer rm %s", what.containers.items[i]));
	for (size_t i = 0; i < what.views.nr; i++) {
		const char *view = what.views.items[i];
		auto_free char *word = shellword(view);
		bool attached = strncmp(view, DEVLINK_DIR "/", strlen(DEVLINK_DIR "/")) == 0;

		need_list_add(&busy->needs, attached ? "attachment" : "mount", xstrdup(view),
			      xasprintf("veneer %s %s", attached ? "detach" : "unmount", word));
	}
	if (what.session)
		need_list_add(&busy->needs, "running command", xstrdup(what.session),
			      xstrdup("wait until it ends"));
	return add_thin_holders(busy, id, false, NULL, err);
}

static int busy_device(struct busy *busy, const char *name, struct error *err)
{
	struct blocktarget target;

	if (blocktarget_find(name, busy->store_id, &target, err) < 0)
		return -1;
	if (target.name.kind == DEVNAME_VOLUME)
		return busy_thin(busy, target.name.thin_id, err);
	add_holders(busy, target.device, false, NULL);
	return 0;
}

static int ask(struct busy *busy, const char *name, struct error *err)
{
	static int (*const tries[])(struct busy *, const char *, struct error *) = {
		try_view,
		try_container,
		try_image,
		try_layer,
	};
	size_t nr = *name == '/' ? 1 : sizeof(tries) / sizeof(*tries);

	for (size_t i = 0; i < nr; i++) {
		int got = tries[i](busy, name, err);

		if (got)
			return got < 0 ? -1 : 0;
	}
	if (busy_device(busy, name, err) == 0)
		return 0;
	if (err->kind == ERR_NOT_FOUND && *name != '/')
		return err_set(
			err, ERR_NOT_FOUND,
			"'%s' is neither a container, an image, a view, a volume, a layer nor a device",
			name);
	return -1;
}

static int print_needs(const struct busy *busy, struct listing *output, struct error *err)
{
	for (size_t i = 0; i < busy->needs.nr; i++) {
		const struct need *need = &busy->needs.items[i];
		auto_free char *release = cli_one_line(need->release);
		auto_free char *what = cli_one_line(need->what);

		if (listing_row(output,
				json_pack("{s:s, s:s, s:s}", "Kind", need->kind, "Release", release,
					  "What", what),
				err) < 0)
			return -1;
	}
	listing_print(output);
	return 1;
}

static int run_why_busy(struct cli *cli, const void *values, struct error *err)
{
	const struct busy_opts *opts = values;
	auto_listing struct listing *output = NULL;
	auto_store struct store *store = NULL;
	auto_busy struct busy busy = { 0 };
	char store_id[9];
	int has_pool;

	if (listing_open(&busy_listing, opts->format, false, &output, err) < 0 ||
	    cli_open_existing_store(cli, &store, err) < 0)
		return -1;
	if (!store)
		return err_set(err, ERR_NOT_FOUND, "there is no store in '%s'",
			       cli->settings->root);
	has_pool = blocktarget_store_id(cli->settings->root, store_id, err);
	if (has_pool < 0)
		return -1;
	busy.store = store;
	busy.store_id = has_pool ? store_id : NULL;
	if (ask(&busy, cli->words[0], err) < 0)
		return -1;
	if (busy.needs.nr)
		return print_needs(&busy, output, err);
	if (!opts->format || !*opts->format || strcmp(opts->format, "table") == 0)
		printf("nothing holds %s\n", cli->words[0]);
	return 0;
}

static const struct opt busy_options[] = {
	OPT_VALUE(OPT_STRING, "format", 0, busy_opts, format, "string", LISTING_FORMAT_HELP),
	{ 0 },
};

const struct command cmd_why_busy = {
	.name = "why-busy",
	.synopsis = "[OPTIONS] NAME",
	.summary = "Show what keeps something from being removed, and how to release it",
	.details = "NAME is a container, an image, the mount point or device link of a view, the\n"
		   "chain id of a layer, a thin id or a device. The exit status is 0 when nothing\n"
		   "holds it, else 1.",
	.min_words = 1,
	.max_words = 1,
	.options = busy_options,
	.options_size = sizeof(struct busy_opts),
	.needs = NEEDS_STORE,
	.run = run_why_busy,
};
