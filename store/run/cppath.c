/* SPDX-License-Identifier: Apache-2.0 */
#include "run/cppath.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/path.h"

bool cppath_split(const char *word, char **ret_container, const char **ret_path)
{
	const char *colon = strchr(word, ':');

	*ret_container = NULL;
	*ret_path = word;
	if (*word == '/' || *word == '.' || !colon || colon == word)
		return false;
	*ret_container = xasprintf("%.*s", (int)(colon - word), word);
	*ret_path = colon + 1;
	return true;
}

bool cppath_ends_with_slash(const char *path)
{
	size_t len = strlen(path);

	return len && path[len - 1] == '/';
}

char *cppath_base(const char *path)
{
	size_t len = strlen(path), start;

	if (!len)
		return xstrdup(".");
	while (len && path[len - 1] == '/')
		len--;
	if (!len)
		return xstrdup("/");
	for (start = len; start && path[start - 1] != '/';)
		start--;
	return xasprintf("%.*s", (int)(len - start), path + start);
}

bool cppath_is_current(const char *path)
{
	size_t len = strlen(path);

	/* As filepath.Base does: "a/./" ends with a dot, too. */
	while (len && path[len - 1] == '/')
		len--;
	if (!len)
		return !*path;
	return path[len - 1] == '.' && (len == 1 || path[len - 2] == '/');
}

char *cppath_clean(const char *path)
{
	auto_buf struct buf clean = { 0 };
	bool absolute = *path == '/';

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && memcmp(path, "..", 2) == 0) {
			const char *last = clean.len ? path_base(clean.data) : "..";
			size_t keep = clean.len ? (size_t)(last - clean.data) : 0;

			if (strcmp(last, "..") != 0) {
				clean.len = keep ? keep - 1 : 0;
				clean.data[clean.len] = '\0';
			} else if (!absolute) {
				buf_printf(&clean, "%s..", clean.len ? "/" : "");
			}
		} else if (len && !(len == 1 && *path == '.')) {
			buf_printf(&clean, "%s%.*s", clean.len ? "/" : "", (int)len, path);
		}
		path += len + (path[len] == '/');
	}
	if (absolute)
		return xasprintf("/%s", clean.len ? clean.data : "");
	return xstrdup(clean.len ? clean.data : ".");
}

char *cppath_absolute(const char *folder, const char *path)
{
	auto_free char *joined = *path == '/' ? xstrdup(path) : xasprintf("%s/%s", folder, path);
	auto_free char *clean = cppath_clean(joined);
	const char *slash = cppath_ends_with_slash(clean) ? "" : "/";

	/* "x/./" ends with both. */
	if (*path && cppath_is_current(path))
		return xasprintf("%s%s.%s", clean, slash, cppath_ends_with_slash(path) ? "/" : "");
	return xasprintf("%s%s", clean, cppath_ends_with_slash(path) ? slash : "");
}

void cppath_divide(const char *path, char **ret_folder, char **ret_name)
{
	auto_free char *clean = cppath_clean(path);
	char *slash;

	if (cppath_is_current(path)) {
		*ret_folder = take_ptr(clean);
		*ret_name = xstrdup(".");
		return;
	}
	slash = strrchr(clean, '/');
	*ret_name = xstrdup(slash ? slash + 1 : clean);
	if (!slash)
		*ret_folder = xstrdup(".");
	else
		*ret_folder = slash == clean ? xstrdup("/")
					     : xasprintf("%.*s", (int)(slash - clean), clean);
}

char *cppath_follow(const char *path, const char *target)
{
	auto_free char *folder = NULL;
	auto_free char *name = NULL;
	auto_free char *joined = NULL;

	if (*target == '/')
		return cppath_clean(target);
	cppath_divide(path, &folder, &name);
	joined = xasprintf("%s/%s", folder, target);
	return cppath_clean(joined);
}

/* "" of what stands for its content. */
static char *source_name(const char *path)
{
	char *base = cppath_base(path);

	if (strcmp(base, ".") == 0 || strcmp(base, "/") == 0)
		*base = '\0';
	return base;
}

int cppath_plan(const struct cppath_end *source, const struct cppath_end *destination,
		char **ret_folder, char **ret_name, struct error *err)
{
	if (destination->exists && destination->is_folder) {
		*ret_folder = xstrdup(destination->path);
		*ret_name = source_name(source->path);
		return 0;
	}
	if (destination->exists && source->is_folder)
		return err_set(err, ERR_USAGE, "cannot copy directory");
	if (!destination->exists && !source->is_folder && cppath_says_folder(destination->path))
		return err_set(err, ERR_USAGE, "no such directory");
	cppath_divide(destination->path, ret_folder, ret_name);
	return 0;
}
