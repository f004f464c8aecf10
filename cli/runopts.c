/* SPDX-License-Identifier: Apache-2.0 */
#include "runopts.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/size.h"
#include "envfile.h"
#include "fetch.h"
#include "image/image.h"
#include "labels.h"
#include "run/container.h"

#define LIST(name_, letter_, member_, placeholder_, help_) \
	OPT_VALUE(OPT_LIST, name_, letter_, run_opts, member_, placeholder_, help_)
#define TEXT(name_, letter_, member_, placeholder_, help_) \
	OPT_VALUE(OPT_STRING, name_, letter_, run_opts, member_, placeholder_, help_)
#define NUMBER(name_, member_, preset_, help_)                                           \
	{                                                                                \
		.name = (name_), .kind = OPT_INT, .placeholder = "int", .help = (help_), \
		.offset = offsetof(struct run_opts, member_), .preset = (preset_),       \
	}
#define REFUSED(name_, letter_, slot_)                                                          \
	{                                                                                       \
		.name = (name_), .letter = (letter_), .kind = OPT_LIST, .placeholder = "value", \
		.help = "Not supported", .hidden = true,                                        \
		.offset = offsetof(struct run_opts, refused[slot_]),                            \
	}

/* Sorted by name, as the help shows them. */
#define SHARED_ROWS                                                                                     \
	LIST("add-host", 0, add_host, "list", "Add a custom host-to-IP mapping (host:ip)"),             \
		LIST("cap-add", 0, cap_add, "list", "Add Linux capabilities"),                          \
		LIST("cap-drop", 0, cap_drop, "list", "Drop Linux capabilities"),                       \
		TEXT("cidfile", 0, cidfile, "string", "Write the container ID to the file"),            \
		NUMBER("cpu-shares", cpu_shares, NULL, "CPU shares (relative weight)"),                 \
		TEXT("cpus", 0, cpus, "decimal", "Number of CPUs"),                                     \
		LIST("device", 0, devices, "list", "Add a host device to the container"),               \
		LIST("dns", 0, dns, "list", "Set custom DNS servers"),                                  \
		TEXT("entrypoint", 0, entrypoint, "string",                                             \
		     "Overwrite the ENTRYPOINT of the image"),                                          \
		LIST("env", 'e', env, "list", "Set environment variables"),                             \
		LIST("env-file", 0, env_files, "list", "Read in a file of environment variables"),      \
		LIST("group-add", 0, groups, "list", "Add additional groups to join"),                  \
		TEXT("hostname", 'h', hostname, "string", "Container host name"),                       \
		OPT_FLAG(                                                                               \
			"init", 0, run_opts, init,                                                      \
			"Run an init inside the container that forwards signals\nand reaps processes"), \
		OPT_FLAG("interactive", 'i', run_opts, interactive,                                     \
			 "Keep STDIN open even if not attached"),                                       \
		LIST("label", 'l', labels, "list", "Set meta data on a container"),                     \
		TEXT("memory", 'm', memory, "bytes", "Memory limit"),                                   \
		TEXT("memory-swap", 0, memory_swap, "bytes",                                            \
		     "Swap limit equal to memory plus swap: '-1' to enable\nunlimited swap"),           \
		LIST("mount", 0, mounts, "mount", "Attach a filesystem mount to the container"),        \
		TEXT("name", 0, name, "string", "Assign a name to the container"),                      \
		TEXT("network", 0, network, "network",                                                  \
		     "Network of the container: \"host\" (default) or \"none\""),                       \
		NUMBER("pids-limit", pids_limit, NULL,                                                  \
		       "Tune container pids limit (set -1 for unlimited)"),                             \
		TEXT("platform", 0, platform, "string",                                                 \
		     "Set platform if server is multi-platform capable"),                               \
		OPT_FLAG("privileged", 0, run_opts, privileged,                                         \
			 "Give extended privileges to this container"),                                 \
		{                                                                                       \
			.name = "pull",                                                                 \
			.kind = OPT_STRING,                                                             \
			.placeholder = "string",                                                        \
			.help = "Pull image before creating (\"always\", \"missing\",\n\"never\")",     \
			.offset = offsetof(struct run_opts, pull),                                      \
			.preset = "missing",                                                            \
		},                                                                                      \
		OPT_FLAG("quiet", 'q', run_opts, quiet, "Suppress the pull output"),                    \
		OPT_FLAG("read-only", 0, run_opts, read_only,                                           \
			 "Mount the container's root filesystem as read only"),                         \
		{                                                                                       \
			.name = "restart",                                                              \
			.kind = OPT_STRING,                                                             \
			.placeholder = "string",                                                        \
			.help = "Restart policy: only \"no\"",                                          \
			.preset = "no",                                                                 \
			.offset = offsetof(struct run_opts, restart),                                   \
		},                                                                                      \
		OPT_FLAG("rm", 0, run_opts, remove,                                                     \
			 "Automatically remove the container and its associated\n"                      \
			 "anonymous volumes when it exits"),                                            \
		LIST("security-opt", 0, security, "list", "Security Options"),                          \
		TEXT("shm-size", 0, shm_size, "bytes", "Size of /dev/shm"),                             \
		TEXT("stop-signal", 0, stop_signal, "string", "Signal to stop the container"),          \
		NUMBER("stop-timeout", stop_timeout, "-1",                                              \
		       "Timeout (in seconds) to stop a container"),                                     \
		LIST("storage-opt", 0, storage, "list",                                                 \
		     "Storage driver options for the container: size=BYTES"),                           \
		LIST("sysctl", 0, sysctls, "map", "Sysctl options"),                                    \
		LIST("tmpfs", 0, tmpfs, "list", "Mount a tmpfs directory"),                             \
		OPT_FLAG("tty", 't', run_opts, tty, "Allocate a pseudo-TTY"),                           \
		LIST("ulimit", 0, ulimits, "ulimit", "Ulimit options"),                                 \
		TEXT("user", 'u', user, "string",                                                       \
		     "Username or UID (format: <name|uid>[:<group|gid>])"),                             \
		LIST("volume", 'v', volumes, "list", "Bind mount a volume"),                            \
		TEXT("workdir", 'w', workdir, "string", "Working directory inside the container"),      \
		{ .name = "net",                                                                        \
		  .kind = OPT_STRING,                                                                   \
		  .placeholder = "network",                                                             \
		  .hidden = true,                                                                       \
		  .help = "Network of the container",                                                   \
		  .offset = offsetof(struct run_opts, net) },                                           \
		REFUSED("attach", 'a', 0), REFUSED("blkio-weight", 0, 1),                               \
		REFUSED("cgroup-parent", 0, 2), REFUSED("cgroupns", 0, 3),                              \
		REFUSED("cpuset-cpus", 0, 4), REFUSED("cpuset-mems", 0, 5),                             \
		REFUSED("device-cgroup-rule", 0, 6), REFUSED("dns-option", 0, 7),                       \
		REFUSED("dns-search", 0, 8), REFUSED("expose", 0, 9), REFUSED("gpus", 0, 10),           \
		REFUSED("health-cmd", 0, 11), REFUSED("ip", 0, 12), REFUSED("ipc", 0, 13),              \
		REFUSED("label-file", 0, 14), REFUSED("link", 0, 15),                                   \
		REFUSED("log-driver", 0, 16), REFUSED("log-opt", 0, 17),                                \
		REFUSED("mac-address", 0, 18), REFUSED("pid", 0, 19), REFUSED("publish", 'p', 20),      \
		REFUSED("runtime", 0, 21), REFUSED("userns", 0, 22),                                    \
		REFUSED("volumes-from", 0, 23)

