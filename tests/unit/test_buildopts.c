/* SPDX-License-Identifier: Apache-2.0 */
#include "buildopts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "unit.h"

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* A command line of build, read; result is -1 with err, or 0. */
struct line {
	struct build_opts opts;
	struct opts_words words;
	struct buildopts build;
	struct error err;
	int result;
};

static void line_done(struct line *line)
{
	buildopts_done(&line->build);
	opts_done(build_options_table, &line->opts);
	opts_words_done(&line->words);
}
#define auto_line __attribute__((cleanup(line_done)))

static void read_line(struct line *line, const char *const *argv, bool on_terminal)
{
	struct cli cli = { 0 };

	*line = (struct line){ 0 };
	CU_ASSERT_EQUAL_FATAL(
		opts_parse(build_options_table, false, argv, &line->opts, &line->words, &line->err),
		0);
	CU_ASSERT_EQUAL_FATAL(line->words.nr, 1);
	cli.words = line->words.items;
	cli.nr_words = line->words.nr;
	line->result = buildopts_read(&cli, &line->opts, on_terminal, &line->build, &line->err);
}

static void refuse(const char *const *argv, enum err_kind kind, const char *text)
{
	auto_line struct line line;

	read_line(&line, argv, false);
	CU_ASSERT_EQUAL_FATAL(line.result, -1);
	CU_ASSERT_EQUAL(line.err.kind, kind);
	CU_ASSERT_STRING_EQUAL(line.err.text, text);
}

static void test_a_line_becomes_options(void)
{
	auto_line struct line line;
	const struct build_options *options = &line.build.options;

	read_line(&line,
		  ARGV("-t", "a/b:1", "--tag=c", "-f", "other", "--build-arg", "A=1", "--build-arg",
		       "B", "--label", "k=v", "--label", "empty", "--target", "x", "--no-cache",
		       "--network", "none", "--shm-size", "64m", "--ulimit", "nofile=10:20",
		       "--add-host", "h:10.0.0.1", "--platform", "linux/amd64", "--build-context",
		       "dep=/", "--rm", "--force-rm=false", "--load", "--provenance=false", "/"),
		  false);
	CU_ASSERT_EQUAL_FATAL(line.result, 0);
	CU_ASSERT_STRING_EQUAL(options->context, "/");
	CU_ASSERT_STRING_EQUAL(options->file, "other");
	CU_ASSERT_EQUAL_FATAL(options->tags.nr, 2);
	CU_ASSERT_STRING_EQUAL(options->tags.items[1], "c");
	CU_ASSERT_EQUAL(options->build_args.nr, 2);
	CU_ASSERT_EQUAL_FATAL(options->labels.nr, 2);
	CU_ASSERT_STRING_EQUAL(options->labels.items[0], "k=v");
	CU_ASSERT_STRING_EQUAL(options->labels.items[1], "empty=");
	CU_ASSERT_STRING_EQUAL(options->target, "x");
	CU_ASSERT_STRING_EQUAL(options->platform, "linux/amd64");
	CU_ASSERT_TRUE(options->no_cache);
	CU_ASSERT_TRUE(options->own_network);
	CU_ASSERT_EQUAL(options->shm_bytes, 64 * 1024 * 1024);
	CU_ASSERT_EQUAL(json_array_size(options->rlimits), 1);
	CU_ASSERT_EQUAL(options->add_host.nr, 1);
	CU_ASSERT_EQUAL(options->contexts.nr, 1);
	CU_ASSERT_EQUAL(options->nr_secrets, 0);
}

static void test_without_options_there_are_defaults(void)
{
	auto_line struct line line;
	const struct build_options *options = &line.build.options;

	unsetenv("DOCKER_DEFAULT_PLATFORM");
	read_line(&line, ARGV("-"), false);
	CU_ASSERT_EQUAL_FATAL(line.result, 0);
	CU_ASSERT_PTR_NULL(options->context);
	CU_ASSERT_EQUAL(options->stdin_fd, STDIN_FILENO);
	CU_ASSERT_PTR_NULL(options->file);
	CU_ASSERT_PTR_NULL(options->target);
	CU_ASSERT_PTR_NULL(options->platform);
	CU_ASSERT_PTR_NULL(options->rlimits);
	CU_ASSERT_EQUAL(options->shm_bytes, 0);
	CU_ASSERT_FALSE(options->own_network);
}

