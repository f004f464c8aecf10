/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "layerbox.h"
#include "registry/credhelper.h"

#define HUB CREDENTIALS_HUB_KEY

/*
 * Helpers "test" and "other": they note what they were asked, and answer what lies in a file by
 * their name and the verb, with the status that is its first line.
 */
static const char helper[] =
	"#!/bin/sh\n"
	"{ printf '%s %s ' \"${0##*-}\" \"$*\"; cat; echo; } >>\"$BOX/asked\"\n"
	"test -e \"$BOX/${0##*-}.$1\" || exit 0\n"
	"{ read -r status; cat; } <\"$BOX/${0##*-}.$1\"\n"
	"exit \"$status\"\n";

static const char *const variables[] = { "PATH",
					 "BOX",
					 "HOME",
					 "DOCKER_AUTH_CONFIG",
					 "REGISTRY_AUTH_FILE",
					 "XDG_RUNTIME_DIR",
					 "XDG_CONFIG_HOME" };
#define NR_VARIABLES (sizeof(variables) / sizeof(*variables))

struct place {
	struct box box;
	char *config; /* the folder of config.json */
	char *before[NR_VARIABLES];
};

static void put_file(struct place *place, const char *name, const char *text)
{
	auto_fd int fd =
		openat(place->box.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static struct place place_new(void)
{
	struct place place = { .box = box_new() };
	auto_free char *path = xasprintf("%s:/usr/bin:/bin", place.box.path);

	for (size_t i = 0; i < NR_VARIABLES; i++) {
		place.before[i] = getenv(variables[i]) ? xstrdup(getenv(variables[i])) : NULL;
		unsetenv(variables[i]);
	}
	setenv("PATH", path, 1);
	setenv("BOX", place.box.path, 1);
	setenv("HOME", place.box.path, 1);
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	place.config = xasprintf("%s/docker", place.box.path);
	mkdirat(place.box.fd, "docker", 0755);
	put_file(&place, "docker-credential-test", helper);
	put_file(&place, "docker-credential-other", helper);
	return place;
}

static void place_done(struct place *place)
{
	for (size_t i = 0; i < NR_VARIABLES; i++) {
		if (place->before[i])
			setenv(variables[i], place->before[i], 1);
		else
			unsetenv(variables[i]);
		free(place->before[i]);
	}
	free(place->config);
	box_done(&place->box);
}
#define auto_place __attribute__((cleanup(place_done)))

/* What is found, as "user:password" or "token!", or "none", or the error. */
static char *found(struct place *place, const char *registry)
{
	auto_credentials struct credentials credentials = { 0 };
	struct error err = { 0 };

	if (credentials_find(place->config, registry, &credentials, &err) < 0)
		return xstrdup(err.text);
	if (credentials.identity_token)
		return xasprintf("%s!", credentials.identity_token);
	if (!credentials.username)
		return xstrdup("none");
	return xasprintf("%s:%s", credentials.username, credentials.password);
}

static void check_found(struct place *place, const char *registry, const char *expected)
{
	auto_free char *text = found(place, registry);

	CU_ASSERT_STRING_EQUAL(text, expected);
	if (strcmp(text, expected) != 0)
		printf("%s: %s ", registry, text);
}

/* An error that has each of two parts. */
static void check_error(struct place *place, const char *registry, const char *part,
			const char *other)
{
	auto_free char *text = found(place, registry);

	CU_ASSERT_PTR_NOT_NULL(strstr(text, part));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, other));
	if (!strstr(text, part) || !strstr(text, other))
		printf("%s: %s ", registry, text);
}

/* What the helpers were asked so far; they forget it. */
static void check_asked(struct place *place, const char *expected)
{
	check_content(&place->box, "asked", expected);
	unlinkat(place->box.fd, "asked", 0);
}

static void test_names_of_registries(void)
{
	auto_place struct place place = place_new();

	check_found(&place, "h", "none");
	put_file(&place, "docker/config.json",
		 "{\"auths\":{\"" HUB "\":{\"auth\":\"aHViOng=\"},"
		 "\"https://old:5000/v2/\":{\"auth\":\"b2xkOng=\"},\"h\":{\"auth\":\"aDp4\"}}}");
	check_found(&place, "docker.io", "hub:x");
	check_found(&place, "index.docker.io", "hub:x");
	check_found(&place, "registry-1.docker.io", "hub:x");
	check_found(&place, HUB, "hub:x");
	check_found(&place, "docker.io/library/debian", "hub:x");
	check_found(&place, "old:5000", "old:x");
	check_found(&place, "old", "none");
	check_found(&place, "h", "h:x");
	check_found(&place, "h/a/b", "h:x");
	check_found(&place, "https://h/v2/", "h:x");
	check_found(&place, "h:443", "none");
	check_found(&place, "evil-h", "none");
	put_file(&place, "docker/config.json",
		 "{\"auths\":{\"docker.io\":{\"auth\":\"aHViOng=\"}}}");
	check_found(&place, "docker.io", "hub:x");
}