const struct opt create_options[] = { SHARED_ROWS, { 0 } };
const struct opt run_options_table[] = {
	OPT_FLAG("detach", 'd', run_opts, detach,
		 "Run container in background and print container ID"),
	SHARED_ROWS,
	{ 0 },
};

/* What to know, or to do instead. */
static const struct {
	const char *option;
	const char *instead;
} advice[] = {
	{ "attach", "a container in the foreground has both streams, and standard input with -i" },
	{ "expose", "a container has the host's network, or none" },
	{ "label-file", "--label takes one at a time" },
	{ "log-driver", "'" PROGRAM " logs' has what a container prints" },
	{ "publish", "a container has the host's network, so its ports are the host's" },
	{ "volumes-from", "name each volume with -v" },
};

static int refuse(const char *option, struct error *err)
{
	for (size_t i = 0; i < sizeof(advice) / sizeof(*advice); i++)
		if (strcmp(advice[i].option, option) == 0)
			return err_set(err, ERR_UNSUPPORTED, "--%s is not supported: %s", option,
				       advice[i].instead);
	return err_set(err, ERR_UNSUPPORTED, "--%s is not supported", option);
}

static int check_refused(const struct run_opts *opts, struct error *err)
{
	for (const struct opt *opt = create_options; opt->name; opt++) {
		const struct strlist *list = (const void *)((const char *)opts + opt->offset);

		if (opt->hidden && opt->kind == OPT_LIST && list->nr)
			return refuse(opt->name, err);
	}
	if (strcmp(opts->restart, "no") != 0 && *opts->restart)
		return err_set(err, ERR_UNSUPPORTED,
			       "--restart %s is not supported: nobody would be there to do it",
			       opts->restart);
	return 0;
}

