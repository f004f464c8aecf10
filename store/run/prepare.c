/* SPDX-License-Identifier: Apache-2.0 */
#include "run/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "base/proc.h"
#include "db/recover_container.h"
#include "run/document.h"
#include "run/hostfiles.h"
#include "run/shim.h"
#include "store.h"

#define COPY_DEADLINE_MS (60 * 60 * 1000)

char *prepare_volume_path(const struct store *store, const char *name)
{
	return xasprintf("%s/volumes/%s/_data", store->root.path, name);
}

void prepare_env(const json_t *document, const struct account *account, bool tty,
		 struct strlist *ret)
{
	auto_strlist struct strlist given = { 0 };
	auto_free char *hostname =
		xasprintf("HOSTNAME=%s", document_text(document, "Config", "Hostname"));

	document_list(json_object_get(json_object_get(document, "Config"), "Env"), &given);
	strlist_add(ret, env_value(&given, "PATH") ? "PATH=" : "PATH=/usr/bin:/bin");
	strlist_add(ret, hostname);
	if (tty)
		strlist_add(ret, "TERM=xterm");
	for (size_t i = 0; i < given.nr; i++)
		env_set(ret, given.items[i]);
	if (!env_value(ret, "HOME"))
		strlist_take(ret, xasprintf("HOME=%s", account->home));
}

static bool is_empty(const char *path)
{
	auto_strlist struct strlist names = { 0 };

	io_list_folder(AT_FDCWD, path, &names);
	return !names.nr;
}

/* Fills a new folder with what the image has at target, then gives it its name. */
static int copy_up(int root_fd, const char *target, const char *folder, const char *data,
		   struct error *err)
{
	auto_free char *new = xasprintf("%s/_new", folder);
	auto_free char *source = NULL;
	const char *const rm[] = { "rm", "-rf", "--one-file-system", "--", new, NULL };
	struct error absent;
	auto_fd int fd = path_open_in_root(root_fd, target, O_RDONLY | O_DIRECTORY, 0, &absent);

	if (proc_check(rm, COPY_DEADLINE_MS, err) < 0)
		return -1;
	if (mkdir(new, 0755) < 0)
		return err_sys(err, errno, "create folder '%s'", new);
	if (fd >= 0) {
		/* The child finds our descriptor by our number. */
		const char *const cp[] = { "cp", "-a", "--reflink=never", "-T", "--", NULL,
					   new,	 NULL };
		const char *argv[8];

		source = xasprintf("/proc/%d/fd/%d/.", (int)getpid(), fd);
		memcpy(argv, cp, sizeof(cp));
		argv[5] = source;
		if (proc_check(argv, COPY_DEADLINE_MS, err) < 0)
			return err_add(err, "copy '%s' into its volume", target);
	}
	if (rename(new, data) < 0)
		return err_sys(err, errno, "make volume '%s'", data);
	return 0;
}

static int fill_volume(struct store *store, const char *name, const char *target, bool copy,
		       int root_fd, struct error *err)
{
	auto_free char *folder = xasprintf("%s/volumes/%s", store->root.path, name);
	auto_free char *data = prepare_volume_path(store, name);
	auto_fd int lock_fd = -1;

	if (io_make_dirs(folder, 0701, err) < 0)
		return -1;
	lock_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock_fd < 0 || flock(lock_fd, LOCK_EX) < 0)
		return err_sys(err, errno, "lock volume '%s'", name);
	if (!is_empty(data))
		return 0;
	if (!copy)
		return io_make_dirs(data, 0755, err);
	return copy_up(root_fd, target, folder, data, err);
}

static const char *field(const json_t *mount, const char *key)
{
	const char *text = json_string_value(json_object_get(mount, key));

	return text && *text ? text : NULL;
}

