/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload.h"

#include <sys/mman.h>
#include <time.h>

#include "base/io.h"
#include "layerbox.h"
#include "oci/reference.h"
#include "registry/put.h"
#include "registrybox.h"
#include "uploadbox.h"

#define BIG   ((size_t)5 * 1024 * 1024 + 17)
#define SMALL ((size_t)1000)
#define BASIC "\r\nAuthorization: Basic bWU6c2VjcmV0\r\n"

/* One blob for one registry. */
struct scene {
	struct uploadbox box;
	struct registry *registry;
	struct upload *upload;
	struct upload_known known;
	struct upload_item item;
	char *bytes;
	size_t len;
	char phases[512];
	struct error err;
};

static void on_phase(void *ctx, size_t item, const char *phase, uint64_t done, uint64_t total)
{
	struct scene *scene = ctx;
	size_t len = strlen(scene->phases);

	CU_ASSERT_EQUAL(item, 0);
	if (strcmp(phase, "Pushing") == 0) {
		CU_ASSERT_TRUE(done <= total && total == scene->len);
		return;
	}
	snprintf(scene->phases + len, sizeof(scene->phases) - len, "%s|", phase);
}

/* config.json with me:secret for the port. */
static struct box config_for(int port)
{
	struct box box = box_new();
	auto_fd int fd = openat(box.fd, "config.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	dprintf(fd, "{\"auths\":{\"127.0.0.1:%d\":{\"auth\":\"bWU6c2VjcmV0\"}}}", port);
	return box;
}

static void open_registry(struct scene *scene, bool with_password)
{
	auto_free char *name = xasprintf("127.0.0.1:%d/x:1", scene->box.server.port);
	auto_box struct box config = config_for(scene->box.server.port);
	auto_reference struct reference ref = { 0 };
	const struct registry_options options = {
		.docker_config_dir = with_password ? config.path : NULL,
		.pause_ms = 1,
		.limits.stall_seconds = 3,
		.push = true,
	};

	CU_ASSERT_EQUAL_FATAL(reference_parse(name, &ref, &scene->err), 0);
	CU_ASSERT_EQUAL_FATAL(registry_open(&options, &ref, &scene->registry, &scene->err), 0);
	CU_ASSERT_EQUAL_FATAL(registry_meet(scene->registry, &scene->err), 0);
}

static void scene_begin(struct scene *scene, const struct uploadbox_play *play, size_t len,
			bool with_password)
{
	uint32_t x = 7;

	*scene = (struct scene){ .box = uploadbox_start(play), .len = len };
	open_registry(scene, with_password);
	scene->bytes = xmalloc(len + 1);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		scene->bytes[i] = (char)(x >> 24);
	}
	digest_of(scene->bytes, len, &scene->known.digest);
	scene->known.size = len;
	scene->item = (struct upload_item){ &scene->known, 1 };
}

static void scene_done(struct scene *scene)
{
	upload_free(scene->upload);
	registry_free(scene->registry);
	uploadbox_stop(&scene->box);
	free(scene->bytes);
}
#define auto_scene __attribute__((cleanup(scene_done)))

static int give(struct scene *scene)
{
	int fd = memfd_create("blob", MFD_CLOEXEC);

	CU_ASSERT_EQUAL(io_write(fd, scene->bytes, scene->len, &scene->err), 0);
	upload_give(scene->upload, 0, fd, &scene->known.digest, scene->len);
	return 0;
}

/* Returns how often bytes were asked for, or -1. */
static int run(struct scene *scene, uint64_t chunk)
{
	const struct upload_args args = {
		.registry = scene->registry,
		.items = &scene->item,
		.nr_items = 1,
		.chunk_bytes = chunk,
		.on_phase = on_phase,
		.ctx = scene,
	};
	int nr = 0, got;
	size_t at;

	CU_ASSERT_EQUAL_FATAL(upload_new(&args, &scene->upload, &scene->err), 0);
	while ((got = upload_next(scene->upload, &at, &scene->err)) > 0)
		nr += 1 + give(scene);
	return got < 0 ? -1 : nr;
}

static bool has_arrived(const struct scene *scene)
{
	const struct uploadbox_seen *seen = scene->box.seen;

	return strcmp(seen->done, scene->known.digest.text) == 0 &&
	       seen->done_bytes == scene->len && memcmp(seen->data, scene->bytes, scene->len) == 0;
}

