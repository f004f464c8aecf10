/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/push.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "layer/gzip.h"
#include "layer/zstd.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "registry/origin.h"
#include "registry/put.h"
#include "registry/upload.h"
#include "store.h"

#define ID_DIGITS 12
#define AT_ONCE	  5u /* as upload.c; the others are said to wait */
#define KNOWN_MAX 4u /* blobs of one layer that are asked for */

/* A layer as it is pushed: each DiffID once. */
struct item {
	size_t layer; /* of the image */
	struct upload_known known[KNOWN_MAX];
	const char *types[KNOWN_MAX]; /* media types of these; borrowed */
	size_t nr_known;
	struct digest digest; /* what the registry has in the end */
	uint64_t size;
	const char *type;
};

struct push {
	struct origin *origin;
	const struct push_args *args;
	struct registry *registry;
	int folder_fd;
	const char *folder;
	char *domain;
	char *repository; /* "docker.io/library/debian" */
	pthread_mutex_t reporting;
	/* The present image. */
	struct origin_image image;
	struct digest id;
	struct manifest came; /* the manifest that it came with; empty: none that fits */
	struct item *items;   /* top first, as Docker lists them */
	size_t nr_items;
	size_t *item_of; /* of each layer; SIZE_MAX: it is foreign */
};

static void forget_image(struct push *push)
{
	origin_image_done(&push->image);
	manifest_done(&push->came);
	free(take_ptr(push->items));
	free(take_ptr(push->item_of));
	push->nr_items = 0;
}

static void push_done(struct push *push)
{
	forget_image(push);
	registry_free(push->registry);
	free(push->domain);
	free(push->repository);
	pthread_mutex_destroy(&push->reporting);
}
#define auto_push __attribute__((cleanup(push_done)))

/* ---- telling ---- */

static void say(struct push *push, const char *text)
{
	push->args->report->say(push->args->report, text);
}

static void show(struct push *push, size_t layer, const char *phase, uint64_t done, uint64_t total)
{
	struct pull_report *report = push->args->report;
	char id[ID_DIGITS + 1];

	snprintf(id, sizeof(id), "%s", digest_hex(&push->image.layers[layer].diff_id));
	pthread_mutex_lock(&push->reporting);
	report->phase(report, id, phase, done, total);
	pthread_mutex_unlock(&push->reporting);
}

static void on_phase(void *ctx, size_t item, const char *phase, uint64_t done, uint64_t total)
{
	struct push *push = ctx;

	show(push, push->items[item].layer, phase, done, total);
}

/* ---- which bytes ---- */

static const char *type_of_kind(enum inflate_kind kind)
{
	return kind == INFLATE_ZSTD   ? MEDIA_OCI_LAYER_ZSTD
	       : kind == INFLATE_GZIP ? MEDIA_OCI_LAYER_GZIP
				      : MEDIA_OCI_LAYER;
}

/* The same of a media type of any family. */
static const char *oci_type(const char *type)
{
	return strstr(type, "zstd")   ? MEDIA_OCI_LAYER_ZSTD
	       : strstr(type, "gzip") ? MEDIA_OCI_LAYER_GZIP
				      : MEDIA_OCI_LAYER;
}

/* "library/debian" when the repository is another one of this registry, else NULL. */
static const char *mountable(const struct push *push, const char *repository)
{
	size_t len = strlen(push->domain);

	if (strncmp(repository, push->domain, len) != 0 || repository[len] != '/' ||
	    strcmp(repository, push->repository) == 0)
		return NULL;
	return repository + len + 1;
}

/* Is it asked for, or good enough? */
static bool is_wanted(const struct push *push, const char *type)
{
	const char *wanted = push->args->layer_type;

	return !wanted || strcmp(oci_type(type), wanted) == 0;
}

static void add_known(const struct push *push, struct item *item, const struct digest *digest,
		      uint64_t size, const char *type, const char *mount_from)
{
	if (!is_wanted(push, type))
		return;
	for (size_t i = 0; i < item->nr_known; i++) {
		if (!digest_equal(&item->known[i].digest, digest))
			continue;
		if (!item->known[i].mount_from)
			item->known[i].mount_from = mount_from;
		return;
	}
	if (item->nr_known == KNOWN_MAX)
		return;
	item->types[item->nr_known] = oci_type(type);
	item->known[item->nr_known++] = (struct upload_known){ *digest, size, mount_from };
}

