/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "build/builder.h"
#include "build/history.h"
#include "build/runmount.h"
#include "image/image.h"
#include "layer/tree_fs.h"
#include "oci/reference.h"
#include "oci/setting.h"

void stage_done(struct stage *stage)
{
	stage->work.discard = true;
	tree_fs_free(stage->tree);
	work_done(&stage->work);
	args_done(&stage->args);
	json_decref(stage->settings);
	for (size_t i = 0; i < stage->nr_history; i++) {
		free(stage->history[i].created);
		free(stage->history[i].created_by);
		free(stage->history[i].author);
		free(stage->history[i].comment);
	}
	free(stage->history);
	free(stage->diff_ids);
	free(stage->author);
}

void stage_begin_step(struct stage *stage, const char *text)
{
	struct builder *builder = stage->builder;
	auto_free char *of = NULL;
	auto_free char *name = NULL;

	if (builder->file.nr_stages > 1)
		of = stage->source->name ? xasprintf("%s ", stage->source->name)
					 : xasprintf("stage-%zu ", stage->index);
	name = xasprintf("[%s%u/%u] %s", of ? of : "", ++stage->step, stage->nr_steps, text);
	stage->vertex = builder_begin(builder, name);
}

void stage_end_step(struct stage *stage, int result, const struct error *err)
{
	builder_end(stage->builder, stage->vertex, result, err);
}

const char *stage_setting(const struct stage *stage, const char *key)
{
	const char *text = json_string_value(json_object_get(stage->settings, key));

	return text ? text : "";
}

struct expand_scope stage_scope(const struct stage *stage, struct strlist *vars)
{
	args_variables(&stage->args, json_object_get(stage->settings, "Env"), vars);
	return expand_scope(vars->items, stage->builder->file.lex.escape);
}

static bool has_vertex(enum instruction_kind kind)
{
	return kind == INSTRUCTION_RUN || kind == INSTRUCTION_COPY || kind == INSTRUCTION_ADD ||
	       kind == INSTRUCTION_WORKDIR;
}

/* ---- FROM ---- */

