/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "blocktarget.h"
#include "cli.h"
#include "cmd.h"
#include "dm/devmap.h"
#include "fs/holders.h"
#include "image/explain.h"
#include "inspection.h"
#include "store.h"

struct explain_opts {
	const char *format;
};

static const struct gotmpl_type process_type = {
	.kind = GOTMPL_STRUCT,
	.name = "explain.Process",
	.fields =
		(const struct gotmpl_field[]){
			{ "PID", &gotmpl_int },
			{ "Command", &gotmpl_string },
			{ "OpenDevice", &gotmpl_bool },
			{ 0 },
		},
};
static const struct gotmpl_type mount_type = {
	.kind = GOTMPL_STRUCT,
	.name = "explain.Mount",
	.fields =
		(const struct gotmpl_field[]){
			{ "Target", &gotmpl_string },
			{ "PID", &gotmpl_int },
			{ "OtherNamespace", &gotmpl_bool },
			{ 0 },
		},
};
static const struct gotmpl_type processes_type = {
	.kind = GOTMPL_LIST,
	.name = "[]explain.Process",
	.elem = &process_type,
};
static const struct gotmpl_type mounts_type = {
	.kind = GOTMPL_LIST,
	.name = "[]explain.Mount",
	.elem = &mount_type,
};

static const struct gotmpl_type explain_type = {
	.kind = GOTMPL_STRUCT,
	.name = "explain.Device",
	.fields =
		(const struct gotmpl_field[]){
			{ "Store", &gotmpl_string },	   { "Root", &gotmpl_string },
			{ "Kind", &gotmpl_string },	   { "State", &gotmpl_string },
			{ "ThinID", &gotmpl_int64 },	   { "ChainID", &gotmpl_string },
			{ "DiffID", &gotmpl_string },	   { "CreatedBy", &gotmpl_string },
			{ "Container", &gotmpl_string },   { "Command", &gotmpl_string },
			{ "Images", &gotmpl_strings },	   { "Views", &gotmpl_strings },
			{ "Containers", &gotmpl_strings }, { "Parents", &gotmpl_strings },
			{ "Active", &gotmpl_bool },	   { "Device", &gotmpl_string },
			{ "OpenCount", &gotmpl_int64 },	   { "Processes", &processes_type },
			{ "Mounts", &mounts_type },	   { "Devices", &gotmpl_strings },
			{ "Unseen", &gotmpl_int64 },	   { 0 },
		},
};

static void put_text(json_t *view, const char *key, const char *text)
{
	auto_free char *line = cli_one_line(text ? text : "");

	json_object_set_new(view, key, json_string(line));
}

static void put_texts(json_t *view, const char *key, const struct strlist *texts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < texts->nr; i++) {
		auto_free char *line = cli_one_line(texts->items[i]);

		json_array_append_new(list, json_string(line));
	}
	json_object_set_new(view, key, list);
}

static void put_explanation(json_t *view, const struct explanation *of)
{
	put_text(view, "Kind", of->kind);
	put_text(view, "State", of->state);
	json_object_set_new(view, "ThinID", json_integer(of->thin_id));
	put_text(view, "ChainID", of->chain_id.text);
	put_text(view, "DiffID", of->diff_id.text);
	put_text(view, "CreatedBy", of->created_by);
	put_text(view, "Container", of->container);
	put_text(view, "Command", of->session);
	put_texts(view, "Images", &of->images);
	put_texts(view, "Views", &of->views);
	put_texts(view, "Containers", &of->containers);
	put_texts(view, "Parents", &of->parents);
}

static const char *kind_of(const struct devname *name)
{
	switch (name->kind) {
	case DEVNAME_POOL:
		return "pool";
	case DEVNAME_DATA:
		return "data of the pool";
	case DEVNAME_META:
		return "metadata of the pool";
	default:
		return "unknown";
	}
}

static void put_holders(json_t *view, dev_t device)
{
	auto_holder_list struct holder_list holders = { 0 };
	json_t *processes = json_array(), *mounts = json_array(), *devices = json_array();

	holders_find(device, &holders);
	for (size_t i = 0; i < holders.nr; i++) {
		const struct holder *holder = &holders.items[i];
		auto_free char *what = cli_one_line(holder->what);

		if (holder->kind == HOLDER_PROCESS)
			json_array_append_new(processes,
					      json_pack("{s:i, s:s, s:b}", "PID", (int)holder->pid,
							"Command", what, "OpenDevice",
							holder->opened));
		else if (holder->kind == HOLDER_MOUNT)
			json_array_append_new(mounts,
					      json_pack("{s:s, s:i, s:b}", "Target", what, "PID",
							(int)holder->pid, "OtherNamespace",
							holder->elsewhere));
		else
			json_array_append_new(devices, json_string(what));
	}
	json_object_set_new(view, "Processes", processes);
	json_object_set_new(view, "Mounts", mounts);
	json_object_set_new(view, "Devices", devices);
	json_object_set_new(view, "Unseen", json_integer((json_int_t)holders.nr_unseen));
}

static void put_device(json_t *view, const struct blocktarget *target)
{
	struct devname_texts texts;
	struct devmap_info info;
	struct error ignored;

	json_object_set_new(view, "Active", json_boolean(target->has_device));
	if (!target->has_device)
		return;
	put_text(view, "Device", target->node);
	if (devname_read(target->device, &texts) && devmap_info(texts.name, &info, &ignored) == 0)
		json_object_set_new(view, "OpenCount", json_integer(info.open_count));
	put_holders(view, target->device);
}