static int add_bind(const json_t *mount, struct bundle_mounts *mounts, struct error *err)
{
	const char *source = field(mount, "Source");
	struct stat st;

	if (!source)
		return err_set(err, ERR_CORRUPT, "a mount of the container has no source");
	if (stat(source, &st) < 0) {
		if (!json_is_true(json_object_get(mount, "MakeSource")))
			return err_set(err, ERR_USAGE,
				       "invalid mount config for type \"bind\": bind source path "
				       "does not exist: %s",
				       source);
		if (io_make_dirs(source, 0755, err) < 0)
			return -1;
	}
	bundle_mounts_add(mounts, source, field(mount, "Destination"),
			  !json_is_true(json_object_get(mount, "RW")),
			  field(mount, "Mode") ? field(mount, "Mode") : "rprivate");
	return 0;
}

static int add_mount(struct store *store, const json_t *mount, int root_fd,
		     struct bundle_mounts *mounts, struct error *err)
{
	const char *type = field(mount, "Type"), *target = field(mount, "Destination");
	const char *name = field(mount, "Name");
	bool read_only = !json_is_true(json_object_get(mount, "RW"));
	auto_free char *source = NULL;

	if (!type || !target)
		return err_set(err, ERR_CORRUPT, "a mount of the container has no %s",
			       type ? "destination" : "type");
	if (strcmp(type, "tmpfs") == 0) {
		bundle_mounts_add(mounts, NULL, target, read_only,
				  field(mount, "Mode") ? field(mount, "Mode") : "noexec");
		return 0;
	}
	if (!name)
		return add_bind(mount, mounts, err);
	if (fill_volume(store, name, target, !json_is_true(json_object_get(mount, "NoCopy")),
			root_fd, err) < 0)
		return -1;
	source = prepare_volume_path(store, name);
	bundle_mounts_add(mounts, source, target, read_only, "rprivate");
	return 0;
}

static int by_target(const void *a, const void *b)
{
	const struct bundle_mount *x = a, *y = b;

	return strcmp(x->target, y->target);
}

static int prepare_mounts(struct store *store, const json_t *document, const char *folder,
			  int root_fd, struct bundle_mounts *mounts, struct error *err)
{
	auto_strlist struct strlist dns = { 0 };
	auto_strlist struct strlist add_host = { 0 };
	json_t *host = json_object_get(document, "HostConfig"), *mount;
	struct hostfiles files = {
		.hostname = document_text(document, "Config", "Hostname"),
		.own_network =
			strcmp(document_text(document, "HostConfig", "NetworkMode"), "none") == 0,
		.dns = &dns,
		.add_host = &add_host,
	};
	const char *init = document_text(document, "Oci", "init");
	size_t i;

	document_list(json_object_get(host, "Dns"), &dns);
	document_list(json_object_get(host, "ExtraHosts"), &add_host);
	if (hostfiles_write(&files, folder, mounts, err) < 0)
		return -1;
	if (*init)
		bundle_mounts_add(mounts, init, "/sbin/docker-init", true, "rprivate");
	json_array_foreach(json_object_get(document, "Mounts"), i,
			   mount) if (add_mount(store, mount, root_fd, mounts, err) < 0) return -1;
	/* A folder before what is mounted within it. */
	qsort(mounts->items, mounts->nr, sizeof(*mounts->items), by_target);
	return 0;
}

/* Docker makes a WORKDIR that the image has not. */
static int make_workdir(int root_fd, const char *path, struct error *err)
{
	auto_free char *part = xstrdup(path);

	for (char *at = part + 1;; at++) {
		char end = *at;
		auto_fd int fd = -1;
		auto_fd int there_fd = -1;

		if (end && end != '/')
			continue;
		*at = '\0';
		there_fd = path_open_in_root(root_fd, part, O_PATH, 0, err);
		if (there_fd < 0 && strrchr(part, '/')[1]) {
			char *slash = strrchr(part, '/');

			*slash = '\0';
			fd = path_open_in_root(root_fd, part, O_PATH | O_DIRECTORY, 0, err);
			*slash = '/';
			if (fd < 0 || (mkdirat(fd, slash + 1, 0755) < 0 && errno != EEXIST))
				return err_add(err, "working directory '%s'", path);
		}
		if (!end)
			return 0;
		*at = end;
	}
}