static bool asked(const struct scene *scene, enum uploadbox_method method, const char *text)
{
	return strcasestr(scene->box.seen->request[method], text);
}

/* It arrives, in spite of all. */
static void arrives(const struct uploadbox_play *play, size_t len, uint64_t chunk,
		    struct scene *ret)
{
	scene_begin(ret, play, len, false);
	if (run(ret, chunk) != 1)
		printf("%s ", ret->err.text);
	CU_ASSERT_TRUE(has_arrived(ret));
	CU_ASSERT_PTR_NOT_NULL(strstr(ret->phases, "Pushed|"));
}

static void fails(const struct uploadbox_play *play, enum err_kind kind, const char *text,
		  struct scene *ret)
{
	scene_begin(ret, play, BIG, false);
	CU_ASSERT_EQUAL(run(ret, 0), -1);
	CU_ASSERT_EQUAL(ret->err.kind, kind);
	CU_ASSERT_PTR_NOT_NULL(strstr(ret->err.text, text));
	if (!strstr(ret->err.text, text))
		printf("%s ", ret->err.text);
	CU_ASSERT_STRING_EQUAL(ret->box.seen->done, "");
}

static void refuse(struct uploadbox_play play, enum err_kind kind, const char *text)
{
	auto_scene struct scene scene = { 0 };

	fails(&play, kind, text, &scene);
}

static void test_sends(void)
{
	const struct uploadbox_play play = { 0 };

	for (int i = 0; i < 3; i++) {
		auto_scene struct scene scene = { 0 };
		const struct uploadbox_seen *seen;

		arrives(&play, i == 2 ? 0 : i ? BIG : SMALL, 0, &scene);
		seen = scene.box.seen;
		CU_ASSERT_EQUAL(seen->hits[HEAD], 1);
		CU_ASSERT_EQUAL(seen->hits[POST], 1);
		CU_ASSERT_EQUAL(seen->hits[PATCH], i == 1 ? 1 : 0);
		CU_ASSERT_EQUAL(seen->hits[PUT], 1);
		CU_ASSERT_EQUAL(seen->hits[DELETE], 0);
		/* The Location of the last answer, with its query. */
		CU_ASSERT_TRUE(
			asked(&scene, PUT, i == 1 ? "?state=3&digest=" : "?state=2&digest="));
		CU_ASSERT_FALSE(asked(&scene, PATCH, "Content-Range"));
		CU_ASSERT_STRING_EQUAL(scene.phases, "Pushed|");
	}
}

static void test_is_there(void)
{
	struct uploadbox_play play = { .has_blobs = true };
	auto_scene struct scene scene = { 0 }, other = { 0 };

	scene_begin(&scene, &play, SMALL, false);
	CU_ASSERT_EQUAL(run(&scene, 0), 0);
	CU_ASSERT_STRING_EQUAL(scene.phases, "Layer already exists|");
	CU_ASSERT_EQUAL(scene.box.seen->all, 1);
	/* One of another length is another one. */
	play.wrong_length = 17;
	scene_begin(&other, &play, SMALL, false);
	CU_ASSERT_EQUAL(run(&other, 0), 1);
	CU_ASSERT_TRUE(has_arrived(&other));
}

static void test_head_refused(void)
{
	static const int statuses[] = { 405, 403, 400, 501 };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses) - 1; i++) {
		const struct uploadbox_play play = { .head_status = statuses[i] };
		auto_scene struct scene scene = { 0 };

		arrives(&play, SMALL, 0, &scene);
	}
}

static void test_mounts(void)
{
	static const int statuses[] = { 201, 202, 404, 405 };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		const struct uploadbox_play play = { .mount_status = statuses[i] };
		auto_scene struct scene scene = { 0 };
		const struct uploadbox_seen *seen;

		scene_begin(&scene, &play, BIG, false);
		scene.known.mount_from = "other/repo";
		CU_ASSERT_EQUAL(run(&scene, 0), i > 0);
		seen = scene.box.seen;
		CU_ASSERT_STRING_EQUAL(scene.phases, i ? "Pushed|" : "Mounted from other/repo|");
		/* The session that came instead of the mount is gone on with. */
		CU_ASSERT_EQUAL(seen->hits[POST], i < 2 ? 1 : 2);
		CU_ASSERT_EQUAL(seen->hits[PATCH], i > 0);
		CU_ASSERT_TRUE(i >= 2 || asked(&scene, POST, "&from=other%2Frepo "));
		CU_ASSERT_TRUE(i == 0 || has_arrived(&scene));
	}
}