static int check_pull(const struct run_opts *opts, struct error *err)
{
	static const char *const known[] = { "", "always", "missing", "never" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(opts->pull, known[i]) == 0)
			return 0;
	return err_set(err, ERR_USAGE,
		       "invalid pull option: '%s': must be one of \"always\", \"missing\" or "
		       "\"never\"",
		       opts->pull);
}

int runopts_check(const struct cli *cli, const void *values, struct error *err)
{
	const struct run_opts *opts = values;

	(void)cli;
	if (check_refused(opts, err) < 0 || check_pull(opts, err) < 0)
		return -1;
	if (opts->cidfile && *opts->cidfile && access(opts->cidfile, F_OK) == 0)
		return err_set(err, ERR_EXISTS,
			       "container ID file found, make sure the other container isn't "
			       "running or delete %s",
			       opts->cidfile);
	return 0;
}

static int parse_bytes(const char *option, const char *text, int64_t *ret, struct error *err)
{
	uint64_t bytes;

	*ret = 0;
	if (!text)
		return 0;
	if (size_parse(text, &bytes, err) < 0)
		return err_set(err, ERR_USAGE,
			       "invalid argument \"%s\" for \"%s\" flag: invalid "
			       "size: '%s'",
			       text, option, text);
	*ret = (int64_t)bytes;
	return 0;
}

#define MEMORY_MIN (6 * 1024 * 1024) /* as Docker has it: a process cannot start in less */
#define CPUS_MAX   1000000.0

