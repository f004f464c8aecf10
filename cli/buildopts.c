/* SPDX-License-Identifier: Apache-2.0 */
#include "buildopts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/csv.h"
#include "labels.h"
#include "oci/platform.h"
#include "oci/reference.h"
#include "run/document.h"
#include "run/optionjson.h"

#define LIST(name_, letter_, member_, placeholder_, help_) \
	OPT_VALUE(OPT_LIST, name_, letter_, build_opts, member_, placeholder_, help_)
#define TEXT(name_, letter_, member_, placeholder_, help_) \
	OPT_VALUE(OPT_STRING, name_, letter_, build_opts, member_, placeholder_, help_)
/* Accepted, but nothing to tell a reader of the help. */
#define HIDDEN(kind_, name_, letter_, member_)                                                \
	{                                                                                     \
		.name = (name_), .letter = (letter_), .kind = (kind_),                        \
		.placeholder = (kind_) == OPT_BOOL ? NULL : "value", .help = "Not supported", \
		.hidden = true, .offset = offsetof(struct build_opts, member_),               \
	}
#define REFUSED(name_, letter_, slot_) HIDDEN(OPT_LIST, name_, letter_, refused[slot_])
#define REFUSED_FLAG(name_, slot_)     HIDDEN(OPT_BOOL, name_, 0, refused_flags[slot_])

const struct opt build_options_table[] = {
	LIST("add-host", 0, add_host, "list",
	     "Add a custom host-to-IP mapping (format: \"host:ip\")"),
	LIST("build-arg", 0, build_args, "list",
	     "Set build-time variables; one without a value has ours"),
	LIST("build-context", 0, contexts, "list", "Additional build contexts (e.g., name=path)"),
	LIST("cache-from", 0, cache_from, "list",
	     "Images that veneer built elsewhere, to take steps from (e.g.,\n"
	     "\"user/app:1,user/app:2\", \"type=registry,ref=user/app:1\")"),
	OPT_VALUE(OPT_PATH, "file", 'f', build_opts, file, "string",
		  "Name of the Dockerfile, \"-\" for STDIN (default:\n\"PATH/Dockerfile\")"),
	OPT_VALUE(OPT_PATH, "iidfile", 0, build_opts, iidfile, "string",
		  "Write the image ID to a file"),
	LIST("label", 0, labels, "list", "Set metadata for an image"),
	TEXT("network", 0, network, "string",
	     "Network of the \"RUN\" instructions: \"default\", which is\n"
	     "the host's, \"host\" or \"none\""),
	OPT_FLAG("no-cache", 0, build_opts, no_cache, "Do not use cache when building the image"),
	TEXT("platform", 0, platform, "string", "Set target platform for build"),
	TEXT("progress", 0, progress, "string",
	     "How to show the work: \"auto\" (default), \"plain\", \"tty\" or\n"
	     "\"quiet\" (BUILDKIT_PROGRESS)"),
	OPT_FLAG("pull", 0, build_opts, pull, "Ask the registry for newer base images"),
	OPT_FLAG("quiet", 'q', build_opts, quiet,
		 "Suppress the build output and print image ID on success"),
	LIST("secret", 0, secrets, "list",
	     "Secret to expose to the build (format:\n"
	     "\"id=mysecret[,src=/local/secret|,env=NAME]\")"),
	OPT_VALUE(OPT_SIZE, "shm-size", 0, build_opts, shm_bytes, "bytes",
		  "Size of /dev/shm for \"RUN\" instructions"),
	LIST("tag", 't', tags, "list", "Name and optionally a tag (format: \"name:tag\")"),
	TEXT("target", 0, target, "string", "Set the target build stage to build"),
	LIST("ulimit", 0, ulimits, "ulimit", "Ulimit options of \"RUN\" instructions"),
	HIDDEN(OPT_BOOL, "compress", 0, compress),
	HIDDEN(OPT_BOOL, "force-rm", 0, force_rm),
	HIDDEN(OPT_BOOL, "load", 0, load),
	HIDDEN(OPT_BOOL, "rm", 0, rm),
	HIDDEN(OPT_LIST, "provenance", 0, provenance),
	HIDDEN(OPT_LIST, "sbom", 0, sbom),
	REFUSED("allow", 0, 0),
	REFUSED("annotation", 0, 1),
	REFUSED("attest", 0, 2),
	REFUSED("builder", 0, 3),
	REFUSED("cache-to", 0, 4),
	REFUSED("call", 0, 6),
	REFUSED("cgroup-parent", 0, 7),
	REFUSED("cpu-period", 0, 8),
	REFUSED("cpu-quota", 0, 9),
	REFUSED("cpu-shares", 'c', 10),
	REFUSED("cpuset-cpus", 0, 11),
	REFUSED("cpuset-mems", 0, 12),
	REFUSED("isolation", 0, 13),
	REFUSED("memory", 'm', 14),
	REFUSED("memory-swap", 0, 15),
	REFUSED("metadata-file", 0, 16),
	REFUSED("no-cache-filter", 0, 17),
	REFUSED("output", 'o', 18),
	REFUSED("security-opt", 0, 19),
	REFUSED("ssh", 0, 5),
	REFUSED_FLAG("check", 0),
	REFUSED_FLAG("push", 1),
	REFUSED_FLAG("squash", 2),
	{ 0 },
};

