/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/download.h"

#include <pthread.h>
#include <time.h>

#include "layerbox.h"
#include "oci/reference.h"
#include "registry/transport.h"
#include "registrybox.h"

#define NR	  5
#define BIG_BYTES ((size_t)9 * 1024 * 1024 + 17) /* more than the ring and one more buffer */

struct layers {
	char *bodies[NR];
	size_t lens[NR];
	char *paths[NR];
	struct descriptor descs[NR];
	size_t nr;
	struct page pages[NR + 1];
	struct box folder;
	/* Once there is a server. */
	struct registrybox box;
	int mirror_port; /* 0: there is none */
	struct registry_row row;
	struct registry_table table;
	struct registry *registry;
	struct download *download;
	struct error err;
	/* What was told. */
	pthread_mutex_t lock;
	char phases[NR][256];
	uint64_t most_seen[NR];
};

static void on_phase(void *ctx, size_t layer, const char *phase, uint64_t done, uint64_t total)
{
	struct layers *layers = ctx;
	char *said = layers->phases[layer];

	pthread_mutex_lock(&layers->lock);
	if (strcmp(phase, "Downloading") == 0) {
		CU_ASSERT_EQUAL(total, layers->lens[layer]);
		layers->most_seen[layer] = done;
	} else if (strlen(said) + strlen(phase) + 2 < sizeof(layers->phases[layer])) {
		snprintf(said + strlen(said), sizeof(layers->phases[layer]) - strlen(said), "%s|",
			 phase);
	}
	pthread_mutex_unlock(&layers->lock);
}

/* Bodies of these sizes, each its own; the caller may then change pages. */
static struct layers layers_new(const size_t *lens, size_t nr)
{
	struct layers layers = { .nr = nr, .folder = box_new() };

	pthread_mutex_init(&layers.lock, NULL);
	for (size_t i = 0; i < nr; i++) {
		uint32_t x = (uint32_t)i + 1;

		layers.lens[i] = lens[i];
		layers.bodies[i] = xmalloc(lens[i] + 1);
		for (size_t n = 0; n < lens[i]; n++) {
			x = x * 1664525 + 1013904223;
			layers.bodies[i][n] = (char)(x >> 24);
		}
		layers.bodies[i][lens[i]] = '\0';
		digest_of(layers.bodies[i], lens[i], &layers.descs[i].digest);
		layers.descs[i].size_bytes = (int64_t)lens[i];
		layers.paths[i] = xasprintf("/v2/x/blobs/%s", layers.descs[i].digest.text);
		layers.pages[i] = (struct page){ .path = layers.paths[i],
						 .body = layers.bodies[i],
						 .len = lens[i] };
	}
	return layers;
}

static void layers_start(struct layers *layers, const bool *unwanted)
{
	auto_reference struct reference ref = { 0 };
	auto_free char *name = NULL;
	const struct registry_options options = { .table = &layers->table,
						  .pause_ms = 1,
						  .limits.stall_seconds = 1 };
	struct registry_document document;
	struct download_args args = { .layers = layers->descs,
				      .nr_layers = layers->nr,
				      .unwanted = unwanted,
				      .folder_fd = layers->folder.fd,
				      .folder = ".",
				      .on_phase = on_phase,
				      .ctx = layers };

	layers->box = registry_start(layers->pages);
	name = xasprintf("127.0.0.1:%d/x:1", layers->box.server.port);
	CU_ASSERT_EQUAL_FATAL(reference_parse(name, &ref, &layers->err), 0);
	if (layers->mirror_port) {
		layers->row.host = xstrdup(ref.domain);
		strlist_take(&layers->row.mirrors, xasprintf("127.0.0.1:%d", layers->mirror_port));
		layers->table = (struct registry_table){ .rows = &layers->row, .nr = 1 };
	}
	CU_ASSERT_EQUAL_FATAL(registry_open(&options, &ref, &layers->registry, &layers->err), 0);
	/* That it speaks http is found out by whoever asks first; a mirror that has it, stays. */
	CU_ASSERT_EQUAL(registry_manifest(layers->registry, "1", &document, NULL, &layers->err),
			layers->mirror_port ? 0 : -1);
	registry_document_done(&document);
	args.registry = layers->registry;
	CU_ASSERT_EQUAL_FATAL(download_new(&args, &layers->download, &layers->err), 0);
}

