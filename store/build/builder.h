/* SPDX-License-Identifier: Apache-2.0 */
/*
 * builder - what the files behind build.h share: the build and its stages
 */
#ifndef BUILD_BUILDER_H
#define BUILD_BUILDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "build/args.h"
#include "build/build.h"
#include "build/cache.h"
#include "build/cachefrom.h"
#include "build/context.h"
#include "build/input.h"
#include "build/parse.h"
#include "db/rows.h"
#include "image/image.h"
#include "layer/work.h"
#include "oci/config.h"
#include "oci/expand.h"
#include "oci/platform.h"

struct builder;
struct tree_writer;
struct work_tree;

/* The content of a layer, mounted to be read: of a stage or an image that others take from. */
struct source_tree {
	struct digest chain;
	struct volume *volume;
	int fd;		       /* root of its mount */
	char *path;	       /* where it is mounted; NULL: nowhere */
	struct ignore *ignore; /* of a named context; or NULL */
};

enum stage_state { STAGE_NEW, STAGE_BUILDING, STAGE_BUILT };

struct stage {
	struct builder *builder;
	const struct dockerfile_stage *source;
	size_t index;
	enum stage_state state;
	bool needed;
	struct args args;
	json_t *settings; /* the "config" object so far */
	bool cmd_given;	  /* see struct setting_stage */
	char *author;
	struct platform platform;
	struct digest base_image; /* that it is built FROM; or unset */
	bool untouched;		  /* nothing came after FROM */
	struct digest chain;	  /* its top layer; unset: none */
	struct digest *diff_ids;
	size_t nr_layers;
	int64_t content_bytes;
	struct image_history *history;
	size_t nr_history;
	bool has_created; /* created_ns is that of the top layer, or of the base */
	int64_t created_ns;
	struct work work; /* while steps run */
	struct tree_writer *tree;
	unsigned step, nr_steps; /* those that have a vertex */
	unsigned vertex;	 /* of the step that is being done */
};

struct builder {
	struct store *store;
	const struct build_options *options;
	const struct build_events *events;
	struct build_report *report;
	struct build_input input;
	struct context context; /* of input; root_fd is -1 without one */
	struct dockerfile file;
	struct lex_range at; /* the instruction that is being done, for the excerpt */
	struct build_args given;
	struct args global;
	struct platform host, wanted;
	struct stage *stages; /* as many as in file */
	size_t target;
	unsigned nr_vertices;
	bool has_epoch; /* SOURCE_DATE_EPOCH */
	int64_t epoch;	/* Unix time, seconds */
	int64_t now_ns;
	struct strlist fetched;	    /* images, by the name they were asked for */
	struct cachefrom elsewhere; /* steps of the images of --cache-from */
	struct source_tree *trees;
	size_t nr_trees;
	bool has_namespace; /* our mounts are seen by us and our children only */
};

/* ---- build.c ---- */

/* Builds the stage unless that was done. */
int builder_need_stage(struct builder *builder, size_t index, struct error *err);
unsigned builder_begin(struct builder *builder, const char *name);
/* @result: of the work: negative: it failed with err; positive: from the cache */
void builder_end(struct builder *builder, unsigned vertex, int result, const struct error *err);

/* ---- baseimage.c ---- */

/**
 * builder_find_image - an image of the store, or else of its registry
 * @refresh: ask the registry first, once for each name
 * @vertex:  is told what the name means; 0: none
 *
 * Errors of image_find() and of the options' fetch().
 */
int builder_find_image(struct builder *builder, const char *name, const struct platform *platform,
		       bool refresh, unsigned vertex, struct image *ret, struct error *err);

/* ---- importcache.c ---- */

/* Fills builder->elsewhere from the images of --cache-from; tells of what is no cache. */
int builder_import_caches(struct builder *builder, struct error *err);

/* ---- stage.c ---- */

