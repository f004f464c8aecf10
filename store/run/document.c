/* SPDX-License-Identifier: Apache-2.0 */
#include "run/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/jsonfield.h"
#include "base/utf8.h"
#include "run/optionjson.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define INIT_PATH    "/sbin/docker-init"

void run_options_done(struct run_options *options)
{
	struct strlist *const lists[] = {
		&options->command,  &options->env,	&options->labels,  &options->cap_add,
		&options->cap_drop, &options->security, &options->dns,	   &options->add_host,
		&options->groups,   &options->ulimits,	&options->devices, &options->sysctls,
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		strlist_done(lists[i]);
	for (size_t i = 0; i < options->nr_mounts; i++)
		mountspec_done(&options->mounts[i]);
	free(options->mounts);
	*options = (struct run_options){ 0 };
}

const char *env_value(const struct strlist *env, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < env->nr; i++)
		if (strncmp(env->items[i], key, len) == 0 && env->items[i][len] == '=')
			return env->items[i] + len + 1;
	return NULL;
}

void env_set(struct strlist *env, const char *entry)
{
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < env->nr; i++) {
		if (strncmp(env->items[i], entry, len) != 0 || env->items[i][len] != '=')
			continue;
		free(env->items[i]);
		env->items[i] = xstrdup(entry);
		return;
	}
	strlist_add(env, entry);
}

void document_list(const json_t *array, struct strlist *ret)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		strlist_add(ret, json_string_value(json_array_get(array, i)));
}

static json_t *texts(const struct strlist *list)
{
	json_t *ret;

	if (!list->nr)
		return json_null();
	ret = json_array();
	for (size_t i = 0; i < list->nr; i++)
		json_array_append_new(ret, jsonfield_text(list->items[i]));
	return ret;
}

static json_t *text_or_empty(const char *text)
{
	return jsonfield_text(text ? text : "");
}

/* The image's entrypoint and command, or what stands in their place. */
static int choose_command(const struct run_options *options, const struct image_settings *image,
			  struct strlist *entrypoint, struct strlist *cmd, struct error *err)
{
	const struct strlist *from = options->command.nr       ? &options->command
				     : options->has_entrypoint ? NULL
							       : &image->cmd;

	if (options->has_entrypoint && options->entrypoint && *options->entrypoint)
		strlist_add(entrypoint, options->entrypoint);
	for (size_t i = 0; !options->has_entrypoint && i < image->entrypoint.nr; i++)
		strlist_add(entrypoint, image->entrypoint.items[i]);
	for (size_t i = 0; from && i < from->nr; i++)
		strlist_add(cmd, from->items[i]);
	if (!entrypoint->nr && !cmd->nr)
		return err_set(err, ERR_USAGE, "no command specified");
	return 0;
}

static json_t *labels_json(const struct run_options *options, const struct image_settings *image)
{
	json_t *ret = image->labels ? json_deep_copy(image->labels) : json_object();

	for (size_t i = 0; i < options->labels.nr; i++) {
		const char *label = options->labels.items[i];
		size_t len = strcspn(label, "=");
		auto_free char *text = xasprintf("%.*s", (int)len, label);
		json_auto_t *key = jsonfield_text(text);

		json_object_set_new(ret, json_string_value(key),
				    jsonfield_text(label[len] ? label + len + 1 : ""));
	}
	return ret;
}

static json_t *env_json(const struct run_options *options, const struct image_settings *image)
{
	auto_strlist struct strlist env = { 0 };
	json_t *ret;

	/* Docker's order: what the user gives, then what only the image has. */
	for (size_t i = 0; i < options->env.nr; i++)
		env_set(&env, options->env.items[i]);
	if (!env_value(&env, "PATH") && !env_value(&image->env, "PATH"))
		env_set(&env, DEFAULT_PATH);
	for (size_t i = 0; i < image->env.nr; i++) {
		auto_free char *key = xasprintf("%.*s", (int)strcspn(image->env.items[i], "="),
						image->env.items[i]);

		if (!env_value(&env, key))
			strlist_add(&env, image->env.items[i]);
	}
	ret = texts(&env);
	return ret;
}

