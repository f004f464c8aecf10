/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/size.h"
#include "pool/config.h"
#include "unit.h"

#define UUID  "\"uuid\":\"03417286-17f3-4a6d-a09d-832703aca85d\""
#define PATHS "\"data\":\"/dev/sdb\",\"meta\":\"/dev/sdb\""
#define SIZES "\"block_bytes\":65536,\"volume_bytes\":1073741824"
#define START "{\"version\":1,\"fs\":\"ext4\",\"on_files\":false,"

static int decode(const char *text, struct pool_config *ret, struct error *err)
{
	return config_decode(text, strlen(text), ret, err);
}

static void test_document_is_read(void)
{
	auto_config struct pool_config config = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(0, decode(START UUID "," PATHS "," SIZES "}", &config, &err));
	CU_ASSERT_STRING_EQUAL(config.uuid, "03417286-17f3-4a6d-a09d-832703aca85d");
	CU_ASSERT_STRING_EQUAL(config.store_id, "03417286");
	CU_ASSERT_STRING_EQUAL(config.fs, "ext4");
	CU_ASSERT_STRING_EQUAL(config.data_path, "/dev/sdb");
	CU_ASSERT_EQUAL(config.block_bytes, 64 * KIB);
	CU_ASSERT_EQUAL(config.volume_bytes, GIB);
	CU_ASSERT_FALSE(config.on_files);
}

static void test_round_trip(void)
{
	auto_config struct pool_config config = {
		.fs = "xfs",
		.on_files = true,
		.block_bytes = 128 * KIB,
		.volume_bytes = 20 * GIB,
	};
	auto_config struct pool_config back = { 0 };
	auto_free char *text = NULL;
	struct error err;

	config.data_path = xstrdup("/srv/with \"quotes\"/data");
	config.meta_path = xstrdup("/srv/\xc3\xa4/meta");
	CU_ASSERT_EQUAL_FATAL(0, config_new_uuid(&config, &err));
	text = config_encode(&config);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL_FATAL(0, decode(text, &back, &err));
	CU_ASSERT_STRING_EQUAL(back.uuid, config.uuid);
	CU_ASSERT_STRING_EQUAL(back.data_path, config.data_path);
	CU_ASSERT_STRING_EQUAL(back.meta_path, config.meta_path);
	CU_ASSERT_STRING_EQUAL(back.fs, "xfs");
	CU_ASSERT_EQUAL(back.volume_bytes, config.volume_bytes);
	CU_ASSERT(back.on_files);
}

static void test_uuids_differ(void)
{
	struct pool_config a = { 0 }, b = { 0 };
	struct error err;

	CU_ASSERT_EQUAL(0, config_new_uuid(&a, &err));
	CU_ASSERT_EQUAL(0, config_new_uuid(&b, &err));
	CU_ASSERT_STRING_NOT_EQUAL(a.uuid, b.uuid);
	CU_ASSERT_EQUAL(a.uuid[14], '4');
}

static void test_anything_else_is_refused(void)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		START UUID "," PATHS "}",
		START UUID "," PATHS "," SIZES ",\"extra\":1}",
		START UUID "," PATHS "," SIZES ",\"fs\":\"ext4\"}",
		START UUID "," PATHS ",\"block_bytes\":\"64K\",\"volume_bytes\":1073741824}",
		START UUID "," PATHS ",\"block_bytes\":65537,\"volume_bytes\":1073741824}",
		START UUID "," PATHS ",\"block_bytes\":-65536,\"volume_bytes\":1073741824}",
		START UUID "," PATHS ",\"block_bytes\":65536,\"volume_bytes\":0}",
		START UUID ",\"data\":\"sdb\",\"meta\":\"/dev/sdb\"," SIZES "}",
		START "\"uuid\":\"03417286-17f3-4a6d-a09d-832703aca85\"," PATHS "," SIZES "}",
		START "\"uuid\":\"../17286-17f3-4a6d-a09d-832703aca85d\"," PATHS "," SIZES "}",
	};
	struct pool_config config = { .block_bytes = 99 };
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CU_ASSERT_EQUAL(-1, decode(bad[i], &config, &err));
		CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	}
	CU_ASSERT_EQUAL(config.block_bytes, 99);
	CU_ASSERT_PTR_NULL(config.data_path);
}

static void test_newer_version_is_refused(void)
{
	struct pool_config config;
	struct error err;

	CU_ASSERT_EQUAL(-1, decode("{\"version\":2,\"fs\":\"ext4\",\"on_files\":false," UUID
				   "," PATHS "," SIZES "}",
				   &config, &err));
	CU_ASSERT_EQUAL(err.kind, ERR_UNSUPPORTED);
}

UNIT_SUITE(pool_config, { "the document is read", test_document_is_read },
	   { "what is written is read", test_round_trip },
	   { "two stores have two uuids", test_uuids_differ },
	   { "anything else is refused", test_anything_else_is_refused },
	   { "a newer version is refused", test_newer_version_is_refused });
