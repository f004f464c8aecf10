/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/save.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/dialect.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "blob/blob.h"
#include "db/rows.h"
#include "db/rows_image.h"
#include "image/select.h"
#include "layerbox.h"
#include "oci/config.h"
#include "oci/reference.h"
#include "packed.h"
#include "store.h"
#include "unit.h"

/* A store without a pool: every layer's blob is kept. */
struct shop {
	struct box box;
	struct store *store;
	struct layer_row layers[3];
	struct buf tars[3];
	struct digest images[3];
};

static void put_blob(struct shop *shop, const struct buf *bytes, struct digest *ret)
{
	auto_blob_writer struct blob_writer *writer = NULL;
	struct store *store = shop->store;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(blob_prepare(&store->root, store->session, bytes->data, bytes->len,
					   &writer, ret, &err),
			      0);
	CU_ASSERT_EQUAL_FATAL(blob_publish(writer, &err), 0);
}

static void put_layer(struct shop *shop, size_t i, const struct digest *parent,
		      enum inflate_kind kind)
{
	struct layer_row *row = &shop->layers[i];
	auto_buf struct buf packed = { 0 };
	auto_free char *name = xasprintf("file%zu", i);
	struct error err;

	tar_file(&shop->tars[i], name, "content of some length");
	tar_end(&shop->tars[i]);
	compress(kind, &packed, shop->tars[i].data, shop->tars[i].len);
	put_blob(shop, &packed, &row->blob);
	digest_of(shop->tars[i].data, shop->tars[i].len, &row->diff_id);
	chain_id_next(parent, &row->diff_id, &row->chain_id);
	if (parent)
		row->parent = *parent;
	row->thin_id = (uint32_t)i + 1;
	row->tar_bytes = (int64_t)shop->tars[i].len;
	row->created_by = (char *)"";
	CU_ASSERT_EQUAL_FATAL(db_exec(shop->store->db, &err,
				      "INSERT INTO thin (id, kind, state, txid) VALUES (?1,"
				      " 'layer', 'live', 0)",
				      "i", (int64_t)row->thin_id),
			      0);
	CU_ASSERT_EQUAL_FATAL(rows_layer_put(shop->store->db, row, &err), 0);
}

/* An image of some of the layers; its config names an architecture. */
static void put_image(struct shop *shop, size_t i, const size_t *layers, size_t nr,
		      const char *architecture)
{
	auto_buf struct buf config = { 0 };
	struct digest chains[3];
	struct image_row row = {
		.architecture = architecture,
		.os = "linux",
		.chain_ids = chains,
		.nr_layers = nr,
	};
	struct error err;

	buf_printf(&config,
		   "{\"architecture\": \"%s\", \"os\": \"linux\", \"unknown\": %zu,"
		   " \"rootfs\": {\"type\": \"layers\", \"diff_ids\": [",
		   architecture, i);
	for (size_t n = 0; n < nr; n++) {
		buf_printf(&config, "%s\"%s\"", n ? ", " : "",
			   shop->layers[layers[n]].diff_id.text);
		chains[n] = shop->layers[layers[n]].chain_id;
	}
	buf_puts(&config, "]}}");
	put_blob(shop, &config, &shop->images[i]);
	row.id = shop->images[i];
	CU_ASSERT_EQUAL_FATAL(rows_image_put(shop->store->db, &row, &err), 0);
}

static void name_image(struct shop *shop, size_t i, const char *name)
{
	auto_reference struct reference ref = { 0 };
	struct digest moved;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(reference_parse(name, &ref, &err), 0);
	CU_ASSERT_EQUAL_FATAL(image_set_tag(shop->store, &ref, &shop->images[i], &moved, &err), 0);
}

static void shop_done(struct shop *shop)
{
	store_close(shop->store);
	for (size_t i = 0; i < 3; i++)
		buf_done(&shop->tars[i]);
	box_done(&shop->box);
}
#define auto_shop __attribute__((cleanup(shop_done)))

#define DIGEST "sha256:0123456789012345678901234567890123456789012345678901234567890123"

/* Three layers, the second and the third both on the first; two images, and one without layers. */
static struct shop open_shop(void)
{
	struct shop shop = { .box = box_new() };
	struct store_options options = { .root = shop.box.path, .command = "test" };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(store_open(&options, &shop.store, &err), 0);
	CU_ASSERT_EQUAL_FATAL(store_session(shop.store, &err), 0);
	put_layer(&shop, 0, NULL, INFLATE_GZIP);
	put_layer(&shop, 1, &shop.layers[0].chain_id, INFLATE_ZSTD);
	put_layer(&shop, 2, &shop.layers[0].chain_id, INFLATE_XZ);
	put_image(&shop, 0, (const size_t[]){ 0, 1 }, 2, "amd64");
	put_image(&shop, 1, (const size_t[]){ 0, 2 }, 2, "amd64");
	put_image(&shop, 2, NULL, 0, "s390x");
	name_image(&shop, 0, "x:2");
	name_image(&shop, 0, "x:1");
	name_image(&shop, 0, "example.org/y:1");
	name_image(&shop, 1, "x:3");
	name_image(&shop, 1, "x@" DIGEST);
	return shop;
}