static int parse_limits(const struct run_opts *opts, struct bundle_limits *ret, struct error *err)
{
	char *end;
	double cpus;

	if (parse_bytes("-m, --memory", opts->memory, &ret->memory_bytes, err) < 0)
		return -1;
	if (ret->memory_bytes && ret->memory_bytes < MEMORY_MIN)
		return err_set(err, ERR_USAGE, "Minimum memory limit allowed is 6MB");
	if (opts->memory_swap && strcmp(opts->memory_swap, "-1") == 0)
		ret->swap_bytes = -1;
	else if (parse_bytes("--memory-swap", opts->memory_swap, &ret->swap_bytes, err) < 0)
		return -1;
	if (ret->swap_bytes > 0 && ret->swap_bytes < ret->memory_bytes)
		return err_set(err, ERR_USAGE,
			       "Minimum memoryswap limit should be larger than "
			       "memory limit, see usage");
	ret->pids = opts->pids_limit;
	ret->cpu_shares = opts->cpu_shares;
	if (!opts->cpus)
		return 0;
	cpus = strtod(opts->cpus, &end);
	if (end == opts->cpus || *end || !isfinite(cpus) || cpus < 0 || cpus > CPUS_MAX)
		return err_set(err, ERR_USAGE,
			       "invalid argument \"%s\" for \"--cpus\" flag: failed to parse %s as "
			       "a rational number",
			       opts->cpus, opts->cpus);
	ret->nano_cpus = (int64_t)(cpus * 1e9);
	return 0;
}

static int add_mounts(const struct run_opts *opts, struct run_options *ret, struct error *err)
{
	auto_free char *cwd = getcwd(NULL, 0);
	size_t nr = opts->volumes.nr + opts->mounts.nr + opts->tmpfs.nr;

	ret->mounts = xcalloc(nr + 1, sizeof(*ret->mounts));
	for (size_t i = 0; i < opts->volumes.nr; i++, ret->nr_mounts++)
		if (mountspec_parse_volume(opts->volumes.items[i], cwd ? cwd : "/",
					   &ret->mounts[ret->nr_mounts], err) < 0)
			return -1;
	for (size_t i = 0; i < opts->mounts.nr; i++, ret->nr_mounts++)
		if (mountspec_parse_mount(opts->mounts.items[i], cwd ? cwd : "/",
					  &ret->mounts[ret->nr_mounts], err) < 0)
			return -1;
	for (size_t i = 0; i < opts->tmpfs.nr; i++, ret->nr_mounts++)
		if (mountspec_parse_tmpfs(opts->tmpfs.items[i], &ret->mounts[ret->nr_mounts], err) <
		    0)
			return -1;
	return 0;
}

static int parse_storage(const struct strlist *storage, uint64_t *ret, struct error *err)
{
	*ret = 0;
	for (size_t i = 0; i < storage->nr; i++) {
		const char *option = storage->items[i];

		if (strncmp(option, "size=", 5) != 0)
			return err_set(err, ERR_USAGE, "Unknown option %s", option);
		if (size_parse(option + 5, ret, err) < 0)
			return -1;
	}
	return 0;
}

static int find_init(const struct run_opts *opts, char **ret, struct error *err)
{
	static const char *const known[] = { "/usr/bin/catatonit", "/usr/libexec/podman/catatonit",
					     "/usr/bin/tini-static", "/usr/bin/docker-init" };

	for (size_t i = 0; opts->init && i < sizeof(known) / sizeof(*known); i++) {
		if (access(known[i], X_OK) == 0) {
			*ret = xstrdup(known[i]);
			return 0;
		}
	}
	if (!opts->init)
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "--init needs one of the programs catatonit (Debian: catatonit), "
		       "tini-static, docker-init");
}

static void copy_list(const struct strlist *from, struct strlist *to)
{
	for (size_t i = 0; i < from->nr; i++)
		strlist_add(to, from->items[i]);
}

static int fill(struct cli *cli, const struct run_opts *opts, struct run_options *ret,
		struct error *err)
{
	const char *network = opts->network;

