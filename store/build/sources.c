/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sources - context_find(): names and patterns of COPY resolved in a root
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "build/context.h"
#include "build/follow.h"
#include "build/wild.h"
#include "limits.h"
#include "oci/glob.h"

void context_sources_done(struct context_sources *sources)
{
	for (size_t i = 0; i < sources->nr; i++) {
		free(sources->items[i].path);
		free(sources->items[i].name);
	}
	free(sources->items);
	*sources = (struct context_sources){ 0 };
}

static int add_source(struct context_sources *ret, const char *path, const char *name,
		      bool is_folder, struct error *err)
{
	if (ret->nr == LIMIT_CONTEXT_NAMES)
		return err_set(err, ERR_LIMIT, "a source names more than %u files",
			       LIMIT_CONTEXT_NAMES);
	if (!(ret->nr & (ret->nr + 1)))
		ret->items = xrealloc(ret->items, 2 * (ret->nr + 1) * sizeof(*ret->items));
	ret->items[ret->nr++] = (struct context_source){ .path = xstrdup(path),
							 .name = xstrdup(name),
							 .is_folder = is_folder };
	return 0;
}

static int not_found(const char *path, struct error *err)
{
	return err_set(err, ERR_NOT_FOUND, "\"/%.512s\": not found", path);
}

/* Relative and clean; ".." stops at the root. Returns new. */
static char *clean(const char *text)
{
	auto_buf struct buf path = { 0 };

	buf_puts(&path, "");
	path_add(text, &path);
	return xstrdup(path.len ? path.data + 1 : "");
}

/* ---- names ---- */

/* A link that is ignored is not there. */
static int check_link(void *ctx, const char *path, struct error *err)
{
	const struct context *context = ctx;

	return ignore_excludes(context->ignore, path) ? not_found(path, err) : 0;
}

/* Follows every link of a path within the root; ERR_NOT_FOUND when it is not there. */
static int resolve(const struct context *context, const char *path, struct follow *follow,
		   struct error *err)
{
	*follow = (struct follow){ .root_fd = context->root_fd,
				   .on_link = check_link,
				   .ctx = (void *)context };
	if (follow_path(follow, path, err) < 0)
		return err->sys_errno == ENOTDIR ? not_found(path, err) : -1;
	return follow->kind == FOLLOW_MISSING ? not_found(path, err) : 0;
}

/* Is what was resolved left out of the context, with all below it? */
static bool is_ignored(const struct ignore *ignore, const struct follow *follow)
{
	const char *path = follow_result(follow);

	return ignore_excludes(ignore, path) &&
	       !(follow->kind == FOLLOW_FOLDER && ignore_may_include_below(ignore, path));
}

static int find_name(const struct context *context, const char *path, const char *name,
		     struct context_sources *ret, struct error *err)
{
	auto_follow struct follow follow;

	if (resolve(context, path, &follow, err) < 0)
		return err->kind == ERR_NOT_FOUND ? not_found(path, err) : -1;
	if (is_ignored(context->ignore, &follow))
		return not_found(path, err);
	return add_source(ret, follow_result(&follow), name, follow.kind == FOLLOW_FOLDER, err);
}

/* ---- patterns ---- */

