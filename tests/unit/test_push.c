/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/push.h"

#include <jansson.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/io.h"
#include "layer/inflate.h"
#include "layerbox.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "registry/origin.h"
#include "registry/pushrelay.h"
#include "uploadbox.h"

#define CONFIG "{\"config\":\"of an image\"}"
#define TAR    "the tar of a layer"
#define LAYERS 3

/* An image of three layers, of which the first and the last are the same. */
struct fake {
	struct origin origin;
	const char *manifest; /* that it came with; NULL: none */
	enum inflate_kind kind;
	bool not_kept;
	bool known; /* another repository has all of it */
	/* What came of it. */
	unsigned nr_kept;
	struct digest kept;
	size_t nr_blobs;
	char blob_types[LAYERS][128];
	char repository[128];
};

static void digest_for(const char *text, size_t i, struct digest *ret)
{
	auto_free char *what = xasprintf("%s %zu", text, i == 2 ? 0 : i);

	digest_of(what, strlen(what), ret);
}

static struct fake *fake_of(struct origin *self)
{
	return (struct fake *)self;
}

static int get_tags(struct origin *self, struct strlist *ret, struct error *err)
{
	(void)self;
	(void)err;
	strlist_add(ret, "1");
	strlist_add(ret, "2");
	return 0;
}

static int get_image(struct origin *self, const char *tag, struct origin_image *ret,
		     struct error *err)
{
	struct fake *fake = fake_of(self);

	if (strcmp(tag, "none") == 0)
		return err_set(err, ERR_NOT_FOUND, "tag does not exist: x:none");
	buf_puts(&ret->config, CONFIG);
	if (fake->manifest)
		buf_puts(&ret->manifest, fake->manifest);
	ret->nr_layers = LAYERS;
	ret->layers = xcalloc(LAYERS, sizeof(*ret->layers));
	ret->blobs = xcalloc(LAYERS, sizeof(*ret->blobs));
	for (size_t i = 0; i < LAYERS; i++) {
		struct origin_layer *layer = &ret->layers[i];

		digest_for("layer", i, &layer->diff_id);
		layer->tar_bytes = strlen(TAR);
		if (!fake->not_kept) {
			digest_for("blob", i, &layer->blob);
			layer->blob_bytes = 100 + i % 2;
			layer->blob_kind = fake->kind;
		}
		if (!fake->known || i == 2)
			continue;
		ret->blobs[ret->nr_blobs] = (struct remote_blob){
			.diff_id = layer->diff_id,
			.size_bytes = 7,
			.media_type = xstrdup("odd; type=gzip"),
			.repository = xstrdup("example/me/other"),
		};
		digest_for("remote", i, &ret->blobs[ret->nr_blobs++].digest);
	}
	return 0;
}

static int open_blob(struct origin *self, size_t layer, struct error *err)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	(void)self;
	dprintf(fd, "blob %zu", layer);
	lseek(fd, 0, SEEK_SET);
	return fd < 0 ? err_set(err, ERR_IO, "no memory") : fd;
}

static int write_tar(struct origin *self, size_t layer, origin_write_fn *write, void *ctx,
		     struct error *err)
{
	(void)self;
	if (layer == 1)
		return write(ctx, TAR, 3, err) < 0 ||
				       err_set(err, ERR_CORRUPT, "the disk is damaged") < 0
			       ? -1
			       : 0;
	return write(ctx, TAR, strlen(TAR), err);
}

static int keep(struct origin *self, const struct origin_pushed *pushed, struct error *err)
{
	struct fake *fake = fake_of(self);
	struct digest digest;

	(void)err;
	digest_of(pushed->manifest->data, pushed->manifest->len, &digest);
	CU_ASSERT_TRUE(digest_equal(&digest, &pushed->digest));
	digest_of(CONFIG, strlen(CONFIG), &digest);
	CU_ASSERT_TRUE(digest_equal(&digest, &pushed->id));
	fake->nr_kept++;
	fake->kept = pushed->digest;
	fake->nr_blobs = pushed->nr_blobs;
	for (size_t i = 0; i < pushed->nr_blobs; i++) {
		snprintf(fake->blob_types[i], sizeof(fake->blob_types[i]), "%s",
			 pushed->blobs[i].media_type);
		snprintf(fake->repository, sizeof(fake->repository), "%s",
			 pushed->blobs[i].repository);
	}
	return 0;
}

static void no_free(struct origin *self)
{
	(void)self;
}

static void fake_init(struct fake *fake)
{
	fake->origin = (struct origin){ get_tags, get_image, open_blob, write_tar, keep, no_free };
}