static int explain(struct cli *cli, struct store *store, const char *operand, json_t **ret,
		   struct error *err)
{
	auto_explanation struct explanation explanation = { 0 };
	json_auto_t *view = json_object();
	struct blocktarget target;
	char store_id[9];
	int has_pool = blocktarget_store_id(cli->settings->root, store_id, err);

	if (has_pool < 0 || blocktarget_find(operand, has_pool ? store_id : NULL, &target, err) < 0)
		return -1;
	put_text(view, "Store", target.name.store_id);
	put_text(view, "Root", cli->settings->root);
	if (target.name.kind != DEVNAME_VOLUME && target.name.kind != DEVNAME_READER) {
		put_text(view, "Kind", kind_of(&target.name));
	} else {
		if (!store)
			return err_set(err, ERR_NOT_FOUND,
				       "'%s': the store in '%s' has no catalogue", operand,
				       cli->settings->root);
		if (explain_thin(store, target.name.thin_id, &explanation, err) < 0)
			return -1;
		if (!target.has_device && strcmp(explanation.kind, "unknown") == 0)
			return err_set(err, ERR_NOT_FOUND, "no thin id %s in this store", operand);
		put_explanation(view, &explanation);
	}
	put_device(view, &target);
	*ret = take_ptr(view);
	return 0;
}

static void print_text(const json_t *view, const char *label, const char *key)
{
	const char *text = json_string_value(json_object_get(view, key));

	if (text && *text)
		printf("%-14s %s\n", label, text);
}

static void print_texts(const json_t *view, const char *label, const char *key)
{
	const json_t *list = json_object_get(view, key), *item;
	size_t i;

	json_array_foreach(list, i, item)
		printf("%-14s %s\n", i ? "" : label, json_string_value(item));
}

static void print_holders(const json_t *view)
{
	const json_t *item;
	json_int_t unseen = json_integer_value(json_object_get(view, "Unseen"));
	size_t i;

	json_array_foreach(json_object_get(view, "Mounts"), i, item)
	{
		printf("%-14s %s",
		       i ? "" : "Mounted:", json_string_value(json_object_get(item, "Target")));
		if (json_is_true(json_object_get(item, "OtherNamespace")))
			printf(" (in the mounts of process %d)",
			       (int)json_integer_value(json_object_get(item, "PID")));
		putchar('\n');
	}
	json_array_foreach(json_object_get(view, "Processes"), i, item) printf(
		"%-14s %d %s%s\n",
		i ? "" : "Processes:", (int)json_integer_value(json_object_get(item, "PID")),
		json_string_value(json_object_get(item, "Command")),
		json_is_true(json_object_get(item, "OpenDevice")) ? " (the device itself)" : "");
	print_texts(view, "Devices on it:", "Devices");
	if (unseen)
		printf("%-14s %d processes, which only root may look at\n",
		       "Not seen:", (int)unseen);
}

static void print_view(const json_t *view)
{
	bool active = json_is_true(json_object_get(view, "Active"));

	print_text(view, "Device:", "Device");
	printf("%-14s %s in %s\n", "Store:", json_string_value(json_object_get(view, "Store")),
	       json_string_value(json_object_get(view, "Root")));
	print_text(view, "Kind:", "Kind");
	print_text(view, "State:", "State");
	if (json_object_get(view, "ThinID"))
		printf("%-14s %d\n",
		       "Thin id:", (int)json_integer_value(json_object_get(view, "ThinID")));
	print_text(view, "Container:", "Container");
	print_text(view, "Made by:", "Command");
	print_text(view, "Layer:", "ChainID");
	print_text(view, "DiffID:", "DiffID");
	print_text(view, "Created by:", "CreatedBy");
	print_texts(view, "Images:", "Images");
	print_texts(view, "Views:", "Views");
	print_texts(view, "Containers:", "Containers");
	print_texts(view, "Descends from:", "Parents");
	printf("%-14s %s", "Active:", active ? "yes" : "no");
	if (json_object_get(view, "OpenCount"))
		printf(", open %d times",
		       (int)json_integer_value(json_object_get(view, "OpenCount")));
	putchar('\n');
	print_holders(view);
}

static int run_explain(struct cli *cli, const void *values, struct error *err)
{
	const struct explain_opts *opts = values;
	auto_store struct store *store = NULL;
	size_t nr = 0;

	if (cli_open_existing_store(cli, &store, err) < 0)
		return -1;
	for (size_t i = 0; i < cli->nr_words; i++) {
		json_t *view = NULL;

		if (explain(cli, store, cli->words[i], &view, err) < 0) {
			if (cli_fail(cli, err) < 0)
				return -1;
			continue;
		}
		if (opts->format && *opts->format) {
			if (inspection_one(opts->format, view, &explain_type, err) < 0)
				return -1;
			continue;
		}
		if (nr++)
			putchar('\n');
		print_view(view);
		json_decref(view);
	}
	return 0;
}

static const struct opt explain_options[] = {
	OPT_VALUE(OPT_STRING, "format", 'f', explain_opts, format, "string", OBJECT_FORMAT_HELP),
	{ 0 },
};

const struct command cmd_explain = {
	.name = "explain",
	.synopsis = "[OPTIONS] DEVICE [DEVICE...]",
	.summary = "Show what a block device is, and who has it open",
	.details = "DEVICE is a node or link of a block device, its device-mapper name, a mount\n"
		   "point or a thin id. The exit status is 1 for one that is not of this store.",
	.min_words = 1,
	.max_words = -1,
	.options = explain_options,
	.options_size = sizeof(struct explain_opts),
	.needs = NEEDS_STORE,
	.run = run_explain,
};
