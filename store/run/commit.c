/* SPDX-License-Identifier: Apache-2.0 */
#include "run/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crash.h"
#include "base/jsonfield.h"
#include "db/rows.h"
#include "image/create.h"
#include "image/image.h"
#include "layer/capture.h"
#include "layer/diff.h"
#include "layer/layer.h"
#include "layer/stream.h"
#include "layer/tar_emit.h"
#include "layer/work.h"
#include "limits.h"
#include "oci/change.h"
#include "oci/config.h"
#include "oci/reference.h"
#include "run/container.h"
#include "run/restore.h"
#include "run/still.h"
#include "store.h"
#include "volume.h"

/* ---- settings ---- */

static size_t size_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return json_string_length(value);
	case JSON_ARRAY:
		return json_array_size(value);
	case JSON_OBJECT:
		return json_object_size(value);
	case JSON_NULL:
	case JSON_FALSE:
		return 0;
	default:
		return 1;
	}
}

static bool is_empty(const json_t *value)
{
	return !value || size_of(value) == 0;
}

/* What an image's settings have, and a container's can say. */
static json_t *take_settings(const json_t *from, const char *const *keys)
{
	json_t *ret = json_object();

	for (; *keys; keys++) {
		json_t *value = json_object_get(from, *keys);

		if (!is_empty(value))
			json_object_set_new(ret, *keys, json_deep_copy(value));
	}
	return ret;
}

static bool has_variable(const json_t *env, const char *entry)
{
	size_t len = strcspn(entry, "="), i;
	json_t *item;

	json_array_foreach(env, i, item)
	{
		const char *text = json_string_value(item);

		if (text && strncmp(text, entry, len) == 0 && (!text[len] || text[len] == '='))
			return true;
	}
	return false;
}

static void add_variables(json_t *env, const json_t *image)
{
	json_t *item;
	size_t i;

	json_array_foreach(image, i, item) if (json_is_string(item) &&
					       !has_variable(env, json_string_value(item)))
		json_array_append(env, item);
}

/* The settings' own entries win. */
static void fill(json_t *settings, const json_t *image)
{
	static const char *const keys[] = {
		"User",		"WorkingDir",  "StopSignal", "Env",
		"ExposedPorts", "Volumes",     "Labels",     "Healthcheck",
		"Shell",	"ArgsEscaped", NULL
	};

	for (const char *const *key = keys; *key; key++) {
		json_t *value = json_object_get(settings, *key);
		json_t *other = json_object_get(image, *key);

		if (is_empty(other))
			continue;
		if (is_empty(value))
			json_object_set_new(settings, *key, json_deep_copy(other));
		else if (json_is_array(value) && strcmp(*key, "Env") == 0)
			add_variables(value, other);
		else if (json_is_object(value) && json_is_object(other))
			json_object_update_missing(value, other);
	}
}

/* ENTRYPOINT takes the command away; without one, what the container had stays. */
static void fill_command(json_t *settings, const json_t *container)
{
	if (!is_empty(json_object_get(settings, "Entrypoint")))
		return;
	if (is_empty(json_object_get(settings, "Cmd")) &&
	    !is_empty(json_object_get(container, "Cmd")))
		json_object_set_new(settings, "Cmd",
				    json_deep_copy(json_object_get(container, "Cmd")));
}

static void drop_empty(json_t *settings)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(settings, next, key, value) if (is_empty(value))
		json_object_del(settings, key);
}

int commit_settings(const json_t *container, const json_t *image, const char *const *changes,
		    json_t **ret, struct error *err)
{
	/* ONBUILD is for the image that has it: neither it nor a container of it passes it on. */
	static const char *const keys[] = { "User",	  "ExposedPorts", "Env",    "Entrypoint",
					    "Cmd",	  "Volumes",	  "Labels", "WorkingDir",
					    "StopSignal", "Healthcheck",  NULL };
	auto_json json_t *settings = take_settings(container, keys);
	bool cmd_given = false;

	for (; changes && *changes; changes++)
		if (change_apply_over(settings, *changes, &cmd_given, err) < 0)
			return -1;
	fill(settings, image);
	fill_command(settings, container);
	drop_empty(settings);
	*ret = json_incref(settings);
	return 0;
}

/* ---- the layer ---- */

struct commit {
	struct store *store;
	const struct commit_args *args;
	struct reference ref;
	struct still still;
	struct image image;
	struct image_config config; /* the image's; becomes the new one's */
	json_t *document;
	struct digest parent; /* chain id */
	char *created_by;
};

static void commit_done(struct commit *commit)
{
	still_done(&commit->still);
	reference_done(&commit->ref);
	image_done(&commit->image);
	image_config_done(&commit->config);
	json_decref(commit->document);
	free(commit->created_by);
}
#define auto_commit __attribute__((cleanup(commit_done)))