/* ---- a push ---- */

struct told {
	struct pull_report report;
	char text[2048];
};

static void on_say(struct pull_report *self, const char *text)
{
	struct told *told = (struct told *)self;
	size_t len = strlen(told->text);

	snprintf(told->text + len, sizeof(told->text) - len, "%s\n", text);
}

static void on_phase(struct pull_report *self, const char *id, const char *phase, uint64_t done,
		     uint64_t total)
{
	auto_free char *text = xasprintf("%s: %s", id, phase);

	(void)total;
	if (!done)
		on_say(self, text);
}

static int push(struct uploadbox *box, struct origin *origin, const char *tag, struct told *told,
		struct error *err)
{
	auto_free char *name = xasprintf("127.0.0.1:%d/x", box->server.port);
	auto_reference struct reference ref = { 0 };
	auto_box struct box folder = box_new();
	const struct push_args args = {
		.ref = &ref,
		.options = { .pause_ms = 1, .push = true },
		.report = &told->report,
	};

	*told = (struct told){ .report = { on_say, on_phase } };
	CU_ASSERT_EQUAL_FATAL(reference_parse(name, &ref, err), 0);
	if (tag)
		ref.tag = xstrdup(tag);
	return push_from(origin, &args, folder.fd, ".", err);
}

static void parse(const struct uploadbox *box, struct manifest *ret)
{
	const char *text = box->seen->manifest;
	struct error err;

	CU_ASSERT_EQUAL_FATAL(manifest_parse(text, strlen(text), ret, &err), 0);
}

static void test_made(void)
{
	static const struct {
		enum inflate_kind kind;
		const char *manifest, *layer, *kept;
	} rows[] = {
		{ INFLATE_GZIP, MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_LAYER, MEDIA_OCI_LAYER_GZIP },
		{ INFLATE_PLAIN, MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_TAR, MEDIA_OCI_LAYER },
		{ INFLATE_ZSTD, MEDIA_OCI_MANIFEST, MEDIA_OCI_LAYER_ZSTD, MEDIA_OCI_LAYER_ZSTD },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct uploadbox_play play = { .has_blobs = true };
		auto_uploadbox struct uploadbox box = uploadbox_start(&play);
		auto_manifest struct manifest manifest = { 0 };
		struct fake fake = { .kind = rows[i].kind };
		struct digest blob;
		struct told told;
		struct error err;

		fake_init(&fake);
		CU_ASSERT_EQUAL_FATAL(push(&box, &fake.origin, "1", &told, &err), 0);
		parse(&box, &manifest);
		CU_ASSERT_STRING_EQUAL(manifest.media_type, rows[i].manifest);
		CU_ASSERT_PTR_NOT_NULL(strstr(box.seen->manifest_head, rows[i].manifest));
		CU_ASSERT_PTR_NOT_NULL(strstr(box.seen->manifest_head, "PUT /v2/x/manifests/1 "));
		CU_ASSERT_EQUAL_FATAL(manifest.nr_layers, LAYERS);
		for (size_t n = 0; n < LAYERS; n++) {
			digest_for("blob", n, &blob);
			CU_ASSERT_TRUE(digest_equal(&manifest.layers[n].digest, &blob));
			CU_ASSERT_EQUAL(manifest.layers[n].size_bytes, (int64_t)(100 + n % 2));
			CU_ASSERT_STRING_EQUAL(manifest.layers[n].media_type, rows[i].layer);
		}
		CU_ASSERT_EQUAL(fake.nr_kept, 1);
		CU_ASSERT_EQUAL(fake.nr_blobs, 2);
		CU_ASSERT_STRING_EQUAL(fake.blob_types[0], rows[i].kept);
		CU_ASSERT_EQUAL(box.seen->hits[POST], 0);
	}
}

