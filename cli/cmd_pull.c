/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "pullprint.h"
#include "pullthrough.h"
#include "registry/pull.h"
#include "registry/resolve.h"
#include "store.h"
#include "writeropt.h"

struct pull_opts {
	const char *platform;
	const char *writer;
	bool all_tags, quiet;
};

/* The name in full; a reference to a tag or a digest. */
static int parse_name(const char *text, struct reference *ret, struct error *err)
{
	if (reference_parse(text, ret, err) < 0)
		return -1;
	if (strcmp(ret->domain, REFERENCE_DEFAULT_DOMAIN) != 0 ||
	    strcmp(ret->path, "library/scratch") != 0)
		return 0;
	reference_done(ret);
	return err_set(err, ERR_USAGE, "'scratch' is a reserved name");
}

static const char *platform_of(const struct pull_opts *opts)
{
	return opts->platform ?: getenv("DOCKER_DEFAULT_PLATFORM");
}

static void print_result(const struct reference *ref, const struct pull_result *result, bool quiet)
{
	auto_free char *canonical = reference_key(ref);

	if (!quiet)
		pullprint_result(stdout, ref, result);
	printf("%s\n", canonical);
}

/* What is said before the rest, which is said by whoever fails. */
static int begin_output(const struct cli *cli, const struct pull_opts *opts, struct reference *ref,
			struct error *err)
{
	if (parse_name(cli->words[0], ref, err) < 0)
		return -1;
	if (opts->all_tags)
		return 0;
	if (!opts->quiet && !ref->tag && !digest_is_set(&ref->digest))
		printf("Using default tag: %s\n", REFERENCE_DEFAULT_TAG);
	cli_flush();
	reference_default_tag(ref);
	return 0;
}

/* @store: NULL: the one in the appliance. Returns 0, an exit status, or -1. */
static int pull_image(struct cli *cli, struct store *store, const struct reference *ref,
		      const struct pull_opts *opts, struct pull_result *ret, struct error *err)
{
	auto_pullprint struct pullprint printer = { 0 };
	const struct pull_args args = {
		.ref = ref,
		.platform = platform_of(opts),
		.options = cli_registry_options(cli),
		.report = &printer.report,
	};
	int status;

	pullprint_init(&printer, stdout, opts->quiet);
	status = store ? registry_pull(store, &args, ret, err)
		       : pull_through(cli, &args, opts->writer, ret, err);
	if (!status)
		pullprint_done(&printer);
	return status;
}

/* Each tag of the repository, until one fails. */
static int pull_all(struct cli *cli, struct store *store, struct reference *ref,
		    const struct pull_opts *opts, struct error *err)
{
	auto_strlist struct strlist tags = { 0 };
	auto_free char *name = reference_canonical_name(ref), *familiar = reference_familiar(ref);
	const struct registry_options options = cli_registry_options(cli);
	bool news = false;

	if (resolve_tags(&options, ref, &tags, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.nr; i++) {
		struct pull_result result;
		int status;

		free(ref->tag);
		ref->tag = xstrdup(tags.items[i]);
		status = pull_image(cli, store, ref, opts, &result, err);
		if (status)
			return status;
		news |= result.news;
		if (!opts->quiet)
			printf("Digest: %s\n", result.digest.text);
	}
	if (!opts->quiet)
		printf("Status: %s for %s\n",
		       news ? "Downloaded newer image" : "Image is up to date", familiar);
	printf("%s\n", name);
	return 0;
}

static int pull(struct cli *cli, struct store *store, struct reference *ref,
		const struct pull_opts *opts, struct error *err)
{
	struct pull_result result;
	int status;

	if (opts->all_tags)
		return pull_all(cli, store, ref, opts, err);
	status = pull_image(cli, store, ref, opts, &result, err);
	if (!status)
		print_result(ref, &result, opts->quiet);
	return status;
}

static int run_pull(struct cli *cli, const void *values, struct error *err)
{
	const struct pull_opts *opts = values;
	auto_reference struct reference ref = { 0 };
	auto_store struct store *store = NULL;

	if (begin_output(cli, opts, &ref, err) < 0 || cli_open_store(cli, &store, err) < 0 ||
	    writeropt_use(opts->writer, store, err) < 0)
		return -1;
	return pull(cli, store, &ref, opts, err);
}

static int pull_outside(struct cli *cli, const void *values, struct error *err)
{
	auto_reference struct reference ref = { 0 };

	return begin_output(cli, values, &ref, err) < 0 ? -1 : pull(cli, NULL, &ref, values, err);
}

static int check_pull(const struct cli *cli, const void *values, struct error *err)
{
	auto_reference struct reference ref = { 0 };
	const struct pull_opts *opts = values;
	struct platform platform;

	if (writeropt_check(opts->writer, err) < 0 ||
	    platform_parse(platform_of(opts), &platform, err) < 0 ||
	    parse_name(cli->words[0], &ref, err) < 0)
		return -1;
	if (opts->all_tags && (ref.tag || digest_is_set(&ref.digest)))
		return err_set(err, ERR_USAGE, "tag can't be used with --all-tags/-a");
	return 0;
}

static const struct opt pull_options[] = {
	OPT_FLAG("all-tags", 'a', pull_opts, all_tags,
		 "Download all tagged images in the repository"),
	OPT_VALUE(OPT_STRING, "platform", 0, pull_opts, platform, "string",
		  "Pull this platform of an image that has several, as\n"
		  "os[/arch[/variant]] (DOCKER_DEFAULT_PLATFORM)"),
	WRITEROPT_ROW(pull_opts),
	OPT_FLAG("quiet", 'q', pull_opts, quiet, "Suppress the output but the image's name"),
	{ 0 },
};

const struct command cmd_pull = {
	.group = "image",
	.name = "pull",
	.top = "pull",
	.synopsis = "[OPTIONS] NAME[:TAG|@DIGEST]",
	.summary = "Download an image from a registry",
	.min_words = 1,
	.max_words = 1,
	.common = true,
	.options = pull_options,
	.options_size = sizeof(struct pull_opts),
	.needs = NEEDS_POOL,
	.check = check_pull,
	.outside = pull_outside,
	.run = run_pull,
};
