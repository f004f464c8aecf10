/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/whiteout.h"

#include <stdbool.h>
#include <string.h>

#include "base/path.h"

#define PREFIX_LEN (sizeof(WHITEOUT_PREFIX) - 1)

static bool has_prefix(const char *name)
{
	return strncmp(name, WHITEOUT_PREFIX, PREFIX_LEN) == 0;
}

/* ".wh..wh.x": AUFS's own files, all but the opaque marker. */
static bool is_meta(const char *name)
{
	return has_prefix(name) && has_prefix(name + PREFIX_LEN);
}

/* The first folder on the way that is a whiteout by its name, or NULL. */
static const char *whiteout_above(const char *path)
{
	for (const char *at = path, *slash; (slash = strchr(at, '/')); at = slash + 1)
		if (has_prefix(at))
			return at;
	return NULL;
}

static bool is_linked_file(const char *path)
{
	size_t len = sizeof(WHITEOUT_LINKS_DIR) - 1;

	return strncmp(path, WHITEOUT_LINKS_DIR "/", len + 1) == 0 && path[len + 1] &&
	       !strchr(path + len + 1, '/');
}

int whiteout_parse(const char *path, enum whiteout *ret, const char **ret_hidden, struct error *err)
{
	const char *base = path_base(path);
	const char *hidden = base + PREFIX_LEN;
	const char *above = whiteout_above(path);

	if (above) {
		if (!is_meta(above))
			return err_set(err, ERR_CORRUPT, "'%s' lies below a whiteout", path);
		*ret = is_linked_file(path) ? WHITEOUT_LINKED : WHITEOUT_SKIP;
		return 0;
	}
	if (!has_prefix(base)) {
		*ret = WHITEOUT_NONE;
		return 0;
	}
	if (strcmp(base, WHITEOUT_OPAQUE) == 0) {
		*ret = WHITEOUT_HIDES;
		return 0;
	}
	if (is_meta(base)) {
		*ret = WHITEOUT_SKIP;
		return 0;
	}
	if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return err_set(err, ERR_CORRUPT, "invalid whiteout name '%s'", path);
	*ret = WHITEOUT_NAME;
	*ret_hidden = hidden;
	return 0;
}