static void test_order_of_places(void)
{
	auto_place struct place place = place_new();
	auto_free char *named = xasprintf("%s/named", place.box.path);

	mkdirat(place.box.fd, ".config", 0755);
	mkdirat(place.box.fd, ".config/containers", 0755);
	mkdirat(place.box.fd, "containers", 0755);
	put_file(&place, ".config/containers/auth.json", "{\"auths\":{\"h\":{\"auth\":\"YTp4\"}}}");
	check_found(&place, "h", "a:x");
	put_file(&place, "containers/auth.json", "{\"auths\":{\"h\":{\"auth\":\"Yjp4\"}}}");
	setenv("XDG_RUNTIME_DIR", place.box.path, 1);
	check_found(&place, "h", "b:x");
	put_file(&place, "named", "{\"auths\":{\"h\":{\"auth\":\"Yzp4\"}}}");
	setenv("REGISTRY_AUTH_FILE", named, 1);
	check_found(&place, "h", "c:x");
	check_found(&place, "g", "none");
	put_file(&place, "docker/config.json", "{\"auths\":{\"h\":{\"auth\":\"ZDp4\"}}}");
	check_found(&place, "h", "d:x");
	setenv("DOCKER_AUTH_CONFIG", "{\"auths\":{\"h\":{\"auth\":\"ZTp4\"}}}", 1);
	check_found(&place, "h", "e:x");
	setenv("DOCKER_AUTH_CONFIG", "{\"auths\":{}}", 1);
	check_found(&place, "h", "d:x");
	setenv("DOCKER_AUTH_CONFIG", "{\"credsStore\":\"test\"}", 1);
	check_found(&place, "h", "d:x");
	setenv("DOCKER_AUTH_CONFIG", "", 1);
	check_found(&place, "h", "d:x");
	setenv("DOCKER_AUTH_CONFIG", "{", 1);
	check_error(&place, "h", "DOCKER_AUTH_CONFIG: ", "line 1");
}

static void test_podmans_keys(void)
{
	auto_place struct place place = place_new();
	auto_free char *named = xasprintf("%s/named", place.box.path);

	setenv("REGISTRY_AUTH_FILE", named, 1);
	put_file(&place, "named",
		 "{\"auths\":{\"h\":{\"auth\":\"aDp4\"},\"h/a\":{\"auth\":\"YTp4\"},"
		 "\"h/a/b\":{\"auth\":\"Yjp4\"},\"docker.io\":{\"auth\":\"aHViOng=\"}}}");
	check_found(&place, "h", "h:x");
	check_found(&place, "h/c", "h:x");
	check_found(&place, "h/a/c/d", "a:x");
	check_found(&place, "h/a/b/d", "b:x");
	check_found(&place, "h/ab", "h:x");
	check_found(&place, "docker.io/library/debian", "hub:x");
	put_file(&place, "named", "{\"auths\":7}");
	check_error(&place, "h", named, "auths is not an object");
	/* One that nobody named is warned of, and not in the way. */
	unsetenv("REGISTRY_AUTH_FILE");
	setenv("XDG_CONFIG_HOME", place.box.path, 1);
	mkdirat(place.box.fd, "containers", 0755);
	put_file(&place, "containers/auth.json", "{\"auths\":7}");
	check_found(&place, "h", "none");
}

static void test_helpers_are_asked(void)
{
	auto_place struct place place = place_new();

	put_file(&place, "docker/config.json",
		 "{\"credsStore\":\"test\",\"credHelpers\":{\"o\":\"other\",\"plain\":\"\"},"
		 "\"auths\":{\"plain\":{\"auth\":\"cDp4\"},\"h\":{\"auth\":\"cDp4\"}}}");
	put_file(&place, "test.get",
		 "0\n{\"ServerURL\":\"" HUB "\",\"Username\":\"ann\",\"Secret\":\"s\"}\n");
	put_file(&place, "other.get", "0\n{\"Username\":\"<token>\",\"Secret\":\"t\"}");
	check_found(&place, "docker.io", "ann:s");
	check_asked(&place, "test get " HUB "\n");
	check_found(&place, "h", "ann:s");
	check_asked(&place, "test get h\n");
	check_found(&place, "o", "t!");
	check_asked(&place, "other get o\n");
	check_found(&place, "plain", "p:x");
	CU_ASSERT_EQUAL(faccessat(place.box.fd, "asked", F_OK, 0), -1);
	put_file(&place, "test.get", "1\ncredentials not found in native keychain\n");
	check_found(&place, "h", "none");
}

