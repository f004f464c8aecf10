/* SPDX-License-Identifier: Apache-2.0 */
#include "build/context.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "unit.h"

/* A folder below /tmp that is gone at the end. */
struct box {
	char path[64];
	int fd;
	struct context context;
	struct ignore *ignore;
};

static void remove_below(int dir_fd)
{
	auto_dir DIR *dir = fdopendir(dup(dir_fd));
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (entry->d_type == DT_DIR) {
			auto_fd int fd = openat(dir_fd, entry->d_name, O_RDONLY | O_DIRECTORY);

			remove_below(fd);
		}
		unlinkat(dir_fd, entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	}
}

static void box_done(struct box *box)
{
	remove_below(box->fd);
	close(box->fd);
	rmdir(box->path);
	ignore_free(box->ignore);
}
#define auto_box __attribute__((cleanup(box_done)))

static void box_init(struct box *box, const char *patterns)
{
	struct error err;

	snprintf(box->path, sizeof(box->path), "/tmp/veneer-context-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(box->path));
	box->fd = open(box->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	box->ignore = NULL;
	CU_ASSERT_EQUAL_FATAL(0, ignore_parse(patterns, strlen(patterns), &box->ignore, &err));
	box->context = (struct context){ .root_fd = box->fd, .ignore = box->ignore };
}

/* A file with its folders; the content is its own name unless given. */
static void put(struct box *box, const char *name, const char *content)
{
	auto_free char *path = xasprintf("%s/%s", box->path, name);
	auto_free char *folder = xasprintf("%.*s", (int)(path_base(path) - path - 1), path);
	auto_fd int fd = -1;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, io_make_dirs(folder, 0755, &err));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CU_ASSERT_EQUAL_FATAL(0, io_write(fd, content, strlen(content), &err));
}

static void put_files(struct box *box)
{
	put(box, "a.txt", "a");
	put(box, "b.txt", "b");
	put(box, "d/a.txt", "da");
	put(box, "d/e/c.txt", "dec");
	put(box, "d/e/x", "x");
	put(box, "f/y", "y");
}

static int note(void *data, const struct context_entry *entry, struct error *err)
{
	(void)err;
	buf_printf(data, "%s%s", ((struct buf *)data)->len ? " " : "",
		   *entry->name ? entry->name : ".");
	return 0;
}

static void check_walk(struct box *box, const char *source, const struct ignore *exclude,
		       const char *expected)
{
	auto_context_sources struct context_sources sources = { 0 };
	auto_buf struct buf out = { 0 };
	struct error err = { 0 };

	CU_ASSERT_EQUAL_FATAL(0, context_find(&box->context, source, false, &sources, &err));
	buf_puts(&out, "");
	for (size_t i = 0; i < sources.nr; i++)
		CU_ASSERT_EQUAL_FATAL(0, context_walk(&box->context, &sources.items[i], exclude,
						      note, &out, &err));
	CU_ASSERT_STRING_EQUAL(out.data, expected);
	if (strcmp(out.data, expected) != 0)
		printf("\n  got      %s\n  expected %s\n", out.data, expected);
}

/* What a source means: "path=name", a folder with a '/'. */
static void check_find(struct box *box, const char *source, bool parents, const char *expected)
{
	auto_context_sources struct context_sources sources = { 0 };
	auto_buf struct buf out = { 0 };
	struct error err = { 0 };

	buf_puts(&out, "");
	if (context_find(&box->context, source, parents, &sources, &err) < 0)
		buf_puts(&out, err.text);
	else
		for (size_t i = 0; i < sources.nr; i++)
			buf_printf(&out, "%s%s=%s%s", i ? " " : "", sources.items[i].path,
				   sources.items[i].name, sources.items[i].is_folder ? "/" : "");
	CU_ASSERT_STRING_EQUAL(out.data, expected);
	if (strcmp(out.data, expected) != 0)
		printf("\n  got      %s\n  expected %s\n", out.data, expected);
}

static void test_walk(void)
{
	auto_box struct box box;

	box_init(&box, "");
	put_files(&box);
	check_walk(&box, ".", NULL, ". a.txt b.txt d d/a.txt d/e d/e/c.txt d/e/x f f/y");
	check_walk(&box, "/d/", NULL, ". a.txt e e/c.txt e/x");
	check_walk(&box, "d/../../f", NULL, ". y");
	check_walk(&box, "a.txt", NULL, ".");
}

static void test_ignored(void)
{
	auto_box struct box box;

	box_init(&box, "d\nf\n!d/e/x\n");
	put_files(&box);
	check_walk(&box, ".", NULL, ". a.txt b.txt d d/e d/e/x");
	check_walk(&box, "d", NULL, ". e e/x");
	check_find(&box, "f", false, "\"/f\": not found");
	check_find(&box, "d/a.txt", false, "\"/d/a.txt\": not found");
	check_find(&box, "d/*", false, "d/e=e/");
	check_find(&box, "d/**", true, "d/e=d/e/");
	check_find(&box, "d/e/*", false, "d/e/x=x");
}

static void test_exclude(void)
{
	auto_ignore struct ignore *exclude = NULL;
	auto_strlist struct strlist patterns = { 0 };
	auto_box struct box box;
	struct error err;

	box_init(&box, "");
	put_files(&box);
	strlist_add(&patterns, "*.txt");
	strlist_add(&patterns, "e/c*");
	CU_ASSERT_EQUAL_FATAL(0, ignore_new(&patterns, &exclude, &err));
	check_walk(&box, "d", exclude, ". e e/x");
	check_walk(&box, ".", exclude, ". d d/a.txt d/e d/e/c.txt d/e/x f f/y");
	check_walk(&box, "*", exclude, ". e e/x . y");
}

static void test_patterns(void)
{
	auto_box struct box box;

	box_init(&box, "b.*\n");
	put_files(&box);
	check_find(&box, "*.txt", false, "a.txt=a.txt");
	check_find(&box, "*", false, "a.txt=a.txt d=d/ f=f/");
	check_find(&box, "*/*", false, "d/a.txt=a.txt d/e=e/ f/y=y");
	check_find(&box, "d/**/*.txt", false, "d/e/c.txt=c.txt");
	check_find(&box, "d/[d-f]/?", false, "d/e/x=x");
	check_find(&box, "none*", false, "");
	check_find(&box, "none/*", false, "");
	check_find(&box, "a.txt/*", false, "");
	check_find(&box, "[", false, "syntax error in pattern");
}

static void test_parents(void)
{
	auto_box struct box box;

	box_init(&box, "");
	put_files(&box);
	check_find(&box, "d/e/x", true, "d/e/x=d/e/x");
	check_find(&box, "./d/./e/x", true, "d/e/x=e/x");
	check_find(&box, "d/./e", true, "d/e=e/");
	check_find(&box, "**/*.txt", true,
		   "a.txt=a.txt b.txt=b.txt d/a.txt=d/a.txt d/e/c.txt=d/e/c.txt");
	check_find(&box, "d/./**/c.txt", true, "d/e/c.txt=e/c.txt");
}

static void test_links(void)
{
	auto_box struct box box;

	box_init(&box, "hidden\n");
	put_files(&box);
	CU_ASSERT_EQUAL(0, symlinkat("d/e", box.fd, "to-folder"));
	CU_ASSERT_EQUAL(0, symlinkat("/d/e/x", box.fd, "to-file"));
	CU_ASSERT_EQUAL(0, symlinkat("../../../../a.txt", box.fd, "f/up"));
	CU_ASSERT_EQUAL(0, symlinkat("/d/../b.txt", box.fd, "f/absolute"));
	CU_ASSERT_EQUAL(0, symlinkat("/etc/passwd", box.fd, "outside"));
	CU_ASSERT_EQUAL(0, symlinkat("loop", box.fd, "loop"));
	CU_ASSERT_EQUAL(0, symlinkat("d", box.fd, "hidden"));
	check_find(&box, "to-folder", false, "d/e=to-folder/");
	check_find(&box, "to-folder/x", false, "d/e/x=x");
	check_find(&box, "to-folder/*", false, "d/e/c.txt=c.txt d/e/x=x");
	check_find(&box, "to-*", false, "d/e/x=to-file d/e=to-folder/");
	check_find(&box, "f/up", false, "a.txt=up");
	check_find(&box, "f/absolute", false, "b.txt=absolute");
	check_find(&box, "outside", false, "\"/outside\": not found");
	check_find(&box, "hidden/a.txt", false, "\"/hidden/a.txt\": not found");
	check_find(&box, "a.txt/b", false, "\"/a.txt/b\": not found");
	CU_ASSERT_EQUAL(0, symlinkat("not-there/../../a.txt", box.fd, "f/around"));
	check_find(&box, "f/around", false, "\"/f/around\": not found");
	check_find(&box, "loop", false, "follow 'loop': Too many levels of symbolic links");
	check_walk(&box, "f", NULL, ". absolute around up y");
}

static struct digest hash(struct box *box, const char *source)
{
	auto_context_sources struct context_sources sources = { 0 };
	struct digest digest = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, context_find(&box->context, source, false, &sources, &err));
	CU_ASSERT_EQUAL_FATAL(1, sources.nr);
	CU_ASSERT_EQUAL_FATAL(
		0, context_hash(&box->context, &sources.items[0], NULL, false, &digest, &err));
	return digest;
}

