/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sources - context_find(): names and patterns of COPY resolved in a root
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "build/context.h"
#include "build/wild.h"
#include "limits.h"
#include "oci/glob.h"

/* As the kernel: MAXSYMLINKS */
#define LINKS_MAX 40

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
	ret->items[ret->nr++] = (struct context_source){ xstrdup(path), xstrdup(name), is_folder };
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

/* A path on its way through links: what is resolved, and what is still to do. */
struct way {
	const struct context *context;
	struct buf done; /* "/a/b", without links */
	char *rest;
	unsigned int links;
	bool is_folder; /* is what is resolved one? */
};

static void way_done(struct way *way)
{
	buf_done(&way->done);
	free(way->rest);
}
#define auto_way __attribute__((cleanup(way_done)))

static const char *way_path(const struct way *way)
{
	return way->done.len ? way->done.data + 1 : "";
}

/* The component at hand is a link: what it says comes first. */
static int follow(struct way *way, int fd, size_t before, struct error *err)
{
	char target[LIMIT_PATH_BYTES];
	ssize_t len = readlinkat(fd, "", target, sizeof(target) - 1);
	char *rest;

	if (len < 0)
		return err_sys(err, errno, "read link '%s'", way_path(way));
	if (++way->links > LINKS_MAX)
		return err_sys(err, ELOOP, "follow '%s'", way_path(way));
	if (ignore_excludes(way->context->ignore, way_path(way)))
		return not_found(way_path(way), err);
	target[len] = '\0';
	rest = xasprintf("%s/%s", target, way->rest);
	free(way->rest);
	way->rest = rest;
	way->done.len = *target == '/' ? 0 : before;
	way->done.data[way->done.len] = '\0';
	if (strlen(rest) >= 2 * LIMIT_PATH_BYTES)
		return err_sys(err, ENAMETOOLONG, "follow '%s'", way_path(way));
	return 0;
}

static int take_component(struct way *way, struct error *err)
{
	size_t len = strcspn(way->rest, "/"), before = way->done.len;
	auto_free char *name = xasprintf("%.*s", (int)len, way->rest);
	auto_fd int fd = -1;
	struct stat stat;

	memmove(way->rest, way->rest + len, strlen(way->rest + len) + 1);
	if (!way->is_folder)
		return not_found(way_path(way), err);
	path_add(name, &way->done);
	/* The parents hold no link any more, so this opens what it names, or less. */
	fd = path_open_in_root(way->context->root_fd, way_path(way), O_PATH | O_NOFOLLOW, 0, err);
	if (fd < 0 && (err->sys_errno == ENOENT || err->sys_errno == ENOTDIR))
		return not_found(way_path(way), err);
	if (fd < 0)
		return -1;
	if (fstat(fd, &stat) < 0)
		return err_sys(err, errno, "look at '%s'", way_path(way));
	if (S_ISLNK(stat.st_mode))
		return follow(way, fd, before, err);
	way->is_folder = S_ISDIR(stat.st_mode);
	return 0;
}

/* Follows every link of a path within the root. */
static int resolve(const struct context *context, const char *path, struct way *way,
		   struct error *err)
{
	*way = (struct way){ .context = context, .rest = xstrdup(path), .is_folder = true };
	buf_puts(&way->done, "");
	for (;;) {
		char *slashes = way->rest;

		memmove(slashes, slashes + strspn(slashes, "/"),
			strlen(slashes + strspn(slashes, "/")) + 1);
		if (!*way->rest)
			return 0;
		if (take_component(way, err) < 0)
			return -1;
	}
}

/* Is what was resolved left out of the context, with all below it? */
static bool is_ignored(const struct way *way)
{
	const struct ignore *ignore = way->context->ignore;

	return ignore_excludes(ignore, way_path(way)) &&
	       !(way->is_folder && ignore_may_include_below(ignore, way_path(way)));
}

static int find_name(const struct context *context, const char *path, const char *name,
		     struct context_sources *ret, struct error *err)
{
	auto_way struct way way;

	if (resolve(context, path, &way, err) < 0)
		return err->kind == ERR_NOT_FOUND ? not_found(path, err) : -1;
	if (is_ignored(&way))
		return not_found(path, err);
	return add_source(ret, way_path(&way), name, way.is_folder, err);
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
	auto_way struct way way = { 0 };
	struct context_source base;
	int done;

	if (wild_new(plain, &wild, err) < 0)
		return -1;
	job.wild = wild;
	if (resolve(context, prefix, &way, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	if (!way.is_folder)
		return 0;
	base = (struct context_source){ (char *)way_path(&way), prefix, true };
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

	if (strlen(path) >= LIMIT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "a source is longer than %d bytes",
			       LIMIT_PATH_BYTES);
	if (glob_has_wildcard(path))
		return find_pattern(context, path, drop, parents, ret, err);
	return find_name(context, path, parents ? drop_components(path, drop) : path_base(path),
			 ret, err);
}
