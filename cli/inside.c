/* SPDX-License-Identifier: Apache-2.0 */
#include "inside.h"

#include <stdlib.h>

#include "appliance/launch.h"
#include "base/buf.h"

bool inside_already(void)
{
	return getenv("VENEER_APPLIANCE") != NULL;
}

bool inside_wanted(const struct settings *settings)
{
	if (inside_already() || settings->kernel == SETTINGS_KERNEL_HOST)
		return false;
	return settings->kernel == SETTINGS_KERNEL_APPLIANCE || !appliance_kernel_has_thin();
}

static void add_devices(const struct opt *opts, const void *values, struct strlist *ret)
{
	for (const struct opt *opt = opts; opt && opt->name; opt++) {
		const char *const *at = (const void *)((const char *)values + opt->offset);

		if (opt->kind == OPT_DEVICE && *at)
			strlist_add(ret, *at);
	}
}

int inside_run(struct cli *cli, const void *values, char *const *argv, struct error *err)
{
	const struct settings *settings = cli->settings;
	const struct command *command = cli->command;
	auto_strlist struct strlist disks = { 0 };
	struct appliance_request request = {
		.root = settings->root,
		.argv = argv,
		.reads_stdin = command->reads_stdin && command->reads_stdin(cli, values),
		.forget_disks = command->forgets_disks,
		.kernel = settings->appliance_kernel,
		.modules = settings->appliance_modules,
		.memory_bytes = settings->appliance_memory_bytes,
	};

	for (size_t i = 0; i < settings->appliance_disks.nr; i++)
		strlist_add(&disks, settings->appliance_disks.items[i]);
	add_devices(command->options, values, &disks);
	request.disks = disks.items;
	return appliance_run(&request, err);
}