static void test_contexts_that_there_are_not(void)
{
	refuse(ARGV("/no/such"), ERR_NOT_FOUND,
	       "unable to prepare context: path \"/no/such\" not found");
	refuse(ARGV("/dev/null"), ERR_NOT_FOUND,
	       "unable to prepare context: path \"/dev/null\" not found");
	refuse(ARGV("-f", "-", "-"), ERR_USAGE,
	       "invalid argument: can't use stdin for both build context and dockerfile");
	refuse(ARGV("https://x/y.tar"), ERR_UNSUPPORTED,
	       "cannot build from a URL: download 'https://x/y.tar' and build from the folder, or "
	       "from STDIN");
	refuse(ARGV("github.com/x/y"), ERR_UNSUPPORTED,
	       "cannot build from a git repository: clone 'github.com/x/y' and build from the "
	       "folder");
	refuse(ARGV("-f", "http://x/y", "/"), ERR_UNSUPPORTED,
	       "cannot read a Dockerfile from a URL: download 'http://x/y' first");
	refuse(ARGV("--build-context", "x", "/"), ERR_USAGE,
	       "invalid context value: x, expected key=value");
	refuse(ARGV("--build-context", "X=/", "/"), ERR_USAGE,
	       "invalid context name X: invalid reference format: repository name (library/X) "
	       "must be lowercase");
	refuse(ARGV("--build-context", "x=docker-image://y", "/"), ERR_UNSUPPORTED,
	       "--build-context x=docker-image://y is not supported: only folders are");
	refuse(ARGV("--build-context", "x=/no/such", "/"), ERR_NOT_FOUND,
	       "failed to get build context x: path \"/no/such\" not found");
}