static void test_cuts(void)
{
	for (int forgets = 0; forgets < 2; forgets++) {
		const struct uploadbox_play play = { .cut_at = BIG / 2, .forgets = forgets };
		auto_scene struct scene scene = { 0 };

		arrives(&play, BIG, 0, &scene);
		CU_ASSERT_EQUAL(scene.box.seen->cuts, 1);
		CU_ASSERT_EQUAL(scene.box.seen->hits[GET], 1);
		CU_ASSERT_EQUAL(scene.box.seen->hits[POST], forgets ? 2 : 1);
		CU_ASSERT_EQUAL(asked(&scene, PATCH, "Content-Range: "), !forgets);
	}
}

static void test_lost_answer(void)
{
	const struct uploadbox_play play = { .cut_put = true };
	auto_scene struct scene scene = { 0 };

	arrives(&play, BIG, 0, &scene);
	CU_ASSERT_EQUAL(scene.box.seen->hits[PUT], 1);
	CU_ASSERT_EQUAL(scene.box.seen->hits[HEAD], 2);
}

static void test_other_range(void)
{
	const struct uploadbox_play play = { .hides = true };
	auto_scene struct scene scene = { 0 };

	arrives(&play, BIG, 0, &scene);
	CU_ASSERT_EQUAL(scene.box.seen->hits[GET], 1);
	CU_ASSERT_EQUAL(scene.box.seen->hits[PATCH], 2);
}

static void test_chunks(void)
{
	const struct uploadbox_play plain = { 0 };
	const struct uploadbox_play wide = { .chunk_min = "OCI-Chunk-Min-Length: 3000000\r\n" };
	const struct uploadbox_play small = { .max_bytes = (size_t)16 * 1024 * 1024 };
	auto_scene struct scene one = { 0 }, two = { 0 }, three = { 0 };
	auto_free char *last = xasprintf("Content-Range: 4194304-%zu\r\n", BIG - 1);

	arrives(&plain, BIG, 1024 * 1024, &one);
	CU_ASSERT_EQUAL(one.box.seen->hits[PATCH], 6);
	arrives(&plain, BIG, 2 * 1024 * 1024, &two);
	CU_ASSERT_TRUE(asked(&two, PATCH, last));
	scene_done(&two);
	arrives(&wide, BIG, 1024 * 1024, &two);
	CU_ASSERT_EQUAL(two.box.seen->hits[PATCH], 2);
	/* Who refuses so much at once gets less. */
	arrives(&small, (size_t)20 * 1024 * 1024, 0, &three);
	CU_ASSERT_EQUAL(three.box.seen->hits[PATCH], 3);
	CU_ASSERT_EQUAL(three.box.seen->hits[POST], 2);
}

static void test_lies(void)
{
	refuse((struct uploadbox_play){ .begin_status = 200 }, ERR_REMOTE,
	       "the registry answers with status 200 where 202 is due");
	refuse((struct uploadbox_play){ .begin_status = 201 }, ERR_REMOTE, "status 201 where 202");
	refuse((struct uploadbox_play){ .put_status = 202 }, ERR_REMOTE,
	       "the registry answers with status 202 where 201 is due");
	refuse((struct uploadbox_play){ .claims = (int64_t)BIG + 1 }, ERR_REMOTE,
	       "the registry claims to have more bytes than were sent");
	refuse((struct uploadbox_play){ .claims = 1 }, ERR_REMOTE, "less than was sent");
	refuse((struct uploadbox_play){ .session = "ftp://x" }, ERR_REMOTE,
	       "sends us on to no address");
	refuse((struct uploadbox_play){ .session = "http://me:secret@127.0.0.1" }, ERR_REMOTE,
	       "an address with a user's name");
	refuse((struct uploadbox_play){ .begin_status = 403 }, ERR_DENIED,
	       "denied: requested access to the resource is denied");
	refuse((struct uploadbox_play){ .begin_status = 307 }, ERR_REMOTE,
	       "received unexpected HTTP status: 307");
	refuse((struct uploadbox_play){ .patch_status = 400 }, ERR_REMOTE, "HTTP status: 400");
}