static char *copy_text(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static void add_entry(struct stage *stage, const struct image_history *entry)
{
	stage->history = xrealloc(stage->history, (stage->nr_history + 1) * sizeof(*entry));
	stage->history[stage->nr_history++] = (struct image_history){
		.has_created = entry->has_created,
		.created_ns = entry->created_ns,
		.created_by = copy_text(entry->created_by),
		.author = copy_text(entry->author),
		.comment = copy_text(entry->comment),
		.empty_layer = entry->empty_layer,
		.step_key = entry->step_key,
	};
}

static void take_layers(struct stage *stage, const struct digest *diff_ids, size_t nr)
{
	free(stage->diff_ids);
	stage->diff_ids = xcalloc(nr + 1, sizeof(*diff_ids));
	memcpy(stage->diff_ids, diff_ids, nr * sizeof(*diff_ids));
	stage->nr_layers = nr;
}

static void start_from_stage(struct stage *stage, const struct stage *base)
{
	stage->settings = json_deep_copy(base->settings);
	stage->author = copy_text(base->author);
	stage->platform = base->platform;
	stage->base_image = base->base_image;
	stage->untouched = base->untouched;
	stage->chain = base->chain;
	stage->content_bytes = base->content_bytes;
	stage->has_created = base->has_created;
	stage->created_ns = base->created_ns;
	take_layers(stage, base->diff_ids, base->nr_layers);
	for (size_t i = 0; i < base->nr_history; i++)
		add_entry(stage, &base->history[i]);
	args_done(&stage->args);
	args_init_stage(&stage->args, &stage->builder->global, &base->args);
}

static int start_from_image(struct stage *stage, const char *name, const struct platform *wanted,
			    struct error *err)
{
	struct store *store = stage->builder->store;
	auto_image_config struct image_config config = { 0 };
	auto_image struct image image = { 0 };
	auto_buf struct buf text = { 0 };
	char is[PLATFORM_TEXT_SIZE], want[PLATFORM_TEXT_SIZE];

	if (builder_find_image(stage->builder, name, wanted, stage->builder->options->pull,
			       stage->vertex, &image, err) < 0 ||
	    image_read_config(store, &image, &text, err) < 0 ||
	    image_config_parse(text.data, text.len, &config, err) < 0)
		return err_add(err, "%s", name);
	image_config_platform(&config, &stage->platform);
	if (platform_rank(wanted, &stage->platform) < 0)
		return err_set(err, ERR_UNSUPPORTED, "image %s is for %s, not for %s", name,
			       platform_text(&stage->platform, is), platform_text(wanted, want));
	stage->settings = config.config ? json_deep_copy(config.config) : json_object();
	stage->author = copy_text(config.author);
	stage->base_image = image.id;
	stage->chain = image.top;
	stage->content_bytes = image.size_bytes;
	stage->has_created = config.has_created;
	stage->created_ns = config.created_ns;
	take_layers(stage, config.diff_ids, config.nr_layers);
	for (size_t i = 0; i < config.nr_history; i++)
		add_entry(stage, &config.history[i]);
	return 0;
}

static int find_platform(struct stage *stage, struct expand_scope *scope, struct platform *ret,
			 struct error *err)
{
	auto_buf struct buf text = { 0 };

	*ret = stage->builder->wanted;
	if (!stage->source->platform)
		return 0;
	if (expand_word(stage->source->platform, scope, &text, err) < 0)
		return -1;
	return platform_parse(text.data, ret, err);
}

/* Both of Docker's builders write it into the config. */
static void set_path(struct stage *stage)
{
	json_t *env = json_object_get(stage->settings, "Env");

	for (size_t i = 0; i < json_array_size(env); i++) {
		const char *text = json_string_value(json_array_get(env, i));

		if (text && strncmp(text, "PATH=", 5) == 0)
			return;
	}
	if (!json_is_array(env)) {
		env = json_array();
		json_object_set_new(stage->settings, "Env", env);
	}
	json_array_append_new(env, json_string("PATH=" ARGS_DEFAULT_PATH));
}

static int take_image(struct stage *stage, const char *name, const struct platform *wanted,
		      struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_free char *canonical = NULL;
	auto_free char *text = NULL;
	int result;

	if (reference_parse(name, &ref, err) == 0) {
		reference_default_tag(&ref);
		canonical = reference_canonical(&ref);
	}
	text = xasprintf("FROM %s", canonical ? canonical : name);
	stage_begin_step(stage, text);
	result = start_from_image(stage, name, wanted, err);
	stage_end_step(stage, result < 0 ? -1 : 1, err);
	return result;
}

static int start(struct stage *stage, struct error *err)
{
	struct builder *builder = stage->builder;
	auto_strlist struct strlist vars = { 0 };
	auto_buf struct buf name = { 0 };
	struct expand_scope scope;
	struct platform wanted;
	ssize_t base;

	args_variables(&builder->global, NULL, &vars);
	scope = expand_scope(vars.items, builder->file.lex.escape);
	if (expand_word(stage->source->base, &scope, &name, err) < 0 ||
	    find_platform(stage, &scope, &wanted, err) < 0)
		return -1;
	if (!name.len)
		return err_set(err, ERR_USAGE, "base name (%s) should not be blank",
			       stage->source->base);
	args_init_stage(&stage->args, &builder->global, NULL);
	stage->platform = wanted;
	base = dockerfile_find_base(&builder->file, stage->index, name.data);
	if (base >= 0) {
		if (builder_need_stage(builder, (size_t)base, err) < 0)
			return -1;
		start_from_stage(stage, &builder->stages[base]);
		return 0;
	}
	if (strcmp(name.data, "scratch") == 0) {
		stage->settings = json_object();
		set_path(stage);
		return 0;
	}
	stage->nr_steps++;
	if (take_image(stage, name.data, &wanted, err) < 0)
		return -1;
	set_path(stage);
	return 0;
}

/* ---- instructions ---- */

void stage_add_history(struct stage *stage, const char *created_by)
{
	const struct image_history entry = {
		.has_created = true,
		.created_ns = stage->builder->has_epoch || !stage->has_created
				      ? stage->builder->now_ns
				      : stage->created_ns,
		.created_by = (char *)(uintptr_t)created_by,
		.comment = (char *)(uintptr_t)HISTORY_COMMENT,
		.empty_layer = true,
	};

	add_entry(stage, &entry);
}

static int declare(struct stage *stage, const struct instruction *instruction, struct error *err)
{
	auto_buf struct buf created_by = { 0 };

	if (args_declare(&stage->args, instruction, json_object_get(stage->settings, "Env"),
			 stage->builder->file.lex.escape, &created_by, err) < 0)
		return -1;
	stage_add_history(stage, created_by.data);
	return 0;
}

static int set_author(struct stage *stage, const struct instruction *instruction, struct error *err)
{
	auto_free char *created_by = xasprintf("MAINTAINER %s", instruction->args.items[0]);

	(void)err;
	free(stage->author);
	stage->author = xstrdup(instruction->args.items[0]);
	stage_add_history(stage, created_by);
	return 0;
}

static int set_trigger(struct stage *stage, const struct dockerfile_step *step,
		       struct setting_stage *around, struct buf *created_by, struct error *err)
{
	struct instruction instruction = step->instruction;
	auto_buf struct buf text = { 0 };
	char *args[] = { NULL, NULL };

	dockerfile_trigger_text(step, &text);
	args[0] = text.data;
	instruction.args = (struct strlist){ .items = args, .nr = 1 };
	return setting_apply(stage->settings, &instruction, around, created_by, err);
}

static int set_metadata(struct stage *stage, const struct dockerfile_step *step, struct error *err)
{
	auto_strlist struct strlist vars = { 0 };
	auto_buf struct buf created_by = { 0 };
	struct setting_stage around = {
		.escape = stage->builder->file.lex.escape,
		.cmd_given = stage->cmd_given,
	};
	int result;

	stage_scope(stage, &vars);
	around.vars = vars.items;
	result = step->instruction.kind == INSTRUCTION_ONBUILD
			 ? set_trigger(stage, step, &around, &created_by, err)
			 : setting_apply(stage->settings, &step->instruction, &around, &created_by,
					 err);
	if (result < 0)
		return -1;
	stage->cmd_given = around.cmd_given;
	stage_add_history(stage, created_by.data);
	return 0;
}

static int perform(struct stage *stage, const struct dockerfile_step *step, struct error *err)
{
	stage->untouched = false;
	switch (step->instruction.kind) {
	case INSTRUCTION_RUN:
		return stage_run(stage, step, err);
	case INSTRUCTION_COPY:
	case INSTRUCTION_ADD:
		return stage_copy(stage, step, err);
	case INSTRUCTION_WORKDIR:
		return stage_workdir(stage, step, err);
	case INSTRUCTION_ARG:
		return declare(stage, &step->instruction, err);
	case INSTRUCTION_MAINTAINER:
		return set_author(stage, &step->instruction, err);
	default:
		return set_metadata(stage, step, err);
	}
}

/* ---- ONBUILD ---- */

struct triggers {
	struct dockerfile *files;
	size_t nr;
};

static void triggers_done(struct triggers *triggers)
{
	for (size_t i = 0; i < triggers->nr; i++)
		dockerfile_done(&triggers->files[i]);
	free(triggers->files);
}
#define auto_triggers __attribute__((cleanup(triggers_done)))

static unsigned count_vertices(const struct dockerfile_step *steps, size_t nr)
{
	unsigned count = 0;

	for (size_t i = 0; i < nr; i++)
		count += has_vertex(steps[i].instruction.kind);
	return count;
}

static int read_triggers(struct stage *stage, struct triggers *ret, struct error *err)
{
	json_t *texts = json_object_get(stage->settings, "OnBuild");

	ret->files = xcalloc(json_array_size(texts) + 1, sizeof(*ret->files));
	for (size_t i = 0; i < json_array_size(texts); i++) {
		const char *text = json_string_value(json_array_get(texts, i));

		if (dockerfile_parse_trigger(text ? text : "", &ret->files[ret->nr], err) < 0)
			return err_add(err, "ONBUILD trigger of the base image");
		ret->nr++;
		stage->nr_steps += count_vertices(ret->files[i].steps, ret->files[i].nr_steps);
	}
	json_object_del(stage->settings, "OnBuild");
	return 0;
}

static int run_triggers(struct stage *stage, const struct triggers *triggers, struct error *err)
{
	for (size_t i = 0; i < triggers->nr; i++)
		for (size_t n = 0; n < triggers->files[i].nr_steps; n++)
			if (perform(stage, &triggers->files[i].steps[n], err) < 0)
				return -1;
	return 0;
}

/* What the stage takes from others, so that their vertices come before its own. */
static int need_others(struct stage *stage, const struct dockerfile_step *step, struct error *err)
{
	auto_strlist struct strlist names = { 0 }, mounts = { 0 };
	struct builder *builder = stage->builder;
	ssize_t index;

	if (step->instruction.kind == INSTRUCTION_COPY)
		instruction_flag_list(&step->instruction, "from", &names);
	if (step->instruction.kind == INSTRUCTION_RUN)
		instruction_flag_list(&step->instruction, "mount", &mounts);
	for (size_t i = 0; i < mounts.nr; i++) {
		auto_runmount struct runmount mount = { 0 };

		if (runmount_parse(mounts.items[i], NULL, &mount, err) == 0 && *mount.from)
			strlist_add(&names, mount.from);
	}
	for (size_t i = 0; i < names.nr; i++) {
		builder->at = step->line->range;
		if (dockerfile_find_from(&builder->file, stage->index, names.items[i], &index,
					 err) < 0 ||
		    (index >= 0 && builder_need_stage(builder, (size_t)index, err) < 0))
			return -1;
	}
	return 0;
}

int stage_build(struct stage *stage, struct error *err)
{
	struct builder *builder = stage->builder;
	const struct dockerfile_stage *source = stage->source;
	const struct dockerfile_step *steps = &builder->file.steps[source->first];
	auto_triggers struct triggers triggers = { 0 };

	for (size_t i = 0; i < source->nr; i++)
		if (need_others(stage, &steps[i], err) < 0)
			return -1;
	builder->at = source->from->line->range;
	stage->nr_steps = count_vertices(steps, source->nr);
	stage->untouched = true;
	if (start(stage, err) < 0 || read_triggers(stage, &triggers, err) < 0 ||
	    run_triggers(stage, &triggers, err) < 0)
		return -1;
	for (size_t i = 0; i < source->nr; i++) {
		builder->at = steps[i].line->range;
		if (perform(stage, &steps[i], err) < 0)
			return -1;
	}
	builder->at = (struct lex_range){ 0 };
	/* Others may begin here; nobody writes on. */
	tree_fs_free(take_ptr(stage->tree));
	stage->work.discard = true;
	return work_drop(&stage->work, err);
}
