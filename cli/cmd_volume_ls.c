/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "format/human.h"
#include "inspection.h"
#include "listing.h"
#include "run/localvolume.h"
#include "run/prepare.h"
#include "store.h"
#include "volume/volumes.h"

/* Drivers: a disk of its own, and a folder of containers. */
#define THIN  "thin"
#define LOCAL "local"

struct ls_opts {
	struct strlist filters;
	const char *format;
	bool quiet;
};

/* What the catalogue does not say. */
struct facts {
	enum volume_use use;
	int64_t own_bytes;
};

static const struct gotmpl_type ls_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*volume.context",
	.fields =
		(const struct gotmpl_field[]){
			{ "CreatedAt", &gotmpl_string },
			{ "CreatedSince", &gotmpl_string },
			{ "Driver", &gotmpl_string },
			{ "Image", &gotmpl_string },
			{ "Mountpoint", &gotmpl_string },
			{ "Name", &gotmpl_string },
			{ "OwnSize", &gotmpl_string },
			{ "Size", &gotmpl_string },
			{ "SnapshotOf", &gotmpl_string },
			{ "State", &gotmpl_string },
			{ 0 },
		},
	.is_row = true,
};

static const struct listing_kind ls_listing = {
	.type = &ls_type,
	.headers =
		(const struct listing_header[]){
			{ "CreatedAt", "CREATED AT" },
			{ "CreatedSince", "CREATED" },
			{ "Driver", "DRIVER" },
			{ "Image", "IMAGE" },
			{ "Mountpoint", "MOUNTPOINT" },
			{ "Name", "VOLUME NAME" },
			{ "OwnSize", "OWN SIZE" },
			{ "Size", "SIZE" },
			{ "SnapshotOf", "SNAPSHOT OF" },
			{ "State", "STATE" },
			{ 0 },
		},
	.table = "{{.Name}}\t{{.Image}}\t{{.SnapshotOf}}\t{{.Size}}\t{{.OwnSize}}\t{{.State}}\t"
		 "{{.CreatedSince}}",
	.quiet = "{{.Name}}",
};

static const char *local_use(const struct local_volume *volume)
{
	return volume->nr_containers ? "used" : "unused";
}

static const char *use_name(enum volume_use use)
{
	static const char *const names[] = {
		[VOLUME_UNUSED] = "unused",
		[VOLUME_ATTACHED] = "attached",
		[VOLUME_MOUNTED] = "mounted",
	};

	return names[use];
}

static int read_facts(struct store *store, const struct volume_row *row, struct facts *ret,
		      struct error *err)
{
	return volumes_use(store, row, &ret->use, err) < 0 ||
			       volumes_own_bytes(store, row, &ret->own_bytes, err) < 0
		       ? -1
		       : 0;
}

static json_t *row_json(const struct volume_row *row, const struct facts *facts)
{
	struct timespec now = human_now(), created = human_time_from_ns(row->created_ns);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "CreatedAt",
			 human_time_local(&created).text, "CreatedSince",
			 human_since(&created, &now).text, "Driver", THIN, "Image", row->image_name,
			 "Mountpoint", facts->use == VOLUME_MOUNTED ? row->target : "", "Name",
			 row->name, "OwnSize", human_size(facts->own_bytes, HUMAN_LIST).text,
			 "Size", human_size((int64_t)row->size_bytes, HUMAN_LIST).text,
			 "SnapshotOf", row->origin, "State", use_name(facts->use));
}

/* A folder of containers. */
static json_t *local_row_json(const struct local_volume *volume, const char *folder)
{
	struct timespec now = human_now(), created = human_time_from_ns(volume->created_ns);
	struct human_text size = human_size(volume->size_bytes, HUMAN_LIST);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "CreatedAt",
			 human_time_local(&created).text, "CreatedSince",
			 human_since(&created, &now).text, "Driver", LOCAL, "Image", "",
			 "Mountpoint", folder, "Name", volume->name, "OwnSize", size.text, "Size",
			 size.text, "SnapshotOf", "", "State", local_use(volume));
}

/* What filters ask for; of names and drivers any one. */
struct wanted {
	struct strlist names, drivers; /* parts of names; whole drivers */
	int dangling;		       /* -1: either */
};

static void wanted_done(struct wanted *wanted)
{
	strlist_done(&wanted->names);
	strlist_done(&wanted->drivers);
}
#define auto_wanted __attribute__((cleanup(wanted_done)))