/* What to know, or to do instead. */
static const struct {
	const char *option;
	const char *instead;
} advice[] = {
	{ "cache-to", "the image carries the keys of its steps: name it with --cache-from" },
	{ "output", "the image goes into the store, where '" PROGRAM " mount' shows its files" },
	{ "push", "'" PROGRAM " push' takes the image to its registry" },
};

static int refuse(const char *option, struct error *err)
{
	for (size_t i = 0; i < sizeof(advice) / sizeof(*advice); i++)
		if (strcmp(advice[i].option, option) == 0)
			return err_set(err, ERR_UNSUPPORTED, "--%s is not supported: %s", option,
				       advice[i].instead);
	return err_set(err, ERR_UNSUPPORTED, "--%s is not supported", option);
}

/* "--provenance false" asks for what is done. */
static bool asks_for_nothing(const struct strlist *list)
{
	for (size_t i = 0; i < list->nr; i++)
		if (strcmp(list->items[i], "false") != 0 && strcmp(list->items[i], "0") != 0)
			return false;
	return true;
}

static int check_refused(const struct build_opts *opts, struct error *err)
{
	const char *slots = (const char *)opts->refused;
	const char *flags = (const char *)opts->refused_flags;

	for (const struct opt *opt = build_options_table; opt->name; opt++) {
		const char *at = (const char *)opts + opt->offset;

		if (at >= slots && at < slots + sizeof(opts->refused) &&
		    ((const struct strlist *)(const void *)at)->nr)
			return refuse(opt->name, err);
		if (at >= flags && at < flags + sizeof(opts->refused_flags) && *(const bool *)at)
			return refuse(opt->name, err);
	}
	if (!asks_for_nothing(&opts->provenance))
		return refuse("provenance", err);
	if (!asks_for_nothing(&opts->sbom))
		return refuse("sbom", err);
	return 0;
}

static int read_network(const char *network, bool *ret_own, struct error *err)
{
	*ret_own = network && strcmp(network, "none") == 0;
	if (!network || !*network || *ret_own || strcmp(network, "default") == 0 ||
	    strcmp(network, "host") == 0)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "--network %s is not supported: there are \"default\", \"host\" and "
		       "\"none\"",
		       network);
}

static int read_platform(const char *given, const char **ret, struct error *err)
{
	const char *text = given && *given ? given : getenv("DOCKER_DEFAULT_PLATFORM");
	struct platform platform;

	*ret = text && *text ? text : NULL;
	if (*ret && strchr(*ret, ','))
		return err_set(err, ERR_UNSUPPORTED,
			       "several platforms in one image are not supported: build for each "
			       "of '%s' alone",
			       *ret);
	return platform_parse(*ret, &platform, err);
}

static int read_progress(const struct build_opts *opts, bool on_terminal, enum build_progress *ret,
			 struct error *err)
{
	const char *mode =
		opts->progress && *opts->progress ? opts->progress : getenv("BUILDKIT_PROGRESS");
	bool automatic = !mode || !*mode || strcmp(mode, "auto") == 0;

