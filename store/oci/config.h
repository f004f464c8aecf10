/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - the config document of an image: its platform, settings, layers, history
 *
 * The image's id is the digest of the document's bytes, so a received one is
 * kept as bytes; image_config_write() is for our own images. null and absent
 * are the same everywhere.
 *
 * A history entry of ours may have a field of its own, "veneer.step": the key of the
 * build step that made the layer, for --cache-from. Image-spec config.md: fields that
 * an implementation does not know it must ignore. docker, and copies in one format, keep
 * the document's bytes; skopeo and buildah lose the field where they turn Docker's format
 * into OCI's or back, and the image is no cache any more.
 * Source: OCI image-spec config.md; spec/registry-and-archive.md sections 1, 3.
 */
#ifndef OCI_CONFIG_H
#define OCI_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "oci/platform.h"

struct image_history {
	bool has_created;
	int64_t created_ns; /* Unix time */
	char *created;	    /* as written; NULL when absent */
	char *created_by;   /* these may be NULL */
	char *author;
	char *comment;
	bool empty_layer;
	struct digest step_key; /* of veneer's build cache; unset: none, or none that is valid */
};

/* The "config" object: how a container of the image runs. */
struct image_settings {
	char *user; /* texts may be NULL */
	char *working_dir;
	char *stop_signal;
	struct strlist env; /* "KEY=value" */
	struct strlist entrypoint;
	struct strlist cmd;
	struct strlist on_build;
	struct strlist shell;
	json_t *exposed_ports; /* objects, or NULL: "80/tcp": {} */
	json_t *volumes;       /* "/data": {} */
	json_t *labels;	       /* of strings and nulls */
	json_t *healthcheck;
	bool args_escaped;
};

struct image_config {
	char *architecture; /* never NULL; "" when absent */
	char *os;	    /* never NULL; "linux" when absent, as Docker has it */
	char *variant;	    /* these may be NULL */
	char *os_version;
	char *author;
	char *comment;
	char *docker_version;
	char *created;			/* as written */
	bool has_created;		/* false also for Go's zero time */
	int64_t created_ns;		/* Unix time */
	json_t *config;			/* the "config" object as it came, for inspect; or NULL */
	struct image_settings settings; /* the same, checked and typed */
	struct digest *diff_ids;	/* base first */
	size_t nr_layers;
	struct image_history *history; /* oldest first */
	size_t nr_history;
};

void image_config_done(struct image_config *config);
#define auto_image_config __attribute__((cleanup(image_config_done)))

/**
 * image_config_parse - read a config document
 * @ret: overwritten; image_config_done() releases it. Empty on failure.
 *
 * ERR_CORRUPT: "invalid image JSON, no RootFS key", "too many non-empty layers
 * in History section", or what is wrong with which key; ERR_UNSUPPORTED for a
 * digest other than sha256; ERR_LIMIT.
 */
int image_config_parse(const void *data, size_t len, struct image_config *ret, struct error *err);

/* ERR_UNSUPPORTED "cannot load windows image on linux". */
int image_config_check_os(const struct image_config *config, struct error *err);

/* Borrowed; NULL when there is no such label. */
const char *image_config_label(const struct image_config *config, const char *key);

void image_config_platform(const struct image_config *config, struct platform *ret);

/* The history entry that made layer i, or NULL when the history does not say. */
const struct image_history *image_config_layer_history(const struct image_config *config,
						       size_t layer);

/**
 * chain_id_next - the ChainID of a layer on top of a stack
 * @parent: ChainID of what is below; NULL or unset for a base layer
 * @ret:    may be the same object as parent
 */
void chain_id_next(const struct digest *parent, const struct digest *diff_id, struct digest *ret);

/* The ChainID of the first nr_layers layers; unset for none. */
void image_config_chain_id(const struct image_config *config, size_t nr_layers, struct digest *ret);

/**
 * image_config_write - the document of an image that we made
 *
 * Appends compact JSON with sorted keys. "config" comes from config->config;
 * settings are not looked at. NULL and "" fields are left out, except the
 * required ones. created_ns with has_created is written in UTC; `created` is
 * not looked at.
 */
void image_config_write(const struct image_config *config, struct buf *ret);

/**
 * image_config_write_import - the document for a root file system tar
 * @settings: the "config" object that --change made; borrowed; may be NULL
 * @comment:  of the image and its only history entry
 * @diff_id:  of the one layer
 */
void image_config_write_import(const struct platform *platform, json_t *settings,
			       const char *comment, int64_t created_ns,
			       const struct digest *diff_id, struct buf *ret);

#endif