static int add_groups(const json_t *document, int root_fd, struct account *account,
		      struct error *err)
{
	json_t *groups = json_object_get(json_object_get(document, "HostConfig"), "GroupAdd");

	for (size_t i = 0; i < json_array_size(groups); i++)
		if (account_add_group(root_fd, json_string_value(json_array_get(groups, i)),
				      account, err) < 0)
			return -1;
	return 0;
}

static void read_limits(const json_t *document, struct bundle_limits *ret)
{
	*ret = (struct bundle_limits){
		.memory_bytes = document_number(document, "HostConfig", "Memory"),
		.swap_bytes = document_number(document, "HostConfig", "MemorySwap"),
		.nano_cpus = document_number(document, "HostConfig", "NanoCpus"),
		.pids = document_number(document, "HostConfig", "PidsLimit"),
		.cpu_shares = document_number(document, "HostConfig", "CpuShares"),
	};
}

static int write_config(const struct bundle_args *args, const char *folder, struct error *err)
{
	auto_free char *path = xasprintf("%s/config.json", folder);
	json_auto_t *config = bundle_config(args);
	auto_free char *text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);

	return io_replace_file(AT_FDCWD, path, text, strlen(text), 0600, err);
}

int prepare_start(struct store *store, const struct container_row *row, const json_t *document,
		  const char *folder, int root_fd, struct error *err)
{
	json_t *oci = json_object_get(document, "Oci");
	auto_bundle_mounts struct bundle_mounts mounts = { 0 };
	auto_account struct account account = { 0 };
	auto_strlist struct strlist argv = { 0 };
	auto_strlist struct strlist env = { 0 };
	auto_free char *rootfs = xasprintf("%s/" SHIM_ROOTFS, folder);
	auto_free char *cgroup = xasprintf(CONTAINER_CGROUP "/%s", row->id);
	struct bundle_args args = {
		.rootfs = rootfs,
		.argv = &argv,
		.env = &env,
		.cwd = document_text(document, "Config", "WorkingDir"),
		.account = &account,
		.hostname = document_text(document, "Config", "Hostname"),
		.cgroup = cgroup,
		.mounts = &mounts,
		.caps = (uint64_t)document_number(document, "Oci", "caps"),
		.privileged = document_flag(document, "HostConfig", "Privileged"),
		.no_seccomp = document_flag(document, "Oci", "noSeccomp"),
		.seccomp = json_object_get(oci, "seccomp"),
		.no_new_privs = document_flag(document, "Oci", "noNewPrivileges"),
		.terminal = document_flag(document, "Config", "Tty"),
		.read_only_root = document_flag(document, "HostConfig", "ReadonlyRootfs"),
		.own_network =
			strcmp(document_text(document, "HostConfig", "NetworkMode"), "none") == 0,
		.shm_bytes = document_number(document, "HostConfig", "ShmSize"),
		.rlimits = json_object_get(oci, "rlimits"),
		.sysctls = json_object_get(oci, "sysctls"),
		.devices = json_object_get(oci, "devices"),
	};

	read_limits(document, &args.limits);
	if (account_find(root_fd, document_text(document, "Config", "User"), &account, err) < 0 ||
	    add_groups(document, root_fd, &account, err) < 0 ||
	    (*args.cwd == '/' && make_workdir(root_fd, args.cwd, err) < 0) ||
	    prepare_mounts(store, document, folder, root_fd, &mounts, err) < 0)
		return -1;
	document_argv(document, &argv);
	prepare_env(document, &account, args.terminal, &env);
	return write_config(&args, folder, err);
}