	*ret = on_terminal ? BUILD_PROGRESS_TTY : BUILD_PROGRESS_PLAIN;
	if (automatic)
		*ret = opts->quiet ? BUILD_PROGRESS_QUIET : *ret;
	else if (strcmp(mode, "quiet") == 0)
		*ret = BUILD_PROGRESS_QUIET;
	else if (opts->quiet && opts->progress)
		return err_set(err, ERR_USAGE, "progress=%s and quiet cannot be used together",
			       mode);
	else if (opts->quiet)
		*ret = BUILD_PROGRESS_QUIET;
	else if (strcmp(mode, "plain") == 0)
		*ret = BUILD_PROGRESS_PLAIN;
	else if (strcmp(mode, "tty") == 0)
		*ret = BUILD_PROGRESS_TTY;
	else
		return err_set(err, ERR_USAGE, "invalid progress mode %s", mode);
	if (*ret == BUILD_PROGRESS_TTY && !on_terminal)
		return err_set(err, ERR_USAGE,
			       "failed to get console: provided file is not a console");
	return 0;
}

static int check_tags(const struct strlist *tags, struct error *err)
{
	for (size_t i = 0; i < tags->nr; i++) {
		auto_reference struct reference ref = { 0 }, target = { 0 };

		if (reference_parse(tags->items[i], &ref, err) < 0)
			return err_add(err, "invalid tag \"%s\"", tags->items[i]);
		if (reference_parse_target(tags->items[i], &target, err) < 0)
			return err_add(err, "invalid tag \"%s\"", tags->items[i]);
	}
	return 0;
}

static bool begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static bool is_url(const char *text)
{
	return begins_with(text, "http://") || begins_with(text, "https://");
}

static bool is_git(const char *text)
{
	return begins_with(text, "git://") || begins_with(text, "ssh://") ||
	       begins_with(text, "git@") || begins_with(text, "github.com/");
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The operand, and the place of the Dockerfile, which belong together. */
static int read_context(const char *word, const char *file, struct build_options *ret,
			struct error *err)
{
	bool from_stdin = strcmp(word, "-") == 0;

	ret->stdin_fd = STDIN_FILENO;
	ret->context = from_stdin ? NULL : word;
	ret->file = file && *file ? file : NULL;
	if (from_stdin && ret->file && strcmp(ret->file, "-") == 0)
		return err_set(err, ERR_USAGE,
			       "invalid argument: can't use stdin for both build context and "
			       "dockerfile");
	if (ret->file && is_url(ret->file))
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot read a Dockerfile from a URL: download '%s' first",
			       ret->file);
	if (from_stdin || is_folder(word))
		return 0;
	if (is_url(word))
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot build from a URL: download '%s' and build from the folder, "
			       "or from STDIN",
			       word);
	if (is_git(word))
		return err_set(err, ERR_UNSUPPORTED,
			       "cannot build from a git repository: clone '%s' and build from the "
			       "folder",
			       word);
	return err_set(err, ERR_NOT_FOUND, "unable to prepare context: path \"%s\" not found",
		       word);
}

static int check_contexts(const struct strlist *contexts, struct error *err)
{
	for (size_t i = 0; i < contexts->nr; i++) {
		const char *text = contexts->items[i];
		const char *path = strchr(text, '=');
		auto_free char *name = NULL;
		auto_reference struct reference ref = { 0 };

		if (!path || path == text)
			return err_set(err, ERR_USAGE,
				       "invalid context value: %s, expected key=value", text);
		name = xasprintf("%.*s", (int)(path - text), text);
		if (reference_parse(name, &ref, err) < 0)
			return err_add(err, "invalid context name %s", name);
		path++;
		if (is_folder(path))
			continue;
		if (strstr(path, "://") || is_git(path))
			return err_set(err, ERR_UNSUPPORTED,
				       "--build-context %s is not supported: only folders are",
				       text);
		return err_set(err, ERR_NOT_FOUND,
			       "failed to get build context %s: path \"%s\" not found", name, path);
	}
	return 0;
}

/* ---- --cache-from ---- */

/* "type=registry,ref=NAME". Other keys of a registry's cache are about talking to it. */
static int read_cache_pairs(const struct strlist *fields, const char *text, struct strlist *ret,
			    struct error *err)
{
	const char *type = NULL, *ref = NULL;

