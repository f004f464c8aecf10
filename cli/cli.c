/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "appliance/launch.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/utf8.h"
#include "dockerconf.h"
#include "format/utf8.h"
#include "inside.h"
#include "registry/registry.h"
#include "store.h"

/*
 * A store that lives on the appliance's disk is not seen from here. A second one
 * beside it, made without a thought, would shut out the first.
 */
static int check_other_store(const char *root, struct error *err)
{
	auto_free char *disk = xasprintf("%s/appliance/store.img", root);
	auto_free char *catalogue = xasprintf("%s/catalogue.db", root);

	if (inside_already() || access(disk, F_OK) < 0 || access(catalogue, F_OK) == 0)
		return 0;
	return err_set(err, ERR_IN_USE,
		       "the store in '%s' was made in the appliance; use it with --kernel "
		       "appliance, or name another with --root",
		       root);
}

int cli_store_options(struct cli *cli, struct store_options *ret, struct error *err)
{
	const struct settings *settings = cli->settings;

	*ret = (struct store_options){
		.root = settings->root,
		.command = cli->command->name,
		.drop_blobs = !settings->keep_blobs,
		.writer = settings->writer,
		.fsck_layers = settings->fsck_layers,
		.pool_defaults = &cli->pool_defaults,
		.notice = cli_say,
		.disk_below = inside_already() ? APPLIANCE_DISK_FOLDER : NULL,
	};

	cli->pool_defaults = (struct pool_create_args){
		.files_bytes = settings->pool_files_bytes,
		.block_bytes = settings->pool_block_bytes,
		.fs = settings->pool_fs,
		.volume_bytes = settings->pool_volume_bytes,
	};
	return check_other_store(settings->root, err);
}

static int open_store(struct cli *cli, bool no_catalogue, struct store **ret, struct error *err)
{
	struct store_options options;

	if (cli_store_options(cli, &options, err) < 0)
		return -1;
	options.no_catalogue = no_catalogue;
	return store_open(&options, ret, err);
}

int cli_open_store(struct cli *cli, struct store **ret, struct error *err)
{
	return open_store(cli, false, ret, err);
}

int cli_open_existing_store(struct cli *cli, struct store **ret, struct error *err)
{
	auto_free char *catalogue = xasprintf("%s/catalogue.db", cli->settings->root);

	*ret = NULL;
	return access(catalogue, F_OK) == 0 ? open_store(cli, false, ret, err) : 0;
}

int cli_open_lost_store(struct cli *cli, struct store **ret, struct error *err)
{
	return open_store(cli, true, ret, err);
}

struct registry_options cli_registry_options(const struct cli *cli)
{
	return (struct registry_options){
		.docker_config_dir = cli->settings->docker_dir,
		.table = &cli->settings->registries,
	};
}

void cli_read_dockerconf(const struct cli *cli, struct dockerconf *ret)
{
	struct error err;

	if (dockerconf_read(cli->settings->docker_dir, ret, &err) == 0)
		return;
	auto_free char *text = xasprintf("WARNING: Error parsing config file (%s/config.json): %s",
					 cli->settings->docker_dir, err.text);

	cli_say(text);
	dockerconf_done(ret);
}

int cli_fail(struct cli *cli, const struct error *err)
{
	if (err->kind == ERR_CANCELLED)
		return -1;
	strlist_add(&cli->failures, err->text);
	return 0;
}

/* Control characters in their short and their long form, and bytes that some terminals take for such. */
static bool can_steer(uint32_t rune, bool valid)
{
	return !valid || rune < 0x20 || (rune >= 0x7f && rune < 0xa0);
}

/* Characters of allowed stay as they are. */
static void put_harmless(struct buf *ret, const char *text, size_t len, const char *allowed)
{
	const char *at = text, *end = text + len;

	while (at < end) {
		const char *from = at;
		bool valid;
		uint32_t rune = utf8_next(&at, end, &valid);

		if (can_steer(rune, valid) && !strchr(allowed, *from))
			buf_putc(ret, '?');
		else
			buf_append(ret, from, (size_t)(at - from));
	}
}

static void say(const char *text, const char *allowed)
{
	auto_buf struct buf shown = { 0 };

	put_harmless(&shown, text, strlen(text), allowed);
	fprintf(stderr, "%s\n", shown.len ? shown.data : "");
}

void cli_say(const char *text)
{
	say(text, "\n\t");
}

void cli_say_error(const char *text)
{
	say(text, "");
}

void cli_print_table(const char *text, size_t len)
{
	auto_buf struct buf shown = { 0 };

	if (!isatty(STDOUT_FILENO)) {
		fwrite(text, 1, len, stdout);
		return;
	}
	put_harmless(&shown, text, len, "\n");
	fwrite(shown.data, 1, shown.len, stdout);
}

int cli_flush(void)
{
	static int first;

	errno = 0;
	if ((fflush(stdout) != 0 || ferror(stdout)) && !first)
		first = errno ? errno : EIO;
	return first;
}

int cli_exit_status(const struct error *err)
{
	switch (err->kind) {
	case ERR_TEMPLATE:
		return 64;
	case ERR_CANCELLED:
		return 128 + (cancel_signal() ? cancel_signal() : SIGINT);
	case ERR_USAGE:
	case ERR_NOT_FOUND:
	case ERR_EXISTS:
	case ERR_IN_USE:
	case ERR_DENIED:
	case ERR_NO_SPACE:
	case ERR_LIMIT:
	case ERR_CORRUPT:
	case ERR_UNSUPPORTED:
	case ERR_REMOTE:
	case ERR_IO:
		break;
	}
	return 1;
}

char *cli_one_line(const char *text)
{
	const char *end = text + strlen(text);
	struct buf line = { 0 };

	while (text < end) {
		uint32_t rune = utf8_next(&text, end, NULL);

		utf8_put(&line, rune < ' ' || (rune >= 0x7f && rune < 0xa0) ? '?' : rune);
	}
	return buf_take(&line);
}
