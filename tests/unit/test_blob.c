/* SPDX-License-Identifier: Apache-2.0 */
#include "blob/blob.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "layerbox.h"
#include "unit.h"

#define MAX_BYTES (3 * MIB + 4097)

/* Written in parts of this size, published, and read again. */
static int write_and_read(const struct root *root, const char *data, size_t len, size_t part,
			  struct buf *ret, struct error *err)
{
	auto_blob_writer struct blob_writer *writer = NULL;
	struct digest digest;

	digest_of(data, len, &digest);
	if (blob_begin(root, 7, &writer, err) < 0)
		return -1;
	for (size_t at = 0; at < len; at += part)
		if (blob_write(writer, data + at, len - at < part ? len - at : part, err) < 0)
			return -1;
	if (blob_finish(writer, &digest, err) < 0 || blob_publish(writer, err) < 0)
		return -1;
	return blob_read(root, &digest, MAX_BYTES, ret, err); /* which looks at the digest */
}

static int keep(const struct root *root, const char *data, size_t len, size_t part)
{
	auto_buf struct buf found = { 0 };
	struct error err;

	if (write_and_read(root, data, len, part, &found, &err) == 0)
		return found.len == len ? 0 : -1;
	printf("%zu bytes: %s; ", len, err.text);
	return -1;
}

static int keep_all(const char *folder)
{
	static const size_t lens[] = { 0,	1,	 4096,		 MIB - 1,  MIB,
				       MIB + 1, 2 * MIB, 2 * MIB + 4096, MAX_BYTES };
	static const size_t parts[] = { 1000, 256 * KIB, MAX_BYTES };
	auto_free char *data = xmalloc(MAX_BYTES);
	struct root root;
	struct error err;
	int result = 0;

	for (size_t i = 0; i < MAX_BYTES; i++)
		data[i] = (char)(i * 31 + i / 4099);
	if (root_open(folder, &root, &err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
		for (size_t j = 0; j < sizeof(parts) / sizeof(*parts); j++)
			result |= keep(&root, data, lens[i], parts[j]);
	root_done(&root);
	return result;
}

static void test_sizes(void)
{
	/* Not below /tmp, which may be in memory. */
	auto_box struct box box = box_in("/var/tmp");

	CU_ASSERT_EQUAL(keep_all(box.path), 0);
}

/* A ramfs, which takes no direct writes, that only this process sees. */
static void keep_on_ramfs(const char *folder)
{
	int spaces = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
	auto_free char *file = xasprintf("%s/x", folder);

	if (unshare(spaces) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", folder, "ramfs", 0, NULL) < 0)
		_exit(2);
	if (open(file, O_RDWR | O_CREAT | O_DIRECT, 0600) >= 0)
		_exit(3);
	unlink(file);
	_exit(keep_all(folder) == 0 ? 0 : 1);
}

static void test_not_direct(void)
{
	auto_box struct box box = box_new();
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		keep_on_ramfs(box.path);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
}

UNIT_SUITE(blob, { "of any size, in parts of any size", test_sizes },
	   { "where nothing is written past the page cache", test_not_direct });
