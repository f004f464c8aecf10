/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/tree_writer.h"
#include "build/builder.h"
#include "build/cache.h"
#include "build/copy.h"
#include "build/download.h"
#include "build/history.h"
#include "layer/space.h"
#include "layer/work_tree.h"
#include "oci/glob.h"
#include "run/account.h"
#include "store.h"

/* What may be archives of so much is unpacked as blocks. */
#define BLOCKS_ARCHIVE_BYTES (1024u * 1024)

/* One COPY or ADD, expanded. */
struct copy {
	const struct dockerfile_step *step;
	struct strlist words;	 /* as expanded: what the history shows */
	struct strlist sources;	 /* of these, the paths */
	struct copy_file *files; /* of heredocs and URLs */
	struct digest *digests;	 /* of these */
	struct strlist names;	 /* of URLs */
	struct buf *bodies;	 /* of heredocs */
	size_t nr_files, nr_bodies;
	char *destination; /* absolute */
	struct buf chown, chmod, checksum;
	struct chmod_spec mode;
	struct strlist exclude_words;
	struct ignore *exclude;
	const char *from;
	bool parents, unpack, several;
	struct build_source source;
	struct context_sources found;
	bool searched; /* found is filled */
	struct digest *contents;
};

static void copy_done(struct copy *copy)
{
	strlist_done(&copy->words);
	strlist_done(&copy->sources);
	strlist_done(&copy->exclude_words);
	for (size_t i = 0; i < copy->nr_bodies; i++)
		buf_done(&copy->bodies[i]);
	for (size_t i = 0; i < copy->nr_files; i++)
		if (copy->files[i].fd >= 0)
			close(copy->files[i].fd);
	strlist_done(&copy->names);
	free(copy->digests);
	free(copy->bodies);
	free(copy->files);
	free(copy->destination);
	buf_done(&copy->chown);
	buf_done(&copy->chmod);
	buf_done(&copy->checksum);
	ignore_free(copy->exclude);
	context_sources_done(&copy->found);
	free(copy->contents);
}
#define auto_copy __attribute__((cleanup(copy_done)))

/* ---- reading the instruction ---- */

static int expand_flag(const struct copy *copy, const char *name, struct expand_scope *scope,
		       struct buf *ret, struct error *err)
{
	const char *text = instruction_flag(&copy->step->instruction, name);

	return text ? expand_word(text, scope, ret, err) : 0;
}

static int read_flags(struct copy *copy, struct expand_scope *scope, struct error *err)
{
	const struct instruction *instruction = &copy->step->instruction;

	copy->from = instruction_flag(instruction, "from");
	copy->parents = instruction_flag_is_set(instruction, "parents");
	copy->unpack = instruction->kind == INSTRUCTION_ADD;
	if (copy->unpack && instruction_flag(instruction, "unpack"))
		copy->unpack = instruction_flag_is_set(instruction, "unpack");
	if (instruction_flag_is_set(instruction, "keep-git-dir"))
		return err_set(err, ERR_UNSUPPORTED, "ADD --keep-git-dir is not supported");
	instruction_flag_list(instruction, "exclude", &copy->exclude_words);
	if (copy->exclude_words.nr && ignore_new(&copy->exclude_words, &copy->exclude, err) < 0)
		return -1;
	if (expand_flag(copy, "chown", scope, &copy->chown, err) < 0 ||
	    expand_flag(copy, "chmod", scope, &copy->chmod, err) < 0 ||
	    expand_flag(copy, "checksum", scope, &copy->checksum, err) < 0)
		return -1;
	return copy->chmod.len ? chmod_parse(copy->chmod.data, &copy->mode, err) : 0;
}

/* The file that a "<<name" makes. */
static int add_heredoc(struct stage *stage, struct copy *copy, struct expand_scope *scope,
		       struct error *err)
{
	const struct lex_line *line = copy->step->line;
	const struct lex_heredoc *heredoc = &line->heredocs[copy->nr_bodies];
	struct buf *body = &copy->bodies[copy->nr_bodies++];
	auto_buf struct buf text = { 0 };