/* As it came, as it is kept, as registries have it. */
static void find_known(struct push *push, struct item *item)
{
	const struct origin_image *image = &push->image;
	const struct origin_layer *layer = &image->layers[item->layer];

	if (push->came.nr_layers) {
		const struct descriptor *desc = &push->came.layers[item->layer];

		add_known(push, item, &desc->digest, (uint64_t)desc->size_bytes, desc->media_type,
			  NULL);
	}
	if (digest_is_set(&layer->blob))
		add_known(push, item, &layer->blob, layer->blob_bytes,
			  type_of_kind(layer->blob_kind), NULL);
	for (size_t i = 0; i < image->nr_blobs; i++) {
		const struct remote_blob *blob = &image->blobs[i];

		if (digest_equal(&blob->diff_id, &layer->diff_id))
			add_known(push, item, &blob->digest, (uint64_t)blob->size_bytes,
				  blob->media_type, mountable(push, blob->repository));
	}
}

static bool is_foreign(const struct push *push, size_t layer)
{
	return push->came.nr_layers &&
	       media_kind(push->came.layers[layer].media_type) == MEDIA_FOREIGN_LAYER;
}

static size_t same_layer(const struct push *push, size_t layer)
{
	for (size_t i = 0; i < push->nr_items; i++)
		if (digest_equal(&push->image.layers[push->items[i].layer].diff_id,
				 &push->image.layers[layer].diff_id))
			return i;
	return push->nr_items;
}

static void make_items(struct push *push)
{
	const struct origin_image *image = &push->image;

	push->items = xcalloc(image->nr_layers + 1, sizeof(*push->items));
	push->item_of = xcalloc(image->nr_layers + 1, sizeof(*push->item_of));
	for (size_t i = image->nr_layers; i-- > 0;) {
		push->item_of[i] = is_foreign(push, i) ? SIZE_MAX : same_layer(push, i);
		if (push->item_of[i] == SIZE_MAX)
			show(push, i, "Skipped foreign layer", 0, 0);
		if (push->item_of[i] != push->nr_items)
			continue;
		push->items[push->nr_items].layer = i;
		find_known(push, &push->items[push->nr_items++]);
		show(push, i, "Preparing", 0, 0);
	}
	for (size_t i = AT_ONCE; i < push->nr_items; i++)
		show(push, push->items[i].layer, "Waiting", 0, 0);
}

/* One that is not of this image, or makes no sense, is as good as none. */
static void use_manifest(struct push *push)
{
	const struct buf *bytes = &push->image.manifest;
	struct error err;

	if (!bytes->len || manifest_parse(bytes->data, bytes->len, &push->came, &err) < 0)
		return;
	if (push->came.nr_layers != push->image.nr_layers ||
	    !digest_equal(&push->came.config.digest, &push->id))
		manifest_done(&push->came);
}

/* ---- bytes that are made anew ---- */

struct packing {
	struct upload *upload;
	struct gzip *gzip; /* this one, or the other */
	struct zstd *zstd;
	int fd;
	uint64_t bytes;
};

static int write_packed(void *ctx, const void *data, size_t len, struct error *err)
{
	struct packing *packing = ctx;

	packing->bytes += len;
	return io_write(packing->fd, data, len, err);
}

static int pack(void *ctx, const void *data, size_t len, struct error *err)
{
	struct packing *packing = ctx;

	if (cancel_check(err) < 0 || upload_has_failed(packing->upload, err))
		return -1;
	return packing->zstd ? zstd_add(packing->zstd, data, len, err)
			     : gzip_add(packing->gzip, data, len, err);
}

static int end_packing(struct packing *packing, struct digest *ret, struct error *err)
{
	return packing->zstd ? zstd_end(packing->zstd, ret, err)
			     : gzip_end(packing->gzip, ret, err);
}