static void test_cache_from_names_images(void)
{
	auto_line struct line line;
	const struct strlist *names = &line.build.options.cache_from;

	read_line(&line,
		  ARGV("--cache-from", "a:1,r.example/b", "--cache-from=type=registry,ref=c:2",
		       "--cache-from", "ref=d,Type=registry,mode=max", "--cache-from",
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/"),
		  false);
	CU_ASSERT_EQUAL_FATAL(line.result, 0);
	CU_ASSERT_EQUAL_FATAL(names->nr, 5);
	CU_ASSERT_STRING_EQUAL(names->items[0], "a:1");
	CU_ASSERT_STRING_EQUAL(names->items[1], "r.example/b");
	CU_ASSERT_STRING_EQUAL(names->items[2], "c:2");
	CU_ASSERT_STRING_EQUAL(names->items[3], "d");
	refuse(ARGV("--cache-from", "type=gha", "/"), ERR_UNSUPPORTED,
	       "--cache-from type=gha is not supported: name an image, alone or as "
	       "\"type=registry,ref=NAME\"");
	refuse(ARGV("--cache-from", "type=local,src=/x", "/"), ERR_UNSUPPORTED,
	       "--cache-from type=local is not supported: name an image, alone or as "
	       "\"type=registry,ref=NAME\"");
	refuse(ARGV("--cache-from", "ref=x", "/"), ERR_USAGE,
	       "type required in --cache-from ref=x: only \"type=registry\" is there");
	refuse(ARGV("--cache-from", "type=registry,ref=", "/"), ERR_USAGE,
	       "ref required in --cache-from type=registry,ref=");
	refuse(ARGV("--cache-from", "type=registry,x", "/"), ERR_USAGE,
	       "invalid value x in --cache-from type=registry,x");
	refuse(ARGV("--cache-from", "", "/"), ERR_USAGE, "invalid --cache-from '': EOF");
	refuse(ARGV("--cache-from", "a,B", "/"), ERR_USAGE,
	       "invalid --cache-from 'B': invalid reference format: repository name (library/B) "
	       "must be lowercase");
}

static void test_names_are_checked_before_the_work(void)
{
	refuse(ARGV("-t", "UPPER", "/"), ERR_USAGE,
	       "invalid tag \"UPPER\": invalid reference format: repository name (library/UPPER) "
	       "must be lowercase");
	refuse(ARGV("-t", "a", "-t", "a:b:c", "/"), ERR_USAGE,
	       "invalid tag \"a:b:c\": invalid reference format");
	refuse(ARGV("-t",
		    "a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "/"),
	       ERR_USAGE,
	       "invalid tag "
	       "\"a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\": "
	       "refusing to create a tag with a digest reference");
	refuse(ARGV("--label", "=v", "/"), ERR_USAGE, "invalid label '=v': empty name");
	refuse(ARGV("--label", "a b=v", "/"), ERR_USAGE, "label 'a b=v' contains whitespaces");
	refuse(ARGV("--build-arg", "=v", "/"), ERR_USAGE, "invalid environment variable: =v");
	refuse(ARGV("--add-host", "h:x", "/"), ERR_USAGE, "invalid IP address in add-host: \"x\"");
	refuse(ARGV("--ulimit", "x=1", "/"), ERR_USAGE, "invalid ulimit type: x");
	refuse(ARGV("--platform", "a/b/c/d", "/"), ERR_USAGE,
	       "\"a/b/c/d\": cannot parse platform specifier: invalid argument");
}

static void test_what_is_absent_is_refused_by_name(void)
{
	refuse(ARGV("--squash", "/"), ERR_UNSUPPORTED, "--squash is not supported");
	refuse(ARGV("--ssh", "default", "/"), ERR_UNSUPPORTED, "--ssh is not supported");
	refuse(ARGV("-o", "out", "/"), ERR_UNSUPPORTED,
	       "--output is not supported: the image goes into the store, where 'veneer mount' "
	       "shows its files");
	refuse(ARGV("--provenance=max", "/"), ERR_UNSUPPORTED, "--provenance is not supported");
	refuse(ARGV("--network", "bridge", "/"), ERR_UNSUPPORTED,
	       "--network bridge is not supported: there are \"default\", \"host\" and \"none\"");
	refuse(ARGV("--platform", "linux/amd64,linux/arm64", "/"), ERR_UNSUPPORTED,
	       "several platforms in one image are not supported: build for each of "
	       "'linux/amd64,linux/arm64' alone");
}

static void check_progress(const char *const *argv, bool on_terminal, enum build_progress expected)
{
	auto_line struct line line;

	read_line(&line, argv, on_terminal);
	CU_ASSERT_EQUAL_FATAL(line.result, 0);
	CU_ASSERT_EQUAL(line.build.progress, expected);
}

static void test_progress_has_its_ways(void)
{
	unsetenv("BUILDKIT_PROGRESS");
	check_progress(ARGV("/"), false, BUILD_PROGRESS_PLAIN);
	check_progress(ARGV("/"), true, BUILD_PROGRESS_TTY);
	check_progress(ARGV("--progress", "auto", "/"), true, BUILD_PROGRESS_TTY);
	check_progress(ARGV("--progress", "plain", "/"), true, BUILD_PROGRESS_PLAIN);
	check_progress(ARGV("--progress", "quiet", "/"), true, BUILD_PROGRESS_QUIET);
	check_progress(ARGV("-q", "/"), true, BUILD_PROGRESS_QUIET);
	check_progress(ARGV("-q", "--progress=quiet", "/"), true, BUILD_PROGRESS_QUIET);
	setenv("BUILDKIT_PROGRESS", "plain", 1);
	check_progress(ARGV("/"), true, BUILD_PROGRESS_PLAIN);
	check_progress(ARGV("--progress", "tty", "/"), true, BUILD_PROGRESS_TTY);
	refuse(ARGV("--progress", "tty", "/"), ERR_USAGE,
	       "failed to get console: provided file is not a console");
	check_progress(ARGV("-q", "/"), true, BUILD_PROGRESS_QUIET);
	setenv("BUILDKIT_PROGRESS", "loud", 1);
	refuse(ARGV("/"), ERR_USAGE, "invalid progress mode loud");
	unsetenv("BUILDKIT_PROGRESS");
	refuse(ARGV("--progress", "rawjson", "/"), ERR_USAGE, "invalid progress mode rawjson");
	refuse(ARGV("-q", "--progress", "plain", "/"), ERR_USAGE,
	       "progress=plain and quiet cannot be used together");
}

/* A folder with the file "token" in it, as the current one. */
static void make_secret_file(char folder[32])
{
	struct error err;

	snprintf(folder, 32, "/tmp/buildopts.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
	CU_ASSERT_EQUAL_FATAL(chdir(folder), 0);
	CU_ASSERT_EQUAL_FATAL(io_replace_file(AT_FDCWD, "token", "x", 1, 0600, &err), 0);
}

static void check_secret(const char *text, const char *id, const char *path, const char *env)
{
	auto_line struct line line;
	const struct build_secret *secret;

	read_line(&line, ARGV("--secret", text, "/"), false);
	CU_ASSERT_EQUAL_FATAL(line.result, 0);
	CU_ASSERT_EQUAL_FATAL(line.build.options.nr_secrets, 1);
	secret = line.build.options.secrets;
	CU_ASSERT_STRING_EQUAL(secret->id, id);
	CU_ASSERT_EQUAL_FATAL(!secret->path, !path);
	CU_ASSERT_EQUAL_FATAL(!secret->env, !env);
	if (path)
		CU_ASSERT_STRING_EQUAL(secret->path, path);
	if (env)
		CU_ASSERT_STRING_EQUAL(secret->env, env);
}

static void test_secrets_have_a_source(void)
{
	auto_free char *before = getcwd(NULL, 0);
	auto_line struct line line;
	char folder[32];

	make_secret_file(folder);
	setenv("SECRET_OF_TEST", "x", 1);
	check_secret("id=a,src=token", "a", "token", NULL);
	check_secret("ID=a,source=token,type=file", "a", "token", NULL);
	check_secret("id=a,\"src=token\"", "a", "token", NULL);
	check_secret("id=a,env=NAME", "a", NULL, "NAME");
	check_secret("id=a,type=env,src=NAME", "a", NULL, "NAME");
	check_secret("id=token", "token", "token", NULL);
	check_secret("id=SECRET_OF_TEST", "SECRET_OF_TEST", NULL, "SECRET_OF_TEST");
	read_line(&line,
		  ARGV("--secret", "id=a,env=X", "--secret", "id=b,env=Y", "--secret",
		       "id=a,src=token", "/"),
		  false);
	CU_ASSERT_EQUAL_FATAL(line.build.options.nr_secrets, 2);
	CU_ASSERT_STRING_EQUAL(line.build.options.secrets[0].path, "token");
	CU_ASSERT_STRING_EQUAL(line.build.options.secrets[1].env, "Y");
	CU_ASSERT_EQUAL(unlink("token"), 0);
	CU_ASSERT_EQUAL(chdir(before), 0);
	CU_ASSERT_EQUAL(rmdir(folder), 0);
	unsetenv("SECRET_OF_TEST");
}

static void test_secrets_that_cannot_be(void)
{
	refuse(ARGV("--secret", "src=x", "/"), ERR_USAGE, "secret missing ID");
	refuse(ARGV("--secret", "id", "/"), ERR_USAGE,
	       "invalid field 'id' must be a key=value pair");
	refuse(ARGV("--secret", "id=x,target=y", "/"), ERR_USAGE,
	       "unexpected key 'target' in 'target=y'");
	refuse(ARGV("--secret", "id=x,type=ssh", "/"), ERR_USAGE,
	       "unsupported secret type \"ssh\"");
	refuse(ARGV("--secret", "", "/"), ERR_USAGE, "failed to parse csv secret: EOF");
	refuse(ARGV("--secret", "id=x,src=/no/such", "/"), ERR_NOT_FOUND,
	       "failed to stat /no/such: No such file or directory");
	refuse(ARGV("--secret", "id=x,src=/dev", "/"), ERR_USAGE, "secret x: '/dev' is a folder");
	refuse(ARGV("--secret", "id=x,src=/proc/self/exe", "/"), ERR_LIMIT,
	       "secret x too big. max size 500KB");
}

UNIT_SUITE(buildopts, { "a command line becomes options", test_a_line_becomes_options },
	   { "without options there are defaults", test_without_options_there_are_defaults },
	   { "contexts that are not there are refused", test_contexts_that_there_are_not },
	   { "cache-from names images", test_cache_from_names_images },
	   { "names are checked before the work", test_names_are_checked_before_the_work },
	   { "what is absent is refused by name", test_what_is_absent_is_refused_by_name },
	   { "progress has its ways", test_progress_has_its_ways },
	   { "secrets have a source", test_secrets_have_a_source },
	   { "secrets that cannot be are refused", test_secrets_that_cannot_be });