void stage_done(struct stage *stage);
/* FROM and all instructions. */
int stage_build(struct stage *stage, struct error *err);
/* Begins the next vertex: "[name 2/5] text"; ends it as builder_end() does. */
void stage_begin_step(struct stage *stage, const char *text);
void stage_end_step(struct stage *stage, int result, const struct error *err);
/* The variables and the rules for one instruction's words; vars must outlive the scope. */
struct expand_scope stage_scope(const struct stage *stage, struct strlist *vars);
const char *stage_setting(const struct stage *stage, const char *key);

/* ---- layerstep.c ---- */

/* An instruction that makes a layer. */
struct layer_step {
	const char *what;	/* for people: "RUN make" */
	const char *created_by; /* in the history */
	/*
	 * The key for a level, from 0: the cheap ones first; the last depends on the least, and is
	 * what an image carries elsewhere. Returns 1, 0 when there is none (more), or -1.
	 */
	int (*key)(struct stage *stage, void *ctx, unsigned level, struct digest *ret,
		   struct error *err);
	/*
	 * Also the last key depends on the layers of another stage, which come out otherwise each
	 * time they are made: no image carries it, or none could be made twice.
	 */
	bool stays_here;
	/*
	 * Does it in stage->work, which is mounted. Returns 0, 1 when what it was made of has
	 * changed since the key was, or -1.
	 */
	int (*perform)(struct stage *stage, void *ctx, struct error *err);
	void *ctx;
};

/* What the result of an instruction depends on, beside the layer below. */
struct stage_key {
	json_t *operation;	       /* taken */
	const struct strlist *env;     /* or NULL */
	const struct digest *contents; /* of sources */
	size_t nr_contents;
	const struct cache_mount *mounts;
	size_t nr_mounts;
};

void stage_key(const struct stage *stage, const struct stage_key *key, struct digest *ret);

/* Returns 1 when the cache had it, 0 when it was done, or -1. The stage has the layer then. */
int stage_add_layer(struct stage *stage, const struct layer_step *step, struct error *err);
/* An entry without a layer. */
void stage_add_history(struct stage *stage, const char *created_by);
/* stage->tree for stage->work. */
int stage_open_tree(struct stage *stage, struct error *err);
/* Another writer for it, which takes the mount away where it can do without. */
int stage_open_blocks(struct stage *stage, struct work_tree *ret, struct error *err);
/* After end_layer: all is written, and stage->work mounted. */
int stage_close_blocks(struct stage *stage, struct work_tree *tree, struct error *err);

/* ---- runstep.c, copystep.c, workdirstep.c: one instruction each ---- */

int stage_run(struct stage *stage, const struct dockerfile_step *step, struct error *err);
int stage_copy(struct stage *stage, const struct dockerfile_step *step, struct error *err);
int stage_workdir(struct stage *stage, const struct dockerfile_step *step, struct error *err);

/* ---- source.c ---- */

/* What COPY --from and a mount's from= mean. */
struct build_source {
	bool is_context; /* a folder of the host: the build's context, or a named one */
	bool is_stage;	 /* its layer is one that this build made, or another before it */
	struct context context;
	const char *path;    /* of that folder; borrowed */
	struct digest chain; /* else the layer; unset for scratch */
};

/**
 * build_source_find - a stage, a named context or an image; NULL: the build's context
 *
 * Builds the stage when that was not done. Mounts nothing.
 */
int build_source_find(struct stage *stage, const char *from, struct build_source *ret,
		      struct error *err);
/* source->context can be read from: mounts the layer. */
int build_source_open(struct builder *builder, struct build_source *source, struct error *err);
/* Its root has a path in the mount namespace of the build. Borrowed until the build's end. */
int build_source_path(struct builder *builder, struct build_source *source, const char **ret,
		      struct error *err);
void builder_close_sources(struct builder *builder);
/* From now on what we mount is ours alone. */
int builder_own_namespace(struct builder *builder, struct error *err);
/* "/run/…/session-7/NAME", on a tmpfs that goes with the session; new. */
int builder_run_path(struct builder *builder, const char *name, char **ret, struct error *err);

#endif