	lex_heredoc_text(heredoc, &text);
	buf_puts(&text, "");
	if (heredoc->expand) {
		if (expand_body(text.data, scope, body, err) < 0)
			return -1;
	} else {
		buf_append(body, text.data, text.len);
	}
	digest_of(body->len ? body->data : "", body->len, &copy->digests[copy->nr_files]);
	copy->files[copy->nr_files++] = (struct copy_file){
		.name = heredoc->name,
		.data = body->len ? body->data : "",
		.len = body->len,
		.fd = -1,
		.mode = 0644,
		.mtime = { .tv_sec = stage->builder->now_ns / 1000000000 },
	};
	return 0;
}

static int add_url(struct stage *stage, struct copy *copy, const char *url, struct error *err)
{
	struct copy_file *file = &copy->files[copy->nr_files];
	auto_free char *name = NULL;

	if (instruction_flag_is_set(&copy->step->instruction, "unpack"))
		return err_set(err, ERR_UNSUPPORTED, "ADD --unpack of a URL is not supported: %s",
			       url);
	if (download_file(stage->builder->store, stage->builder->options, url,
			  copy->checksum.len ? copy->checksum.data : "", file, &name,
			  &copy->digests[copy->nr_files], err) < 0)
		return -1;
	copy->nr_files++;
	strlist_add(&copy->words, url);
	strlist_add(&copy->names, name ? name : "__unnamed__"); /* as BuildKit */
	file->name = copy->names.items[copy->names.nr - 1];
	return 0;
}

static int read_source(struct stage *stage, struct copy *copy, const char *word,
		       struct expand_scope *scope, struct error *err)
{
	const struct instruction *instruction = &copy->step->instruction;
	auto_buf struct buf text = { 0 };
	struct lex_heredoc heredoc;

	if (!instruction->is_json && copy->nr_bodies < copy->step->line->nr_heredocs &&
	    lex_heredoc_word(word, &heredoc)) {
		strlist_take(&copy->words, xasprintf("<<%s", heredoc.name));
		lex_heredoc_done(&heredoc);
		return add_heredoc(stage, copy, scope, err);
	}
	if (expand_word(word, scope, &text, err) < 0)
		return -1;
	switch (copy_source_kind(text.data)) {
	case COPY_SOURCE_URL:
		if (instruction->kind == INSTRUCTION_COPY)
			return err_set(err, ERR_USAGE, "source can't be a URL for COPY");
		return add_url(stage, copy, text.data, err);
	case COPY_SOURCE_GIT:
		return err_set(err, ERR_UNSUPPORTED, "a git repository is not supported: %s",
			       text.data);
	default:
		if (copy->checksum.len)
			return err_set(err, ERR_USAGE,
				       "checksum can't be specified for non-HTTP(S) sources: %s",
				       text.data);
		strlist_add(&copy->words, text.data);
		strlist_add(&copy->sources, text.data);
		return 0;
	}
}

static int read_destination(struct stage *stage, struct copy *copy, const char *word,
			    struct expand_scope *scope, struct error *err)
{
	const char *cwd = stage_setting(stage, "WorkingDir");
	auto_buf struct buf text = { 0 };

	if (expand_word(word, scope, &text, err) < 0)
		return -1;
	strlist_add(&copy->words, text.data);
	copy->destination =
		text.data[0] == '/' ? xstrdup(text.data) : xasprintf("%s/%s", cwd, text.data);
	return 0;
}

static int read_words(struct stage *stage, struct copy *copy, struct error *err)
{
	const struct strlist *args = &copy->step->instruction.args;
	auto_strlist struct strlist vars = { 0 };
	struct expand_scope scope = stage_scope(stage, &vars);
	size_t nr = copy->step->line->nr_heredocs;

	copy->files = xcalloc(args->nr + 1, sizeof(*copy->files));
	copy->digests = xcalloc(args->nr + 1, sizeof(*copy->digests));
	copy->bodies = xcalloc(nr + 1, sizeof(*copy->bodies));
	if (read_flags(copy, &scope, err) < 0)
		return -1;
	for (size_t i = 0; i + 1 < args->nr; i++)
		if (read_source(stage, copy, args->items[i], &scope, err) < 0)
			return -1;
	return read_destination(stage, copy, args->items[args->nr - 1], &scope, err);
}

/* ---- the sources ---- */

