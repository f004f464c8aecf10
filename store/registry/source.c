/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/source.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "layer/stream.h"
#include "registry/download.h"

#define ID_DIGITS 12

struct remote {
	struct source source;
	const struct pull_args *args;
	const struct resolved *resolved;
	struct platform platform;
	struct registry *registry;
	struct download *download; /* NULL until it starts */
	int folder_fd;
	const char *folder;
	pthread_mutex_t reporting;
};

static struct remote *remote_of(struct source *self)
{
	return (struct remote *)self; /* its first member */
}

static void say_from(const struct pull_args *args)
{
	const struct reference *ref = args->ref;
	auto_free char *key = digest_is_set(&ref->digest) ? reference_key(ref) : xstrdup(ref->tag);
	auto_free char *text = xasprintf("%s: Pulling from %s", key, ref->path);

	args->report->say(args->report, text);
}

static int get_manifest(struct source *self, struct resolved *ret, struct error *err)
{
	struct remote *remote = remote_of(self);

	if (resolve_manifest(remote->registry, remote->args->ref, &remote->platform, ret, err) < 0)
		return -1;
	say_from(remote->args);
	return 0;
}

static int get_config(struct source *self, struct resolved *resolved, struct error *err)
{
	return resolve_config(remote_of(self)->registry, resolved, err);
}

static void show(struct source *self, size_t layer, const char *phase, uint64_t done,
		 uint64_t total)
{
	struct remote *remote = remote_of(self);
	struct pull_report *report = remote->args->report;
	char id[ID_DIGITS + 1];

	snprintf(id, sizeof(id), "%s",
		 digest_hex(&remote->resolved->manifest.layers[layer].digest));
	pthread_mutex_lock(&remote->reporting);
	report->phase(report, id, phase, done, total);
	pthread_mutex_unlock(&remote->reporting);
}

static void on_phase(void *ctx, size_t layer, const char *phase, uint64_t done, uint64_t total)
{
	show(ctx, layer, phase, done, total);
}

static int start(struct source *self, const bool *unwanted, size_t nr_layers, struct error *err)
{
	struct remote *remote = remote_of(self);
	const struct download_args args = {
		.registry = remote->registry,
		.layers = remote->resolved->manifest.layers,
		.nr_layers = nr_layers,
		.unwanted = unwanted,
		.folder_fd = remote->folder_fd,
		.folder = remote->folder,
		.on_phase = on_phase,
		.ctx = self,
		.is_stopping = stream_is_stopping,
	};

	return download_new(&args, &remote->download, err);
}

static void begin(struct source *self, size_t layer)
{
	download_begin(remote_of(self)->download, layer);
}

static int read_layer(void *self, void *data, size_t len, struct error *err)
{
	return download_read(remote_of(self)->download, data, len, err);
}

static void end(struct source *self, size_t layer)
{
	download_end(remote_of(self)->download, layer);
}

static bool was_resumed(struct source *self, size_t layer)
{
	return download_was_resumed(remote_of(self)->download, layer);
}

static bool restart(struct source *self, size_t layer)
{
	struct download *download = remote_of(self)->download;

	if (!download_was_resumed(download, layer))
		return false;
	download_restart(download, layer);
	return true;
}

static bool get_error(struct source *self, size_t layer, struct error *ret)
{
	return download_error(remote_of(self)->download, layer, ret);
}

static bool is_complete(struct source *self, size_t layer)
{
	return download_is_complete(remote_of(self)->download, layer);
}

int source_open(const struct pull_args *args, const struct resolved *resolved, int folder_fd,
		const char *folder, struct source **ret, struct error *err)
{
	struct remote *remote = xcalloc(1, sizeof(*remote));
	auto_source struct source *source = &remote->source;

	*source = (struct source){
		.get_manifest = get_manifest,
		.get_config = get_config,
		.start = start,
		.begin = begin,
		.read = read_layer,
		.end = end,
		.restart = restart,
		.was_resumed = was_resumed,
		.get_error = get_error,
		.is_complete = is_complete,
		.show = show,
	};
	remote->args = args;
	remote->resolved = resolved;
	remote->folder_fd = folder_fd;
	remote->folder = folder;
	pthread_mutex_init(&remote->reporting, NULL);
	if (platform_parse(args->platform, &remote->platform, err) < 0 ||
	    registry_open(&args->options, args->ref, &remote->registry, err) < 0)
		return -1;
	*ret = take_ptr(source);
	return 0;
}

void source_free(struct source *source)
{
	struct remote *remote = source ? remote_of(source) : NULL;

	if (!remote)
		return;
	download_free(remote->download);
	registry_free(remote->registry);
	pthread_mutex_destroy(&remote->reporting);
	free(remote);
}
