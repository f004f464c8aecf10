/* SPDX-License-Identifier: Apache-2.0 */
#include "build/build.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "build/builder.h"
#include "db/rows.h"
#include "image/create.h"
#include "image/image.h"
#include "oci/reference.h"
#include "store.h"

#define NS_PER_S INT64_C(1000000000)

void build_report_done(struct build_report *report)
{
	buf_done(&report->warnings);
	buf_done(&report->excerpt);
	*report = (struct build_report){ 0 };
}

static void builder_done(struct builder *builder)
{
	for (size_t i = 0; builder->stages && i < builder->file.nr_stages; i++)
		stage_done(&builder->stages[i]);
	free(builder->stages);
	builder_close_sources(builder);
	strlist_done(&builder->fetched);
	cachefrom_done(&builder->elsewhere);
	args_done(&builder->global);
	build_args_done(&builder->given);
	dockerfile_done(&builder->file);
	build_input_done(&builder->input);
}
#define auto_builder __attribute__((cleanup(builder_done)))

/* ---- vertices ---- */

unsigned builder_begin(struct builder *builder, const char *name)
{
	unsigned vertex = ++builder->nr_vertices;

	builder->events->begin(builder->events->ctx, vertex, name);
	return vertex;
}

void builder_end(struct builder *builder, unsigned vertex, int result, const struct error *err)
{
	enum build_end how = result > 0 ? BUILD_CACHED : BUILD_DONE;

	if (result < 0)
		how = err->kind == ERR_CANCELLED ? BUILD_CANCELED : BUILD_FAILED;
	builder->events->end(builder->events->ctx, vertex, how,
			     how == BUILD_FAILED ? err->text : NULL);
}

static void note(struct builder *builder, unsigned vertex, const char *text)
{
	builder->events->note(builder->events->ctx, vertex, text);
}

/* ---- before the first step ---- */

static int open_input(struct builder *builder, struct error *err)
{
	const struct build_options *options = builder->options;
	const struct build_input_args args = {
		.context = options->context,
		.stdin_fd = options->stdin_fd,
		.file = options->file,
	};
	unsigned vertex = builder_begin(builder, "[internal] load build definition");
	int result = build_input_open(builder->store, &args, &builder->input, err);
	auto_free char *text = NULL;

	if (result == 0) {
		text = xasprintf("transferring dockerfile: %zuB done",
				 builder->input.dockerfile.len);
		note(builder, vertex, text);
	}
	builder_end(builder, vertex, result, err);
	builder->context = (struct context){
		.root_fd = builder->input.root_fd,
		.ignore = builder->input.ignore,
	};
	return result;
}

static int read_arguments(struct builder *builder, struct error *err)
{
	const struct strlist *texts = &builder->options->build_args;

	platform_host(&builder->host);
	if (platform_parse(builder->options->platform, &builder->wanted, err) < 0)
		return -1;
	for (size_t i = 0; i < texts->nr; i++)
		if (build_args_add(&builder->given, texts->items[i], environ, err) < 0)
			return -1;
	for (size_t i = 0; i < builder->given.values.nr; i++) {
		const char *text = builder->given.values.items[i];
		char *end;

		if (strncmp(text, "SOURCE_DATE_EPOCH=", 18) != 0 || !text[18])
			continue;
		builder->epoch = strtoll(text + 18, &end, 10);
		if (*end || builder->epoch < 0 || builder->epoch > INT64_MAX / NS_PER_S)
			return err_set(err, ERR_USAGE, "invalid SOURCE_DATE_EPOCH: %.64s",
				       text + 18);
		builder->has_epoch = true;
		builder->now_ns = builder->epoch * NS_PER_S;
	}
	args_init_global(&builder->global, &builder->given, &builder->host, &builder->wanted,
			 builder->options->target);
	return 0;
}

/* The ARGs before the first FROM. */
static int declare_globals(struct builder *builder, struct error *err)
{
	for (size_t i = 0; i < builder->file.nr_globals; i++) {
		builder->at = builder->file.steps[i].line->range;
		if (args_declare(&builder->global, &builder->file.steps[i].instruction, NULL,
				 builder->file.lex.escape, NULL, err) < 0)
			return -1;
	}
	builder->at = (struct lex_range){ 0 };
	return 0;
}

/* What COPY --from and mounts name; also a check of stages that are not needed. */
static int need_sources(struct builder *builder, size_t index, struct error *err)
{
	const struct dockerfile_stage *stage = &builder->file.stages[index];

	for (size_t i = 0; i < stage->nr; i++) {
		const struct dockerfile_step *step = &builder->file.steps[stage->first + i];
		const char *from = instruction_flag(&step->instruction, "from");
		ssize_t found;

		if (step->instruction.kind != INSTRUCTION_COPY || !from)
			continue;
		builder->at = step->line->range;
		if (dockerfile_find_from(&builder->file, index, from, &found, err) < 0)
			return -1;
	}
	return 0;
}

static int prepare(struct builder *builder, struct error *err)
{
	struct dockerfile *file = &builder->file;
	const struct build_input *input = &builder->input;

	if (dockerfile_parse(input->dockerfile.data, input->dockerfile.len, input->name, file,
			     &builder->at, err) < 0 ||
	    declare_globals(builder, err) < 0)
		return -1;
	builder->stages = xcalloc(file->nr_stages, sizeof(*builder->stages));
	for (size_t i = 0; i < file->nr_stages; i++) {
		builder->stages[i] = (struct stage){
			.builder = builder,
			.source = &file->stages[i],
			.index = i,
			.work = WORK_NONE(builder->store),
		};
		if (need_sources(builder, i, err) < 0)
			return -1;
	}
	builder->at = (struct lex_range){ 0 };
	return dockerfile_find_target(file, builder->options->target, &builder->target, err);
}

