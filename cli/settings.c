/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "appliance/kernel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/size.h"

enum key_kind {
	KEY_PATH,    /* char *: absolute */
	KEY_BOOL,    /* bool */
	KEY_SIZE,    /* uint64_t: a number of bytes, or text for size_parse() */
	KEY_PERCENT, /* unsigned: 1 to 100 */
	KEY_STEP,    /* struct pool_growth: a size, or text like "10%" */
	KEY_KERNEL,  /* enum settings_kernel */
	KEY_PRUNE,   /* enum pressure_prune */
	KEY_FS,	     /* char * */
	KEY_WRITER,  /* enum layer_writer */
	KEY_PATHS,   /* struct strlist of absolute paths */
	KEY_REGISTRIES,
	KEY_OBJECT, /* more keys below */
};

struct key {
	const char *name;
	enum key_kind kind;
	size_t offset;
	uint64_t min_bytes, max_bytes; /* KEY_SIZE; 0: no bound */
	uint64_t unit_bytes;	       /* KEY_SIZE: a multiple of that; 0: any */
	const struct key *keys;	       /* KEY_OBJECT */
};

#define AT(member) offsetof(struct settings, member)

static const struct key appliance_keys[] = {
	{ "disks", KEY_PATHS, AT(appliance_disks) },
	{ "kernel", KEY_PATH, AT(appliance_kernel) },
	{ "memory", KEY_SIZE, AT(appliance_memory_bytes), KERNEL_MEMORY_MIN_BYTES, 1024 * GIB },
	{ "modules", KEY_PATH, AT(appliance_modules) },
	{ 0 },
};

static const struct key pool_keys[] = {
	{ "block_size", KEY_SIZE, AT(pool_block_bytes), 64 * KIB, GIB, 64 * KIB },
	{ "files_size", KEY_SIZE, AT(pool_files_bytes), 64 * MIB },
	{ "fs", KEY_FS, AT(pool_fs) },
	{ "grow_at", KEY_PERCENT, AT(pressure.grow_at) },
	{ "grow_max", KEY_SIZE, AT(pressure.growth.max_bytes), 64 * MIB },
	{ "grow_step", KEY_STEP, AT(pressure.growth), MIB },
	{ "metrics", KEY_PATH, AT(pool_metrics) },
	{ "prune", KEY_PRUNE, AT(pressure.prune) },
	{ "prune_at", KEY_PERCENT, AT(pressure.prune_at) },
	{ "prune_to", KEY_PERCENT, AT(pressure.prune_to) },
	{ "volume_size", KEY_SIZE, AT(pool_volume_bytes), 64 * MIB },
	{ 0 },
};

static const struct key top_keys[] = {
	{ .name = "appliance", .kind = KEY_OBJECT, .keys = appliance_keys },
	{ "fsck_layers", KEY_BOOL, AT(fsck_layers) },
	{ "keep_blobs", KEY_BOOL, AT(keep_blobs) },
	{ "kernel", KEY_KERNEL, AT(kernel) },
	{ .name = "pool", .kind = KEY_OBJECT, .keys = pool_keys },
	{ "registries", KEY_REGISTRIES, AT(registries) },
	{ "root", KEY_PATH, AT(root) },
	{ "writer", KEY_WRITER, AT(writer) },
	{ 0 },
};

void settings_done(struct settings *settings)
{
	free(settings->root);
	free(settings->pool_fs);
	free(settings->pool_metrics);
	free(settings->appliance_kernel);
	free(settings->appliance_modules);
	free(settings->docker_dir);
	strlist_done(&settings->appliance_disks);
	registry_table_done(&settings->registries);
	*settings = (struct settings){ 0 };
}

static void replace(char **at, char *text)
{
	free(*at);
	*at = text;
}