static int search(struct stage *stage, struct copy *copy, struct error *err)
{
	const char *name = copy->step->instruction.name;

	if (copy->searched)
		return 0;
	if (copy->sources.nr && build_source_open(stage->builder, &copy->source, err) < 0)
		return -1;
	for (size_t i = 0; i < copy->sources.nr; i++)
		if (context_find(&copy->source.context, copy->sources.items[i], copy->parents,
				 &copy->found, err) < 0)
			return err_add(err, "%s failed", name);
	if (!copy->found.nr && !copy->nr_files)
		return err_set(err, ERR_USAGE, "%s failed: no source files were specified", name);
	copy->several = copy->found.nr + copy->nr_files > 1;
	copy->searched = true;
	return 0;
}

static json_t *text(const char *text)
{
	return cache_text(text, strlen(text));
}

static json_t *flag_text(const struct buf *flag)
{
	return cache_text(flag->len ? flag->data : "", flag->len);
}

static json_t *operation(const struct copy *copy)
{
	json_t *words = json_array(), *names = json_array(), *excludes = json_array();

	for (size_t i = 0; i < copy->words.nr; i++)
		json_array_append_new(words, text(copy->words.items[i]));
	for (size_t i = 0; i < copy->found.nr; i++)
		json_array_append_new(names, text(copy->found.items[i].name));
	for (size_t i = 0; i < copy->exclude_words.nr; i++)
		json_array_append_new(excludes, text(copy->exclude_words.items[i]));
	return json_pack("[s, o, o, o, o, o, o, o, b, b]", copy->step->instruction.name, words,
			 names, excludes, text(copy->destination), flag_text(&copy->chown),
			 flag_text(&copy->chmod), flag_text(&copy->checksum), copy->parents,
			 copy->unpack);
}

/* By what the files hold, and what the heredocs do. */
static int content_key(struct stage *stage, struct copy *copy, struct digest *ret,
		       struct error *err)
{
	size_t nr = 0;
	struct stage_key key = { 0 };

	if (search(stage, copy, err) < 0)
		return -1;
	free(copy->contents);
	copy->contents = xcalloc(copy->found.nr + copy->nr_files + 1, sizeof(*copy->contents));
	for (size_t i = 0; i < copy->found.nr; i++)
		if (context_hash(&copy->source.context, &copy->found.items[i], copy->exclude,
				 copy->parents, &copy->contents[nr++], err) < 0)
			return -1;
	for (size_t i = 0; i < copy->nr_files; i++)
		copy->contents[nr++] = copy->digests[i];
	key.operation = operation(copy);
	key.contents = copy->contents;
	key.nr_contents = nr;
	stage_key(stage, &key, ret);
	return 1;
}

/*
 * Of a stage or an image its layer says enough, and needs no device; what is in it is only
 * looked at when that key is not known.
 */
static int find_key(struct stage *stage, void *ctx, unsigned level, struct digest *ret,
		    struct error *err)
{
	struct copy *copy = ctx;
	struct stage_key key = { 0 };

	if (copy->source.is_context || copy->nr_files)
		return level ? 0 : content_key(stage, copy, ret, err);
	if (level == 1)
		return content_key(stage, copy, ret, err);
	if (level > 1)
		return 0;
	key.operation = operation(copy);
	key.contents = &copy->source.chain;
	key.nr_contents = 1;
	stage_key(stage, &key, ret);
	return 1;
}

/* ---- doing it ---- */

/* In the words of Docker's classic builder. */
static int no_such_owner(const struct stage *stage, const char *user, const char *group,
			 struct error *err)
{
	auto_account struct account account = { 0 };
	struct error why;

	if (err->kind != ERR_USAGE)
		return -1;
	if (!user)
		user = "0";
	if (account_find(stage->work.mount_fd, user, &account, &why) < 0 || !group)
		return err_set(err, ERR_USAGE,
			       "can't find uid for user %.128s: no such user: %.128s", user, user);
	return err_set(err, ERR_USAGE, "can't find gid for group %.128s: no such group: %.128s",
		       group, group);
}

/* A number alone is the group too; a name brings its own group. */
static int find_owner(struct stage *stage, const struct copy *copy, struct copy_args *args,
		      struct error *err)
{
	auto_account struct account account = { 0 };
	auto_free char *user = NULL;
	auto_free char *group = NULL;
	auto_free char *text = NULL;

