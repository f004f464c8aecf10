/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_login - login and logout: what config.json or its helper knows of a registry
 */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/secret.h"
#include "cli.h"
#include "cmd.h"
#include "limits.h"
#include "prompt.h"
#include "registry/credentials.h"
#include "registry/login.h"

#define INSECURE "WARNING! Using --password via the CLI is insecure. Use --password-stdin."
#define UNENCRYPTED                                                                 \
	"\nWARNING! Your credentials are stored unencrypted in '%s/config.json'.\n" \
	"Configure a credential helper to remove this warning. See\n"               \
	"https://docs.docker.com/go/credential-store/\n"
#define OTHER_ACCOUNT                                                                       \
	"To login with a different account, run '" PROGRAM " logout' followed by '" PROGRAM \
	" login'\n"
#define OVERRIDDEN                                                   \
	"WARNING: DOCKER_AUTH_CONFIG is set and takes precedence.\n" \
	"Unset DOCKER_AUTH_CONFIG to restore the CLI auth behaviour."

struct login_opts {
	const char *username;
	const char *password;
	bool password_stdin;
};

static const struct opt login_options[] = {
	OPT_VALUE(OPT_STRING, "password", 'p', login_opts, password, "string",
		  "Password or Personal Access Token (PAT),\n"
		  "\"-\" to take it from stdin"),
	OPT_FLAG("password-stdin", 0, login_opts, password_stdin,
		 "Take the Password or Personal Access Token\n"
		 "(PAT) from stdin"),
	OPT_VALUE(OPT_STRING, "username", 'u', login_opts, username, "string", "Username"),
	{ 0 },
};

static bool wants_stdin(const struct login_opts *opts)
{
	return opts->password_stdin || (opts->password && strcmp(opts->password, "-") == 0);
}

static int check_login(const struct cli *cli, const void *values, struct error *err)
{
	const struct login_opts *opts = values;

	(void)cli;
	if (opts->password_stdin && opts->password)
		return err_set(err, ERR_USAGE,
			       "conflicting options: cannot specify both --password and "
			       "--password-stdin");
	if (wants_stdin(opts) && !opts->username)
		return err_set(err, ERR_USAGE,
			       "the --password-stdin option requires --username to be set");
	if (opts->username && !*opts->username)
		return err_set(err, ERR_USAGE, "username is empty");
	if (opts->password && !*opts->password)
		return err_set(err, ERR_USAGE, "password is empty");
	return 0;
}

/* Without a server, and for a name of the hub: the hub. Borrowed from the words. */
static const char *server_of(const struct cli *cli)
{
	const char *server = cli->nr_words ? cli->words[0] : "";

	return !*server || strcmp(server, "docker.io") == 0 ? CREDENTIALS_HUB_KEY : server;
}

/* What DOCKER_AUTH_CONFIG says is used before anything that is stored now. */
static void warn_of_environment(void)
{
	const char *text = getenv("DOCKER_AUTH_CONFIG");

	if (text && *text)
		cli_say(OVERRIDDEN);
}

/* What cannot be read is not replaced: nothing is asked for that could not be kept. */
static int check_config(const struct cli *cli, struct error *err)
{
	const char *dir = cli->settings->docker_dir;

	if (credentials_check(dir, err) == 0)
		return 0;
	auto_free char *warning = xasprintf(
		"WARNING: Error parsing config file (%s/config.json): %s", dir, err->text);

	cli_say(warning);
	return err_set(err, ERR_CORRUPT, "Error saving credentials: %s/config.json is not replaced",
		       dir);
}

/* ---- what the user gives ---- */