int builder_need_stage(struct builder *builder, size_t index, struct error *err)
{
	struct stage *stage = &builder->stages[index];
	struct lex_range at = builder->at;

	if (stage->state == STAGE_BUILT)
		return 0;
	stage->state = STAGE_BUILDING;
	if (stage_build(stage, err) < 0)
		return -1;
	stage->state = STAGE_BUILT;
	builder->at = at;
	return 0;
}

/* ---- the image ---- */

static int add_labels(const struct strlist *labels, json_t *settings, struct error *err)
{
	json_t *object = json_object_get(settings, "Labels");

	if (labels->nr && !object) {
		object = json_object();
		json_object_set_new(settings, "Labels", object);
	}
	for (size_t i = 0; i < labels->nr; i++) {
		const char *text = labels->items[i];
		const char *value = strchr(text, '=');
		auto_free char *key = xasprintf("%.*s", (int)strcspn(text, "="), text);

		if (json_object_set_new(object, key, json_string(value ? value + 1 : "")) < 0)
			return err_set(err, ERR_USAGE, "the label '%s' is not UTF-8", text);
	}
	return 0;
}

static int parse_tags(const struct strlist *tags, struct reference *ret, struct error *err)
{
	for (size_t i = 0; i < tags->nr; i++)
		if (reference_parse_target(tags->items[i], &ret[i], err) < 0)
			return -1;
	return 0;
}

static int write_image(struct builder *builder, struct stage *stage, const struct reference *refs,
		       struct digest *ret, struct error *err)
{
	struct image_config config = {
		.architecture = stage->platform.architecture,
		.os = stage->platform.os,
		.variant = stage->platform.variant,
		.author = stage->author,
		.has_created = true,
		.config = stage->settings,
		.diff_ids = stage->diff_ids,
		.nr_layers = stage->nr_layers,
		.history = stage->history,
		.nr_history = stage->nr_history,
	};
	const struct image_create create = {
		.config = &config,
		.parent = stage->base_image,
		.size_bytes = stage->content_bytes,
		.refs = refs,
		.nr_refs = builder->options->tags.nr,
	};

	/* The last layer's time, so that the same from the cache is the same image. */
	config.created_ns = stage->has_created ? stage->created_ns : builder->now_ns;
	if (builder->has_epoch)
		config.created_ns = builder->now_ns;
	return image_create(builder->store, &create, ret, err);
}

/* A Dockerfile of nothing but FROM gives the base another name. */
static int make_image(struct builder *builder, struct stage *stage, const struct reference *refs,
		      struct error *err)
{
	const struct build_options *options = builder->options;
	struct digest *image = &builder->report->image;

	if (!stage->untouched || !digest_is_set(&stage->base_image) || options->labels.nr)
		return write_image(builder, stage, refs, image, err);
	*image = stage->base_image;
	return image_set_names(builder->store, image, refs, options->tags.nr, err);
}

static void note_names(struct builder *builder, unsigned vertex, const struct digest *image,
		       const struct reference *refs)
{
	auto_free char *text = xasprintf("writing image %s done", image->text);

	note(builder, vertex, text);
	for (size_t i = 0; i < builder->options->tags.nr; i++) {
		auto_free char *name = reference_key(&refs[i]);
		auto_free char *line = xasprintf("naming to %s done", name);

		note(builder, vertex, line);
	}
}

static int export(struct builder *builder, struct stage *stage, const struct reference *refs,
		  struct error *err)
{
	unsigned vertex = builder_begin(builder, "exporting to image");
	int result = add_labels(&builder->options->labels, stage->settings, err);

	if (result == 0) {
		note(builder, vertex, "exporting layers done");
		result = make_image(builder, stage, refs, err);
	}
	if (result == 0)
		note_names(builder, vertex, &builder->report->image, refs);
	builder_end(builder, vertex, result, err);
	return result;
}

static int run(struct builder *builder, struct reference *refs, struct error *err)
{
	if (parse_tags(&builder->options->tags, refs, err) < 0 ||
	    read_arguments(builder, err) < 0 || open_input(builder, err) < 0 ||
	    prepare(builder, err) < 0 || builder_import_caches(builder, err) < 0 ||
	    builder_need_stage(builder, builder->target, err) < 0)
		return -1;
	return export(builder, &builder->stages[builder->target], refs, err);
}

static void put_warnings(struct builder *builder)
{
	const struct lex *lex = &builder->file.lex;
	struct buf *warnings = &builder->report->warnings;

	for (size_t i = 0; i < lex->nr_warnings; i++)
		buf_printf(warnings, "[Warning] %s\n", lex->warnings[i].text);
	build_args_warning(&builder->given, warnings);
}

static void report(struct builder *builder, bool failed)
{
	const struct build_input *input = &builder->input;

	if (!failed)
		put_warnings(builder);
	else if (builder->at.first && input->name)
		dockerfile_excerpt(input->dockerfile.data, input->dockerfile.len, input->name,
				   &builder->at, &builder->report->excerpt);
}

int build_image(struct store *store, const struct build_options *options,
		const struct build_events *events, struct build_report *ret, struct error *err)
{
	auto_builder struct builder builder = {
		.store = store,
		.options = options,
		.events = events,
		.report = ret,
		.input = { .root_fd = -1 },
		.context = { .root_fd = -1 },
		.now_ns = rows_now_ns(),
	};
	struct reference *refs = xcalloc(options->tags.nr + 1, sizeof(*refs));
	int result = run(&builder, refs, err);

	for (size_t i = 0; i < options->tags.nr; i++)
		reference_done(&refs[i]);
	free(refs);
	report(&builder, result < 0);
	return result;
}