/* A read-only look at a volume that rests. */
struct view {
	struct volume *volume;
	int fd;
};

static void view_done(struct view *view)
{
	if (view->fd >= 0)
		close(view->fd);
	volume_free(view->volume);
}
#define auto_view __attribute__((cleanup(view_done)))

static int open_view(struct store *store, uint32_t id, struct view *ret, struct error *err)
{
	return volume_activate_to_read(store->pool, id, 0, &ret->volume, err) < 0
		       ? -1
		       : volume_mount(ret->volume, VOLUME_MOUNT_VIEW, &ret->fd, err);
}

static int restore(struct commit *commit, uint32_t parent_id, struct error *err)
{
	auto_view struct view init = { .fd = -1 };
	auto_view struct view image = { .fd = -1 };

	if (open_view(commit->store, commit->still.row.init_id, &init, err) < 0 ||
	    open_view(commit->store, parent_id, &image, err) < 0 ||
	    still_mount(&commit->still, err) < 0 ||
	    restore_stubs(commit->still.mount_fd, init.fd, image.fd, err) < 0)
		return -1;
	return still_unmount(&commit->still, err);
}

/* The snapshot's changes as a tar in an unnamed file. Returns 1, 0 without changes, -1. */
static int pack(struct commit *commit, uint32_t parent_id, int fd, uint64_t *ret_bytes,
		struct error *err)
{
	auto_change_list struct change_list changes = { 0 };
	const struct diff_args diff = {
		.pool = commit->store->pool,
		.parent_id = parent_id,
		.child_id = commit->still.id,
		.child_bytes = commit->still.row.size_bytes,
	};
	struct tar_emit_args emit = { .changes = &changes, .write = tar_emit_to_fd, .ctx = &fd };
	struct tar_emit_result result;

	if (diff_volumes(&diff, &changes, err) < 0)
		return -1;
	if (!changes.nr)
		return 0;
	if (still_mount(&commit->still, err) < 0)
		return -1;
	emit.root_fd = commit->still.mount_fd;
	if (tar_emit(&emit, &result, err) < 0)
		return -1;
	*ret_bytes = result.tar_bytes;
	return still_unmount(&commit->still, err) < 0 ? -1 : 1;
}