/* All of standard input, without the line end at its end. */
static int read_stdin(char **ret, struct error *err)
{
	auto_secret_buf struct buf text = { 0 };
	ssize_t got;

	secret_buf_init(&text, LIMIT_CREDENTIAL_BYTES + 1);
	got = io_read(STDIN_FILENO, text.data, LIMIT_CREDENTIAL_BYTES + 1, err);
	if (got < 0)
		return err_add(err, "password from standard input");
	if ((size_t)got > LIMIT_CREDENTIAL_BYTES)
		return err_set(err, ERR_LIMIT, "the password is longer than %u bytes",
			       LIMIT_CREDENTIAL_BYTES);
	if (memchr(text.data, '\0', (size_t)got))
		return err_set(err, ERR_USAGE, "the password has a NUL in it");
	text.len = (size_t)got;
	if (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	if (text.len && text.data[text.len - 1] == '\r')
		text.data[--text.len] = '\0';
	*ret = xstrdup(text.data);
	return 0;
}

/* From the list of processes it goes as well. */
static char *take_argument(const char *password)
{
	char *copy = xstrdup(password);

	explicit_bzero((char *)(uintptr_t)password, strlen(password));
	return copy;
}

static int read_given(const struct login_opts *opts, struct credentials *ret, struct error *err)
{
	if (opts->username)
		ret->username = xstrdup(opts->username);
	if (wants_stdin(opts))
		return read_stdin(&ret->password, err);
	if (opts->password) {
		cli_say(INSECURE);
		ret->password = take_argument(opts->password);
	}
	return 0;
}

/* Blanks around it go; new. */
static char *trimmed(const char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	return xasprintf("%.*s", (int)len, text);
}

/* @old: the name that an empty answer means, or NULL */
static int ask_username(const char *old, char **ret, struct error *err)
{
	auto_free char *question = old ? xasprintf("Username (%s): ", old) : xstrdup("Username: ");
	auto_secret char *line = NULL;
	auto_free char *name = NULL;

	if (prompt_line(stdout, STDIN_FILENO, question, &line, err) < 0)
		return -1;
	name = trimmed(line);
	if (!*name && !old)
		return err_set(err, ERR_USAGE, "error: username is required");
	*ret = *name ? take_ptr(name) : xstrdup(old);
	return 0;
}

/* Asks for what is missing. */
static int ask(const char *old, struct credentials *credentials, struct error *err)
{
	bool has_name = credentials->username && *credentials->username;
	bool has_password = credentials->password && *credentials->password;

	if ((!has_name || !has_password) && !isatty(STDIN_FILENO))
		return err_set(err, ERR_USAGE,
			       "error: cannot perform an interactive login from a non-TTY device");
	if (!has_name && ask_username(old, &credentials->username, err) < 0)
		return -1;
	if (has_password)
		return 0;
	secret_free(take_ptr(credentials->password));
	if (prompt_secret(stdout, STDIN_FILENO, "Password: ", &credentials->password, err) < 0)
		return -1;
	if (!*credentials->password)
		return err_set(err, ERR_USAGE, "error: password is required");
	return 0;
}

/* ---- login ---- */

/* Asks the registry and keeps what it accepts. */
static int check_and_store(const struct cli *cli, struct credentials *credentials,
			   struct error *err)
{
	const char *dir = cli->settings->docker_dir, *server = server_of(cli);
	bool plain;

	secret_free(take_ptr(credentials->identity_token));
	if (login_check(server, credentials, &cli->settings->registries,
			&credentials->identity_token, err) < 0)
		return -1;
	if (credentials->identity_token)
		secret_free(take_ptr(credentials->password));
	if (credentials_store(dir, server, credentials, &plain, err) < 0)
		return err_add(err, "Error saving credentials");
	if (plain) {
		auto_free char *warning = xasprintf(UNENCRYPTED, dir);

		cli_say(warning);
	}
	puts("Login Succeeded");
	return 0;
}

/*
 * With what is stored. Returns 1 when that was all there is to do, 0 when the user has to be asked,
 * whose name is in *ret_old then, or -1.
 */
static int try_stored(const struct cli *cli, char **ret_old, struct error *err)
{
	auto_credentials struct credentials stored = { 0 };
	struct error why;

	if (credentials_find_stored(cli->settings->docker_dir, server_of(cli), &stored, err) < 0) {
		if (err->kind == ERR_CANCELLED)
			return -1;
		cli_say_error(err->text);
		return 0;
	}
	if (!stored.username || !stored.password || !*stored.password)
		return 0;
	auto_free char *note = xasprintf(
		"Authenticating with existing credentials... [Username: %s]\n\n" OTHER_ACCOUNT,
		stored.username);

	cli_say(note);
	*ret_old = xstrdup(stored.username);
	if (check_and_store(cli, &stored, &why) == 0)
		return 1;
	if (why.kind == ERR_CANCELLED) {
		*err = why;
		return -1;
	}
	auto_free char *failure = xasprintf("Login did not succeed, error: %s", why.text);

	cli_say_error(why.kind == ERR_DENIED ? "Stored credentials invalid or expired" : failure);
	return 0;
}

static int log_in(const struct cli *cli, const struct login_opts *opts, struct credentials *given,
		  struct error *err)
{
	auto_free char *old = NULL;

	warn_of_environment();
	/* A signal may end the wait for standard input as it ends any program. */
	if (read_given(opts, given, err) < 0)
		return -1;
	cancel_catch_signals();
	if (check_config(cli, err) < 0)
		return -1;
	if (!given->username && !given->password) {
		int result = try_stored(cli, &old, err);

		if (result)
			return result < 0 ? -1 : 0;
	}
	if (ask(old, given, err) < 0)
		return -1;
	return check_and_store(cli, given, err);
}

static int run_login(struct cli *cli, const void *values, struct error *err)
{
	struct credentials given = { 0 };
	int result;

	credentials_hold();
	result = log_in(cli, values, &given, err);
	credentials_wipe(&given);
	secret_release();
	return result;
}

/* ---- logout ---- */

static int run_logout(struct cli *cli, const void *values, struct error *err)
{
	const char *server = server_of(cli);
	auto_strlist struct strlist problems = { 0 };
	auto_free char *host = credentials_host(server);

	(void)values;
	cancel_catch_signals();
	warn_of_environment();
	printf("Removing login credentials for %s\n",
	       strcmp(server, CREDENTIALS_HUB_KEY) == 0 ? server : host);
	cli_flush();
	if (credentials_erase(cli->settings->docker_dir, server, &problems) == 0) {
		cli_say("WARNING: could not erase credentials:");
		for (size_t i = 0; i < problems.nr; i++)
			cli_say_error(problems.items[i]);
	}
	return cancel_check(err);
}

const struct command cmd_login = {
	.name = "login",
	.synopsis = "[OPTIONS] [SERVER]",
	.summary = "Authenticate to a registry",
	.details = "Defaults to Docker Hub if no server is specified.",
	.max_words = 1,
	.common = true,
	.options = login_options,
	.options_size = sizeof(struct login_opts),
	.needs = NEEDS_SETTINGS,
	.check = check_login,
	.run = run_login,
};

const struct command cmd_logout = {
	.name = "logout",
	.synopsis = "[SERVER]",
	.summary = "Log out from a registry",
	.details = "Defaults to Docker Hub if no server is specified.",
	.max_words = 1,
	.common = true,
	.needs = NEEDS_SETTINGS,
	.run = run_logout,
};
