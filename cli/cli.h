/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli - what a running command has at hand: its words, the settings, the user
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "pool/pool.h"
#include "settings.h"
#include "table.h"

struct dockerconf;
struct registry_options; /* registry/registry.h */
struct store;

struct cli {
	const struct command *command;
	const char *const *words; /* NULL terminated; as many as the row allows */
	size_t nr_words;
	const struct opt *deprecated; /* an option that was used, or NULL */
	const struct global_opts *global;
	const struct settings *settings;       /* NULL with NEEDS_NOTHING */
	struct strlist failures;	       /* of single operands, printed at the end */
	struct pool_create_args pool_defaults; /* from the settings; the store borrows it */
};

struct store_options;

/* How the settings say that the store is opened; ret must not outlive cli. */
int cli_store_options(struct cli *cli, struct store_options *ret, struct error *err);

/* Opens the store of the settings. The caller owns *ret, which must not outlive cli. */
int cli_open_store(struct cli *cli, struct store **ret, struct error *err);
/* Likewise, but *ret is NULL where there is none: a look makes no store. */
int cli_open_existing_store(struct cli *cli, struct store **ret, struct error *err);
/* For check --rebuild: the catalogue, which may be damaged, stays closed. */
int cli_open_lost_store(struct cli *cli, struct store **ret, struct error *err);

/* Credentials, mirrors and certificates as the settings have them; borrowed from those. */
struct registry_options cli_registry_options(const struct cli *cli);

/* Docker's client configuration; empty, with a warning on stderr, when it is malformed. */
void cli_read_dockerconf(const struct cli *cli, struct dockerconf *ret);

/**
 * cli_fail - one of several operands failed: remember why and go on
 *
 * Returns 0, or -1 when there is no going on because a signal asked to stop.
 */
int cli_fail(struct cli *cli, const struct error *err);

/* Text on stderr; what could steer a terminal is shown as '?'. A newline is added. */
void cli_say(const char *text);
/* The same for an error, in which names from outside may stand: always one line. */
void cli_say_error(const char *text);

/* A text from outside as valid UTF-8 in one line, with '?' for control characters; new. */
char *cli_one_line(const char *text);

/* Rows of a table on stdout; on a terminal, with '?' for what could steer it. */
void cli_print_table(const char *text, size_t len);

/*
 * cli_flush - what was printed goes out; of old output too, errors are remembered
 *
 * Returns 0, or the first error number: main() reports it.
 */
int cli_flush(void);

/* The exit status of a command that ended with err. */
int cli_exit_status(const struct error *err);

#endif
