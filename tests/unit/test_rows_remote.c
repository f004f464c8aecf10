/* SPDX-License-Identifier: Apache-2.0 */
#include "db/rows_remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "layerbox.h"

struct catalogue {
	struct box box;
	struct db *db;
	struct digest layer, blobs[3], image;
	struct error err;
};

static void open_catalogue(struct catalogue *ret)
{
	auto_free char *path = NULL;

	*ret = (struct catalogue){ .box = box_new() };
	path = xasprintf("%s/db", ret->box.path);
	CU_ASSERT_EQUAL_FATAL(db_open(path, &ret->db, &ret->err), 0);
	digest_of("layer", 5, &ret->layer);
	digest_of("image", 5, &ret->image);
	for (int i = 0; i < 3; i++)
		digest_of(&i, sizeof(i), &ret->blobs[i]);
	for (int64_t i = 1; i < 3; i++) {
		struct digest chain;

		digest_of(&i, sizeof(i), &chain);
		CU_ASSERT_EQUAL(db_exec(ret->db, &ret->err,
					"INSERT INTO thin (id, kind, state, txid)"
					" VALUES (?1, 'layer', 'live', 1)",
					"i", i),
				0);
		CU_ASSERT_EQUAL(db_exec(ret->db, &ret->err,
					"INSERT INTO layer (chain_id, diff_id, thin_id, tar_bytes,"
					" content_bytes, created_ns) VALUES (?1, ?2, ?3, 1, 1, 1)",
					"ddi", &chain, &ret->layer, i),
				0);
	}
	CU_ASSERT_EQUAL(db_exec(ret->db, &ret->err,
				"INSERT INTO image (id, size_bytes, architecture, os)"
				" VALUES (?1, 1, 'amd64', 'linux')",
				"d", &ret->image),
			0);
}

static void close_catalogue(struct catalogue *catalogue)
{
	db_close(catalogue->db);
	box_done(&catalogue->box);
}
#define auto_catalogue __attribute__((cleanup(close_catalogue)))

static void put(struct catalogue *catalogue, int blob, const char *repository)
{
	const struct remote_blob row = {
		.diff_id = catalogue->layer,
		.digest = catalogue->blobs[blob],
		.size_bytes = blob,
		.media_type = (char *)"type",
		.repository = (char *)repository,
	};

	CU_ASSERT_EQUAL(rows_remote_put(catalogue->db, &row, &catalogue->err), 0);
}

static size_t count(struct catalogue *catalogue)
{
	struct remote_blob *list = NULL;
	size_t nr = 0;

	CU_ASSERT_EQUAL(
		rows_remote_list(catalogue->db, &catalogue->layer, &list, &nr, &catalogue->err), 0);
	remote_blob_free_list(list, nr);
	return nr;
}

static void test_blobs(void)
{
	auto_catalogue struct catalogue catalogue;
	struct remote_blob *list = NULL;
	size_t nr = 0;

	open_catalogue(&catalogue);
	CU_ASSERT_EQUAL(count(&catalogue), 0);
	put(&catalogue, 0, "h/a");
	put(&catalogue, 1, "h/b");
	put(&catalogue, 2, "h/a");
	CU_ASSERT_EQUAL(
		rows_remote_list(catalogue.db, &catalogue.layer, &list, &nr, &catalogue.err), 0);
	CU_ASSERT_EQUAL_FATAL(nr, 2);
	CU_ASSERT_STRING_EQUAL(list[0].repository, "h/a"); /* the latest */
	CU_ASSERT_TRUE(digest_equal(&list[0].digest, &catalogue.blobs[2]));
	CU_ASSERT_EQUAL(list[0].size_bytes, 2);
	CU_ASSERT_STRING_EQUAL(list[1].media_type, "type");
	remote_blob_free_list(list, nr);
	/* They are known until the last layer of that name is gone. */
	CU_ASSERT_EQUAL(db_exec(catalogue.db, &catalogue.err, "DELETE FROM thin WHERE id = 1", ""),
			0);
	CU_ASSERT_EQUAL(count(&catalogue), 2);
	CU_ASSERT_EQUAL(db_exec(catalogue.db, &catalogue.err, "DELETE FROM thin WHERE id = 2", ""),
			0);
	CU_ASSERT_EQUAL(count(&catalogue), 0);
}

static void test_manifest(void)
{
	static const char *const texts[] = { "{ \"a\": 1 }\n", "{}" };
	auto_catalogue struct catalogue catalogue;

	open_catalogue(&catalogue);
	for (int i = 0; i < 3; i++) {
		const struct buf bytes = { (char *)texts[i > 0], strlen(texts[i > 0]), 0 };
		auto_buf struct buf found = { 0 };

		CU_ASSERT_EQUAL(rows_manifest_put(catalogue.db, &catalogue.image, &bytes, i == 2,
						  &catalogue.err),
				0);
		CU_ASSERT_EQUAL(
			rows_manifest_get(catalogue.db, &catalogue.image, &found, &catalogue.err),
			1);
		CU_ASSERT_STRING_EQUAL(found.data, texts[i == 2]);
	}
	CU_ASSERT_EQUAL(db_exec(catalogue.db, &catalogue.err, "DELETE FROM image", ""), 0);
	{
		auto_buf struct buf found = { 0 };

		CU_ASSERT_EQUAL(
			rows_manifest_get(catalogue.db, &catalogue.image, &found, &catalogue.err),
			0);
	}
}

UNIT_SUITE(rows_remote,
	   { "a repository has one blob of a layer, as long as that is here", test_blobs },
	   { "the manifest of an image, as it came first or last", test_manifest });