	for (size_t i = 0; i < fields->nr; i++) {
		const char *value = strchr(fields->items[i], '=');

		if (!value)
			return err_set(err, ERR_USAGE, "invalid value %s in --cache-from %s",
				       fields->items[i], text);
		if (strncasecmp(fields->items[i], "type=", 5) == 0)
			type = value + 1;
		else if (strncasecmp(fields->items[i], "ref=", 4) == 0)
			ref = value + 1;
	}
	if (!type)
		return err_set(err, ERR_USAGE,
			       "type required in --cache-from %s: only \"type=registry\" is there",
			       text);
	if (strcmp(type, "registry") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "--cache-from type=%s is not supported: name an image, alone or as "
			       "\"type=registry,ref=NAME\"",
			       type);
	if (!ref || !*ref)
		return err_set(err, ERR_USAGE, "ref required in --cache-from %s", text);
	strlist_add(ret, ref);
	return 0;
}

/* What an operand may be: an image's id, which is no reference, or a name. */
static int check_image_name(const char *name, struct error *err)
{
	auto_reference struct reference ref = { 0 };

	if (strlen(name) == DIGEST_HEX_LEN && !name[strspn(name, "0123456789abcdef")])
		return 0;
	return reference_parse(name, &ref, err);
}

static int read_cache_from(const struct strlist *texts, struct strlist *ret, struct error *err)
{
	for (size_t i = 0; i < texts->nr; i++) {
		auto_strlist struct strlist fields = { 0 };
		bool is_pairs = false;

		if (csv_split(texts->items[i], &fields, err) < 0)
			return err_add(err, "invalid --cache-from '%s'", texts->items[i]);
		for (size_t n = 0; n < fields.nr; n++)
			is_pairs = is_pairs || strchr(fields.items[n], '=');
		if (is_pairs && read_cache_pairs(&fields, texts->items[i], ret, err) < 0)
			return -1;
		for (size_t n = 0; !is_pairs && n < fields.nr; n++)
			strlist_add(ret, fields.items[n]);
	}
	for (size_t i = 0; i < ret->nr; i++)
		if (check_image_name(ret->items[i], err) < 0)
			return err_add(err, "invalid --cache-from '%s'", ret->items[i]);
	return 0;
}

static int check_build_args(const struct strlist *args, struct error *err)
{
	for (size_t i = 0; i < args->nr; i++)
		if (!*args->items[i] || *args->items[i] == '=')
			return err_set(err, ERR_USAGE, "invalid environment variable: %s",
				       args->items[i]);
	return 0;
}

/* ---- --secret ---- */

#define SECRET_MAX (500 * 1024) /* bytes, as BuildKit has it */

/* The parts of one, while it is read. */
struct draft {
	char *id, *path, *env;
	bool is_env; /* type=env */
};

static void draft_done(struct draft *draft)
{
	free(draft->id);
	free(draft->path);
	free(draft->env);
}
#define auto_draft __attribute__((cleanup(draft_done)))

static void set_text(char **at, const char *value)
{
	free(*at);
	*at = *value ? xstrdup(value) : NULL;
}

static int take_field(struct draft *draft, const char *field, struct error *err)
{
	const char *value = strchr(field, '=');
	auto_free char *key = NULL;

	if (!value)
		return err_set(err, ERR_USAGE, "invalid field '%s' must be a key=value pair",
			       field);
	key = xasprintf("%.*s", (int)(value - field), field);
	value++;
	if (strcasecmp(key, "id") == 0) {
		set_text(&draft->id, value);
	} else if (strcasecmp(key, "src") == 0 || strcasecmp(key, "source") == 0) {
		set_text(&draft->path, value);
	} else if (strcasecmp(key, "env") == 0) {
		set_text(&draft->env, value);
	} else if (strcasecmp(key, "type") == 0) {
		if (strcmp(value, "file") != 0 && strcmp(value, "env") != 0)
			return err_set(err, ERR_USAGE, "unsupported secret type \"%s\"", value);
		draft->is_env = strcmp(value, "env") == 0;
	} else {
		return err_set(err, ERR_USAGE, "unexpected key '%s' in '%s'", key, field);
	}
	return 0;
}

/* Where it comes from, when that was not said: a variable, else a file, of that name. */
static void fill_source(struct draft *draft)
{
	if (draft->is_env && !draft->env) {
		draft->env = draft->path;
		draft->path = NULL;
	}
	if (draft->env)
		set_text(&draft->path, "");
	else if (!draft->path)
		*(getenv(draft->id) ? &draft->env : &draft->path) = xstrdup(draft->id);
}

