/* SPDX-License-Identifier: Apache-2.0 */
#include "run/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "run/caps.h"
#include "run/seccomp.h"

#define SHM_BYTES     (64 * 1024 * 1024)
#define CPU_PERIOD_US 100000

void bundle_mounts_add(struct bundle_mounts *mounts, const char *source, const char *target,
		       bool read_only, const char *options)
{
	mounts->items = xrealloc(mounts->items, (mounts->nr + 1) * sizeof(*mounts->items));
	mounts->items[mounts->nr++] = (struct bundle_mount){
		.source = source ? xstrdup(source) : NULL,
		.target = xstrdup(target),
		.read_only = read_only,
		.options = options ? xstrdup(options) : NULL,
	};
}

void bundle_mounts_done(struct bundle_mounts *mounts)
{
	for (size_t i = 0; i < mounts->nr; i++) {
		free(mounts->items[i].source);
		free(mounts->items[i].target);
		free(mounts->items[i].options);
	}
	free(mounts->items);
	*mounts = (struct bundle_mounts){ 0 };
}

static json_t *texts(const struct strlist *list)
{
	json_t *ret = json_array();

	for (size_t i = 0; list && i < list->nr; i++)
		json_array_append_new(ret, jsonfield_text(list->items[i]));
	return ret;
}

/* Comma separated words onto an array. */
static void add_words(json_t *array, const char *words)
{
	while (words && *words) {
		size_t len = strcspn(words, ",");

		if (len)
			json_array_append_new(array, json_stringn(words, len));
		words += len + (words[len] == ',');
	}
}

static json_t *mount(const char *target, const char *type, const char *source, const char *options)
{
	json_t *words = json_array();

	add_words(words, options);
	return json_pack("{s:s, s:s, s:s, s:o}", "destination", target, "type", type, "source",
			 source, "options", words);
}

static void add_system_mounts(const struct bundle_args *args, json_t *mounts)
{
	long long shm = args->shm_bytes ? args->shm_bytes : SHM_BYTES;
	auto_free char *shm_options = xasprintf("nosuid,noexec,nodev,mode=1777,size=%lld", shm);
	const char *sys = args->privileged ? "nosuid,noexec,nodev" : "nosuid,noexec,nodev,ro";

	json_array_append_new(mounts, mount("/proc", "proc", "proc", "nosuid,noexec,nodev"));
	json_array_append_new(
		mounts, mount("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"));
	json_array_append_new(mounts, mount("/dev/pts", "devpts", "devpts",
					    "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,"
					    "gid=5"));
	json_array_append_new(mounts, mount("/sys", "sysfs", "sysfs", sys));
	json_array_append_new(mounts, mount("/sys/fs/cgroup", "cgroup", "cgroup", sys));
	json_array_append_new(mounts,
			      mount("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"));
	json_array_append_new(mounts, mount("/dev/shm", "tmpfs", "shm", shm_options));
}

static void add_own_mounts(const struct bundle_args *args, json_t *mounts)
{
	for (size_t i = 0; args->mounts && i < args->mounts->nr; i++) {
		const struct bundle_mount *at = &args->mounts->items[i];
		auto_free char *options =
			xasprintf("%s%s%s%s", at->source ? "rbind" : "nosuid,nodev",
				  at->read_only ? ",ro" : ",rw", at->options ? "," : "",
				  at->options ? at->options : "");

		json_array_append_new(mounts, mount(at->target, at->source ? "bind" : "tmpfs",
						    at->source ? at->source : "tmpfs", options));
	}
}

static json_t *capabilities(uint64_t caps, bool root)
{
	auto_strlist struct strlist names = { 0 };
	json_t *ret = json_object();

	caps_names(caps, &names);
	json_object_set_new(ret, "bounding", texts(&names));
	/* As with Docker, another user gets them back only by a program that has them. */
	json_object_set_new(ret, "effective", root ? texts(&names) : json_array());
	json_object_set_new(ret, "permitted", root ? texts(&names) : json_array());
	return ret;
}

static json_t *user(const struct account *account)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < account->nr_groups; i++)
		json_array_append_new(groups, json_integer(account->groups[i]));
	return json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)account->uid, "gid",
			 (json_int_t)account->gid, "additionalGids", groups);
}

json_t *bundle_process(const struct bundle_args *args)
{
	const char *cwd = args->cwd && *args->cwd ? args->cwd : "/";
	json_t *ret =
		json_pack("{s:o, s:o, s:o, s:o, s:b, s:b, s:o}", "args", texts(args->argv), "env",
			  texts(args->env), "cwd", jsonfield_text(cwd), "user", user(args->account),
			  "terminal", args->terminal, "noNewPrivileges", args->no_new_privs,
			  "capabilities", capabilities(args->caps, args->account->uid == 0));

	if (args->rlimits)
		json_object_set(ret, "rlimits", args->rlimits);
	return ret;
}

static json_t *namespaces(const struct bundle_args *args)
{
	json_t *ret = json_pack("[{s:s}, {s:s}, {s:s}, {s:s}, {s:s}]", "type", "pid", "type", "ipc",
				"type", "uts", "type", "mount", "type", "cgroup");

	if (args->own_network)
		json_array_append_new(ret, json_pack("{s:s}", "type", "network"));
	return ret;
}