	ret->image_name = cli->words[0];
	for (size_t i = 1; i < cli->nr_words; i++)
		strlist_add(&ret->command, cli->words[i]);
	ret->has_entrypoint = opts->entrypoint != NULL;
	ret->entrypoint = opts->entrypoint;
	ret->user = opts->user;
	ret->workdir = opts->workdir;
	ret->hostname = opts->hostname;
	ret->stop_signal = opts->stop_signal;
	if (!network)
		network = opts->net;
	ret->network = network && strcmp(network, "default") != 0 ? network : NULL;
	ret->tty = opts->tty;
	ret->open_stdin = opts->interactive;
	ret->read_only = opts->read_only;
	ret->privileged = opts->privileged;
	ret->auto_remove = opts->remove;
	ret->detached = opts->detach;
	ret->stop_timeout = opts->stop_timeout;
	copy_list(&opts->cap_add, &ret->cap_add);
	copy_list(&opts->cap_drop, &ret->cap_drop);
	copy_list(&opts->security, &ret->security);
	copy_list(&opts->dns, &ret->dns);
	copy_list(&opts->add_host, &ret->add_host);
	copy_list(&opts->groups, &ret->groups);
	copy_list(&opts->ulimits, &ret->ulimits);
	copy_list(&opts->devices, &ret->devices);
	copy_list(&opts->sysctls, &ret->sysctls);
	if (labels_read(&opts->labels, &ret->labels, err) < 0 ||
	    parse_bytes("--shm-size", opts->shm_size, &ret->shm_bytes, err) < 0 ||
	    parse_limits(opts, &ret->limits, err) < 0 ||
	    envfile_collect(&opts->env_files, &opts->env, &ret->env, err) < 0)
		return -1;
	return add_mounts(opts, ret, err);
}

static int find_or_fetch(struct cli *cli, struct store *store, const struct run_opts *opts,
			 struct image *ret, struct error *err)
{
	const char *name = cli->words[0];
	auto_free char *text = NULL;

	if (strcmp(opts->pull, "always") != 0) {
		if (image_find(store, name, ret, NULL, err) == 0)
			return 0;
		if (err->kind != ERR_NOT_FOUND || strcmp(opts->pull, "never") == 0)
			return -1;
		text = xasprintf("Unable to find image '%s' locally",
				 strncmp(err->text, "No such image: ", 15) == 0 ? err->text + 15
										: name);
		cli_say(text);
	}
	if (fetch_image(cli, store, name, opts->platform, opts->quiet, err) < 0)
		return -1;
	return image_find(store, name, ret, NULL, err);
}

static int check_image(struct cli *cli, struct store *store, const struct run_opts *opts,
		       struct error *err)
{
	auto_image struct image image = { 0 };
	auto_free char *platform = NULL;

	if (find_or_fetch(cli, store, opts, &image, err) < 0)
		return -1;
	platform = xasprintf("%s/%s", image.os, image.architecture);
	if (opts->platform && *opts->platform &&
	    strncmp(opts->platform, platform, strlen(platform)) != 0)
		return err_set(err, ERR_NOT_FOUND,
			       "image with reference %s was found but its platform (%s) does not "
			       "match the specified platform (%s)",
			       cli->words[0], platform, opts->platform);
	return 0;
}

static int write_cidfile(const char *path, const char *id, struct error *err)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_sys(err, errno, "failed to create the container ID file");
	return io_write(fd, id, strlen(id), err);
}

int runopts_create(struct cli *cli, const struct run_opts *opts, struct store *store, char **ret_id,
		   struct error *err)
{
	auto_run_options struct run_options options = { 0 };
	auto_free char *init = NULL;
	auto_free char *id = NULL;
	uint64_t size_bytes;

	if (fill(cli, opts, &options, err) < 0 || find_init(opts, &init, err) < 0 ||
	    parse_storage(&opts->storage, &size_bytes, err) < 0 ||
	    check_image(cli, store, opts, err) < 0)
		return -1;
	options.init = init;
	if (container_create(store, &options, opts->name && *opts->name ? opts->name : NULL,
			     size_bytes, &id, err) < 0)
		return -1;
	if (opts->cidfile && *opts->cidfile && write_cidfile(opts->cidfile, id, err) < 0) {
		struct error ignored;

		container_remove(store, id, true, true, &ignored);
		return -1;
	}
	*ret_id = take_ptr(id);
	return 0;
}