/* Bytes of a path in front of its first component with a wildcard, its '/' not counted. */
static size_t literal_length(const char *path)
{
	size_t len = strcspn(path, "*?[\\");

	if (!path[len])
		return len;
	while (len && path[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}

/* What a walk gathers: paths that match, as they are written. */
struct match_job {
	const struct wild *wild;
	const char *prefix; /* as written; "" or with a '/' at its end */
	size_t drop;	    /* components that --parents does not keep */
	bool parents;
	struct context_sources *ret;
	struct strlist links; /* matched, to be followed */
};

static size_t count_components(const char *path)
{
	size_t nr = *path != '\0';

	for (; *path; path++)
		nr += *path == '/';
	return nr;
}

/* What --parents keeps of a path: all behind the pivot. */
static const char *drop_components(const char *path, size_t nr)
{
	for (; nr && *path; nr--) {
		path += strcspn(path, "/");
		path += *path == '/';
	}
	return path;
}

/* A folder that was ignored may come up, and match, only when the walk is in it already. */
static bool is_covered(const struct context_sources *sources, const char *path)
{
	const struct context_source *last = sources->nr ? &sources->items[sources->nr - 1] : NULL;
	size_t len = last && last->is_folder ? strlen(last->path) : 0;

	return len && strncmp(path, last->path, len) == 0 && path[len] == '/';
}

static int match_entry(void *data, const struct context_entry *entry, struct error *err)
{
	struct match_job *job = data;
	auto_free char *written = xasprintf("%s%s", job->prefix, entry->name);
	const char *name = job->parents ? drop_components(written, job->drop) : path_base(written);
	bool is_folder = S_ISDIR(entry->stat->st_mode);

	if (!*entry->name || is_covered(job->ret, entry->path))
		return 0;
	if (!wild_match(job->wild, written))
		return is_folder && !wild_may_match_below(job->wild, written);
	if (entry->link && !job->parents) {
		strlist_add(&job->links, entry->path);
		strlist_add(&job->links, name);
		return 0;
	}
	/* All in a folder that matches is part of it. */
	return add_source(job->ret, entry->path, name, is_folder, err) < 0 ? -1 : is_folder;
}

static int compare_sources(const void *a, const void *b)
{
	return strcmp(((const struct context_source *)a)->name,
		      ((const struct context_source *)b)->name);
}

/* Links come last, as they are followed when the walk is over; then all are sorted. */
static int follow_links(const struct context *context, struct match_job *job, size_t first,
			struct error *err)
{
	for (size_t i = 0; i < job->links.nr; i += 2)
		if (find_name(context, job->links.items[i], job->links.items[i + 1], job->ret,
			      err) < 0)
			return -1;
	if (job->links.nr)
		qsort(job->ret->items + first, job->ret->nr - first, sizeof(*job->ret->items),
		      compare_sources);
	return 0;
}

/* Outside --parents "**" is one '*', as Go has it. */
static char *single_stars(const char *pattern)
{
	char *copy = xstrdup(pattern), *to = copy;

	for (const char *p = pattern; *p; p++) {
		if (*p == '*' && to > copy && to[-1] == '*' && !(to - copy >= 2 && to[-2] == '\\'))
			continue;
		*to++ = *p;
	}
	*to = '\0';
	return copy;
}

static int find_pattern(const struct context *context, const char *pattern, size_t drop,
			bool parents, struct context_sources *ret, struct error *err)
{
	auto_free char *plain = parents ? xstrdup(pattern) : single_stars(pattern);
	size_t len = literal_length(plain), first = ret->nr;
	auto_free char *prefix = xasprintf("%.*s", (int)len, plain);
	auto_free char *shown = xasprintf("%s%s", prefix, len ? "/" : "");
	auto_wild struct wild *wild = NULL;
	struct match_job job = { .prefix = shown, .drop = drop, .parents = parents, .ret = ret };
	auto_follow struct follow follow = { 0 };
	struct context_source base;
	int done;

	if (wild_new(plain, &wild, err) < 0)
		return -1;
	job.wild = wild;
	if (resolve(context, prefix, &follow, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (follow.kind != FOLLOW_FOLDER)
		return 0;
	base = (struct context_source){ .path = (char *)follow_result(&follow),
					.name = prefix,
					.is_folder = true };
	done = context_walk(context, &base, NULL, match_entry, &job, err);
	if (done == 0)
		done = follow_links(context, &job, first, err);
	strlist_done(&job.links);
	return done;
}

int context_find(const struct context *context, const char *source, bool parents,
		 struct context_sources *ret, struct error *err)
{
	const char *pivot = parents ? strstr(source, "/./") : NULL;
	auto_free char *front = xasprintf("%.*s", pivot ? (int)(pivot - source) : 0, source);
	auto_free char *dropped = clean(front), *path = clean(source);
	size_t drop = count_components(dropped);

	if (cancel_check(err) < 0)
		return -1;
	if (strlen(path) >= LIMIT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "a source is longer than %d bytes",
			       LIMIT_PATH_BYTES);
	if (glob_has_wildcard(path))
		return find_pattern(context, path, drop, parents, ret, err);
	return find_name(context, path, parents ? drop_components(path, drop) : path_base(path),
			 ret, err);
}