/* Nameless: a kill leaves nothing of it. */
static int open_temporary(const struct push *push, struct error *err)
{
	int fd = openat(push->folder_fd, push->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(err, errno, "temporary file in '%s'", push->folder) : fd;
}

static int compress(struct push *push, struct upload *upload, struct item *item, struct digest *ret,
		    uint64_t *ret_bytes, struct error *err)
{
	auto_fd int fd = open_temporary(push, err);
	auto_gzip struct gzip *gzip = NULL;
	auto_zstd struct zstd *zstd = NULL;
	struct packing packing = { .upload = upload, .fd = fd };

	item->type = push->args->layer_type ?: MEDIA_OCI_LAYER_GZIP;
	if (fd < 0)
		return -1;
	if (strcmp(item->type, MEDIA_OCI_LAYER_ZSTD) == 0)
		packing.zstd = zstd = zstd_new(write_packed, &packing, 0);
	else if (gzip_new(write_packed, &packing, 0, &gzip, err) < 0)
		return -1;
	packing.gzip = gzip;
	if (push->origin->write_tar(push->origin, item->layer, pack, &packing, err) < 0 ||
	    end_packing(&packing, ret, err) < 0)
		return -1;
	*ret_bytes = packing.bytes;
	return take_fd(fd);
}

static int supply(struct push *push, struct upload *upload, size_t at, struct error *err)
{
	struct item *item = &push->items[at];
	const struct origin_layer *layer = &push->image.layers[item->layer];
	struct digest digest = layer->blob;
	uint64_t bytes = layer->blob_bytes;
	int fd;

	if (digest_is_set(&digest) && is_wanted(push, type_of_kind(layer->blob_kind))) {
		item->type = type_of_kind(layer->blob_kind);
		fd = push->origin->open_blob(push->origin, item->layer, err);
	} else {
		fd = compress(push, upload, item, &digest, &bytes, err);
	}
	if (fd < 0 && (err->kind == ERR_CANCELLED || upload_has_failed(upload, err)))
		return -1;
	if (fd < 0)
		return err_add(err, "layer %zu (%s)", item->layer, layer->diff_id.text);
	upload_give(upload, at, fd, &digest, bytes);
	return 0;
}

static void take_result(struct item *item, const struct upload *upload, size_t at)
{
	upload_result(upload, at, &item->digest, &item->size);
	for (size_t i = 0; i < item->nr_known; i++)
		if (digest_equal(&item->known[i].digest, &item->digest))
			item->type = item->types[i];
}

static int push_layers(struct push *push, struct error *err)
{
	auto_free struct upload_item *items = xcalloc(push->nr_items + 1, sizeof(*items));
	const struct upload_args args = {
		.registry = push->registry,
		.items = items,
		.nr_items = push->nr_items,
		.on_phase = on_phase,
		.ctx = push,
	};
	auto_upload struct upload *upload = NULL;
	size_t at;
	int got;

	for (size_t i = 0; i < push->nr_items; i++)
		items[i] = (struct upload_item){ push->items[i].known, push->items[i].nr_known };
	if (!push->nr_items)
		return 0;
	if (upload_new(&args, &upload, err) < 0)
		return -1;
	while ((got = upload_next(upload, &at, err)) > 0)
		if (supply(push, upload, at, err) < 0)
			return -1;
	if (got < 0)
		return -1;
	for (size_t i = 0; i < push->nr_items; i++)
		take_result(&push->items[i], upload, i);
	return 0;
}

/* ---- documents ---- */

static int open_config(const struct push *push, struct error *err)
{
	const struct buf *bytes = &push->image.config;
	auto_fd int fd = memfd_create("config", MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "make a file in memory");
	return io_write(fd, bytes->data, bytes->len, err) < 0 ? -1 : take_fd(fd);
}

static int push_config(struct push *push, struct error *err)
{
	const struct upload_known known = { push->id, push->image.config.len, NULL };
	const struct upload_item item = { &known, 1 };
	const struct upload_args args = {
		.registry = push->registry,
		.items = &item,
		.nr_items = 1,
	};
	auto_upload struct upload *upload = NULL;
	int got, fd;
	size_t at;

	if (upload_new(&args, &upload, err) < 0)
		return -1;
	while ((got = upload_next(upload, &at, err)) > 0) {
		fd = open_config(push, err);
		if (fd < 0)
			return -1;
		upload_give(upload, 0, fd, &push->id, push->image.config.len);
	}
	return got;
}

/* Does the registry have the very blobs that the manifest names? */
static bool came_so(const struct push *push)
{
	const struct manifest *came = &push->came;

	if (!came->config.media_type)
		return false; /* there is none */
	for (size_t i = 0; i < came->nr_layers; i++)
		if (push->item_of[i] != SIZE_MAX &&
		    !digest_equal(&push->items[push->item_of[i]].digest, &came->layers[i].digest))
			return false;
	return true;
}

/* Docker's, unless it came as OCI's or has what only OCI knows. */
static bool is_oci(const struct push *push)
{
	const char *config = push->came.config.media_type;

	for (size_t i = 0; i < push->nr_items; i++)
		if (strcmp(push->items[i].type, MEDIA_OCI_LAYER_ZSTD) == 0)
			return true;
	return config && strcmp(config, MEDIA_DOCKER_CONFIG) != 0;
}

static const char *docker_type(const char *oci)
{
	return strcmp(oci, MEDIA_OCI_LAYER_GZIP) == 0 ? MEDIA_DOCKER_LAYER : MEDIA_DOCKER_TAR;
}

/* Everything in ret is borrowed but its layers, an array. */
static void fill_manifest(const struct push *push, bool oci, struct manifest *ret)
{
	ret->config = (struct descriptor){
		.media_type = (char *)(oci ? MEDIA_OCI_CONFIG : MEDIA_DOCKER_CONFIG),
		.digest = push->id,
		.size_bytes = (int64_t)push->image.config.len,
	};
	for (size_t i = 0; i < push->image.nr_layers; i++) {
		const struct item *item;

		if (push->item_of[i] == SIZE_MAX) {
			ret->layers[i] = push->came.layers[i];
			continue;
		}
		item = &push->items[push->item_of[i]];
		ret->layers[i] = (struct descriptor){
			.media_type = (char *)(oci ? item->type : docker_type(item->type)),
			.digest = item->digest,
			.size_bytes = (int64_t)item->size,
		};
	}
}

/* The same blobs give the same manifest. */
static const char *make_manifest(const struct push *push, struct buf *ret)
{
	auto_free struct descriptor *layers = xcalloc(push->image.nr_layers + 1, sizeof(*layers));
	struct manifest manifest = { .layers = layers, .nr_layers = push->image.nr_layers };
	bool oci = is_oci(push);

	if (came_so(push)) {
		const char *type = push->came.media_type;

		buf_append(ret, push->image.manifest.data, push->image.manifest.len);
		return type && *type ? type : MEDIA_OCI_MANIFEST;
	}
	fill_manifest(push, oci, &manifest);
	manifest_write(&manifest, ret);
	return oci ? MEDIA_OCI_MANIFEST : MEDIA_DOCKER_MANIFEST;
}

static int remember(struct push *push, const struct buf *manifest, const struct digest *digest,
		    struct error *err)
{
	auto_free struct remote_blob *blobs = xcalloc(push->nr_items + 1, sizeof(*blobs));
	const struct origin_pushed pushed = {
		.id = push->id,
		.digest = *digest,
		.manifest = manifest,
		.blobs = blobs,
		.nr_blobs = push->nr_items,
	};

	for (size_t i = 0; i < push->nr_items; i++)
		blobs[i] = (struct remote_blob){
			.diff_id = push->image.layers[push->items[i].layer].diff_id,
			.digest = push->items[i].digest,
			.size_bytes = (int64_t)push->items[i].size,
			.media_type = (char *)push->items[i].type,
			.repository = push->repository,
		};
	return push->origin->keep(push->origin, &pushed, err);
}

/* ---- the whole ---- */

static int push_tag(struct push *push, const char *tag, struct error *err)
{
	auto_buf struct buf manifest = { 0 };
	auto_free char *line = NULL;
	struct digest digest;
	const char *type;

	forget_image(push);
	if (push->origin->get_image(push->origin, tag, &push->image, err) < 0)
		return -1;
	digest_of(push->image.config.data, push->image.config.len, &push->id);
	use_manifest(push);
	if (!push->registry &&
	    (registry_open(&push->args->options, push->args->ref, &push->registry, err) < 0 ||
	     registry_meet(push->registry, err) < 0))
		return -1;
	make_items(push);
	if (push_layers(push, err) < 0 || push_config(push, err) < 0)
		return -1;
	type = make_manifest(push, &manifest);
	if (put_manifest(push->registry, tag, type, &manifest, err) < 0)
		return -1;
	digest_of(manifest.data, manifest.len, &digest);
	if (remember(push, &manifest, &digest, err) < 0)
		return err_add(err, "%s was pushed, but not remembered", tag);
	line = xasprintf("%s: digest: %s size: %zu", tag, digest.text, manifest.len);
	say(push, line);
	return 0;
}

int push_from(struct origin *origin, const struct push_args *args, int folder_fd,
	      const char *folder, struct error *err)
{
	auto_push struct push push = {
		.origin = origin,
		.args = args,
		.folder_fd = folder_fd,
		.folder = folder,
		.domain = xstrdup(args->ref->domain),
		.repository = reference_canonical_name(args->ref),
	};
	auto_free char *line = xasprintf("The push refers to repository [%s]", push.repository);
	auto_strlist struct strlist tags = { 0 };

	pthread_mutex_init(&push.reporting, NULL);
	say(&push, line);
	if (args->ref->tag)
		strlist_add(&tags, args->ref->tag);
	else if (origin->get_tags(origin, &tags, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.nr; i++)
		if (push_tag(&push, tags.items[i], err) < 0)
			return -1;
	return 0;
}

int registry_push(struct store *store, const struct push_args *args, struct error *err)
{
	auto_origin struct origin *origin = NULL;

	if (origin_open(store, args->ref, &origin, err) < 0)
		return -1;
	return push_from(origin, args, store->root.fd, "tmp", err);
}
