/* SPDX-License-Identifier: Apache-2.0 */
#include "build/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "limits.h"

/* As the kernel: MAXSYMLINKS */
#define LINKS_MAX 40

void follow_done(struct follow *follow)
{
	buf_done(&follow->done);
	free(take_ptr(follow->rest));
}

const char *follow_result(const struct follow *follow)
{
	return follow->done.len ? follow->done.data + 1 : "";
}

/* The component at hand, behind `before`, is a link: what it says comes first. */
static int take_link(struct follow *follow, int fd, size_t before, struct error *err)
{
	const char *path = follow_result(follow);
	char target[LIMIT_PATH_BYTES];
	ssize_t len = readlinkat(fd, "", target, sizeof(target) - 1);
	char *rest;

	if (len < 0)
		return err_sys(err, errno, "read link '%s'", path);
	if (++follow->links > LINKS_MAX)
		return err_sys(err, ELOOP, "follow '%s'", path);
	if (follow->on_link && follow->on_link(follow->ctx, path, err) < 0)
		return -1;
	target[len] = '\0';
	rest = xasprintf("%s/%s", target, follow->rest);
	free(follow->rest);
	follow->rest = rest;
	if (strlen(rest) >= 2 * LIMIT_PATH_BYTES)
		return err_sys(err, ENAMETOOLONG, "follow '%s'", path);
	follow->done.len = *target == '/' ? 0 : before;
	follow->done.data[follow->done.len] = '\0';
	follow->there = follow->done.len;
	follow->kind = FOLLOW_FOLDER;
	return 0;
}

static int take_name(struct follow *follow, size_t before, struct error *err)
{
	auto_fd int fd = -1;
	struct stat stat;

	/* The parents hold no link any more, so this opens what it names, or less. */
	fd = path_open_in_root(follow->root_fd, follow_result(follow), O_PATH | O_NOFOLLOW, 0, err);
	if (fd < 0 && err->sys_errno == ENOENT) {
		follow->kind = FOLLOW_MISSING;
		return 0;
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, &stat) < 0)
		return err_sys(err, errno, "look at '%s'", follow_result(follow));
	if (S_ISLNK(stat.st_mode))
		return take_link(follow, fd, before, err);
	follow->there = follow->done.len;
	follow->kind = S_ISDIR(stat.st_mode) ? FOLLOW_FOLDER : FOLLOW_OTHER;
	return 0;
}

static int take_component(struct follow *follow, const char *name, struct error *err)
{
	size_t before = follow->done.len;

	if (follow->kind == FOLLOW_OTHER)
		return err_sys(err, ENOTDIR, "open '%s'", follow_result(follow));
	path_add(name, &follow->done);
	if (follow->done.len > before)
		return follow->kind == FOLLOW_MISSING ? 0 : take_name(follow, before, err);
	/* "." and "..": what is left was looked at before. */
	if (follow->done.len <= follow->there) {
		follow->there = follow->done.len;
		follow->kind = FOLLOW_FOLDER;
	}
	return 0;
}

int follow_path(struct follow *follow, const char *path, struct error *err)
{
	follow_done(follow);
	follow->rest = xstrdup(path);
	follow->links = 0;
	follow->there = 0;
	follow->kind = FOLLOW_FOLDER;
	buf_puts(&follow->done, "");
	while (follow->kind != FOLLOW_MISSING || follow->beyond) {
		char *start = follow->rest + strspn(follow->rest, "/");
		size_t len = strcspn(start, "/");
		auto_free char *name = xasprintf("%.*s", (int)len, start);

		if (!len)
			break;
		memmove(follow->rest, start + len, strlen(start + len) + 1);
		if (take_component(follow, name, err) < 0)
			return -1;
	}
	/* Of the result, which begins behind the first slash. */
	follow->there -= follow->there > 0;
	return 0;
}