static int check_source(const struct draft *draft, struct error *err)
{
	struct stat st;

	if (!draft->path)
		return 0;
	if (stat(draft->path, &st) < 0)
		return err_sys(err, errno, "failed to stat %s", draft->path);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, "secret %s: '%s' is a folder", draft->id,
			       draft->path);
	if (st.st_size > SECRET_MAX)
		return err_set(err, ERR_LIMIT, "secret %s too big. max size 500KB", draft->id);
	return 0;
}

static void add_secret(struct buildopts *build, struct draft *draft)
{
	struct build_secret secret = { draft->id, draft->path, draft->env };
	size_t at = 0;

	while (at < build->options.nr_secrets && strcmp(build->secrets[at].id, secret.id) != 0)
		at++;
	build->secrets[at] = secret;
	if (at == build->options.nr_secrets)
		build->options.nr_secrets++;
	strlist_take(&build->texts, take_ptr(draft->id));
	if (draft->path)
		strlist_take(&build->texts, take_ptr(draft->path));
	if (draft->env)
		strlist_take(&build->texts, take_ptr(draft->env));
}

static int read_secret(const char *text, struct buildopts *build, struct error *err)
{
	auto_strlist struct strlist fields = { 0 };
	auto_draft struct draft draft = { 0 };

	if (csv_split(text, &fields, err) < 0)
		return err_add(err, "failed to parse csv secret");
	for (size_t i = 0; i < fields.nr; i++)
		if (take_field(&draft, fields.items[i], err) < 0)
			return -1;
	if (!draft.id)
		return err_set(err, ERR_USAGE, "secret missing ID");
	fill_source(&draft);
	if (check_source(&draft, err) < 0)
		return -1;
	add_secret(build, &draft);
	return 0;
}

static int read_secrets(const struct strlist *secrets, struct buildopts *build, struct error *err)
{
	build->secrets = xcalloc(secrets->nr + 1, sizeof(*build->secrets));
	for (size_t i = 0; i < secrets->nr; i++)
		if (read_secret(secrets->items[i], build, err) < 0)
			return -1;
	build->options.secrets = build->secrets;
	return 0;
}

/* ---- what a container has too, by its rules ---- */

static int read_container_options(const struct build_opts *opts, struct buildopts *ret,
				  struct error *err)
{
	struct run_options options = { .ulimits = opts->ulimits, .add_host = opts->add_host };
	json_auto_t *checked = NULL;

	if (optionjson_new(&options, &checked, err) < 0)
		return -1;
	if (opts->ulimits.nr)
		ret->rlimits = json_incref(json_object_get(checked, "rlimits"));
	return 0;
}

int buildopts_read(const struct cli *cli, const struct build_opts *opts, bool on_terminal,
		   struct buildopts *ret, struct error *err)
{
	struct build_options *options = &ret->options;

	*ret = (struct buildopts){ 0 };
	if (check_refused(opts, err) < 0 || check_tags(&opts->tags, err) < 0 ||
	    read_network(opts->network, &options->own_network, err) < 0 ||
	    read_platform(opts->platform, &options->platform, err) < 0 ||
	    read_progress(opts, on_terminal, &ret->progress, err) < 0 ||
	    check_build_args(&opts->build_args, err) < 0 ||
	    labels_read(&opts->labels, &ret->labels, err) < 0 ||
	    read_cache_from(&opts->cache_from, &ret->cache_from, err) < 0 ||
	    read_container_options(opts, ret, err) < 0 ||
	    read_context(cli->words[0], opts->file, options, err) < 0 ||
	    check_contexts(&opts->contexts, err) < 0 || read_secrets(&opts->secrets, ret, err) < 0)
		return -1;
	options->tags = opts->tags;
	options->build_args = opts->build_args;
	options->labels = ret->labels;
	options->cache_from = ret->cache_from;
	options->contexts = opts->contexts;
	options->add_host = opts->add_host;
	options->target = opts->target && *opts->target ? opts->target : NULL;
	options->no_cache = opts->no_cache;
	options->pull = opts->pull;
	options->shm_bytes = (int64_t)opts->shm_bytes;
	options->rlimits = ret->rlimits;
	return 0;
}

void buildopts_done(struct buildopts *build)
{
	strlist_done(&build->texts);
	strlist_done(&build->labels);
	strlist_done(&build->cache_from);
	free(build->secrets);
	json_decref(build->rlimits);
	*build = (struct buildopts){ 0 };
}
