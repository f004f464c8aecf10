/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "build/builder.h"
#include "build/cache.h"
#include "build/history.h"
#include "build/runmounts.h"
#include "layer/tree_fs.h"
#include "run/step.h"
#include "store.h"
#include "volume.h"

/* As podman has it. A fork bomb ends there; parallel compilations have some hundred. */
#define PIDS_MAX 2048
/* How often the pool's room is looked at while a command runs. */
#define LOOK_MS 1000
#define TICK_MS 100

struct run {
	const struct dockerfile_step *step;
	json_t *argv;
	const struct lex_heredoc *script; /* to be the file that argv names last; or NULL */
	struct run_mounts mounts;
	bool own_network;
};

static void run_done(struct run *run)
{
	json_decref(run->argv);
	run_mounts_done(&run->mounts);
}
#define auto_run __attribute__((cleanup(run_done)))

/* ---- the key ---- */

static json_t *list_json(const struct strlist *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->nr; i++)
		json_array_append_new(array, cache_text(list->items[i], strlen(list->items[i])));
	return array;
}

static int find_key(struct stage *stage, void *ctx, unsigned level, struct digest *ret,
		    struct error *err)
{
	struct run *run = ctx;
	const struct build_options *options = stage->builder->options;
	auto_free struct cache_mount *mounts = xcalloc(run->mounts.nr + 1, sizeof(*mounts));
	auto_strlist struct strlist env = { 0 };
	auto_buf struct buf script = { 0 };
	struct stage_key key = { .env = &env, .mounts = mounts, .nr_mounts = run->mounts.nr };

	(void)err;
	if (level)
		return 0;
	for (size_t i = 0; i < run->mounts.nr; i++)
		mounts[i] = (struct cache_mount){ run->mounts.items[i].text,
						  &run->mounts.items[i].content };
	args_cache_env(&stage->args, json_object_get(stage->settings, "Env"), &env);
	buf_puts(&script, "");
	if (run->script)
		lex_heredoc_text(run->script, &script);
	key.operation = json_pack("[s, O, o, s, s, b, o, I, O?]", "RUN", run->argv,
				  cache_text(script.data, script.len), stage_setting(stage, "User"),
				  stage_setting(stage, "WorkingDir"), run->own_network,
				  list_json(&options->add_host), (json_int_t)options->shm_bytes,
				  options->rlimits);
	stage_key(stage, &key, ret);
	return 1;
}

/* Is something of another stage mounted, of which the key has the layers? */
static bool hangs_on_stage(const struct run *run)
{
	for (size_t i = 0; i < run->mounts.nr; i++)
		if (run->mounts.items[i].source.is_stage &&
		    run->mounts.items[i].spec.type == RUNMOUNT_BIND)
			return true;
	return false;
}

/* ---- the command ---- */

static void put_output(void *ctx, enum log_stream stream, const char *text, size_t len)
{
	const struct stage *stage = ctx;
	const struct builder *builder = stage->builder;

	builder->events->output(builder->events->ctx, stage->vertex, stream, text, len);
}

/* Until it has ended; stops it when the pool gets full. Returns its status, or -1. */
static int wait_step(struct stage *stage, struct step *step, struct error *err)
{
	struct volume_pool *pool = stage->builder->store->pool;
	const struct build_events *events = stage->builder->events;
	struct pollfd polls[STEP_POLLS];
	struct timespec now;
	time_t looked = 0;
	uint64_t room;
	int done;

	while ((done = step_serve(step, err)) == 0) {
		step_polls(step, polls);
		poll(polls, STEP_POLLS, events->tick ? TICK_MS : LOOK_MS);
		if (events->tick)
			events->tick(events->ctx);
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
		if (now.tv_sec == looked)
			continue;
		looked = now.tv_sec;
		if (volume_pool_room(pool, 1, &room, err) < 0)
			return -1;
	}
	return done < 0 ? -1 : step_status(step);
}

/* "/bin/sh -c make", as it was asked for. */
static void argv_text(const json_t *argv, struct buf *ret)
{
	for (size_t i = 0; i < json_array_size(argv); i++)
		buf_printf(ret, "%s%s", i ? " " : "", json_string_value(json_array_get(argv, i)));
}

static int failed(struct stage *stage, const struct run *run, int status, struct error *err)
{
	auto_buf struct buf text = { 0 };
	struct error full;
	uint64_t room;

	argv_text(run->argv, &text);
	err_set(err, ERR_REMOTE, "process \"%.900s\" did not complete successfully: exit code: %d",
		text.data, status);
	if (volume_pool_room(stage->builder->store->pool, 1, &room, &full) < 0 &&
	    full.kind == ERR_NO_SPACE) {
		*err = full;
		return err_add(err, "process \"%.900s\": exit code: %d", text.data, status);
	}
	return -1;
}

