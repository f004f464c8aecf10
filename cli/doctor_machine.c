/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "appliance/kernel.h"
#include "base/blockhash.h"
#include "base/buf.h"
#include "base/cgroup.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/library.h"
#include "base/proc.h"
#include "base/size.h"
#include "doctor.h"

#define ASK_MS	      10000
#define FREE_LEAST    (64 * MIB)
#define FREE_SENSIBLE (2 * GIB)
#define FILE_TEXT_MAX 65536
#define RULES_NAME    "11-dm-veneer.rules"

/* Is it in the kernel: loaded, or built in with a parameter or a version? */
static bool is_loaded(const char *module)
{
	auto_free char *path = xasprintf("/sys/module/%s", module);

	return access(path, F_OK) == 0;
}

/* The same for what leaves no trace there. */
static bool file_has(const char *path, const char *word)
{
	auto_buf struct buf text = { 0 };
	struct error ignored;

	return io_read_file(AT_FDCWD, path, FILE_TEXT_MAX, &text, &ignored) == 0 && text.len &&
	       strstr(text.data, word);
}

static bool can_be_loaded(const char *module)
{
	const char *const argv[] = { "modprobe", "-n", "-q", module, NULL };
	auto_buf struct buf output = { 0 };
	struct error ignored;

	return proc_run(argv, ASK_MS, &output, &ignored) == 0;
}

static void look_at_module(struct doctor *doctor, const char *module, const char *file,
			   const char *word, const char *use, enum doctor_level without)
{
	if (is_loaded(module) || (file && file_has(file, word)))
		doctor_found(doctor, DOCTOR_OK, "kernel", "", "%s is there", module);
	else if (can_be_loaded(module))
		doctor_found(doctor, DOCTOR_OK, "kernel", "",
			     "%s is not loaded, but can be: the first command that needs it does "
			     "so",
			     module);
	else
		doctor_found(doctor, without, "kernel",
			     without == DOCTOR_ERROR ? "veneer --kernel appliance" : "",
			     "the kernel has no %s, and no module of that name: no %s", module,
			     use);
}

static void look_at_targets(struct doctor *doctor)
{
	static const char *const wanted[] = { "thin-pool", "thin", "linear" };
	const char *const argv[] = { "dmsetup", "targets", NULL };
	auto_buf struct buf output = { 0 };
	struct error err;

	if (!doctor->root) {
		doctor_found(doctor, DOCTOR_NOTE, "kernel", "sudo veneer doctor",
			     "only root sees the targets of device-mapper");
		return;
	}
	if (!is_loaded("dm_mod") && !file_has("/proc/misc", "device-mapper"))
		return;
	if (proc_run(argv, ASK_MS, &output, &err) != 0 || !output.len)
		return;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		auto_free char *key = xasprintf("%s ", wanted[i]);
		const char *at = output.data;
		auto_free char *version = NULL;

		while (at && strncmp(at, key, strlen(key)) != 0) {
			at = strchr(at, '\n');
			at += at != NULL;
		}
		if (!at)
			continue;
		version = doctor_version_in(at);
		doctor_found(doctor, DOCTOR_OK, "kernel", "", "device-mapper target %s %s",
			     wanted[i], version);
	}
}

static void look_at_kernel(struct doctor *doctor)
{
	enum doctor_level without = doctor->here ? DOCTOR_ERROR : DOCTOR_NOTE;
	struct utsname name;

	if (uname(&name) == 0)
		doctor_found(doctor, DOCTOR_OK, "kernel", "", "%s %s", name.sysname, name.release);
	if (!doctor->here)
		doctor_found(
			doctor, DOCTOR_OK, "kernel", "",
			"the pool is in the appliance: what this kernel lacks does not matter");
	look_at_module(doctor, "dm_mod", "/proc/misc", "device-mapper", "pool", without);
	look_at_module(doctor, "dm_thin_pool", NULL, NULL, "pool", without);
	look_at_module(doctor, "loop", "/proc/devices", " loop\n", "pool on files", without);
	look_at_module(doctor, "ext4", "/proc/filesystems", "ext4\n", "volume with ext4", without);
	look_at_targets(doctor);
}