static int read_filters(const struct strlist *filters, struct wanted *ret, struct error *err)
{
	ret->dangling = -1;
	for (size_t i = 0; i < filters->nr; i++) {
		const char *filter = filters->items[i], *value = strchr(filter, '=') + 1;

		if (strncmp(filter, "name=", 5) == 0)
			strlist_add(&ret->names, value);
		else if (strncmp(filter, "driver=", 7) == 0)
			strlist_add(&ret->drivers, value);
		else if (strncmp(filter, "dangling=", 9) != 0)
			return err_set(err, ERR_USAGE, "invalid filter '%.*s'",
				       (int)strcspn(filter, "="), filter);
		else if (strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
			ret->dangling = true;
		else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
			ret->dangling = false;
		else
			return err_set(err, ERR_USAGE, "invalid filter 'dangling=[%s]'", value);
	}
	return 0;
}

static bool is_wanted(const struct wanted *wanted, const char *name, const char *driver,
		      bool dangling)
{
	bool match = !wanted->names.nr;

	for (size_t i = 0; i < wanted->names.nr; i++)
		match = match || strstr(name, wanted->names.items[i]);
	if (!match || (wanted->dangling >= 0 && wanted->dangling != dangling))
		return false;
	for (size_t i = 0; i < wanted->drivers.nr; i++)
		if (strcmp(wanted->drivers.items[i], driver) == 0)
			return true;
	return !wanted->drivers.nr;
}

static int add_disks(struct store *store, const struct wanted *wanted, struct listing *output,
		     struct error *err)
{
	auto_volume_rows struct volume_rows rows = { 0 };

	if (rows_volume_list(store->db, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.nr; i++) {
		struct facts facts;

		/* A disk belongs to nobody's container, and is not left over for that. */
		if (!is_wanted(wanted, rows.items[i].name, THIN, false))
			continue;
		if (read_facts(store, &rows.items[i], &facts, err) < 0 ||
		    listing_row(output, row_json(&rows.items[i], &facts), err) < 0)
			return -1;
	}
	return 0;
}

static int add_folders(struct store *store, const struct wanted *wanted, struct listing *output,
		       struct error *err)
{
	auto_local_volume_list struct local_volume_list list = { 0 };

	if (local_volume_list(store, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.nr; i++) {
		const struct local_volume *volume = &list.items[i];
		auto_free char *folder = prepare_volume_path(store, volume->name);

		if (is_wanted(wanted, volume->name, LOCAL, !volume->nr_containers) &&
		    listing_row(output, local_row_json(volume, folder), err) < 0)
			return -1;
	}
	return 0;
}

static int run_ls(struct cli *cli, const void *values, struct error *err)
{
	const struct ls_opts *opts = values;
	auto_listing struct listing *output = NULL;
	auto_wanted struct wanted wanted = { 0 };
	auto_store struct store *store = NULL;

	if (read_filters(&opts->filters, &wanted, err) < 0 ||
	    listing_open(&ls_listing, opts->format, opts->quiet, &output, err) < 0 ||
	    cli_open_store(cli, &store, err) < 0 || add_disks(store, &wanted, output, err) < 0 ||
	    add_folders(store, &wanted, output, err) < 0)
		return -1;
	listing_print(output);
	return 0;
}

static int check_ls(const struct cli *cli, const void *values, struct error *err)
{
	const struct ls_opts *opts = values;
	auto_wanted struct wanted wanted = { 0 };

	(void)cli;
	return read_filters(&opts->filters, &wanted, err);
}

static const struct opt ls_options[] = {
	OPT_VALUE(OPT_FILTER, "filter", 'f', ls_opts, filters, "filter",
		  "Filter output based on conditions provided"),
	OPT_VALUE(OPT_STRING, "format", 0, ls_opts, format, "string", LISTING_FORMAT_HELP),
	OPT_FLAG("quiet", 'q', ls_opts, quiet, "Only display volume names"),
	{ 0 },
};

const struct command cmd_volume_ls = {
	.group = "volume",
	.name = "ls",
	.aliases = "list",
	.synopsis = "[OPTIONS]",
	.summary = "List volumes, and what each holds for itself",
	.details = "Disks (driver thin), then the folders that containers share (driver local).\n"
		   "Filters: dangling=true|false, driver=NAME, name=PART.",
	.options = ls_options,
	.options_size = sizeof(struct ls_opts),
	.needs = NEEDS_POOL,
	.check = check_ls,
	.run = run_ls,
};

struct inspect_opts {
	const char *format;
};

static const struct gotmpl_type inspect_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*volume.Volume",
	.fields =
		(const struct gotmpl_field[]){
			{ "CreatedAt", &gotmpl_string },
			{ "Device", &gotmpl_string },
			{ "Driver", &gotmpl_string },
			{ "Image", &gotmpl_string },
			{ "ImageName", &gotmpl_string },
			{ "Mountpoint", &gotmpl_string },
			{ "Name", &gotmpl_string },
			{ "OwnSize", &gotmpl_int64 },
			{ "Raw", &gotmpl_bool },
			{ "ReadOnly", &gotmpl_bool },
			{ "Size", &gotmpl_int64 },
			{ "SnapshotOf", &gotmpl_string },
			{ "State", &gotmpl_string },
			{ "ThinID", &gotmpl_int64 },
			{ 0 },
		},
};

static json_t *volume_json(const struct volume_row *row, const struct facts *facts)
{
	struct timespec created = human_time_from_ns(row->created_ns);
	auto_free char *device =
		facts->use == VOLUME_UNUSED ? xstrdup("") : xasprintf(DEVLINK_DIR "/%s", row->name);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b, s:I, s:s, s:s, s:I}",
			 "CreatedAt", human_time_rfc3339(&created).text, "Device", device, "Driver",
			 THIN, "Image", row->image.text, "ImageName", row->image_name, "Mountpoint",
			 facts->use == VOLUME_MOUNTED ? row->target : "", "Name", row->name,
			 "OwnSize", (json_int_t)facts->own_bytes, "Raw", (int)row->raw, "ReadOnly",
			 (int)row->read_only, "Size", (json_int_t)row->size_bytes, "SnapshotOf",
			 row->origin, "State", use_name(facts->use), "ThinID",
			 (json_int_t)row->thin_id);
}