static const char *environment(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

static char *below_home(const char *rest)
{
	const char *home = environment("HOME");
	const struct passwd *user = home ? NULL : getpwuid(geteuid());

	if (user)
		home = user->pw_dir;
	return xasprintf("%s/%s", home ? home : "", rest);
}

static char *default_root(void)
{
	const char *data = environment("XDG_DATA_HOME");

	if (geteuid() == 0)
		return xstrdup("/var/lib/veneer");
	if (data && *data == '/')
		return xasprintf("%s/veneer", data);
	return below_home(".local/share/veneer");
}

void settings_defaults(struct settings *ret)
{
	*ret = (struct settings){
		.root = default_root(),
		.kernel = SETTINGS_KERNEL_AUTO,
		.keep_blobs = true,
		.pool_block_bytes = 64 * KIB,
		.pool_fs = xstrdup("ext4"),
		.pool_volume_bytes = 10 * GIB,
		.pressure = PRESSURE_DEFAULTS,
		.docker_dir = below_home(".docker"),
	};
}

/* The place of a word, which may be NULL, among three; -1. */
static int one_of(const char *const names[3], const char *text, struct error *err)
{
	for (int i = 0; text && i < 3; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	return err_set(err, ERR_USAGE, "must be \"%s\", \"%s\" or \"%s\"", names[0], names[1],
		       names[2]);
}

static int parse_kernel(const char *text, enum settings_kernel *ret, struct error *err)
{
	static const char *const names[] = { "auto", "host", "appliance" };
	int found = one_of(names, text, err);

	if (found >= 0)
		*ret = (enum settings_kernel)found;
	return found < 0 ? -1 : 0;
}

int settings_parse_writer(const char *text, enum layer_writer *ret, struct error *err)
{
	static const char *const names[] = { "auto", "direct", "mount" };
	int found = one_of(names, text, err);

	if (found >= 0)
		*ret = (enum layer_writer)found;
	return found < 0 ? -1 : 0;
}

static int set_size(const struct key *key, const json_t *value, uint64_t *ret, struct error *err)
{
	uint64_t bytes;

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		bytes = (uint64_t)json_integer_value(value);
	else if (!json_is_string(value))
		return err_set(err, ERR_USAGE, "must be a size, like \"10G\" or a number of bytes");
	else if (size_parse(json_string_value(value), &bytes, err) < 0)
		return -1;
	if (bytes < key->min_bytes)
		return err_set(err, ERR_USAGE, "must be at least %ju bytes",
			       (uintmax_t)key->min_bytes);
	if (key->unit_bytes && bytes % key->unit_bytes)
		return err_set(err, ERR_USAGE, "must be a multiple of %ju bytes",
			       (uintmax_t)key->unit_bytes);
	if (key->max_bytes && bytes > key->max_bytes)
		return err_set(err, ERR_USAGE, "must be at most %ju bytes",
			       (uintmax_t)key->max_bytes);
	*ret = bytes;
	return 0;
}

static int set_percent(const json_t *value, unsigned *ret, struct error *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 1 || number > 100)
		return err_set(err, ERR_USAGE, "must be a number of percent from 1 to 100");
	*ret = (unsigned)number;
	return 0;
}

static int set_step(const struct key *key, const json_t *value, struct pool_growth *ret,
		    struct error *err)
{
	const char *text = json_string_value(value);
	char *end = NULL;
	long percent = text ? strtol(text, &end, 10) : 0;

	if (!text || end == text || strcmp(end, "%") != 0)
		return set_size(key, value, &ret->step_bytes, err);
	if (percent < 1 || percent > 100)
		return err_set(err, ERR_USAGE, "must be from \"1%%\" to \"100%%\"");
	ret->step_percent = (unsigned)percent;
	ret->step_bytes = 0;
	return 0;
}

static int check_path(const json_t *value, struct error *err)
{
	const char *text = json_string_value(value);

	if (!text || *text != '/' || strlen(text) >= PATH_MAX)
		return err_set(err, ERR_USAGE, "must be an absolute path");
	return 0;
}

static int set_paths(const json_t *value, struct strlist *ret, struct error *err)
{
	if (!json_is_array(value) || json_array_size(value) > SETTINGS_DISKS_MAX)
		return err_set(err, ERR_USAGE, "must be a list of at most %d paths",
			       SETTINGS_DISKS_MAX);
	strlist_done(ret);
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (check_path(json_array_get(value, i), err) < 0)
			return err_add(err, "[%zu]", i);
		strlist_add(ret, json_string_value(json_array_get(value, i)));
	}
	return 0;
}

static int set_fs(const json_t *value, char **ret, struct error *err)
{
	const char *text = json_string_value(value);

	if (!text || (strcmp(text, "ext4") != 0 && strcmp(text, "xfs") != 0))
		return err_set(err, ERR_USAGE, "must be \"ext4\" or \"xfs\"");
	replace(ret, xstrdup(text));
	return 0;
}

static int set_key(const struct key *key, const json_t *value, struct settings *settings,
		   struct error *err)
{
	void *at = (char *)settings + key->offset;

	switch (key->kind) {
	case KEY_PATH:
		if (check_path(value, err) < 0)
			return -1;
		replace(at, xstrdup(json_string_value(value)));
		return 0;
	case KEY_BOOL:
		if (!json_is_boolean(value))
			return err_set(err, ERR_USAGE, "must be true or false");
		*(bool *)at = json_is_true(value);
		return 0;
	case KEY_SIZE:
		return set_size(key, value, at, err);
	case KEY_PERCENT:
		return set_percent(value, at, err);
	case KEY_STEP:
		return set_step(key, value, at, err);
	case KEY_KERNEL:
		return parse_kernel(json_string_value(value), at, err);
	case KEY_PRUNE:
		return pressure_prune_parse(json_string_value(value), at, err);
	case KEY_FS:
		return set_fs(value, at, err);
	case KEY_WRITER:
		return settings_parse_writer(json_string_value(value), at, err);
	case KEY_PATHS:
		return set_paths(value, at, err);
	case KEY_REGISTRIES:
		return registry_table_read((json_t *)(uintptr_t)value, at, err);
	case KEY_OBJECT:
		break;
	}
	return 0;
}

