/* SPDX-License-Identifier: Apache-2.0 */
#include "poolview.h"

#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

static void test_sizes_are_shown_twice(void)
{
	json_auto_t *view = json_pack(
		"{s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I}", "Name", "veneer-abcdef01-pool",
		"Health", "ok", "Mode", "read-write", "TransactionId", (json_int_t)7, "Filesystem",
		"ext4", "DataUsed", (json_int_t)9502720, "DataTotal", (json_int_t)54009004032,
		"Template", (json_int_t)1, "Layers", (json_int_t)2);
	auto_buf struct buf text = { 0 };

	poolview_text(view, &text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "Pool:              veneer-abcdef01-pool\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "Transaction id:    7\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "Data used:         9.503MB (9502720 bytes)\n"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text.data, "Data total:        54.01GB (54009004032 bytes)\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "Template:          thin id 1\n"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text.data,
		       "(2 layers, 0 views, 0 of containers, 0 named, 0 in work, 0 unknown)\n"));
}

static void test_a_pool_without_a_template(void)
{
	json_auto_t *view = json_object();
	auto_buf struct buf text = { 0 };

	poolview_text(view, &text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "Template:          none\n"));
}

UNIT_SUITE(poolview, { "sizes are shown for people and in bytes", test_sizes_are_shown_twice },
	   { "a pool can lack its template", test_a_pool_without_a_template });