static json_t *config_json(const struct run_options *options, const struct image_config *config,
			   const char *hostname, const struct strlist *entrypoint,
			   const struct strlist *cmd)
{
	const struct image_settings *image = &config->settings;
	const char *stop = options->stop_signal ? options->stop_signal : image->stop_signal;
	bool attached = !options->detached;
	json_t *ret = json_object();

	json_object_set_new(ret, "Hostname", text_or_empty(hostname));
	json_object_set_new(ret, "Domainname", json_string(""));
	json_object_set_new(ret, "User",
			    text_or_empty(options->user ? options->user : image->user));
	json_object_set_new(ret, "AttachStdin", json_boolean(attached && options->open_stdin));
	json_object_set_new(ret, "AttachStdout", json_boolean(attached));
	json_object_set_new(ret, "AttachStderr", json_boolean(attached));
	if (image->exposed_ports)
		json_object_set(ret, "ExposedPorts", image->exposed_ports);
	json_object_set_new(ret, "Tty", json_boolean(options->tty));
	json_object_set_new(ret, "OpenStdin", json_boolean(options->open_stdin));
	json_object_set_new(ret, "StdinOnce", json_boolean(attached && options->open_stdin));
	json_object_set_new(ret, "Env", env_json(options, image));
	json_object_set_new(ret, "Cmd", texts(cmd));
	if (image->healthcheck)
		json_object_set(ret, "Healthcheck", image->healthcheck);
	json_object_set_new(ret, "Image", text_or_empty(options->image_name));
	json_object_set_new(ret, "Volumes",
			    image->volumes ? json_incref(image->volumes) : json_null());
	json_object_set_new(
		ret, "WorkingDir",
		text_or_empty(options->workdir ? options->workdir : image->working_dir));
	json_object_set_new(ret, "Entrypoint", texts(entrypoint));
	json_object_set_new(ret, "OnBuild", texts(&image->on_build));
	json_object_set_new(ret, "Labels", labels_json(options, image));
	if (stop)
		json_object_set_new(ret, "StopSignal", jsonfield_text(stop));
	if (options->stop_timeout >= 0)
		json_object_set_new(ret, "StopTimeout", json_integer(options->stop_timeout));
	return ret;
}

static json_t *host_json(const struct run_options *options)
{
	const struct bundle_limits *limits = &options->limits;
	json_t *ret = json_object();

	json_object_set_new(ret, "NetworkMode",
			    json_string(options->network ? options->network : "host"));
	json_object_set_new(ret, "RestartPolicy",
			    json_pack("{s:s, s:i}", "Name", "no", "MaximumRetryCount", 0));
	json_object_set_new(ret, "AutoRemove", json_boolean(options->auto_remove));
	json_object_set_new(ret, "CapAdd", texts(&options->cap_add));
	json_object_set_new(ret, "CapDrop", texts(&options->cap_drop));
	json_object_set_new(ret, "Dns", texts(&options->dns));
	json_object_set_new(ret, "ExtraHosts", texts(&options->add_host));
	json_object_set_new(ret, "GroupAdd", texts(&options->groups));
	json_object_set_new(ret, "Privileged", json_boolean(options->privileged));
	json_object_set_new(ret, "ReadonlyRootfs", json_boolean(options->read_only));
	json_object_set_new(ret, "SecurityOpt", texts(&options->security));
	json_object_set_new(ret, "ShmSize",
			    json_integer(options->shm_bytes ? options->shm_bytes : 67108864));
	json_object_set_new(ret, "Memory", json_integer(limits->memory_bytes));
	json_object_set_new(ret, "MemorySwap", json_integer(limits->swap_bytes));
	json_object_set_new(ret, "NanoCpus", json_integer(limits->nano_cpus));
	json_object_set_new(ret, "CpuShares", json_integer(limits->cpu_shares));
	json_object_set_new(ret, "PidsLimit",
			    limits->pids ? json_integer(limits->pids) : json_null());
	json_object_set_new(ret, "Init", json_boolean(options->init != NULL));
	return ret;
}

static int random_name(char **ret, struct error *err)
{
	unsigned char bytes[32];
	auto_buf struct buf text = { 0 };

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return err_sys(err, errno, "random name");
	for (size_t i = 0; i < sizeof(bytes); i++)
		buf_printf(&text, "%02x", bytes[i]);
	*ret = buf_take(&text);
	return 0;
}

static bool is_mounted(const json_t *mounts, const char *target)
{
	for (size_t i = 0; i < json_array_size(mounts); i++)
		if (strcmp(json_string_value(
				   json_object_get(json_array_get(mounts, i), "Destination")),
			   target) == 0)
			return true;
	return false;
}

