/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin.h"

#include <string.h>

#include "base/path.h"
#include "opts.h"
#include "table.h"
#include "version.h"

#define PLUGIN_NAME "docker-" PROGRAM

struct docker_opts {
	const char *config;
	const char *log_level;
	bool debug;
	/* Where a daemon is, and how to speak to it. */
	const char *context;
	struct strlist hosts;
	bool tls;
	bool tls_verify;
	const char *tls_ca;
	const char *tls_cert;
	const char *tls_key;
};

static const struct opt docker_options[] = {
	OPT_VALUE(OPT_PATH, "config", 0, docker_opts, config, "path", ""),
	OPT_VALUE(OPT_STRING, "context", 'c', docker_opts, context, "string", ""),
	OPT_FLAG("debug", 'D', docker_opts, debug, ""),
	OPT_VALUE(OPT_LIST, "host", 'H', docker_opts, hosts, "string", ""),
	OPT_VALUE(OPT_STRING, "log-level", 'l', docker_opts, log_level, "string", ""),
	OPT_FLAG("tls", 0, docker_opts, tls, ""),
	OPT_VALUE(OPT_PATH, "tlscacert", 0, docker_opts, tls_ca, "string", ""),
	OPT_VALUE(OPT_PATH, "tlscert", 0, docker_opts, tls_cert, "string", ""),
	OPT_VALUE(OPT_PATH, "tlskey", 0, docker_opts, tls_key, "string", ""),
	OPT_FLAG("tlsverify", 0, docker_opts, tls_verify, ""),
	{ 0 },
};

bool plugin_is_called(const char *argv0)
{
	return argv0 && strcmp(path_base(argv0), PLUGIN_NAME) == 0;
}

char *plugin_metadata(const char *const *argv)
{
	if (!argv[0] || !argv[1] || argv[2] || strcmp(argv[1], "docker-cli-plugin-metadata") != 0)
		return NULL;
	return xstrdup("{\"SchemaVersion\":\"0.1.0\",\"Vendor\":\"" PROGRAM "\",\"Version\":"
		       "\"" VENEER_VERSION "\",\"ShortDescription\":"
		       "\"Container images as block devices, without a daemon\"}");
}

static const char *daemon_option(const struct docker_opts *opts)
{
	if (opts->context)
		return "context";
	if (opts->hosts.nr)
		return "host";
	if (opts->tls || opts->tls_verify || opts->tls_ca || opts->tls_cert || opts->tls_key)
		return "tls";
	return NULL;
}

static void add_value(const char *option, const char *value, struct strlist *ret)
{
	if (value)
		strlist_take(ret, xasprintf("--%s=%s", option, value));
}

/* words: behind docker's options */
static int translate(const struct docker_opts *opts, const char *const *words, bool help,
		     struct strlist *ret, struct error *err)
{
	const char *refused = daemon_option(opts);

	if (refused)
		return err_set(err, ERR_USAGE,
			       "docker's option --%s says where a daemon is, and " PROGRAM
			       " has none: leave it out",
			       refused);
	if (words[0] && strcmp(words[0], "help") == 0) {
		help = true;
		words++;
	}
	if (!words[0] || strcmp(words[0], PROGRAM) != 0)
		return err_set(err, ERR_USAGE,
			       PLUGIN_NAME " is a plugin of docker: call 'docker " PROGRAM
					   "', or '" PROGRAM "'");
	strlist_add(ret, PROGRAM);
	add_value("config", opts->config, ret);
	add_value("log-level", opts->log_level, ret);
	if (opts->debug)
		strlist_add(ret, "--debug");
	if (help)
		strlist_add(ret, "help");
	while (*++words)
		strlist_add(ret, *words);
	return 0;
}

int plugin_argv(const char *const *argv, struct strlist *ret, struct error *err)
{
	struct docker_opts opts = { 0 };
	struct opts_words words;
	int result = opts_parse(docker_options, true, argv + 1, &opts, &words, err);

	if (result == 0)
		result = translate(&opts, words.items, words.help, ret, err);
	opts_done(docker_options, &opts);
	opts_words_done(&words);
	return result;
}