static void layers_done(struct layers *layers)
{
	download_free(layers->download);
	registry_free(layers->registry);
	registry_stop(&layers->box);
	free(layers->row.host);
	strlist_done(&layers->row.mirrors);
	for (size_t i = 0; i < layers->nr; i++) {
		free(layers->bodies[i]);
		free(layers->paths[i]);
	}
	pthread_mutex_destroy(&layers->lock);
	box_done(&layers->folder);
}
#define auto_layers __attribute__((cleanup(layers_done)))

static int read_begun(struct layers *layers, struct buf *ret)
{
	char data[70001];
	int got;

	while ((got = download_read(layers->download, data, sizeof(data), &layers->err)) > 0)
		buf_append(ret, data, (size_t)got);
	return got;
}

static void check_layer(struct layers *layers, size_t i)
{
	auto_buf struct buf bytes = { 0 };

	download_begin(layers->download, i);
	if (read_begun(layers, &bytes) < 0) {
		printf("%s ", layers->err.text);
		CU_FAIL("download_read");
	}
	CU_ASSERT_EQUAL_FATAL(bytes.len, layers->lens[i]);
	CU_ASSERT_EQUAL(memcmp(bytes.data ?: "", layers->bodies[i], bytes.len), 0);
	CU_ASSERT_TRUE(download_is_complete(layers->download, i));
}

static void check_all(struct layers *layers)
{
	for (size_t i = 0; i < layers->nr; i++) {
		check_layer(layers, i);
		download_end(layers->download, i);
	}
}

static void check_failed(struct layers *layers, size_t i, enum err_kind kind, const char *text)
{
	auto_buf struct buf bytes = { 0 };
	struct error err = { 0 };

	download_begin(layers->download, i);
	CU_ASSERT_EQUAL(read_begun(layers, &bytes), -1);
	CU_ASSERT_EQUAL(layers->err.kind, kind);
	CU_ASSERT_PTR_NOT_NULL(strstr(layers->err.text, text));
	if (layers->err.kind != kind || !strstr(layers->err.text, text))
		printf("kind %d: %s; ", layers->err.kind, layers->err.text);
	CU_ASSERT_TRUE(download_error(layers->download, i, &err));
	CU_ASSERT_STRING_EQUAL(err.text, layers->err.text);
	CU_ASSERT_FALSE(download_is_complete(layers->download, i));
}

/* One page, changed, must end so. */
static void refuse(struct page changes, size_t len, enum err_kind kind, const char *text)
{
	auto_layers struct layers layers = layers_new(&len, 1);

	changes.path = layers.pages[0].path;
	changes.body = layers.pages[0].body;
	changes.len = len;
	layers.pages[0] = changes;
	layers_start(&layers, NULL);
	check_failed(&layers, 0, kind, text);
}

/* One page, changed, must come to its end in so many requests. */
static void check_mended(struct page changes, size_t len, unsigned requests)
{
	auto_layers struct layers layers = layers_new(&len, 1);

	changes.path = layers.pages[0].path;
	changes.body = layers.pages[0].body;
	changes.len = len;
	layers.pages[0] = changes;
	layers_start(&layers, NULL);
	check_all(&layers);
	CU_ASSERT_EQUAL(layers.box.seen->hits[0], requests);
}

static void test_all(void)
{
	const size_t lens[NR] = { BIG_BYTES, 100, 0, BIG_BYTES, 70000 };
	auto_layers struct layers layers = layers_new(lens, NR);

	layers_start(&layers, NULL);
	check_all(&layers);
	for (size_t i = 0; i < NR; i++) {
		CU_ASSERT_EQUAL(layers.box.seen->hits[i], 1);
		CU_ASSERT_EQUAL(layers.most_seen[i], lens[i]);
		CU_ASSERT_STRING_EQUAL(layers.phases[i], "Verifying Checksum|Download complete|");
	}
	CU_ASSERT_EQUAL(layers.box.seen->unknown, 1); /* the manifest */
}

static bool wait_complete(struct layers *layers, size_t i)
{
	const struct timespec moment = { .tv_nsec = 10000000 };

	for (int n = 0; n < 1000 && !download_is_complete(layers->download, i); n++)
		nanosleep(&moment, NULL);
	return download_is_complete(layers->download, i);
}

