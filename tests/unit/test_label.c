/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/label.h"

#include <string.h>

#include "unit.h"

static void make_row(struct layer_row *row, char *created_by)
{
	*row = (struct layer_row){
		.thin_id = 9, .tar_bytes = 10240, .content_bytes = 77, .created_ns = -5
	};
	row->created_by = created_by;
	digest_of("chain", 5, &row->chain_id);
	digest_of("diff", 4, &row->diff_id);
}

static void test_round_trip(void)
{
	auto_layer_row struct layer_row found = { 0 };
	char label[VOLUME_LABEL_BYTES], by[] = "RUN echo \"x\"";
	struct layer_row row;
	struct error err;

	make_row(&row, by);
	label_encode(&row, label);
	CU_ASSERT_EQUAL_FATAL(1, label_decode(label, &found, &err));
	CU_ASSERT_TRUE(digest_equal(&found.chain_id, &row.chain_id));
	CU_ASSERT_TRUE(digest_equal(&found.diff_id, &row.diff_id));
	CU_ASSERT_FALSE(digest_is_set(&found.parent));
	CU_ASSERT_EQUAL(found.thin_id, 9);
	CU_ASSERT_EQUAL(found.tar_bytes, 10240);
	CU_ASSERT_EQUAL(found.content_bytes, 77);
	CU_ASSERT_EQUAL(found.created_ns, -5);
	CU_ASSERT_STRING_EQUAL(found.created_by, by);
}

static void test_long_text_is_cut(void)
{
	auto_layer_row struct layer_row found = { 0 };
	char label[VOLUME_LABEL_BYTES], by[3001];
	struct layer_row row;
	struct error err;

	/* Each of these needs six bytes in JSON; 400 of them cannot fit. */
	memset(by, 1, sizeof(by) - 1);
	by[sizeof(by) - 1] = '\0';
	make_row(&row, by);
	label_encode(&row, label);
	CU_ASSERT_EQUAL_FATAL(1, label_decode(label, &found, &err));
	CU_ASSERT_TRUE(strlen(found.created_by) > 0);
	CU_ASSERT_EQUAL(0, strncmp(by, found.created_by, strlen(found.created_by)));
}

static void test_damage_is_seen(void)
{
	char label[VOLUME_LABEL_BYTES], by[] = "x";
	struct layer_row row, found;
	struct error err;

	make_row(&row, by);
	label_encode(&row, label);
	label[40] ^= 1;
	CU_ASSERT_EQUAL(-1, label_decode(label, &found, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	memset(label, 0, sizeof(label));
	CU_ASSERT_EQUAL(0, label_decode(label, &found, &err));
}

UNIT_SUITE(label, { "what is written is read again", test_round_trip },
	   { "a long created_by is cut to fit", test_long_text_is_cut },
	   { "damage is seen, and absence is no damage", test_damage_is_seen });