/* A volume of another size than the pool's is no layer: its changes go into one that is. */
static int repack(struct commit *commit, uint32_t parent_id, struct layer_row *ret,
		  struct error *err)
{
	auto_fd int fd =
		openat(commit->store->root.fd, "tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	auto_layer_builder struct layer_builder *builder = NULL;
	struct stream_range range = { .fd = fd };
	struct layer_source source = {
		.index = commit->config.nr_layers,
		.parent = commit->parent,
		.created_by = commit->created_by,
		.read = stream_read_range,
		.read_ctx = &range,
	};
	int got;

	if (fd < 0)
		return err_sys(err, errno, "create a temporary file");
	got = pack(commit, parent_id, fd, &range.size, err);
	if (got <= 0)
		return got;
	return layer_builder_new(commit->store, &builder, err) < 0 ||
			       layer_add(builder, &source, ret, err) < 0 ||
			       layer_builder_end(builder, err) < 0
		       ? -1
		       : 1;
}

/* Returns 1, 0 when nothing changed, -1. */
static int make_layer(struct commit *commit, struct layer_row *ret, struct error *err)
{
	struct capture_args capture = {
		.store = commit->store,
		.parent = commit->parent,
		.root_fd = -1,
		.created_by = commit->created_by,
		.skip_empty = true,
	};
	int64_t parent_id = work_thin_of_chain(commit->store, &commit->parent, err);

	if (parent_id < 0 || restore(commit, (uint32_t)parent_id, err) < 0)
		return -1;
	crash_point("commit-restored");
	if (commit->still.row.size_bytes)
		return repack(commit, (uint32_t)parent_id, ret, err);
	capture.id = commit->still.id;
	commit->still.id = 0; /* taken, whatever comes of it */
	return capture_layer(&capture, ret, err);
}

/* ---- the image ---- */

static int parse_name(struct commit *commit, struct error *err)
{
	const char *text = commit->args->reference;
	auto_reference struct reference any = { 0 };

	/* What makes no sense is told without "error parsing reference", unlike by `tag`. */
	if (!text)
		return 0;
	return reference_parse(text, &any, err) < 0
		       ? -1
		       : reference_parse_target(text, &commit->ref, err);
}

/* The image stays as long as we live: what it ends with is pinned. */
static int read_image(struct commit *commit, struct error *err)
{
	auto_buf struct buf text = { 0 };
	auto_root_lock struct root *held = NULL;
	auto_layer_row struct layer_row top = { 0 };
	struct store *store = commit->store;
	int got;

	if (store_lock_pool(store, &held, err) < 0 ||
	    image_find(store, commit->still.row.image.text, &commit->image, NULL, err) < 0 ||
	    image_read_config(store, &commit->image, &text, err) < 0 ||
	    image_config_parse(text.data, text.len, &commit->config, err) < 0)
		return -1;
	if (commit->config.nr_layers >= LIMIT_LAYERS || commit->config.nr_history >= LIMIT_HISTORY)
		return err_set(err, ERR_LIMIT, "the image has too many layers for one more");
	image_config_chain_id(&commit->config, commit->config.nr_layers, &commit->parent);
	if (!digest_is_set(&commit->parent))
		return 0;
	got = rows_layer_take(store->db, store->session, &commit->parent, &top, err);
	return got == 0	 ? err_set(err, ERR_NOT_FOUND, "layer %s is gone", commit->parent.text)
	       : got < 0 ? -1
			 : 0;
}

static char *command_line(const json_t *settings)
{
	auto_buf struct buf text = { 0 };
	json_t *word;
	size_t i;

	json_array_foreach(json_object_get(settings, "Cmd"), i, word)
		buf_printf(&text, "%s%s", i ? " " : "", json_string_value(word));
	return text.len ? buf_take(&text) : xstrdup("");
}

static char *copy_text(const char *text)
{
	return text && *text ? xstrdup(text) : NULL;
}

/* The image's config becomes the new one's. */
static void extend(struct commit *commit, const struct layer_row *layer, json_t *settings)
{
	struct image_config *config = &commit->config;
	const struct commit_args *args = commit->args;
	int64_t now = rows_now_ns();

	if (layer) {
		config->diff_ids = xrealloc(config->diff_ids,
					    (config->nr_layers + 1) * sizeof(*config->diff_ids));
		config->diff_ids[config->nr_layers++] = layer->diff_id;
	}
	config->history =
		xrealloc(config->history, (config->nr_history + 1) * sizeof(*config->history));
	config->history[config->nr_history++] = (struct image_history){
		.has_created = true,
		.created_ns = now,
		.created_by = copy_text(commit->created_by),
		.author = copy_text(args->author),
		.comment = copy_text(args->message),
		.empty_layer = !layer,
	};
	free(config->author);
	free(config->comment);
	free(take_ptr(config->docker_version));
	config->author = copy_text(args->author);
	config->comment = copy_text(args->message);
	config->has_created = true;
	config->created_ns = now;
	json_decref(config->config);
	config->config = json_incref(settings);
}

static int create(struct commit *commit, const struct layer_row *layer, json_t *settings,
		  struct digest *ret, struct error *err)
{
	const struct image_create image = {
		.config = &commit->config,
		.parent = commit->image.id,
		.size_bytes = commit->image.size_bytes + (layer ? layer->content_bytes : 0),
		.refs = &commit->ref,
		.nr_refs = commit->args->reference ? 1 : 0,
	};

	extend(commit, layer, settings);
	return image_create(commit->store, &image, ret, err);
}

int commit_container(struct store *store, const struct commit_args *args, struct digest *ret,
		     struct error *err)
{
	auto_commit struct commit commit = {
		.store = store,
		.args = args,
		.still = STILL_NONE(store),
	};
	auto_layer_row struct layer_row layer = { 0 };
	auto_json json_t *settings = NULL;
	auto_json json_t *probe = NULL;
	const json_t *container;
	int got;

	/* Wrong changes are told before the container is stopped for them. */
	if (parse_name(&commit, err) < 0 ||
	    container_find(store, args->operand, &commit.still.row, err) < 0 ||
	    container_document(&commit.still.row, &commit.document, err) < 0)
		return -1;
	container = json_object_get(commit.document, "Config");
	if (commit_settings(container, NULL, args->changes, &probe, err) < 0)
		return -1;
	container_row_done(&commit.still.row);
	commit.still.row = (struct container_row){ 0 };
	if (still_take(&commit.still, args->operand, args->pause, err) < 0)
		return err_add(err, "commit container %s", args->operand);
	if (read_image(&commit, err) < 0 ||
	    commit_settings(container, commit.config.config, args->changes, &settings, err) < 0)
		return -1;
	commit.created_by = command_line(container);
	got = make_layer(&commit, &layer, err);
	if (got < 0 || create(&commit, got ? &layer : NULL, settings, ret, err) < 0)
		return err_add(err, "commit container %s", args->operand);
	return 0;
}