static void look_at_cgroups(struct doctor *doctor)
{
	struct statfs fs;

	if (statfs(CGROUP_ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
		doctor_found(doctor, DOCTOR_OK, "cgroup", "", "cgroup2 at " CGROUP_ROOT);
	else
		doctor_found(doctor, doctor->here ? DOCTOR_WARNING : DOCTOR_NOTE, "cgroup",
			     "mount -t cgroup2 none " CGROUP_ROOT,
			     "there is no cgroup2 at " CGROUP_ROOT
			     ": containers have no limits, and may leave processes");
}

/* A program is not older than the day on which it was built. */
static void look_at_clock(struct doctor *doctor)
{
	struct stat st;
	time_t now = time(NULL);

	if (stat("/proc/self/exe", &st) < 0)
		return;
	if (now < st.st_mtime)
		doctor_found(doctor, DOCTOR_ERROR, "clock", "timedatectl set-ntp true",
			     "the clock is before the day on which this program was built: "
			     "certificates look invalid, and times of images are wrong");
	else
		doctor_found(doctor, DOCTOR_OK, "clock", "",
			     "it is later than this program's build");
}

static const char *udev_rules(void)
{
	static const char *const files[] = {
		"/etc/udev/rules.d/" RULES_NAME,	   "/run/udev/rules.d/" RULES_NAME,
		"/usr/local/lib/udev/rules.d/" RULES_NAME, "/usr/lib/udev/rules.d/" RULES_NAME,
		"/lib/udev/rules.d/" RULES_NAME,
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (access(files[i], F_OK) == 0)
			return files[i];
	return NULL;
}

static void look_at_udev(struct doctor *doctor)
{
	const char *rules = udev_rules();
	bool runs = access("/run/udev/control", F_OK) == 0;

	if (!runs)
		doctor_found(doctor, DOCTOR_OK, "udev", "",
			     "udevd does not run: veneer makes what it needs itself");
	else if (rules)
		doctor_found(doctor, DOCTOR_OK, "udev", "", "udevd runs, with %s", rules);
	else
		doctor_found(doctor, doctor->here ? DOCTOR_WARNING : DOCTOR_NOTE, "udev",
			     "make install && udevadm control --reload",
			     "udevd runs without " RULES_NAME
			     ": it looks into each volume, and holds it meanwhile");
}

/* The folder itself, or the first one above it that is there. */
static int statfs_above(const char *path, struct statfs *ret)
{
	auto_free char *at = xstrdup(path);

	for (;;) {
		char *slash = strrchr(at, '/');

		if (statfs(*at ? at : "/", ret) == 0)
			return 0;
		if (errno != ENOENT || !slash)
			return -1;
		*slash = '\0';
	}
}

static void look_at_disk(struct doctor *doctor)
{
	const char *root = doctor->cli->settings->root, *name, *why;
	enum doctor_level level;
	struct statfs fs;
	uint64_t room;

	if (statfs_above(root, &fs) < 0) {
		doctor_found(doctor, DOCTOR_NOTE, "disk", "sudo veneer doctor",
			     "'%s' cannot be looked at: %s", root, strerror(errno));
		return;
	}
	level = doctor_disk_kind((long)fs.f_type, &name, &why);
	/* There the disk of the store is a file, which any of these can hold. */
	if (!doctor->here && level == DOCTOR_WARNING && fs.f_type != TMPFS_MAGIC)
		level = DOCTOR_NOTE;
	doctor_found(doctor, level, "disk", "", "'%s' is on a file system %s%s", root, name,
		     level == DOCTOR_OK ? "" : why);
	room = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	doctor_found(doctor,
		     room < FREE_LEAST	    ? DOCTOR_ERROR
		     : room < FREE_SENSIBLE ? DOCTOR_WARNING
					    : DOCTOR_OK,
		     "disk", room < FREE_SENSIBLE ? "veneer system prune" : "",
		     "%" PRIu64 " MiB are free below '%s'", room / MIB, root);
}

void doctor_look_at_machine(struct doctor *doctor)
{
	if (!doctor->root)
		doctor_found(doctor, DOCTOR_NOTE, "user", "sudo veneer doctor",
			     "this is not root: what others run, and devices, cannot be seen");
	look_at_kernel(doctor);
	look_at_cgroups(doctor);
	look_at_udev(doctor);
	look_at_clock(doctor);
	look_at_disk(doctor);
}

struct tool {
	const char *argv[3]; /* prints its version */
	const char *package; /* Debian's */
	const char *use;
	enum doctor_level without;
};

static void look_at_tool(struct doctor *doctor, const struct tool *tool)
{
	const char *const argv[] = { tool->argv[0], tool->argv[1], NULL };
	auto_free char *install = xasprintf("apt-get install %s", tool->package);
	auto_buf struct buf output = { 0 };
	auto_free char *version = NULL;
	struct error err;

	if (proc_run(argv, ASK_MS, &output, &err) < 0) {
		if (err.kind == ERR_NOT_FOUND)
			doctor_found(doctor, tool->without, "tools", install,
				     "%s is not installed: no %s", tool->argv[0], tool->use);
		else
			doctor_found(doctor, DOCTOR_WARNING, "tools", install, "%s", err.text);
		return;
	}
	version = doctor_version_in(output.len ? output.data : "");
	doctor_found(doctor, DOCTOR_OK, "tools", "", "%s%s%s (%s)", tool->argv[0],
		     *version ? " " : "", version, tool->package);
}

static void look_at_library(struct doctor *doctor, const char *file, const char *package,
			    const char *use, enum doctor_level without)
{
	static const struct library_symbol nothing[] = { { 0 } };
	auto_free char *install = xasprintf("apt-get install %s", package);
	struct error err;

	if (library_load(file, nothing, &err) == 0)
		doctor_found(doctor, DOCTOR_OK, "tools", "", "%s (%s)", file, package);
	else
		doctor_found(doctor, without, "tools", install, "%s: no %s", err.text, use);
}

void doctor_look_at_tools(struct doctor *doctor)
{
	enum doctor_level pool = doctor->here ? DOCTOR_ERROR : DOCTOR_WARNING;
	enum doctor_level kernel = doctor->here ? DOCTOR_NOTE : DOCTOR_ERROR;
	const char *library, *package;
	const struct tool tools[] = {
		{ { "mkfs.ext4", "-V" }, "e2fsprogs", "new pool", DOCTOR_ERROR },
		{ { "resize2fs", "--version" }, "e2fsprogs", "larger container", DOCTOR_WARNING },
		{ { "mkfs.xfs", "-V" }, "xfsprogs", "pool with xfs", DOCTOR_NOTE },
		{ { "thin_check", "-V" },
		  "thin-provisioning-tools",
		  "check of a pool",
		  DOCTOR_WARNING },
		{ { "thin_repair", "-V" },
		  "thin-provisioning-tools",
		  "repair of a pool",
		  DOCTOR_WARNING },
		{ { "modprobe", "--version" }, "kmod", "module of the kernel", DOCTOR_WARNING },
		{ { "crun", "--version" },
		  "crun",
		  "container, and no RUN in a build",
		  DOCTOR_WARNING },
		{ { "conmon", "--version" },
		  "conmon",
		  "container in the background",
		  DOCTOR_WARNING },
		{ { "catatonit", "--version" }, "catatonit", "run --init", DOCTOR_NOTE },
		{ { "dmsetup", "--version" }, "dmsetup", "help with strange devices", DOCTOR_NOTE },
		{ { KERNEL_PATH, "--version" }, "user-mode-linux", "appliance", kernel },
	};

	for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++)
		look_at_tool(doctor, &tools[i]);
	look_at_library(doctor, "libdevmapper.so.1.02.1", "libdevmapper1.02.1", "pool", pool);
	look_at_library(doctor, "libcurl.so.4", "libcurl4", "pull and push", DOCTOR_WARNING);
	look_at_library(doctor, "libkmod.so.2", "libkmod2", "appliance", kernel);
	look_at_library(doctor, "libisal.so.2", "libisal2", "fast gzip", DOCTOR_WARNING);
	library = blockhash_library(&package);
	if (library)
		look_at_library(doctor, library, package, "fast digests", DOCTOR_NOTE);
}