static void test_told(void)
{
	const struct uploadbox_play play = { .has_blobs = true };
	auto_uploadbox struct uploadbox box = uploadbox_start(&play);
	auto_free char *begin = NULL, *end = NULL;
	struct fake fake = { .kind = INFLATE_GZIP };
	struct digest first, second;
	struct told told;
	struct error err;

	fake_init(&fake);
	digest_for("layer", 0, &first);
	digest_for("layer", 1, &second);
	CU_ASSERT_EQUAL_FATAL(push(&box, &fake.origin, NULL, &told, &err), 0);
	begin = xasprintf("The push refers to repository [127.0.0.1:%d/x]\n"
			  "%.12s: Preparing\n%.12s: Preparing\n",
			  box.server.port, digest_hex(&first), digest_hex(&second));
	end = xasprintf("\n2: digest: %s size: %zu\n", fake.kept.text, strlen(box.seen->manifest));
	CU_ASSERT_EQUAL(strncmp(told.text, begin, strlen(begin)), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(told.text, ": Layer already exists\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(told.text, "\n1: digest: sha256:"));
	CU_ASSERT_STRING_EQUAL(told.text + strlen(told.text) - strlen(end), end);
	CU_ASSERT_EQUAL(box.seen->manifests, 2);
	CU_ASSERT_EQUAL(push(&box, &fake.origin, "none", &told, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "tag does not exist: x:none");
	CU_ASSERT_EQUAL(box.seen->manifests, 2);
}

#define FOREIGN "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

static char *came(const char *config, size_t nr)
{
	auto_buf struct buf text = { 0 };
	struct digest digest;

	digest_of(config, strlen(config), &digest);
	buf_printf(&text,
		   "{\"schemaVersion\": 2, \"mediaType\": \"" MEDIA_OCI_MANIFEST "\","
		   "\"config\": {\"mediaType\": \"" MEDIA_OCI_CONFIG "\", \"size\": 25,"
		   "\"digest\": \"%s\"}, \"more\": [1],\n \"layers\": [",
		   digest.text);
	for (size_t i = 0; i < nr; i++) {
		digest_for("blob", i, &digest);
		buf_printf(&text,
			   "%s{\"mediaType\": \"%s\", \"size\": 100, \"digest\": \"%s\""
			   "%s}",
			   i ? "," : "", i == 1 ? FOREIGN : MEDIA_OCI_LAYER_GZIP, digest.text,
			   i == 1 ? ",\"urls\":[\"http://far/away\"]" : "");
	}
	buf_puts(&text, "]}");
	return buf_take(&text);
}

/* As it came, byte for byte; what is foreign is not touched. */
static void test_came(void)
{
	const struct uploadbox_play play = { .has_blobs = true };
	auto_uploadbox struct uploadbox box = uploadbox_start(&play);
	auto_free char *good = came(CONFIG, LAYERS), *other = came("other", LAYERS),
		       *few = came(CONFIG, 2);
	auto_manifest struct manifest manifest = { 0 };
	struct fake fake = { .manifest = good, .kind = INFLATE_GZIP };
	struct told told;
	struct error err;

	fake_init(&fake);
	CU_ASSERT_EQUAL_FATAL(push(&box, &fake.origin, "1", &told, &err), 0);
	CU_ASSERT_STRING_EQUAL(box.seen->manifest, good);
	CU_ASSERT_PTR_NOT_NULL(strstr(box.seen->manifest_head, MEDIA_OCI_MANIFEST));
	CU_ASSERT_PTR_NOT_NULL(strstr(told.text, ": Skipped foreign layer\n"));
	CU_ASSERT_EQUAL(box.seen->hits[HEAD], 2); /* one layer and the config */
	CU_ASSERT_EQUAL(fake.nr_blobs, 1);
	fake.manifest = other;
	CU_ASSERT_EQUAL_FATAL(push(&box, &fake.origin, "1", &told, &err), 0);
	CU_ASSERT_STRING_NOT_EQUAL(box.seen->manifest, other);
	fake.manifest = few;
	CU_ASSERT_EQUAL_FATAL(push(&box, &fake.origin, "1", &told, &err), 0);
	CU_ASSERT_STRING_NOT_EQUAL(box.seen->manifest, few);
	fake.manifest = "<html>";
	CU_ASSERT_EQUAL_FATAL(push(&box, &fake.origin, "1", &told, &err), 0);
	parse(&box, &manifest);
	CU_ASSERT_EQUAL(manifest.nr_layers, LAYERS);
}

/* What is not kept may be known elsewhere, or is compressed; what cannot be made is told. */
static void test_not_kept(void)
{
	const struct uploadbox_play has = { .has_blobs = true }, empty = { 0 };
	auto_uploadbox struct uploadbox box = uploadbox_start(&has),
					other = uploadbox_start(&empty);
	auto_manifest struct manifest manifest = { 0 };
	struct fake fake = { .not_kept = true, .known = true };
	struct digest digest;
	struct told told;
	struct error err;

	fake_init(&fake);
	CU_ASSERT_EQUAL_FATAL(push(&box, &fake.origin, "1", &told, &err), 0);
	parse(&box, &manifest);
	digest_for("remote", 1, &digest);
	CU_ASSERT_TRUE(digest_equal(&manifest.layers[1].digest, &digest));
	CU_ASSERT_EQUAL(manifest.layers[1].size_bytes, 7);
	CU_ASSERT_STRING_EQUAL(manifest.layers[1].media_type, MEDIA_DOCKER_LAYER);
	fake.known = false;
	CU_ASSERT_EQUAL(push(&other, &fake.origin, "1", &told, &err), -1);
	digest_for("layer", 1, &digest);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, digest.text));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, ": the disk is damaged"));
	CU_ASSERT_EQUAL(other.seen->manifests, 0);
	CU_ASSERT_EQUAL(fake.nr_kept, 1);
}