static unsigned sum_hits(const struct layers *layers)
{
	unsigned hits = 0;

	for (size_t i = 0; i < layers->nr; i++)
		hits += layers->box.seen->hits[i];
	return hits;
}

/* Until so many requests were made. */
static void wait_hits(const struct layers *layers, unsigned hits)
{
	const struct timespec moment = { .tv_nsec = 10000000 };

	for (int n = 0; n < 1000 && sum_hits(layers) < hits; n++)
		nanosleep(&moment, NULL);
	CU_ASSERT(sum_hits(layers) >= hits);
}

static void test_three(void)
{
	const size_t lens[NR] = { 1000, 1000, 1000, 1000, 1000 };
	auto_layers struct layers layers = layers_new(lens, NR);
	const struct timespec moment = { .tv_nsec = 400000000 };

	for (size_t i = 0; i < NR; i++) {
		layers.pages[i].mischief = SILENT;
		layers.pages[i].at = 10;
	}
	layers_start(&layers, NULL);
	wait_hits(&layers, 3);
	/* A fourth one would come now, with a poll of the thread. */
	nanosleep(&moment, NULL);
	CU_ASSERT_EQUAL(sum_hits(&layers), 3);
}

/* Nobody reads the first: two others come, and what is unwanted does not. */
static void test_ahead(void)
{
	const size_t lens[NR] = { BIG_BYTES, BIG_BYTES, 1000, 1000, 1000 };
	const bool unwanted[NR] = { true, false, false, true, false };
	auto_layers struct layers layers = layers_new(lens, NR);

	layers.pages[4].mischief = SILENT;
	layers.pages[4].at = 10;
	layers_start(&layers, unwanted);
	download_begin(layers.download, 0);
	CU_ASSERT_TRUE(wait_complete(&layers, 1));
	CU_ASSERT_TRUE(wait_complete(&layers, 2));
	CU_ASSERT_FALSE(download_is_complete(layers.download, 0)); /* the ring is full */
	CU_ASSERT_EQUAL(layers.box.seen->hits[3], 0);
	check_layer(&layers, 0);
	download_end(layers.download, 0);
	check_layer(&layers, 1);
	download_end(layers.download, 1);
	download_end(layers.download, 2); /* unread */
	check_layer(&layers, 3);
	CU_ASSERT_EQUAL(layers.box.seen->hits[3], 1);
}

/* The same blob twice is fetched when its turn comes, if at all. */
static void test_twins(void)
{
	const size_t lens[2] = { 1000, 1000 };
	auto_layers struct layers layers = layers_new(lens, 2);

	layers.descs[1] = layers.descs[0];
	layers_start(&layers, NULL);
	CU_ASSERT_TRUE(wait_complete(&layers, 0));
	CU_ASSERT_EQUAL(layers.box.seen->hits[0], 1);
	check_layer(&layers, 0);
	CU_ASSERT_EQUAL(layers.box.seen->hits[0], 1);
}

static void test_resume(void)
{
	const size_t len = BIG_BYTES;
	auto_layers struct layers layers = layers_new(&len, 1);

	layers.pages[0].mischief = CUT;
	layers.pages[0].at = 2000000;
	layers_start(&layers, NULL);
	check_layer(&layers, 0);
	CU_ASSERT_EQUAL(layers.box.seen->hits[0], 5);
	CU_ASSERT_PTR_NOT_NULL(strstr(layers.box.seen->request[0], "Range: bytes=8000000-\r\n"));
	CU_ASSERT_TRUE(download_was_resumed(layers.download, 0));
	CU_ASSERT_PTR_NOT_NULL(strstr(layers.phases[0], "Retrying in 1 second|"));
	download_restart(layers.download, 0);
	{
		auto_buf struct buf bytes = { 0 };

		CU_ASSERT_EQUAL(read_begun(&layers, &bytes), 0);
		CU_ASSERT_EQUAL(bytes.len, len);
	}
}

/* A layer that waits in its file, its transfer cut, and goes on in memory. */
static void test_resume_waiting(void)
{
	const size_t lens[2] = { BIG_BYTES, BIG_BYTES };
	auto_layers struct layers layers = layers_new(lens, 2);

	layers.pages[1].mischief = CUT;
	layers.pages[1].at = BIG_BYTES / 3;
	layers_start(&layers, NULL);
	CU_ASSERT_TRUE(wait_complete(&layers, 1));
	check_all(&layers);
	CU_ASSERT(layers.box.seen->hits[1] >= 3);
}

