/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/tarball.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "unit.h"

struct out {
	struct buf bytes;
	size_t full_at; /* 0: never */
};

static int collect(void *ctx, const void *data, size_t len, struct error *err)
{
	struct out *out = ctx;

	if (out->full_at && out->bytes.len + len > out->full_at)
		return err_set(err, ERR_NO_SPACE, "full");
	buf_append(&out->bytes, data, len);
	return 0;
}

static int write_all(struct out *out, struct error *err)
{
	struct tarball tarball = { .write = collect, .ctx = out };

	if (tarball_folder(&tarball, "blobs/", err) < 0 ||
	    tarball_begin(&tarball, "blobs/a", 513, err) < 0)
		return -1;
	for (int i = 0; i < 27; i++)
		if (tarball_write(&tarball, "nineteen characters", 19, err) < 0)
			return -1;
	if (tarball_end(&tarball, err) < 0 || tarball_file(&tarball, "empty", "", 0, err) < 0 ||
	    tarball_file(&tarball, "last", "x", 1, err) < 0)
		return -1;
	return tarball_finish(&tarball, err);
}

static void check_next(struct archive *archive, const char *name, int64_t size, unsigned int mode)
{
	struct archive_entry *entry;

	CU_ASSERT_EQUAL_FATAL(archive_read_next_header(archive, &entry), ARCHIVE_OK);
	CU_ASSERT_STRING_EQUAL(archive_entry_pathname(entry), name);
	CU_ASSERT_EQUAL(archive_entry_size(entry), size);
	CU_ASSERT_EQUAL(archive_entry_mode(entry), mode);
	CU_ASSERT_EQUAL(archive_entry_mtime(entry), 0);
	CU_ASSERT_EQUAL(archive_entry_uid(entry), 0);
	CU_ASSERT_EQUAL(archive_entry_gid(entry), 0);
}

static void test_others_read_it(void)
{
	struct out out = { 0 };
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;
	char bytes[600];
	struct error err;

	CU_ASSERT_EQUAL_FATAL(write_all(&out, &err), 0);
	CU_ASSERT_EQUAL(out.bytes.len, 512 + (512 + 1024) + 512 + 1024 + 1024);
	archive_read_support_format_tar(archive);
	CU_ASSERT_EQUAL_FATAL(archive_read_open_memory(archive, out.bytes.data, out.bytes.len),
			      ARCHIVE_OK);
	check_next(archive, "blobs/", 0, AE_IFDIR | 0755);
	check_next(archive, "blobs/a", 513, AE_IFREG | 0644);
	CU_ASSERT_EQUAL(archive_read_data(archive, bytes, sizeof(bytes)), 513);
	CU_ASSERT_EQUAL(memcmp(bytes + 494, "nineteen characters", 19), 0);
	check_next(archive, "empty", 0, AE_IFREG | 0644);
	check_next(archive, "last", 1, AE_IFREG | 0644);
	CU_ASSERT_EQUAL(archive_read_next_header(archive, &entry), ARCHIVE_EOF);
	archive_read_free(archive);
	buf_done(&out.bytes);
}

static void test_what_does_not_fit_its_header_is_refused(void)
{
	struct out out = { 0 };
	struct tarball tarball = { .write = collect, .ctx = &out };
	struct error err;

	CU_ASSERT_EQUAL(tarball_begin(&tarball, "a", 3, &err), 0);
	CU_ASSERT_EQUAL(tarball_write(&tarball, "ab", 2, &err), 0);
	CU_ASSERT_EQUAL(tarball_end(&tarball, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_STRING_EQUAL(err.text, "2 bytes instead of 3");
	CU_ASSERT_EQUAL(tarball_write(&tarball, "cd", 2, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_STRING_EQUAL(err.text, "more than 3 bytes");
	CU_ASSERT_EQUAL(out.bytes.len, 512 + 2);
	buf_done(&out.bytes);
}

static void test_a_full_disk_ends_it_anywhere(void)
{
	struct error err;

	for (size_t full = 1; full < 4608; full += 511) {
		struct out out = { .full_at = full };

		CU_ASSERT_EQUAL(write_all(&out, &err), -1);
		CU_ASSERT_EQUAL(err.kind, ERR_NO_SPACE);
		buf_done(&out.bytes);
	}
}

static void test_sizes_beyond_the_old_header(void)
{
	struct out out = { 0 };
	struct tarball tarball = { .write = collect, .ctx = &out };
	struct archive *archive = archive_read_new();
	struct error err;

	CU_ASSERT_EQUAL(tarball_begin(&tarball, "huge", UINT64_C(8589934592), &err), 0);
	archive_read_support_format_tar(archive);
	CU_ASSERT_EQUAL_FATAL(archive_read_open_memory(archive, out.bytes.data, out.bytes.len),
			      ARCHIVE_OK);
	check_next(archive, "huge", 8589934592, AE_IFREG | 0644);
	archive_read_free(archive);
	buf_done(&out.bytes);
}

UNIT_SUITE(tarball, { "other programs read it", test_others_read_it },
	   { "what does not fit its header is refused",
	     test_what_does_not_fit_its_header_is_refused },
	   { "a full disk ends it anywhere", test_a_full_disk_ends_it_anywhere },
	   { "sizes beyond the old header", test_sizes_beyond_the_old_header });