/* Does the hash of a source differ from this one? The new one takes its place. */
static bool differs(struct box *box, const char *source, struct digest *digest)
{
	struct digest now = hash(box, source);
	bool same = digest_equal(&now, digest);

	*digest = now;
	return !same;
}

static void test_what_counts(void)
{
	static const struct timespec times[2] = { { 1, 0 }, { 2, 0 } };
	auto_box struct box box;
	struct digest all, same;

	box_init(&box, "ignored\n");
	put_files(&box);
	all = hash(&box, ".");
	CU_ASSERT_EQUAL(0, utimensat(box.fd, "d/e/x", times, 0));
	put(&box, "ignored/x", "x");
	CU_ASSERT_FALSE(differs(&box, ".", &all));
	put(&box, "d/e/x", "z");
	CU_ASSERT_TRUE(differs(&box, ".", &all));
	CU_ASSERT_EQUAL(0, fchmodat(box.fd, "d/e/x", 0600, 0));
	CU_ASSERT_TRUE(differs(&box, ".", &all));
	CU_ASSERT_EQUAL(0, renameat(box.fd, "d/e/x", box.fd, "d/e/w"));
	CU_ASSERT_TRUE(differs(&box, ".", &all));
	CU_ASSERT_EQUAL(0, symlinkat("y", box.fd, "f/link"));
	CU_ASSERT_TRUE(differs(&box, ".", &all));
	unlinkat(box.fd, "f/link", 0);
	CU_ASSERT_EQUAL(0, symlinkat("z", box.fd, "f/link"));
	CU_ASSERT_TRUE(differs(&box, ".", &all));
	CU_ASSERT_EQUAL(0, mkdirat(box.fd, "f/empty", 0755));
	CU_ASSERT_TRUE(differs(&box, ".", &all));
	CU_ASSERT_EQUAL(0, mkfifoat(box.fd, "f/pipe", 0644));
	CU_ASSERT_TRUE(differs(&box, ".", &all));
	put(&box, "one", "content");
	put(&box, "two", "content");
	same = hash(&box, "one");
	CU_ASSERT_FALSE(differs(&box, "two", &same));
}

static void test_sockets(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_box struct box box;

	box_init(&box, "");
	put_files(&box);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/f/socket", box.path);
	CU_ASSERT_EQUAL(0, bind(fd, (struct sockaddr *)&address, sizeof(address)));
	check_walk(&box, "f", NULL, ". y");
}

static void test_depth(void)
{
	auto_box struct box box;
	auto_buf struct buf path = { 0 };
	struct digest digest;

	box_init(&box, "");
	for (int i = 0; i < 1200; i++)
		buf_puts(&path, "d/");
	buf_puts(&path, "x");
	put(&box, path.data, "x");
	digest = hash(&box, ".");
	put(&box, path.data, "y");
	CU_ASSERT_TRUE(differs(&box, ".", &digest));
}

UNIT_SUITE(context, { "a folder is walked in the order of names", test_walk },
	   { "what is ignored is not there", test_ignored },
	   { "what is excluded is passed over", test_exclude },
	   { "a pattern names files", test_patterns },
	   { "--parents keeps folders behind the pivot", test_parents },
	   { "links stay beneath the root", test_links },
	   { "the hash changes with what a file is, not when", test_what_counts },
	   { "sockets are passed over", test_sockets },
	   { "a deep tree takes no descriptors", test_depth });