	if (!copy->chown.len)
		return 0;
	if (chown_split(copy->chown.data, &user, &group, err) < 0)
		return -1;
	if (!group && user && !user[strspn(user, "0123456789")])
		text = xasprintf("%s:%s", user, user);
	else
		text = xasprintf("%s%s%s", user ? user : "0", group ? ":" : "", group ? group : "");
	if (account_find(stage->work.mount_fd, text, &account, err) < 0)
		return no_such_owner(stage, user, group, err);
	args->has_owner = true;
	args->uid = account.uid;
	args->gid = account.gid;
	return 0;
}

/*
 * An archive is unpacked as blocks, unless it is so small that to unmount and mount again takes
 * longer. Files are not: reading them takes most of the time, and what a mount has written is in
 * memory still when the layer's tar is made of it.
 */
static bool is_worth_blocks(const struct copy *copy, enum layer_writer wanted)
{
	uint64_t nr_bytes = 0;

	if (wanted != LAYER_WRITER_AUTO)
		return wanted == LAYER_WRITER_DIRECT;
	for (size_t i = 0; copy->unpack && i < copy->found.nr; i++)
		if (!copy->found.items[i].is_folder)
			nr_bytes += copy->found.items[i].nr_bytes;
	return nr_bytes >= BLOCKS_ARCHIVE_BYTES;
}

/* A step's writing. */
struct writing {
	struct stage *stage;
	const struct copy *copy;
	struct work_tree blocks; /* or, without a tree, stage->tree */
	struct space space;
};

static int open_tree(void *ctx, struct tree_writer **ret, struct error *err)
{
	struct writing *writing = ctx;
	struct stage *stage = writing->stage;
	bool blocks = is_worth_blocks(writing->copy, stage->builder->store->options.writer);

	if ((blocks ? stage_open_blocks(stage, &writing->blocks, err)
		    : stage_open_tree(stage, err)) < 0)
		return -1;
	writing->space.mount_fd = stage->work.mount_fd;
	*ret = blocks ? writing->blocks.tree : stage->tree;
	return 0;
}

static int write_all(struct writing *writing, struct copy_args *args, struct error *err)
{
	struct work_tree mounted = { .work = &writing->stage->work };
	bool removed;
	int changed;

	args->open_tree = open_tree;
	args->open_tree_ctx = writing;
	args->take_space = space_take;
	args->take_space_ctx = &writing->space;
	changed = copy_into(args, &removed, err);
	if (changed < 0)
		work_tree_explain(writing->blocks.tree ? &writing->blocks : &mounted, err);
	if (changed < 0 || !writing->blocks.tree)
		return changed;
	return stage_close_blocks(writing->stage, &writing->blocks, err) < 0 ? -1 : changed;
}

static int perform(struct stage *stage, void *ctx, struct error *err)
{
	struct copy *copy = ctx;
	struct writing writing = { .stage = stage,
				   .copy = copy,
				   .space.pool = stage->builder->store->pool };
	struct copy_args args = {
		.root_fd = stage->work.mount_fd,
		.context = &copy->source.context,
		.sources = &copy->found,
		.files = copy->files,
		.nr_files = copy->nr_files,
		.destination = copy->destination,
		.instruction = copy->step->instruction.name,
		.several = copy->several,
		.exclude = copy->exclude,
		.chmod = copy->chmod.len ? &copy->mode : NULL,
		.parents = copy->parents,
		.unpack = copy->unpack,
	};
	int result;

	if (search(stage, copy, err) < 0 || find_owner(stage, copy, &args, err) < 0)
		return -1;
	result = write_all(&writing, &args, err);
	work_tree_close(&writing.blocks);
	return result;
}

int stage_copy(struct stage *stage, const struct dockerfile_step *step, struct error *err)
{
	auto_copy struct copy copy = { .step = step };
	auto_buf struct buf created_by = { 0 };
	struct layer_step layer = {
		.what = step->line->text,
		.key = find_key,
		.perform = perform,
		.ctx = &copy,
	};
	int result;

	stage_begin_step(stage, step->line->text);
	result = read_words(stage, &copy, err);
	if (result == 0)
		result = build_source_find(stage, copy.from, &copy.source, err);
	if (result == 0) {
		history_copy(&step->instruction, copy.chown.data, copy.chmod.data, &copy.words,
			     &created_by);
		layer.created_by = created_by.data;
		result = stage_add_layer(stage, &layer, err);
	}
	stage_end_step(stage, result, err);
	return result < 0 ? -1 : 0;
}