static void test_helpers_that_fail(void)
{
	static const char *const answers[] = {
		"0\n",
		"0\n[]",
		"0\n{}",
		"0\nc2Vj",
		"0\n{\"Username\":\"c2Vj\"}",
		"0\n{\"Username\":1,\"Secret\":\"c2Vj\"}",
		"0\n{\"Username\":\"a\",\"Secret\":\"c2Vj\",\"Secret\":\"c2Vj\"}",
		"0\n{\"Username\":\"a\",\"Secret\":\"c2Vj\\u0000\"}",
		"0\n{\"Username\":\"a\",\"Secret\":\"c2Vj\"",
		"1\nlocked",
		"7\n",
	};
	auto_place struct place place = place_new();

	put_file(&place, "docker/config.json", "{\"credsStore\":\"test\"}");
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		put_file(&place, "test.get", answers[i]);
		check_error(&place, "h", "error getting credentials", place.config);
		auto_free char *text = found(&place, "h");

		CU_ASSERT_PTR_NULL(strstr(text, "c2Vj"));
	}
	put_file(&place, "test.get", "1\nlocked");
	check_error(&place, "h", "exit status 1", "out: `locked`");
	put_file(&place, "docker/config.json", "{\"credsStore\":\"absent\"}");
	check_error(&place, "h", "docker-credential-absent", "No such file");
	put_file(&place, "docker/config.json", "{\"credsStore\":\"../docker-credential-test\"}");
	check_error(&place, "h", "is no name", "helper");
}