/* ---- select ---- */

static void note(void *ctx, const struct image *image, const char *name)
{
	buf_printf(ctx, "%.6s %s\n", digest_hex(&image->id), name ? name : "-");
}

/* @expected: pairs of image and name; %N is the id of image N */
static void check_select(struct shop *shop, const char *operand, const char *expected)
{
	auto_buf struct buf got = { 0 }, want = { 0 };
	struct error err;

	for (const char *at = expected; *at; at++) {
		if (*at == '%')
			buf_printf(&want, "%.6s", digest_hex(&shop->images[*++at - '0']));
		else
			buf_putc(&want, *at);
	}
	CU_ASSERT_EQUAL_FATAL(image_select(shop->store, operand, note, &got, &err), 0);
	CU_ASSERT_STRING_EQUAL(got.data, want.data);
}

static void test_operands(void)
{
	auto_shop struct shop shop = open_shop();
	auto_free char *prefix = xasprintf("%.12s", digest_hex(&shop.images[0]));
	struct error err;

	check_select(&shop, "x:1", "%0 docker.io/library/x:1\n");
	check_select(&shop, "x",
		     "%0 docker.io/library/x:1\n%0 docker.io/library/x:2\n"
		     "%1 docker.io/library/x:3\n%1 -\n");
	check_select(&shop, "example.org/y", "%0 example.org/y:1\n");
	check_select(&shop, "x:3@" DIGEST, "%1 -\n");
	check_select(&shop, "x@" DIGEST, "%1 -\n");
	check_select(&shop, shop.images[2].text, "%2 -\n");
	check_select(&shop, digest_hex(&shop.images[0]), "%0 -\n");
	check_select(&shop, prefix, "%0 -\n");
	CU_ASSERT_EQUAL(image_select(shop.store, "y", note, NULL, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(err.text, "No such image: y:latest");
	CU_ASSERT_EQUAL(image_select(shop.store, "x:4", note, NULL, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "No such image: x:4");
	CU_ASSERT_EQUAL(image_select(shop.store, "X", note, NULL, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_USAGE);
}

/* ---- save ---- */

static int collect(void *ctx, const void *data, size_t len, struct error *err)
{
	(void)err;
	buf_append(ctx, data, len);
	return 0;
}

static void on_image(void *ctx, const struct image *image, const char *name)
{
	save_list_add(ctx, &image->id, &image->parent, name);
}

/* @operands: blank separated */
static int save(struct shop *shop, const char *operands, enum save_format format,
		const char *platform, struct buf *ret, struct error *err)
{
	auto_save_list struct save_list list = { 0 };
	auto_free char *words = xstrdup(operands);
	char *rest;
	struct save_args args = {
		.images = &list,
		.format = format,
		.platform = platform,
		.write = collect,
		.ctx = ret,
	};

	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		CU_ASSERT_EQUAL_FATAL(image_select(shop->store, word, on_image, &list, err), 0);
	return archive_save(shop->store, &args, err);
}

static void unpack_archive(struct shop *shop, const struct buf *tar, struct bundle **ret)
{
	auto_free char *path = xasprintf("%s/saved.tar", shop->box.path);
	struct error err;

	unlink(path);
	CU_ASSERT_EQUAL_FATAL(io_replace_file(AT_FDCWD, path, tar->data, tar->len, 0600, &err), 0);
	CU_ASSERT_EQUAL_FATAL(bundle_open(&shop->store->root, path, -1, NULL, ret, &err), 0);
}

/* The layer's bytes in the archive: as they were, or as they came. */
static void check_layer(struct bundle *bundle, const struct archive_layer *layer,
			const struct digest *digest)
{
	auto_buf struct buf bytes = { 0 };
	struct digest found;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(bundle_read(bundle, layer->member, 1 << 20, &bytes, &err), 0);
	digest_of(bytes.data, bytes.len, &found);
	CU_ASSERT_STRING_EQUAL(found.text, digest->text);
}

/* Both kinds of reader find the same images in it. */
static void test_an_archive_is_read_again(void)
{
	auto_shop struct shop shop = open_shop();
	auto_archive_images struct archive_images images = { 0 };
	auto_bundle struct bundle *bundle = NULL;
	auto_buf struct buf tar = { 0 };
	auto_free char *operands = xasprintf("x:2 %s x:1 x:3", shop.images[2].text);
	struct error err;

	CU_ASSERT_EQUAL_FATAL(save(&shop, operands, SAVE_DOCKER, NULL, &tar, &err), 0);
	unpack_archive(&shop, &tar, &bundle);
	CU_ASSERT_TRUE(bundle_has(bundle, "repositories"));
	CU_ASSERT_TRUE(bundle_has(bundle, "index.json"));
	CU_ASSERT_EQUAL_FATAL(dialect_read(bundle, NULL, &images, &err), 0);
	CU_ASSERT_EQUAL_FATAL(images.nr, 3);
	CU_ASSERT_TRUE(digest_equal(&images.items[0].id, &shop.images[0]));
	CU_ASSERT_TRUE(digest_equal(&images.items[1].id, &shop.images[2]));
	CU_ASSERT_TRUE(digest_equal(&images.items[2].id, &shop.images[1]));
	CU_ASSERT_EQUAL_FATAL(images.items[0].names.nr, 2);
	CU_ASSERT_STRING_EQUAL(images.items[0].names.items[0], "docker.io/library/x:2");
	CU_ASSERT_STRING_EQUAL(images.items[0].names.items[1], "docker.io/library/x:1");
	CU_ASSERT_EQUAL(images.items[1].names.nr, 0);
	CU_ASSERT_EQUAL_FATAL(images.items[2].nr_layers, 2);
	check_layer(bundle, &images.items[0].layers[0], &shop.layers[0].diff_id);
	check_layer(bundle, &images.items[0].layers[1], &shop.layers[1].diff_id);
	check_layer(bundle, &images.items[2].layers[1], &shop.layers[2].diff_id);
}

static void test_an_oci_archive_keeps_blobs(void)
{
	auto_shop struct shop shop = open_shop();
	auto_archive_images struct archive_images images = { 0 };
	auto_bundle struct bundle *bundle = NULL;
	auto_buf struct buf tar = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(save(&shop, "x", SAVE_OCI, NULL, &tar, &err), 0);
	unpack_archive(&shop, &tar, &bundle);
	CU_ASSERT_FALSE(bundle_has(bundle, "manifest.json"));
	CU_ASSERT_FALSE(bundle_has(bundle, "repositories"));
	CU_ASSERT_EQUAL_FATAL(dialect_read(bundle, NULL, &images, &err), 0);
	CU_ASSERT_EQUAL_FATAL(images.nr, 3); /* one for each name */
	check_layer(bundle, &images.items[0].layers[0], &shop.layers[0].blob);
	check_layer(bundle, &images.items[0].layers[1], &shop.layers[1].blob);
	/* The format has no xz. */
	check_layer(bundle, &images.items[2].layers[1], &shop.layers[2].diff_id);
}

static size_t count(const struct buf *tar, const char *needle)
{
	size_t nr = 0, len = strlen(needle);

	for (size_t at = 0; at + 512 <= tar->len; at += 512)
		nr += memcmp(tar->data + at, needle, len) == 0;
	return nr;
}

static void test_the_same_bytes_again(void)
{
	auto_shop struct shop shop = open_shop(), other = open_shop();
	auto_buf struct buf first = { 0 }, second = { 0 }, third = { 0 };
	auto_free char *shared = xasprintf("blobs/sha256/%s", digest_hex(&shop.layers[0].diff_id));
	struct error err;

	CU_ASSERT_EQUAL_FATAL(save(&shop, "x x:1 x", SAVE_DOCKER, NULL, &first, &err), 0);
	CU_ASSERT_EQUAL_FATAL(save(&shop, "x", SAVE_DOCKER, NULL, &second, &err), 0);
	CU_ASSERT_EQUAL_FATAL(save(&other, "x", SAVE_DOCKER, NULL, &third, &err), 0);
	CU_ASSERT_EQUAL_FATAL(first.len, second.len);
	CU_ASSERT_EQUAL(memcmp(first.data, second.data, first.len), 0);
	CU_ASSERT_EQUAL_FATAL(first.len, third.len);
	CU_ASSERT_EQUAL(memcmp(first.data, third.data, first.len), 0);
	CU_ASSERT_EQUAL(count(&first, shared), 1);
}

static void damage(struct shop *shop, const struct digest *blob, bool cut)
{
	auto_free char *path = xasprintf("%s/blobs/sha256/%s", shop->box.path, digest_hex(blob));
	auto_buf struct buf bytes = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(io_read_file(AT_FDCWD, path, 1 << 20, &bytes, &err), 0);
	/* In gzip's header the time, which nothing else covers. */
	bytes.data[5] ^= 1;
	CU_ASSERT_EQUAL_FATAL(io_replace_file(AT_FDCWD, path, bytes.data,
					      cut ? bytes.len / 2 : bytes.len, 0600, &err),
			      0);
}

static void test_damage_is_found(void)
{
	auto_shop struct shop shop = open_shop();
	auto_buf struct buf tar = { 0 };
	struct error err;

	damage(&shop, &shop.layers[0].blob, false);
	CU_ASSERT_EQUAL(save(&shop, "x:1", SAVE_DOCKER, NULL, &tar, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "image x:1: layer 0 (sha256:"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "the disk has damaged it"));
	CU_ASSERT_EQUAL(save(&shop, "x:1", SAVE_OCI, NULL, &tar, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "the disk has damaged it"));
	damage(&shop, &shop.layers[0].blob, true);
	CU_ASSERT_EQUAL(save(&shop, "x:1", SAVE_DOCKER, NULL, &tar, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	damage(&shop, &shop.images[1], false);
	CU_ASSERT_EQUAL(save(&shop, "x:3", SAVE_DOCKER, NULL, &tar, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

static void test_a_blob_of_another_layer(void)
{
	auto_shop struct shop shop = open_shop();
	auto_buf struct buf tar = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(db_exec(shop.store->db, &err,
				      "UPDATE layer SET blob = ?1 WHERE thin_id = 1", "d",
				      &shop.layers[1].blob),
			      0);
	CU_ASSERT_EQUAL(save(&shop, "x:1", SAVE_DOCKER, NULL, &tar, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is no tar of this layer"));
}

static void test_layers_that_are_gone(void)
{
	auto_shop struct shop shop = open_shop();
	auto_buf struct buf tar = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(db_exec(shop.store->db, &err,
				      "UPDATE thin SET state = 'deleting' WHERE id = 2", ""),
			      0);
	CU_ASSERT_EQUAL(save(&shop, "x:1", SAVE_DOCKER, NULL, &tar, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "image x:1: layer 1 (sha256:"));
	CU_ASSERT_EQUAL(tar.len, 0);
}

static int refuse(void *ctx, const void *data, size_t len, struct error *err)
{
	size_t *left = ctx;

	(void)data;
	if (len > *left)
		return err_set(err, ERR_NO_SPACE, "out.tar: full");
	*left -= len;
	return 0;
}

/* Whatever was being written: its error is told as it is, and every one is noticed. */
static void test_a_full_disk_is_no_images_fault(void)
{
	auto_shop struct shop shop = open_shop();
	auto_save_list struct save_list list = { 0 };
	auto_buf struct buf whole = { 0 };
	struct error err;

	CU_ASSERT_EQUAL_FATAL(save(&shop, "x", SAVE_DOCKER, NULL, &whole, &err), 0);
	CU_ASSERT_EQUAL_FATAL(image_select(shop.store, "x", on_image, &list, &err), 0);
	for (size_t room = 0; room <= whole.len; room += 256) {
		size_t left = room;
		struct save_args args = { .images = &list, .write = refuse, .ctx = &left };
		int result = archive_save(shop.store, &args, &err);

		CU_ASSERT_EQUAL(result, room == whole.len ? 0 : -1);
		if (result < 0)
			CU_ASSERT_STRING_EQUAL(err.text, "out.tar: full");
	}
	CU_ASSERT_EQUAL(whole.len % 256, 0);
}

static void test_platforms(void)
{
	auto_shop struct shop shop = open_shop();
	auto_buf struct buf tar = { 0 };
	auto_free char *operands = xasprintf("x:1 %s", shop.images[2].text);
	struct error err;

	CU_ASSERT_EQUAL(save(&shop, "x", SAVE_DOCKER, "linux/amd64", &tar, &err), 0);
	buf_reset(&tar);
	CU_ASSERT_EQUAL(save(&shop, operands, SAVE_DOCKER, "linux/amd64", &tar, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_UNSUPPORTED);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, ": it is for linux/s390x, not for linux/amd64"));
	CU_ASSERT_EQUAL(tar.len, 0);
}

UNIT_SUITE(save, { "what operands mean", test_operands },
	   { "an archive is read again", test_an_archive_is_read_again },
	   { "an OCI archive keeps blobs as they came", test_an_oci_archive_keeps_blobs },
	   { "the same bytes again, shared layers once", test_the_same_bytes_again },
	   { "damage is found", test_damage_is_found },
	   { "a blob of another layer", test_a_blob_of_another_layer },
	   { "layers that are gone", test_layers_that_are_gone },
	   { "a full disk is no image's fault", test_a_full_disk_is_no_images_fault },
	   { "platforms", test_platforms });