/* A heredoc that begins "#!" is a file for the time of the step. */
static int add_script(struct stage *stage, struct run *run, struct bundle_mounts *mounts,
		      struct error *err)
{
	const char *target =
		json_string_value(json_array_get(run->argv, json_array_size(run->argv) - 1));
	auto_buf struct buf text = { 0 };
	auto_free char *path = NULL;

	if (builder_run_path(stage->builder, "script", &path, err) < 0)
		return -1;
	strlist_add(&run->mounts.temporary, path);
	lex_heredoc_text(run->script, &text);
	if (io_replace_file(AT_FDCWD, path, text.data, text.len, 0755, err) < 0)
		return -1;
	bundle_mounts_add(mounts, path, target, true, "rprivate");
	return 0;
}

static int perform(struct stage *stage, void *ctx, struct error *err)
{
	struct run *run = ctx;
	const struct build_options *options = stage->builder->options;
	auto_bundle_mounts struct bundle_mounts mounts = { 0 };
	auto_strlist struct strlist argv = { 0 };
	auto_strlist struct strlist env = { 0 };
	auto_step struct step *step = NULL;
	const char *cwd = stage_setting(stage, "WorkingDir");
	const struct step_args args = {
		.store = stage->builder->store,
		.volume = stage->work.volume,
		.root_fd = stage->work.mount_fd,
		.argv = &argv,
		.env = &env,
		.user = stage_setting(stage, "User"),
		.cwd = *cwd ? cwd : "/",
		.own_network = run->own_network,
		.mounts = &mounts,
		.add_host = &options->add_host,
		.limits = { .pids = PIDS_MAX },
		.shm_bytes = options->shm_bytes,
		.rlimits = options->rlimits,
		.output = put_output,
		.ctx = stage,
	};
	int status;

	/* Its umask of 0 would be the command's. */
	tree_fs_free(take_ptr(stage->tree));
	for (size_t i = 0; i < json_array_size(run->argv); i++)
		strlist_add(&argv, json_string_value(json_array_get(run->argv, i)));
	args_run_env(&stage->args, json_object_get(stage->settings, "Env"), &env);
	if (run_mounts_prepare(stage, &run->mounts, &mounts, &env, err) < 0 ||
	    (run->script && add_script(stage, run, &mounts, err) < 0) ||
	    step_start(&args, &step, err) < 0)
		return -1;
	status = wait_step(stage, step, err);
	if (status > 0)
		return failed(stage, run, status, err);
	return status < 0 ? -1 : run->mounts.changed;
}

static int read_flags(struct stage *stage, const struct instruction *instruction, struct run *run,
		      struct error *err)
{
	const char *network = instruction_flag(instruction, "network");
	static const char *const refused[] = { "security", "device" };

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (instruction_flag(instruction, refused[i]))
			return err_set(err, ERR_UNSUPPORTED, "RUN --%s is not supported",
				       refused[i]);
	run->own_network = stage->builder->options->own_network;
	if (!network || strcmp(network, "default") == 0)
		return 0;
	run->own_network = strcmp(network, "none") == 0;
	if (!run->own_network && strcmp(network, "host") != 0)
		return err_set(err, ERR_USAGE, "invalid network mode \"%.64s\"", network);
	return 0;
}

int stage_run(struct stage *stage, const struct dockerfile_step *step, struct error *err)
{
	auto_run struct run run = { .step = step };
	auto_buf struct buf created_by = { 0 }, args = { 0 };
	struct layer_step layer = {
		.what = step->line->text,
		.key = find_key,
		.perform = perform,
		.ctx = &run,
	};
	int result;

	stage_begin_step(stage, step->line->text);
	history_run_argv(step, stage->settings, &run.argv, &run.script);
	args_history(&stage->args, json_object_get(stage->settings, "Env"), &args);
	history_run(run.argv, args.len ? args.data : "", &created_by);
	layer.created_by = created_by.data;
	result = read_flags(stage, &step->instruction, &run, err);
	if (result == 0)
		result = run_mounts_find(stage, &step->instruction, &run.mounts, err);
	layer.stays_here = hangs_on_stage(&run);
	if (result == 0)
		result = stage_add_layer(stage, &layer, err);
	stage_end_step(stage, result, err);
	return result < 0 ? -1 : 0;
}