static void test_a_helper_has_bounds(void)
{
	auto_place struct place place = place_new();
	auto_credentials struct credentials credentials = { 0 };
	struct credhelper args = { "test", 300 };
	struct error err;

	put_file(&place, "docker-credential-test", "#!/bin/sh\nexec sleep 60\n");
	CU_ASSERT_EQUAL(credhelper_get(&args, "h", &credentials, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_IO);
	args.deadline_ms = 0;
	put_file(&place, "docker-credential-test", "#!/bin/sh\nexec cat /dev/zero\n");
	CU_ASSERT_EQUAL(credhelper_get(&args, "h", &credentials, &err), -1);
	CU_ASSERT_EQUAL(err.kind, ERR_LIMIT);
}

/* Any cut of an answer: an error, or none found. */
static void test_cut_answers(void)
{
	static const char whole[] = "0\n{\"Username\":\"a\\u00e9\",\"Secret\":\"c2Vj\"}";
	auto_place struct place place = place_new();

	put_file(&place, "docker/config.json", "{\"credsStore\":\"test\"}");
	for (size_t len = 2; len < sizeof(whole) - 1; len++) {
		auto_free char *cut = xasprintf("%.*s", (int)len, whole);

		put_file(&place, "test.get", cut);
		check_error(&place, "h", "error getting credentials", "invalid JSON");
	}
	put_file(&place, "test.get", whole);
	check_found(&place, "h", "a\xc3\xa9:c2Vj");
}

static void check_store(struct place *place, const char *registry, const char *token, bool plain)
{
	struct credentials credentials = { (char *)"ann", token ? NULL : (char *)"s\"x",
					   (char *)token };
	bool was_plain = !plain;
	struct error err = { 0 };

	CU_ASSERT_EQUAL(credentials_store(place->config, registry, &credentials, &was_plain, &err),
			0);
	CU_ASSERT_EQUAL(was_plain, plain);
}

static void test_store_in_the_file(void)
{
	auto_place struct place place = place_new();

	check_store(&place, "docker.io", NULL, true);
	check_store(&place, "docker.io", NULL, false); /* it is there already */
	check_content(&place.box, "docker/config.json",
		      "{\n\t\"auths\": {\n\t\t\"" HUB "\": {\n\t\t\t\"auth\": \"YW5uOnMieA==\"\n"
		      "\t\t}\n\t}\n}");
	check_store(&place, "h:1", "token", false);
	check_found(&place, "h:1", "token!");
	check_found(&place, "docker.io", "ann:s\"x");
}

static void test_store_in_a_helper(void)
{
	auto_place struct place place = place_new();
	struct credentials credentials = { (char *)"ann", (char *)"c2Vj", NULL };
	struct error err = { 0 };
	bool plain;

	put_file(&place, "docker/config.json",
		 "{\"credsStore\":\"test\",\"auths\":{\"h\":{\"auth\":\"cDp4\"}}}");
	check_store(&place, "h", NULL, false);
	check_asked(&place, "test store {\"ServerURL\":\"h\",\"Username\":\"ann\","
			    "\"Secret\":\"s\\\"x\"}\n");
	check_content(&place.box, "docker/config.json",
		      "{\n\t\"credsStore\": \"test\",\n\t\"auths\": {\n\t\t\"h\": {}\n\t}\n}");
	check_store(&place, "h", "token", false);
	check_asked(&place, "test store {\"ServerURL\":\"h\",\"Username\":\"<token>\","
			    "\"Secret\":\"token\"}\n");
	put_file(&place, "test.store", "1\ncannot keep c2Vj\n");
	CU_ASSERT_EQUAL(credentials_store(place.config, "h", &credentials, &plain, &err), -1);
	CU_ASSERT_STRING_EQUAL(err.text,
			       "error storing credentials - err: exit status 1, out: `***`");
}

static void check_erase(struct place *place, const char *server, int nr, const char *problem)
{
	auto_strlist struct strlist problems = { 0 };

	CU_ASSERT_EQUAL(credentials_erase(place->config, server, &problems), nr);
	CU_ASSERT_EQUAL(problems.nr != 0, problem != NULL);
	if (problems.nr && problem)
		CU_ASSERT_PTR_NOT_NULL(strstr(problems.items[0], problem));
}

static void test_erase(void)
{
	auto_place struct place place = place_new();

	check_erase(&place, "h", 3, NULL);
	check_tree(&place.box, "docker/ docker-credential-other docker-credential-test");
	put_file(&place, "docker/config.json",
		 "{\"auths\":{\"h\":{},\"https://h\":{},\"http://h\":{},\"https://h/v1/\":{},"
		 "\"g\":{},\"" HUB "\":{}}}");
	check_erase(&place, "https://h/v1/", 4, NULL);
	check_content(&place.box, "docker/config.json",
		      "{\n\t\"auths\": {\n\t\t\"g\": {},\n\t\t\"" HUB "\": {}\n\t}\n}");
	check_erase(&place, HUB, 1, NULL);
	check_content(&place.box, "docker/config.json", "{\n\t\"auths\": {\n\t\t\"g\": {}\n\t}\n}");
	put_file(&place, "docker/config.json", "{\"credsStore\":\"test\",\"auths\":{\"h\":{}}}");
	put_file(&place, "test.erase", "1\ncredentials not found in native keychain\n");
	check_erase(&place, "h", 3, NULL);
	check_asked(&place, "test erase h\ntest erase http://h\ntest erase https://h\n");
	put_file(&place, "test.erase", "1\nlocked\n");
	check_erase(&place, "h", 0,
		    "h: error erasing credentials - err: exit status 1, out: `locked`");
	put_file(&place, "docker/config.json", "{");
	check_erase(&place, "h", 0, "line 1");
	check_content(&place.box, "docker/config.json", "{");
}

static void test_no_core_dump_while_held(void)
{
	auto_place struct place place = place_new();
	struct credentials credentials = { 0 };
	struct error err;

	put_file(&place, "docker/config.json", "{\"auths\":{\"h\":{\"auth\":\"aDp4\"}}}");
	CU_ASSERT_EQUAL(credentials_find(place.config, "g", &credentials, &err), 0);
	CU_ASSERT_EQUAL(prctl(PR_GET_DUMPABLE), 1);
	CU_ASSERT_EQUAL(credentials_find(place.config, "h", &credentials, &err), 0);
	CU_ASSERT_EQUAL(prctl(PR_GET_DUMPABLE), 0);
	credentials_done(&credentials);
	CU_ASSERT_EQUAL(prctl(PR_GET_DUMPABLE), 1);
	CU_ASSERT_PTR_NULL(credentials.password);
	credentials_done(&credentials);
}

UNIT_SUITE(credentials, { "a registry has several names", test_names_of_registries },
	   { "places come in an order", test_order_of_places },
	   { "podman's keys may have a path", test_podmans_keys },
	   { "helpers are asked", test_helpers_are_asked },
	   { "helpers that fail say so, without secrets", test_helpers_that_fail },
	   { "a helper has bounds", test_a_helper_has_bounds },
	   { "an answer that is cut", test_cut_answers },
	   { "stored in the file", test_store_in_the_file },
	   { "stored in a helper", test_store_in_a_helper },
	   { "erased under every name", test_erase },
	   { "no core dump while credentials are held", test_no_core_dump_while_held });