static void test_mended(void)
{
	struct page page = { .mischief = CUT, .at = 1000, .times = 3 };

	check_mended(page, 100000, 4);
	page = (struct page){ .mischief = SILENT, .at = 0, .times = 1 };
	check_mended(page, 100000, 2);
	page = (struct page){ .mischief = STATUS, .status = 503, .times = 4 };
	check_mended(page, 1000, 5);
	page = (struct page){
		.mischief = STATUS, .status = 429, .extra = "Retry-After: 1", .times = 1
	};
	check_mended(page, 1000, 2);
}

/* The first answer is cut; the second is not what was asked for, and the third is. */
static void test_ranges(void)
{
	struct page page = { .cut_first = 500000, .mischief = NO_RANGE };

	check_mended(page, 3000000, 2);
	page.mischief = WRONG_RANGE;
	check_mended(page, 3000000, 3);
	page.mischief = STATUS;
	page.status = 416;
	page.times = 2;
	check_mended(page, 3000000, 3);
}

static void test_refused(void)
{
	refuse((struct page){ .mischief = TOO_SHORT }, 1000, ERR_CORRUPT,
	       "filesystem layer verification failed for digest sha256:");
	refuse((struct page){ .mischief = SHORT_CHUNKED }, 1000, ERR_CORRUPT,
	       "filesystem layer verification failed for digest sha256:");
	refuse((struct page){ .mischief = ENDLESS }, 1000, ERR_CORRUPT,
	       "filesystem layer verification failed for digest sha256:");
	refuse((struct page){ .mischief = HEADERS }, 1000, ERR_LIMIT, "bytes of headers");
	refuse((struct page){ .mischief = CUT, .at = 0 }, 1000, ERR_REMOTE, "download layer ");
	refuse((struct page){ .mischief = STATUS, .status = 503 }, 1000, ERR_REMOTE,
	       "received unexpected HTTP status: 503");
	refuse((struct page){ .mischief = STATUS, .status = 204 }, 1000, ERR_REMOTE,
	       "received unexpected HTTP status: 204");
	refuse((struct page){ .mischief = STATUS, .status = 404 }, 1000, ERR_NOT_FOUND, "404");
	refuse((struct page){ .mischief = STATUS, .status = 401 }, 1000, ERR_DENIED,
	       "unauthorized: authentication required");
	refuse((struct page){ .mischief = STATUS, .status = 429, .extra = "Retry-After: 3600" },
	       1000, ERR_REMOTE, "toomanyrequests");
}

static void test_foreign(void)
{
	const size_t len = 1000;
	auto_layers struct layers layers = layers_new(&len, 1);
	const struct page elsewhere[] = {
		{ .path = "/layer", .body = layers.bodies[0], .len = len }, { NULL }
	};
	auto_registrybox struct registrybox other = registry_start(elsewhere);
	auto_free char *gone = xasprintf("http://127.0.0.1:%d/gone", other.server.port);
	auto_free char *url = xasprintf("http://127.0.0.1:%d/layer", other.server.port);

	layers.pages[0].mischief = STATUS;
	layers.pages[0].status = 404;
	strlist_add(&layers.descs[0].urls, gone);
	strlist_add(&layers.descs[0].urls, url);
	layers_start(&layers, NULL);
	check_all(&layers);
	CU_ASSERT_EQUAL(layers.box.seen->hits[0], 1);
	CU_ASSERT_EQUAL(other.seen->unknown, 1);
	CU_ASSERT_EQUAL(other.seen->hits[0], 1);
	strlist_done(&layers.descs[0].urls);
}

static bool always(void)
{
	return true;
}