/* ---- through a pipe ---- */

struct far {
	struct fake fake;
	int in_fd, out_fd;
	int result;
};

static void *serve(void *arg)
{
	struct far *far = arg;
	struct error err;

	far->result = pushrelay_serve(&far->fake.origin, far->in_fd, far->out_fd, &err);
	return NULL;
}

static int collect(void *ctx, const void *data, size_t len, struct error *err)
{
	(void)err;
	buf_append(ctx, data, len);
	return 0;
}

static void check_through(struct origin *origin)
{
	auto_origin_image struct origin_image image = { 0 };
	auto_strlist struct strlist tags = { 0 };
	auto_buf struct buf tar = { 0 };
	char blob[16] = { 0 };
	auto_fd int fd = -1;
	struct error err;

	CU_ASSERT_EQUAL(origin->write_tar(origin, 0, collect, &tar, &err), -1); /* of no image */
	CU_ASSERT_EQUAL(origin->get_tags(origin, &tags, &err), 0);
	CU_ASSERT_EQUAL_FATAL(tags.nr, 2);
	CU_ASSERT_STRING_EQUAL(tags.items[1], "2");
	CU_ASSERT_EQUAL(origin->get_image(origin, "none", &image, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_NOT_FOUND);
	CU_ASSERT_EQUAL_FATAL(origin->get_image(origin, "1", &image, &err), 0);
	CU_ASSERT_EQUAL(image.nr_layers, LAYERS);
	CU_ASSERT_EQUAL(image.nr_blobs, 2);
	CU_ASSERT_STRING_EQUAL(image.blobs[1].media_type, "odd; type=gzip");
	CU_ASSERT_STRING_EQUAL(image.blobs[1].repository, "example/me/other");
	fd = origin->open_blob(origin, 2, &err);
	CU_ASSERT_EQUAL(io_pread(fd, blob, 6, 0, &err), 0);
	CU_ASSERT_STRING_EQUAL(blob, "blob 2");
	CU_ASSERT_EQUAL(origin->write_tar(origin, 0, collect, &tar, &err), 0);
	CU_ASSERT_STRING_EQUAL(tar.data, TAR);
	CU_ASSERT_EQUAL(origin->write_tar(origin, 1, collect, &tar, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text, "the disk is damaged");
	CU_ASSERT_EQUAL(origin->write_tar(origin, LAYERS, collect, &tar, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_CORRUPT);
}

static void test_relay(void)
{
	const struct uploadbox_play play = { .has_blobs = true };
	auto_uploadbox struct uploadbox box = uploadbox_start(&play);
	auto_box struct box folder = box_new();
	auto_free char *good = came(CONFIG, LAYERS);
	struct far far = { .fake = { .manifest = good, .kind = INFLATE_GZIP, .known = true } };
	struct origin *origin;
	int up[2], down[2];
	pthread_t thread;
	struct told told;
	struct error err;

	fake_init(&far.fake);
	CU_ASSERT_EQUAL_FATAL(pipe2(up, O_CLOEXEC) | pipe2(down, O_CLOEXEC), 0);
	far.in_fd = down[0];
	far.out_fd = up[1];
	pthread_create(&thread, NULL, serve, &far);
	origin = pushrelay_open(up[0], down[1], folder.fd, ".");
	check_through(origin);
	CU_ASSERT_EQUAL(push(&box, origin, "1", &told, &err), 0);
	CU_ASSERT_STRING_EQUAL(box.seen->manifest, good);
	CU_ASSERT_EQUAL(far.fake.nr_kept, 1);
	CU_ASSERT_EQUAL(far.fake.nr_blobs, 1);
	origin->free(origin);
	close(down[1]);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(far.result, 0);
	close(down[0]);
	close(up[0]);
	close(up[1]);
}

UNIT_SUITE(push, { "a manifest is made of what is there", test_made },
	   { "what is told, of each layer once, and all tags", test_told },
	   { "the manifest that came goes back", test_came },
	   { "what is not kept is known, made, or told", test_not_kept },
	   { "an image behind a pipe", test_relay });
