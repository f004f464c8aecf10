/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copybox - for tests of COPY and ADD: a context and a tree in two folders
 */
#ifndef COPYBOX_H
#define COPYBOX_H

#include "base/io.h"
#include "base/path.h"
#include "build/copy.h"
#include "build/ignore.h"
#include "layerbox.h"

/* What an ordinary user copies is to be its own: nothing else is allowed to it. */
struct lab {
	struct box from, to;
	struct context context;
	struct context_sources sources;
	struct copy_args args; /* for the next copy */
	bool removed;
	struct error err;
};

static inline void lab_done(struct lab *lab)
{
	context_sources_done(&lab->sources);
	box_done(&lab->from);
	box_done(&lab->to);
}
#define auto_lab __attribute__((cleanup(lab_done)))

static inline void lab_reset(struct lab *lab)
{
	context_sources_done(&lab->sources);
	lab->args = (struct copy_args){ .root_fd = lab->to.fd,
					.context = &lab->context,
					.sources = &lab->sources,
					.instruction = "COPY",
					.has_owner = geteuid() != 0,
					.uid = geteuid(),
					.gid = getegid() };
}

static inline void lab_init(struct lab *lab)
{
	*lab = (struct lab){ .from = box_new(), .to = box_new() };
	lab->context.root_fd = lab->from.fd;
	lab_reset(lab);
}

/* A file of 0644 with its folders. */
static inline void put(struct box *box, const char *name, const char *content)
{
	auto_free char *path = xasprintf("%s/%s", box->path, name);
	auto_free char *folder = xasprintf("%.*s", (int)(path_base(path) - path - 1), path);
	auto_fd int fd = -1;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, io_make_dirs(folder, 0755, &err));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CU_ASSERT_EQUAL_FATAL(0, io_write(fd, content, strlen(content), &err));
	CU_ASSERT_EQUAL_FATAL(0, fchmod(fd, 0644));
}

static inline void put_dir(struct box *box, const char *name, mode_t mode)
{
	auto_free char *path = xasprintf("%s/%s", box->path, name);
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, io_make_dirs(path, 0755, &err));
	CU_ASSERT_EQUAL_FATAL(0, chmod(path, mode));
}

static inline void put_link(struct box *box, const char *name, const char *target)
{
	CU_ASSERT_EQUAL_FATAL(0, symlinkat(target, box->fd, name));
}

static inline void set_mtime(struct box *box, const char *name, time_t seconds, long nanoseconds)
{
	struct timespec times[2] = { { seconds, nanoseconds }, { seconds, nanoseconds } };

	CU_ASSERT_EQUAL_FATAL(0, utimensat(box->fd, name, times, AT_SYMLINK_NOFOLLOW));
}

/* Words of sources; each is a name or a pattern. */
static inline void lab_find(struct lab *lab, const char *sources)
{
	auto_free char *words = xstrdup(sources);
	char *rest = words, *word;

	while ((word = strsep(&rest, " ")))
		if (*word && context_find(&lab->context, word, lab->args.parents, &lab->sources,
					  &lab->err) < 0) {
			printf("%s ", lab->err.text);
			CU_FAIL_FATAL("context_find");
		}
}

static inline int lab_try(struct lab *lab, const char *sources, const char *destination)
{
	auto_tree_fs struct tree_writer *tree = NULL;
	int result;

	lab_find(lab, sources);
	CU_ASSERT_EQUAL_FATAL(0, tree_fs_new(lab->to.fd, &tree, &lab->err));
	lab->args.tree = tree;
	lab->args.destination = destination;
	lab->removed = false;
	result = copy_into(&lab->args, &lab->removed, &lab->err);
	lab_reset(lab);
	return result;
}

/* Must be fine. */
static inline void lab_copy(struct lab *lab, const char *sources, const char *destination)
{
	if (lab_try(lab, sources, destination) == 0)
		return;
	printf("%s ", lab->err.text);
	CU_FAIL("copy_into");
}

/* Must be refused. */
static inline void lab_refuse(struct lab *lab, const char *sources, const char *destination,
			      enum err_kind kind, const char *text)
{
	int result = lab_try(lab, sources, destination);

	CU_ASSERT_EQUAL_FATAL(result, -1);
	CU_ASSERT_EQUAL(lab->err.kind, kind);
	CU_ASSERT_STRING_EQUAL(lab->err.text, text);
	if (strcmp(lab->err.text, text) != 0)
		printf("%s ", lab->err.text);
}

static inline mode_t mode_in(struct box *box, const char *path)
{
	return stat_in(box, path).st_mode & 07777;
}

static inline void check_owner(struct box *box, const char *path, uid_t uid, gid_t gid)
{
	struct stat st = stat_in(box, path);

	CU_ASSERT_EQUAL(st.st_uid, uid);
	CU_ASSERT_EQUAL(st.st_gid, gid);
}

#endif