/* As Docker shows it. */
static const struct gotmpl_type local_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*volume.Volume",
	.fields =
		(const struct gotmpl_field[]){
			{ "CreatedAt", &gotmpl_string },
			{ "Driver", &gotmpl_string },
			{ "Mountpoint", &gotmpl_string },
			{ "Name", &gotmpl_string },
			{ "OwnSize", &gotmpl_int64 },
			{ "Scope", &gotmpl_string },
			{ "State", &gotmpl_string },
			{ 0 },
		},
};

/* Returns 1, or 0 when there is none of that name, -1. */
static int inspect_local(struct store *store, const char *name, struct inspection *output,
			 struct error *err)
{
	auto_local_volume_list struct local_volume_list found = { 0 };
	auto_free char *folder = prepare_volume_path(store, name);
	struct timespec created;
	json_t *view;

	if (local_volume_find(store, name, &found, err) < 0)
		return -1;
	if (!found.nr)
		return 0;
	created = human_time_from_ns(found.items[0].created_ns);
	view = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s}", "CreatedAt",
			 human_time_rfc3339(&created).text, "Driver", LOCAL, "Mountpoint", folder,
			 "Name", name, "OwnSize", (json_int_t)found.items[0].size_bytes, "Scope",
			 LOCAL, "State", local_use(&found.items[0]));
	return inspection_add(output, view, &local_type, err) < 0 ? -1 : 1;
}

static int inspect(struct store *store, const char *name, struct inspection *output,
		   struct error *err)
{
	auto_volume_row struct volume_row row = { 0 };
	struct facts facts;
	int local = inspect_local(store, name, output, err);

	if (local)
		return local < 0 ? -1 : 0;
	if (volumes_find(store, name, &row, err) < 0 || read_facts(store, &row, &facts, err) < 0)
		return -1;
	return inspection_add(output, volume_json(&row, &facts), &inspect_type, err);
}

static int run_inspect(struct cli *cli, const void *values, struct error *err)
{
	const struct inspect_opts *opts = values;
	auto_inspection struct inspection *output = NULL;
	auto_store struct store *store = NULL;

	if (inspection_open(opts->format, &output, err) < 0 || cli_open_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++)
		if (inspect(store, cli->words[i], output, err) < 0 && cli_fail(cli, err) < 0)
			return -1;
	inspection_print(output);
	return 0;
}

static const struct opt inspect_options[] = {
	OPT_VALUE(OPT_STRING, "format", 'f', inspect_opts, format, "string", OBJECT_FORMAT_HELP),
	{ 0 },
};

const struct command cmd_volume_inspect = {
	.group = "volume",
	.name = "inspect",
	.synopsis = "[OPTIONS] NAME [NAME...]",
	.summary = "Show what is known of volumes",
	.min_words = 1,
	.max_words = -1,
	.options = inspect_options,
	.options_size = sizeof(struct inspect_opts),
	.needs = NEEDS_POOL,
	.run = run_inspect,
};