/* Nothing that was begun is left at the registry. */
static void test_farewell(void)
{
	const struct uploadbox_play play = { .put_status = 400 };
	auto_scene struct scene scene = { 0 };

	fails(&play, ERR_REMOTE, "HTTP status: 400", &scene);
	upload_free(take_ptr(scene.upload));
	CU_ASSERT_EQUAL(scene.box.seen->hits[DELETE], 1);
	CU_ASSERT_TRUE(asked(&scene, DELETE, "?state="));
}

static void test_patience(void)
{
	const struct uploadbox_play busy = { .busy = 4, .busy_more = "" };
	const struct uploadbox_play later = { .busy = 1, .busy_more = "Retry-After: 1\r\n" };
	const struct uploadbox_play never = { .busy = 1000, .busy_more = "Retry-After: 3600\r\n" };
	auto_scene struct scene one = { 0 }, two = { 0 };
	struct timespec before, after;

	arrives(&busy, SMALL, 0, &one);
	CU_ASSERT_EQUAL(one.box.seen->hits[HEAD], 5);
	clock_gettime(CLOCK_MONOTONIC, &before);
	arrives(&later, SMALL, 0, &two);
	clock_gettime(CLOCK_MONOTONIC, &after);
	CU_ASSERT((after.tv_sec - before.tv_sec) * 1000 +
			  (after.tv_nsec - before.tv_nsec) / 1000000 >=
		  900);
	CU_ASSERT_PTR_NOT_NULL(strstr(two.phases, "Retrying in 1 second|"));
	refuse(never, ERR_REMOTE, "toomanyrequests: too many requests");
}

/* The session is on another host, which is not told who we are, whatever it asks. */
static void test_other_host(void)
{
	const struct page tokens[] = { { .path = "/t", .body = "{\"token\":\"tok\"}" }, { NULL } };
	auto_registrybox struct registrybox realm = registry_start(tokens);
	auto_free char *bearer = xasprintf(
		"WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%d/t\"\r\n", realm.server.port);
	struct uploadbox_play there = { 0 }, here = { 0 };
	auto_free char *session = NULL;

	for (int i = 0; i < 2; i++) {
		auto_uploadbox struct uploadbox other = { 0 };
		auto_scene struct scene scene = { 0 };

		there.authorization = i ? "nobody has this" : NULL;
		there.challenge = bearer;
		other = uploadbox_start(&there);
		other.seen->open = true;
		free(session);
		session = xasprintf("http://127.0.0.1:%d", other.server.port);
		here.session = session;
		here.authorization = BASIC;
		here.challenge = "WWW-Authenticate: Basic realm=\"x\"\r\n";
		scene_begin(&scene, &here, BIG, true);
		CU_ASSERT_EQUAL(run(&scene, 0), i ? -1 : 1);
		CU_ASSERT_TRUE(asked(&scene, POST, BASIC));
		CU_ASSERT_EQUAL(other.seen->hits[PATCH], 1);
		CU_ASSERT_PTR_NULL(strcasestr(other.seen->request[PATCH], "authorization"));
		CU_ASSERT_PTR_NULL(strcasestr(other.seen->request[PUT], "authorization"));
		CU_ASSERT_STRING_EQUAL(other.seen->done, i ? "" : scene.known.digest.text);
		CU_ASSERT_TRUE(i == 0 || scene.err.kind == ERR_DENIED);
		CU_ASSERT_EQUAL(realm.seen->hits[0] + realm.seen->unknown, 0);
	}
}