static int add_mount(json_t *mounts, const struct mountspec *spec, struct error *err)
{
	static const char *const kinds[] = { "bind", "volume", "tmpfs" };
	auto_free char *name = NULL;
	json_t *mount;

	/* Another path than the one that was asked for would not do. */
	if (!utf8_is_valid(spec->target, strlen(spec->target)) ||
	    (spec->source && !utf8_is_valid(spec->source, strlen(spec->source))))
		return err_set(err, ERR_USAGE, "a path of the mount '%s' is not UTF-8",
			       spec->target);
	if (is_mounted(mounts, spec->target))
		return err_set(err, ERR_USAGE, "Duplicate mount point: %s", spec->target);
	if (spec->kind == MOUNTSPEC_VOLUME) {
		if (spec->source)
			name = xstrdup(spec->source);
		else if (random_name(&name, err) < 0)
			return -1;
	}
	mount = json_pack("{s:s, s:s, s:b, s:s}", "Type", kinds[spec->kind], "Destination",
			  spec->target, "RW", !spec->read_only, "Mode",
			  spec->options ? spec->options : "");
	if (name) {
		json_object_set_new(mount, "Name", json_string(name));
		json_object_set_new(mount, "Driver", json_string("local"));
		json_object_set_new(mount, "Anonymous", json_boolean(!spec->source));
		json_object_set_new(mount, "NoCopy", json_boolean(spec->no_copy));
	}
	if (spec->kind == MOUNTSPEC_BIND) {
		json_object_set_new(mount, "Source", json_string(spec->source));
		json_object_set_new(mount, "MakeSource", json_boolean(spec->make_source));
	}
	json_array_append_new(mounts, mount);
	return 0;
}

/* What was asked for, then the image's volumes that are not covered. */
static int mounts_json(const struct run_options *options, const struct image_settings *image,
		       json_t **ret, struct error *err)
{
	json_auto_t *mounts = json_array();
	const char *target;
	json_t *ignored;

	for (size_t i = 0; i < options->nr_mounts; i++)
		if (add_mount(mounts, &options->mounts[i], err) < 0)
			return -1;
	json_object_foreach(image->volumes, target, ignored)
	{
		auto_mountspec struct mountspec spec = { 0 };

		if (mountspec_parse_volume(target, "/", &spec, err) < 0)
			return -1;
		if (!is_mounted(mounts, spec.target) && add_mount(mounts, &spec, err) < 0)
			return -1;
	}
	*ret = json_incref(mounts);
	return 0;
}

int document_new(const struct run_options *options, const struct image_config *image,
		 const struct digest *image_id, const char *id, json_t **ret, struct error *err)
{
	auto_strlist struct strlist entrypoint = { 0 };
	auto_strlist struct strlist cmd = { 0 };
	auto_strlist struct strlist argv = { 0 };
	auto_free char *hostname =
		options->hostname ? xstrdup(options->hostname) : xasprintf("%.12s", id);
	json_auto_t *mounts = NULL;
	json_auto_t *oci = NULL;
	json_t *document;

	if (choose_command(options, &image->settings, &entrypoint, &cmd, err) < 0 ||
	    optionjson_new(options, &oci, err) < 0 ||
	    mounts_json(options, &image->settings, &mounts, err) < 0)
		return -1;
	if (options->init) {
		strlist_add(&argv, INIT_PATH);
		strlist_add(&argv, "--");
		json_object_set_new(oci, "init", json_string(options->init));
	}
	for (size_t i = 0; i < entrypoint.nr; i++)
		strlist_add(&argv, entrypoint.items[i]);
	for (size_t i = 0; i < cmd.nr; i++)
		strlist_add(&argv, cmd.items[i]);
	document = json_object();
	json_object_set_new(document, "Path",
			    jsonfield_text(entrypoint.nr ? entrypoint.items[0] : cmd.items[0]));
	json_object_set_new(document, "Argv", texts(&argv));
	json_object_set_new(document, "Image", json_string(image_id->text));
	json_object_set_new(document, "Config",
			    config_json(options, image, hostname, &entrypoint, &cmd));
	json_object_set_new(document, "HostConfig", host_json(options));
	json_object_set(document, "Mounts", mounts);
	json_object_set(document, "Oci", oci);
	*ret = document;
	return 0;
}

static json_t *get(const json_t *document, const char *part, const char *key)
{
	return json_object_get(json_object_get(document, part), key);
}

const char *document_text(const json_t *document, const char *part, const char *key)
{
	const char *text = json_string_value(get(document, part, key));

	return text ? text : "";
}

int64_t document_number(const json_t *document, const char *part, const char *key)
{
	return json_integer_value(get(document, part, key));
}

bool document_flag(const json_t *document, const char *part, const char *key)
{
	return json_is_true(get(document, part, key));
}

void document_argv(const json_t *document, struct strlist *ret)
{
	document_list(json_object_get(document, "Argv"), ret);
}

void document_volumes(const json_t *document, struct strlist *ret)
{
	json_t *mount;
	size_t i;

	json_array_foreach(json_object_get(document, "Mounts"), i,
			   mount) if (json_object_get(mount, "Name"))
		strlist_add(ret, json_string_value(json_object_get(mount, "Name")));
}
