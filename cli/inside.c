/* SPDX-License-Identifier: Apache-2.0 */
#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "appliance/launch.h"
#include "base/buf.h"
#include "base/cleanup.h"

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

int inside_check_host(const struct settings *settings, struct error *err)
{
	auto_free char *catalogue = xasprintf("%s/catalogue.db", settings->root);

	if (inside_already() || access(catalogue, F_OK) == 0 || appliance_kernel_has_thin())
		return 0;
	if (geteuid() != 0)
		return err_set(err, ERR_DENIED,
			       "only root can use the host's kernel for a pool; use the appliance "
			       "(--kernel appliance)");
	return err_set(err, ERR_UNSUPPORTED,
		       "the host's kernel has no thin pools (device-mapper, module "
		       "dm-thin-pool); use the appliance (--kernel appliance)");
}

static void add_devices(const struct opt *opts, const void *values, struct strlist *ret)
{
	for (const struct opt *opt = opts; opt && opt->name; opt++) {
		const char *const *at = (const void *)((const char *)values + opt->offset);

		if (opt->kind == OPT_DEVICE && *at)
			strlist_add(ret, *at);
	}
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && path[len] == '/';
}

/* Folders that the appliance has of its own; what it shows there of the host's is not looked at. */
static bool in_own_folder(const char *path)
{
	static const char *const folders[] = { "/dev", "/proc", "/run", "/sys" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (is_below(path, folders[i]) && !is_below(path, "/dev/shm"))
			return true;
	return false;
}

/*
 * Whether the path leads to something else inside: a descriptor of ours, a pipe,
 * whose other end would be here, or a device.
 */
static bool is_ours_alone(const char *path)
{
	auto_free char *real = realpath(path, NULL);
	struct stat st;

	if (stat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return false; /* inside it is the same, or missing as well */
	return !S_ISREG(st.st_mode) || in_own_folder(path) || (real && in_own_folder(real));
}

/* The same words, with standard input for the file, which lies in one of them. */
static void name_standard_input(char *const *argv, const char *file, struct strlist *ret)
{
	for (; *argv; argv++) {
		size_t len = strlen(*argv);

		if (file >= *argv && file <= *argv + len)
			strlist_take(ret, xasprintf("%.*s/dev/stdin", (int)(file - *argv), *argv));
		else
			strlist_add(ret, *argv);
	}
}

static int become_standard_input(const char *file, struct error *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open %s", file);
	if (fd == STDIN_FILENO)
		return 0;
	if (dup2(fd, STDIN_FILENO) < 0)
		return err_sys(err, errno, "open %s", file);
	close(fd);
	return 0;
}

int inside_run(struct cli *cli, const void *values, char *const *argv, struct error *err)
{
	const struct settings *settings = cli->settings;
	const struct command *command = cli->command;
	const char *file = command->input_file ? command->input_file(cli, values) : NULL;
	auto_strlist struct strlist disks = { 0 }, words = { 0 };
	struct appliance_request request = {
		.root = settings->root,
		.argv = argv,
		.reads_stdin = command->reads_stdin && command->reads_stdin(cli, values),
		.forget_disks = command->forgets_disks,
		.kernel = settings->appliance_kernel,
		.modules = settings->appliance_modules,
		.memory_bytes = settings->appliance_memory_bytes,
	};

	if (file && is_ours_alone(file)) {
		if (become_standard_input(file, err) < 0)
			return -1;
		name_standard_input(argv, file, &words);
		request.argv = words.items;
		request.reads_stdin = true;
	}
	for (size_t i = 0; i < settings->appliance_disks.nr; i++)
		strlist_add(&disks, settings->appliance_disks.items[i]);
	add_devices(command->options, values, &disks);
	request.disks = disks.items;
	return appliance_run(&request, err);
}