/* The registry wants a token for what we are about to do; a mount needs one for the other, too. */
static void test_scopes(void)
{
	static const char own[] = "scope=repository%3Ax%3Apull%2Cpush";
	static const char both[] =
		"scope=repository%3Ax%3Apull%2Cpush&scope=repository%3Aother%2Frepo%3Apull";
	const char *const formats[] = { "/t?service=s&%s", "/t?service=s&%s&account=me" };

	for (int password = 0; password < 2; password++) {
		auto_free char *one = xasprintf(formats[password], own);
		auto_free char *two = xasprintf(formats[password], both);
		const struct page pages[] = { { .path = one, .body = "{\"token\":\"tok\"}" },
					      { .path = two, .body = "{\"token\":\"tok\"}" },
					      { NULL } };
		auto_registrybox struct registrybox realm = registry_start(pages);
		auto_free char *challenge =
			xasprintf("WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%d/t\","
				  "service=\"s\",scope=\"repository:x:pull\"\r\n",
				  realm.server.port);
		const struct uploadbox_play play = { .authorization =
							     "\r\nAuthorization: Bearer tok\r\n",
						     .challenge = challenge };
		auto_scene struct scene scene = { 0 };

		scene_begin(&scene, &play, BIG, password);
		scene.known.mount_from = "other/repo";
		CU_ASSERT_EQUAL(run(&scene, 0), 1);
		CU_ASSERT_TRUE(has_arrived(&scene));
		CU_ASSERT_EQUAL(realm.seen->hits[0], 1);
		CU_ASSERT_EQUAL(realm.seen->hits[1], 1);
		CU_ASSERT_EQUAL(realm.seen->unknown, 0);
		CU_ASSERT_EQUAL(strstr(realm.seen->request[1], "Authorization: Basic") != NULL,
				password);
		/* With what is known each is asked once. */
		CU_ASSERT_EQUAL(scene.box.seen->hits[HEAD], 2);
		CU_ASSERT_EQUAL(scene.box.seen->hits[POST], 2);
		CU_ASSERT_EQUAL(scene.box.seen->hits[PATCH], 1);
	}
}

static void test_manifest(void)
{
	const struct buf bytes = { (char *)"{}", 2, 3 };
	struct page page = {
		.path = "/v2/x/manifests/1", .mischief = STATUS, .status = 201, .times = 0
	};

	for (int i = 0; i < 3; i++) {
		auto_registrybox struct registrybox box = { 0 };
		auto_free char *name = NULL;
		auto_reference struct reference ref = { 0 };
		auto_registry struct registry *registry = NULL;
		const struct registry_options options = { .pause_ms = 1, .push = true };
		struct error err;

		page.status = i == 0 ? 201 : i == 1 ? 202 : 400;
		page.text = i == 2 ? "{\"errors\":[{\"code\":\"MANIFEST_BLOB_UNKNOWN\","
				     "\"message\":\"blob unknown to registry\"}]}"
				   : "";
		const struct page pages[] = { page, { NULL } };

		box = registry_start(pages);
		name = xasprintf("127.0.0.1:%d/x:1", box.server.port);
		CU_ASSERT_EQUAL_FATAL(reference_parse(name, &ref, &err), 0);
		CU_ASSERT_EQUAL_FATAL(registry_open(&options, &ref, &registry, &err), 0);
		CU_ASSERT_EQUAL_FATAL(registry_meet(registry, &err), 0);
		CU_ASSERT_EQUAL(put_manifest(registry, "1", "application/x", &bytes, &err),
				i ? -1 : 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(box.seen->request[0], "PUT /v2/x/manifests/1 "));
		CU_ASSERT_PTR_NOT_NULL(strstr(box.seen->request[0], "Content-Type: application/x"));
		CU_ASSERT_TRUE(i != 1 || strstr(err.text, "status 202 where 201 is due"));
		CU_ASSERT_TRUE(i != 2 || strstr(err.text, "manifest blob unknown: blob unknown"));
	}
}

UNIT_SUITE(upload, { "a blob is sent at once or streamed", test_sends },
	   { "what is there is not sent", test_is_there },
	   { "who may not look may still write", test_head_refused },
	   { "another repository's blob is mounted, or sent", test_mounts },
	   { "what is cut goes on where it ended, or anew", test_cuts },
	   { "an answer that was lost is asked for", test_lost_answer },
	   { "the registry may want another range", test_other_range },
	   { "chunks, their least length, and who wants them", test_chunks },
	   { "lies are refused", test_lies }, { "a session is ended", test_farewell },
	   { "a busy registry is asked again", test_patience },
	   { "another host is not told who we are", test_other_host },
	   { "a token for each set of rights", test_scopes },
	   { "a manifest is put", test_manifest });
