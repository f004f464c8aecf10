/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "cmd.h"
#include "oci/manifest.h"
#include "oci/reference.h"
#include "pullprint.h"
#include "pushthrough.h"
#include "registry/push.h"
#include "store.h"

struct push_opts {
	const char *compression_format;
	const char *platform;
	bool all_tags;
	bool quiet;
};

/* With the tag that is meant; without one: all. */
static int parse_name(const char *text, const struct push_opts *opts, struct reference *ret,
		      struct error *err)
{
	if (reference_parse(text, ret, err) < 0)
		return -1;
	if (digest_is_set(&ret->digest))
		err_set(err, ERR_USAGE, "cannot push a digest reference");
	else if (ret->tag && opts->all_tags)
		err_set(err, ERR_USAGE, "tag can't be used with --all-tags/-a");
	else
		return 0;
	reference_done(ret);
	return -1;
}

/* NULL: none is asked for, or one that there is not. */
static const char *layer_type(const struct push_opts *opts)
{
	const char *format = opts->compression_format ?: "";

	return strcmp(format, "gzip") == 0   ? MEDIA_OCI_LAYER_GZIP
	       : strcmp(format, "zstd") == 0 ? MEDIA_OCI_LAYER_ZSTD
					     : NULL;
}

typedef int push_fn(struct cli *cli, const struct push_args *args, struct error *err);

static int push_with(push_fn *push, struct cli *cli, const struct push_opts *opts,
		     struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_pullprint struct pullprint printer = { 0 };
	auto_free char *canonical = NULL;
	struct push_args args = {
		.ref = &ref,
		.options = cli_registry_options(cli),
		.report = &printer.report,
	};
	int result;

	args.options.push = true;
	args.layer_type = layer_type(opts);
	if (parse_name(cli->words[0], opts, &ref, err) < 0)
		return -1;
	if (!opts->quiet && !opts->all_tags && !ref.tag)
		printf("Using default tag: %s\n", REFERENCE_DEFAULT_TAG);
	cli_flush();
	if (!opts->all_tags)
		reference_default_tag(&ref);
	pullprint_init(&printer, stdout, opts->quiet);
	result = push(cli, &args, err);
	if (result)
		return result;
	pullprint_done(&printer);
	canonical = reference_canonical(&ref);
	if (opts->quiet)
		printf("%s\n", canonical);
	return 0;
}

static int push_here(struct cli *cli, const struct push_args *args, struct error *err)
{
	auto_store struct store *store = NULL;

	return cli_open_store(cli, &store, err) < 0 ? -1 : registry_push(store, args, err);
}

static int run_push(struct cli *cli, const void *values, struct error *err)
{
	return push_with(push_here, cli, values, err);
}

static int push_outside(struct cli *cli, const void *values, struct error *err)
{
	return push_with(push_through, cli, values, err);
}

static int check_push(const struct cli *cli, const void *values, struct error *err)
{
	const struct push_opts *opts = values;
	auto_reference struct reference ref = { 0 };

	if (opts->platform)
		return err_set(err, ERR_UNSUPPORTED,
			       "--platform is not supported: an image here has one platform");
	if (opts->compression_format && !layer_type(opts))
		return err_set(err, ERR_USAGE,
			       "no compression format '%s': there are gzip and zstd",
			       opts->compression_format);
	return parse_name(cli->words[0], opts, &ref, err);
}

static const struct opt push_options[] = {
	OPT_FLAG("all-tags", 'a', push_opts, all_tags,
		 "Push all tags of an image to the repository"),
	OPT_VALUE(
		OPT_STRING, "compression-format", 0, push_opts, compression_format, "gzip|zstd",
		"Compress all layers so (default: as they came,\nand what was made here with gzip)"),
	{
		.name = "platform",
		.kind = OPT_STRING,
		.placeholder = "string",
		.help = "Not supported",
		.offset = offsetof(struct push_opts, platform),
		.hidden = true,
	},
	OPT_FLAG("quiet", 'q', push_opts, quiet, "Suppress the output but the image's name"),
	{ 0 },
};

const struct command cmd_push = {
	.group = "image",
	.name = "push",
	.top = "push",
	.synopsis = "[OPTIONS] NAME[:TAG]",
	.summary = "Upload an image to a registry",
	.min_words = 1,
	.max_words = 1,
	.common = true,
	.options = push_options,
	.options_size = sizeof(struct push_opts),
	.needs = NEEDS_POOL,
	.check = check_push,
	.outside = push_outside,
	.run = run_push,
};