static const struct key *find_key(const struct key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

/* prefix: "" or "pool." */
static int set_object(const struct key *keys, const char *prefix, json_t *object,
		      struct settings *settings, struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		const struct key *key = find_key(keys, name);

		if (!key)
			return err_set(err, ERR_USAGE, "unknown key \"%s%s\"", prefix, name);
		if (key->kind != KEY_OBJECT) {
			if (set_key(key, value, settings, err) < 0)
				return err_add(err, "key \"%s%s\"", prefix, name);
			continue;
		}
		if (!json_is_object(value))
			return err_set(err, ERR_USAGE, "key \"%s\": must be an object", name);
		auto_free char *deeper = xasprintf("%s%s.", prefix, name);

		if (set_object(key->keys, deeper, value, settings, err) < 0)
			return -1;
	}
	return 0;
}

int settings_read(const char *path, struct settings *ret, struct error *err)
{
	auto_buf struct buf text = { 0 };
	json_error_t problem;

	if (io_read_file(AT_FDCWD, path, SETTINGS_FILE_MAX, &text, err) < 0)
		return -1;
	json_auto_t *document =
		json_loadb(text.data ? text.data : "", text.len, JSON_REJECT_DUPLICATES, &problem);

	if (!document)
		return err_set(err, ERR_USAGE, "%s: line %d: %s", path, problem.line, problem.text);
	if (!json_is_object(document))
		return err_set(err, ERR_USAGE, "%s: must hold an object", path);
	if (set_object(top_keys, "", document, ret, err) < 0 ||
	    pressure_check(&ret->pressure, err) < 0) {
		err_add(err, "%s", path);
		err->kind = ERR_USAGE;
		return -1;
	}
	return 0;
}

/* --config means a folder for Docker's file, unless it is one or looks like one. */
static bool is_settings_file(const char *path)
{
	size_t len = strlen(path);
	struct stat st;

	if (stat(path, &st) == 0)
		return !S_ISDIR(st.st_mode);
	return len > 5 && strcmp(path + len - 5, ".json") == 0;
}

/* The one that the user asks for, or NULL. */
static const char *asked_file(const struct global_opts *global)
{
	if (global->config && is_settings_file(global->config))
		return global->config;
	return environment("VENEER_CONFIG");
}

static int read_file(const struct global_opts *global, struct settings *ret, struct error *err)
{
	const char *path = asked_file(global);

	if (environment("DOCKER_CONFIG"))
		replace(&ret->docker_dir, xstrdup(environment("DOCKER_CONFIG")));
	if (global->config && !is_settings_file(global->config))
		replace(&ret->docker_dir, xstrdup(global->config));
	if (path)
		return settings_read(path, ret, err);
	if (settings_read(SETTINGS_PATH, ret, err) < 0 && err->sys_errno != ENOENT)
		return -1;
	return 0;
}

static int make_absolute(char **path, struct error *err)
{
	auto_free char *folder = NULL;

	if (**path == '/')
		return 0;
	folder = getcwd(NULL, 0);
	if (!folder)
		return err_sys(err, errno, "current folder");
	replace(path, xasprintf("%s/%s", folder, *path));
	return 0;
}

/* What a variable that is not set leaves: it must not mean the default. */
static int check_words(const struct global_opts *global, struct error *err)
{
	if (global->config && !*global->config)
		return err_set(err, ERR_USAGE, "--config: must name a folder or a file");
	if (global->root && !*global->root)
		return err_set(err, ERR_USAGE, "--root: must name a folder");
	return 0;
}

const char *settings_file(const struct global_opts *global)
{
	const char *path = asked_file(global);

	return path ? path : SETTINGS_PATH;
}

int settings_load(const struct global_opts *global, struct settings *ret, struct error *err)
{
	const char *kernel = global->kernel ? global->kernel : environment("VENEER_KERNEL");
	const char *root = global->root ? global->root : environment("VENEER_ROOT");
	const char *writer = environment("VENEER_WRITER");
	const char *fsck = environment("VENEER_FSCK_LAYERS");

	settings_defaults(ret);
	if (check_words(global, err) < 0 || read_file(global, ret, err) < 0)
		return -1;
	if (kernel && parse_kernel(kernel, &ret->kernel, err) < 0)
		return err_add(err, "%s", global->kernel ? "--kernel" : "VENEER_KERNEL");
	if (writer && settings_parse_writer(writer, &ret->writer, err) < 0)
		return err_add(err, "VENEER_WRITER");
	if (fsck)
		ret->fsck_layers = strcmp(fsck, "0") != 0;
	if (root)
		replace(&ret->root, xstrdup(root));
	return make_absolute(&ret->root, err);
}