static json_t *device_rules(const struct bundle_args *args)
{
	json_t *ret = json_array();
	json_t *device;
	size_t i;

	if (args->privileged) {
		json_array_append_new(ret, json_pack("{s:b, s:s}", "allow", 1, "access", "rwm"));
		return ret;
	}
	/* Any node may be made; those that the runtime makes may be used (crun adds them). */
	json_array_append_new(ret, json_pack("{s:b, s:s}", "allow", 0, "access", "rwm"));
	json_array_append_new(ret,
			      json_pack("{s:b, s:s, s:s}", "allow", 1, "type", "c", "access", "m"));
	json_array_append_new(ret,
			      json_pack("{s:b, s:s, s:s}", "allow", 1, "type", "b", "access", "m"));
	json_array_foreach(args->devices, i, device)
		json_array_append_new(ret, json_pack("{s:b, s:O, s:O, s:O, s:O}", "allow", 1,
						     "type", json_object_get(device, "type"),
						     "major", json_object_get(device, "major"),
						     "minor", json_object_get(device, "minor"),
						     "access", json_object_get(device, "access")));
	return ret;
}

static json_t *resources(const struct bundle_args *args)
{
	const struct bundle_limits *limits = &args->limits;
	json_t *ret = json_pack("{s:o}", "devices", device_rules(args));
	json_t *memory = json_object(), *cpu = json_object();

	if (limits->memory_bytes)
		json_object_set_new(memory, "limit", json_integer(limits->memory_bytes));
	if (limits->swap_bytes)
		json_object_set_new(memory, "swap", json_integer(limits->swap_bytes));
	if (limits->cpu_shares)
		json_object_set_new(cpu, "shares", json_integer(limits->cpu_shares));
	if (limits->nano_cpus) {
		json_object_set_new(cpu, "period", json_integer(CPU_PERIOD_US));
		json_object_set_new(cpu, "quota",
				    json_integer(limits->nano_cpus * CPU_PERIOD_US / 1000000000));
	}
	if (limits->pids)
		json_object_set_new(ret, "pids",
				    json_pack("{s:I}", "limit", (json_int_t)limits->pids));
	if (json_object_size(memory))
		json_object_set(ret, "memory", memory);
	if (json_object_size(cpu))
		json_object_set(ret, "cpu", cpu);
	json_decref(memory);
	json_decref(cpu);
	return ret;
}

static json_t *devices(const struct bundle_args *args)
{
	json_t *ret = json_array(), *device;
	size_t i;

	json_array_foreach(args->devices, i, device)
	{
		json_t *copy = json_copy(device);

		json_object_del(copy, "access");
		json_array_append_new(ret, copy);
	}
	return ret;
}

static void add_protection(const struct bundle_args *args, json_t *linux_part)
{
	static const char *const masked[] = {
		"/proc/asound",	    "/proc/acpi",	 "/proc/interrupts",
		"/proc/kcore",	    "/proc/keys",	 "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
		"/proc/scsi",	    "/sys/firmware",	 "/sys/devices/virtual/powercap",
	};
	static const char *const read_only[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
						 "/proc/sysrq-trigger" };
	json_t *masks = json_array(), *reads = json_array();

	for (size_t i = 0; i < sizeof(masked) / sizeof(*masked); i++)
		json_array_append_new(masks, json_string(masked[i]));
	for (size_t i = 0; i < sizeof(read_only) / sizeof(*read_only); i++)
		json_array_append_new(reads, json_string(read_only[i]));
	json_object_set_new(linux_part, "maskedPaths", masks);
	json_object_set_new(linux_part, "readonlyPaths", reads);
	if (args->no_seccomp)
		return;
	json_object_set_new(linux_part, "seccomp",
			    args->seccomp ? json_incref(args->seccomp)
					  : seccomp_profile(args->caps));
}

static json_t *linux_json(const struct bundle_args *args)
{
	json_t *ret =
		json_pack("{s:s, s:o, s:o, s:o}", "cgroupsPath", args->cgroup, "namespaces",
			  namespaces(args), "resources", resources(args), "devices", devices(args));

	if (args->sysctls && json_object_size(args->sysctls))
		json_object_set(ret, "sysctl", args->sysctls);
	if (!args->privileged)
		add_protection(args, ret);
	return ret;
}

json_t *bundle_config(const struct bundle_args *args)
{
	json_t *mounts = json_array();
	json_t *ret;

	add_system_mounts(args, mounts);
	add_own_mounts(args, mounts);
	ret = json_pack("{s:s, s:o, s:{s:s, s:b}, s:o, s:o}", "ociVersion", "1.0.2", "process",
			bundle_process(args), "root", "path", args->rootfs, "readonly",
			args->read_only_root, "mounts", mounts, "linux", linux_json(args));
	if (args->hostname && *args->hostname)
		json_object_set_new(ret, "hostname", jsonfield_text(args->hostname));
	return ret;
}
