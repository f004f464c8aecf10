/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <string.h>

#include "base/buf.h"
#include "cmd.h"

const struct command *const command_table[] = {
	&cmd_appliance_exec,
	&cmd_appliance_shell,
	&cmd_appliance_status,
	&cmd_appliance_stop,
	&cmd_attach,
	&cmd_build,
	&cmd_builder_build,
	&cmd_builder_prune,
	&cmd_check,
	&cmd_commit,
	&cmd_complete,
	&cmd_completion,
	&cmd_container_ended,
	&cmd_container_inspect,
	&cmd_container_prune,
	&cmd_container_shim,
	&cmd_cp,
	&cmd_create,
	&cmd_detach,
	&cmd_diff,
	&cmd_doctor,
	&cmd_exec,
	&cmd_explain,
	&cmd_export,
	&cmd_help,
	&cmd_history,
	&cmd_image_inspect,
	&cmd_image_prune,
	&cmd_image_receive,
	&cmd_image_send,
	&cmd_images,
	&cmd_import,
	&cmd_info,
	&cmd_inspect,
	&cmd_kill,
	&cmd_layers,
	&cmd_load,
	&cmd_login,
	&cmd_logout,
	&cmd_logs,
	&cmd_monitor,
	&cmd_mount,
	&cmd_pool_activate,
	&cmd_pool_check,
	&cmd_pool_create,
	&cmd_pool_deactivate,
	&cmd_pool_destroy,
	&cmd_pool_grow,
	&cmd_pool_ls,
	&cmd_pool_repair,
	&cmd_pool_status,
	&cmd_provision,
	&cmd_ps,
	&cmd_pull,
	&cmd_push,
	&cmd_rm,
	&cmd_rmi,
	&cmd_run,
	&cmd_save,
	&cmd_scrub,
	&cmd_search,
	&cmd_start,
	&cmd_stop,
	&cmd_system_df,
	&cmd_system_prune,
	&cmd_tag,
	&cmd_unmount,
	&cmd_verify,
	&cmd_version,
	&cmd_volume_attach,
	&cmd_volume_create,
	&cmd_volume_detach,
	&cmd_volume_grow,
	&cmd_volume_inspect,
	&cmd_volume_ls,
	&cmd_volume_mount,
	&cmd_volume_prune,
	&cmd_volume_rename,
	&cmd_volume_rm,
	&cmd_volume_rollback,
	&cmd_volume_snapshot,
	&cmd_volume_unmount,
	&cmd_wait,
	&cmd_why_busy,
	NULL,
};

const struct command_group command_groups[] = {
	{ "appliance", "Look into the virtual machine that holds store and pool" },
	{ "builder", "Manage builds" },
	{ "container", "Manage containers" },
	{ "image", "Manage images" },
	{ "pool", "Manage the thin pool" },
	{ "system", "Manage veneer" },
	{ "volume", "Manage volumes: disks that stay" },
	{ 0 },
};

const struct opt global_options[] = {
	OPT_VALUE(OPT_PATH, "config", 0, global_opts, config, "path",
		  "Folder of Docker's client configuration (DOCKER_CONFIG),\n"
		  "or veneer's own configuration file (VENEER_CONFIG)"),
	OPT_FLAG("debug", 'D', global_opts, debug, "Tell on stderr what is done"),
	{
		.name = "fetcher",
		.kind = OPT_STRING,
		.placeholder = "dir",
		.help = "Where to ask for images of registries",
		.offset = offsetof(struct global_opts, fetcher),
		.hidden = true,
	},
	OPT_VALUE(OPT_STRING, "kernel", 0, global_opts, kernel, "kind",
		  "Whose device-mapper to use: \"auto\", \"host\" or\n"
		  "\"appliance\" (VENEER_KERNEL)"),
	{
		.name = "log-level",
		.letter = 'l',
		.kind = OPT_STRING,
		.placeholder = "string",
		.help = "Least grave messages to show (\"debug\", \"info\", \"warn\",\n"
			"\"error\", \"fatal\")",
		.offset = offsetof(struct global_opts, log_level),
		.preset = "info",
	},
	OPT_VALUE(OPT_PATH, "root", 0, global_opts, root, "dir",
		  "Folder of the store (VENEER_ROOT)"),
	OPT_FLAG("version", 'v', global_opts, version, "Print version information and quit"),
	{ 0 },
};

bool command_has_alias(const struct command *command, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = command->aliases; at && *at;) {
		size_t word = strcspn(at, " ");

		if (word == len && memcmp(at, name, len) == 0)
			return true;
		at += word + (at[word] == ' ');
	}
	return false;
}

static const struct command_group *find_group(const char *name)
{
	for (const struct command_group *group = command_groups; group->name; group++)
		if (strcmp(group->name, name) == 0)
			return group;
	return NULL;
}

static const struct command *find_top(const char *name)
{
	for (const struct command *const *at = command_table; *at; at++) {
		const struct command *command = *at;

		if (command->top && strcmp(command->top, name) == 0)
			return command;
		if (!command->group &&
		    (strcmp(command->name, name) == 0 || command_has_alias(command, name)))
			return command;
	}
	return NULL;
}

static const struct command *find_in_group(const struct command_group *group, const char *name)
{
	for (const struct command *const *at = command_table; *at; at++) {
		const struct command *command = *at;

		if (command->group && strcmp(command->group, group->name) == 0 &&
		    (strcmp(command->name, name) == 0 || command_has_alias(command, name)))
			return command;
	}
	return NULL;
}

void command_find(const char *const *words, struct command_match *ret)
{
	*ret = (struct command_match){ 0 };
	if (!words[0])
		return;
	ret->group = find_group(words[0]);
	if (!ret->group) {
		ret->command = find_top(words[0]);
		ret->by_top = true;
		ret->nr_words = ret->command ? 1 : 0;
		ret->unknown = ret->command ? NULL : words[0];
		return;
	}
	ret->nr_words = 1;
	if (!words[1] || words[1][0] == '-')
		return;
	ret->command = find_in_group(ret->group, words[1]);
	if (ret->command)
		ret->nr_words = 2;
	else
		ret->unknown = words[1];
}

char *command_path(const struct command *command, bool by_top)
{
	if (!command->group)
		return xasprintf(PROGRAM " %s", command->name);
	if (by_top)
		return xasprintf(PROGRAM " %s", command->top);
	return xasprintf(PROGRAM " %s %s", command->group, command->name);
}