/* Freed in the midst of everything; and a reader that is told to stop. */
static void test_stop(void)
{
	const size_t lens[3] = { BIG_BYTES, BIG_BYTES, BIG_BYTES };

	for (int i = 0; i < 4; i++) {
		auto_layers struct layers layers = layers_new(lens, 3);
		const struct timespec moment = { .tv_nsec = i * 20000000 };
		char data[100];

		layers.pages[1].mischief = SILENT;
		layers.pages[1].at = 1000000;
		layers_start(&layers, NULL);
		download_begin(layers.download, 0);
		CU_ASSERT(download_read(layers.download, data, sizeof(data), &layers.err) > 0);
		nanosleep(&moment, NULL);
		if (i == 3)
			wait_hits(&layers, 3); /* the others are on their way */
		if (i == 1)
			download_end(layers.download, 0);
	}
	{
		const size_t len = 1000;
		auto_layers struct layers layers = layers_new(&len, 1);
		struct download_args args = { .layers = layers.descs,
					      .nr_layers = 1,
					      .folder_fd = layers.folder.fd,
					      .folder = ".",
					      .is_stopping = always };
		struct download *download = NULL;
		char data[100];

		layers.pages[0].mischief = SILENT;
		layers_start(&layers, NULL);
		args.registry = layers.registry;
		CU_ASSERT_EQUAL_FATAL(download_new(&args, &download, &layers.err), 0);
		download_begin(download, 0);
		CU_ASSERT_EQUAL(download_read(download, data, sizeof(data), &layers.err), -1);
		CU_ASSERT_EQUAL(layers.err.kind, ERR_CANCELLED);
		download_free(download);
	}
}

/* A mirror that does so, and how often the registry itself is asked for the layer. */
static void check_mirror(struct page changes, bool lies, unsigned requests)
{
	const size_t len = 3000000;
	auto_layers struct layers layers = layers_new(&len, 1);
	auto_buf struct buf bytes = { 0 };
	struct page pages[] = { changes, { .path = "/v2/x/manifests/1", .body = "{}" }, { NULL } };
	struct registrybox mirror;

	pages[0].path = layers.pages[0].path;
	pages[0].body = layers.pages[0].body;
	pages[0].len = len;
	mirror = registry_start(pages);
	layers.mirror_port = mirror.server.port;
	layers_start(&layers, NULL);
	if (lies) {
		download_begin(layers.download, 0);
		CU_ASSERT_EQUAL(read_begun(&layers, &bytes), 0);
		CU_ASSERT_TRUE(download_was_resumed(layers.download, 0));
		download_restart(layers.download, 0);
	}
	check_all(&layers);
	CU_ASSERT_EQUAL(layers.box.seen->hits[0], requests);
	CU_ASSERT_EQUAL(mirror.seen->hits[0], 1);
	registry_stop(&mirror);
}

static void test_mirror(void)
{
	check_mirror((struct page){ 0 }, false, 0);
	check_mirror((struct page){ .mischief = CUT, .at = 1000000 }, false, 1);
	check_mirror((struct page){ .mischief = STATUS, .status = 404 }, false, 1);
	check_mirror((struct page){ .mischief = STATUS, .status = 503 }, false, 1);
	check_mirror((struct page){ .mischief = STATUS,
				    .status = 401,
				    .extra = "WWW-Authenticate: Basic realm=\"x\"" },
		     false, 1);
	check_mirror((struct page){ .mischief = TOO_SHORT }, false, 1);
	check_mirror((struct page){ .mischief = SHORT_CHUNKED }, false, 1);
	check_mirror((struct page){ .mischief = OTHER_BYTES }, true, 1);
}

static void test_no_place(void)
{
	const size_t lens[2] = { 1000, 1000 };
	auto_layers struct layers layers = layers_new(lens, 2);

	/* No file can be made there. */
	close(layers.folder.fd);
	layers.folder.fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	layers_start(&layers, NULL);
	check_all(&layers);
	CU_ASSERT_EQUAL(layers.box.seen->hits[1], 1);
}

UNIT_SUITE(download, { "every byte of every layer", test_all }, { "three at a time", test_three },
	   { "others come while nobody reads the first", test_ahead },
	   { "a blob that is there twice", test_twins },
	   { "what is cut goes on where it ended", test_resume },
	   { "what is cut while it waits", test_resume_waiting },
	   { "what passes is tried again", test_mended },
	   { "ranges that are not what was asked", test_ranges },
	   { "what does not get better", test_refused }, { "a foreign layer", test_foreign },
	   { "what a mirror lacks comes from the registry", test_mirror },
	   { "an end at any moment", test_stop },
	   { "without a place to wait each comes at its turn", test_no_place });
