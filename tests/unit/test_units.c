/* SPDX-License-Identifier: Apache-2.0 */
#include "provision/units.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "layer/tree_remove.h"
#include "provision/unitname.h"
#include "unit.h"

/* ---- names; what systemd-escape prints for them ---- */

static void escaped(const char *text, const char *expected)
{
	auto_free char *name = unitname_escape(text);

	CU_ASSERT_STRING_EQUAL(name, expected);
}

static void escaped_path(const char *path, const char *expected)
{
	auto_free char *name = unitname_escape_path(path);

	CU_ASSERT_STRING_EQUAL(name, expected);
}

static void test_names(void)
{
	auto_free char *value = unitname_path_value("//srv/./50%/"),
		       *word = unitname_path_word("/a \"b\""),
		       *argument = unitname_argument("srv-a\\x2db.mount");

	CU_ASSERT_STRING_EQUAL(argument, "srv-a\\\\x2db.mount");
	escaped("web-1_a.b:c", "web\\x2d1_a.b:c");
	escaped(".hidden", "\\x2ehidden");
	escaped("a/b", "a-b");
	escaped("ü", "\\xc3\\xbc");
	escaped_path("/", "-");
	escaped_path("//srv//web-1/", "srv-web\\x2d1");
	escaped_path("/.a/b", "\\x2ea-b");
	CU_ASSERT_STRING_EQUAL(value, "/srv/50%%");
	CU_ASSERT_STRING_EQUAL(word, "\"/a \\\"b\\\"\"");
}

/* ---- files ---- */

struct folder {
	char path[32];
};

static void folder_make(struct folder *folder)
{
	snprintf(folder->path, sizeof(folder->path), "/tmp/units-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder->path));
}

static void folder_remove(struct folder *folder)
{
	struct error err;

	CU_ASSERT_EQUAL(tree_remove(AT_FDCWD, folder->path, &err), 0);
}

/* What file NAME of the folder holds; new. */
static char *content(const struct folder *folder, const char *name)
{
	auto_free char *path = xasprintf("%s/%s", folder->path, name);
	auto_buf struct buf text = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(io_read_file(AT_FDCWD, path, 4096, &text, &err), 0);
	return buf_take(&text);
}

static void holds(const struct folder *folder, const char *name, const char *line)
{
	auto_free char *text = content(folder, name);
	auto_free char *whole = xasprintf("\n%s\n", line);

	if (!strstr(text, whole))
		printf("%s: no '%s'; ", name, line);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, whole));
}

static char said[512];

static void say(const char *text)
{
	snprintf(said, sizeof(said), "%s", text);
}

static void write_units(const struct folder *folder, const char *words)
{
	auto_plans struct plans plans = { 0 };
	struct error err;

	*said = '\0';
	plans_add_words(&plans, words);
	CU_ASSERT_EQUAL_FATAL(units_write(&plans, folder->path, say, &err), 0);
}

static void test_mount(void)
{
	struct folder folder;

	folder_make(&folder);
	write_units(&folder, "veneer.volume=web,image=debian:12,mount=/srv/web,option=nodev,ro");
	CU_ASSERT_STRING_EQUAL(said, "");
	holds(&folder, "srv-web.mount", "What=/dev/veneer/web");
	holds(&folder, "srv-web.mount", "Where=/srv/web");
	holds(&folder, "srv-web.mount", "Options=nofail,ro,nodev");
	holds(&folder, "srv-web.mount", "Requires=veneer-provision@kernel:1.service");
	holds(&folder, "srv-web.mount", "After=veneer-provision@kernel:1.service");
	holds(&folder, "dev-veneer-web.device.d/veneer.conf", "JobRunningTimeoutSec=infinity");
	holds(&folder, "veneer-provision@kernel:1.service.d/veneer.conf",
	      "ExecStartPost=-systemctl --no-block start srv-web.mount");
	holds(&folder, "veneer-provision@kernel:1.service.d/veneer.conf",
	      "After=network-online.target");
	holds(&folder, "veneer-provision.target.wants/srv-web.mount", "Where=/srv/web");
	folder_remove(&folder);
}

/* Neither waits for a network: there is an archive, and there is nothing to get. */
static void test_no_network(void)
{
	auto_free char *text = NULL;
	struct folder folder;

	folder_make(&folder);
	write_units(&folder, "veneer.volume=a,image=x,archive=/srv/x.tar,attach veneer.volume=b");
	holds(&folder, "veneer-provision@kernel:1.service.d/veneer.conf",
	      "RequiresMountsFor=\"/srv/x.tar\"");
	text = content(&folder, "veneer-provision@kernel:2.service.d/veneer.conf");
	CU_ASSERT_PTR_NULL(strstr(text, "network"));
	CU_ASSERT_PTR_NULL(strstr(text, "mount"));
	folder_remove(&folder);
}

static void test_broken(void)
{
	struct folder folder;

	folder_make(&folder);
	write_units(&folder, "veneer.volume=a,color=red veneer.volume=b,mount=/srv/b");
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "color"));
	holds(&folder, "veneer-provision@kernel:1.service.d/veneer.conf",
	      "SourcePath=/proc/cmdline");
	holds(&folder, "srv-b.mount", "What=/dev/veneer/b");
	folder_remove(&folder);
}

/* The first one has it; the other's service is there all the same. */
static void test_twice(void)
{
	struct folder folder;

	folder_make(&folder);
	write_units(&folder, "veneer.volume=a,mount=/srv/a veneer.volume=b,mount=/srv/a");
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "another one has volume b, or mounts at /srv/a"));
	holds(&folder, "srv-a.mount", "What=/dev/veneer/a");
	holds(&folder, "veneer-provision@kernel:2.service.d/veneer.conf",
	      "SourcePath=/proc/cmdline");
	folder_remove(&folder);
}

UNIT_SUITE(units, { "names as systemd-escape makes them", test_names },
	   { "a volume has a mount behind its service", test_mount },
	   { "no network where none is needed", test_no_network },
	   { "a broken plan stops only itself", test_broken },
	   { "two plans for one mount point", test_twice });
