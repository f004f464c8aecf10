/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - every command of the program, one row each
 *
 * Parsing, help, completion and the man pages come from these rows alone. A
 * command lives in its group and, where Docker has it there too, at top level
 * under a name of its own: "image ls", alias "image list", is also "images".
 * Source: spec/cli.md, "Command names".
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "opts.h"

#define PROGRAM "veneer"

struct cli;

enum command_needs {
	NEEDS_NOTHING,	/* runs anywhere, opens nothing, cares for no configuration */
	NEEDS_SETTINGS, /* the configuration alone */
	NEEDS_STORE,	/* the store; so the appliance, where that holds it */
	NEEDS_POOL,	/* the store and device-mapper */
};

/**
 * command_fn - run a command whose words were checked against its row
 * @opts: the struct that the row's options were parsed into, NULL without options
 *
 * Returns 0, an exit status above 0 when everything was said already, or -1.
 */
typedef int command_fn(struct cli *cli, const void *opts, struct error *err);

/*
 * What can be wrong with words and options together, found before anything is
 * opened or booted. Returns 0 or -1.
 */
typedef int command_check_fn(const struct cli *cli, const void *opts, struct error *err);

/* Whether this run of the command may read standard input, a prompt's answer too. */
typedef bool command_stdin_fn(const struct cli *cli, const void *opts);

/* The file that this run of the command reads; borrowed from argv, NULL for none. */
typedef const char *command_file_fn(const struct cli *cli, const void *opts);

struct command {
	const char *group;    /* "image"; NULL: at top level only */
	const char *name;     /* in the group, or at top level without one */
	const char *aliases;  /* more names beside it, blank separated, or NULL */
	const char *top;      /* its name at top level, beside the group; or NULL */
	const char *synopsis; /* "[OPTIONS] IMAGE [IMAGE...]"; "" without any */
	const char *summary;  /* one line for the lists */
	const char *details;  /* more for help and man page, or NULL */
	int min_words;
	int max_words;	   /* -1: any number */
	bool stop_at_word; /* options end at the first word */
	bool common;	   /* in the first list of the top-level help */
	bool hidden;	   /* works, but is in no list */
	const struct opt *options;
	size_t options_size; /* of the struct behind options */
	enum command_needs needs;
	command_check_fn *check;       /* NULL: nothing more to check */
	command_stdin_fn *reads_stdin; /* NULL: never */
	command_file_fn *input_file;   /* NULL: never */
	bool forgets_disks;	       /* ends the use of the pool's devices */
	bool fetches;		       /* may need images from their registry */
	command_fn *outside;	       /* in the place of run where the appliance is; or NULL */
	command_fn *run;
};

struct command_group {
	const char *name;
	const char *summary;
};

/* Both end with a NULL pointer or a zeroed row. */
extern const struct command *const command_table[];
extern const struct command_group command_groups[];
/* The options before the command; their values are a struct global_opts. */
extern const struct opt global_options[];

struct global_opts {
	const char *config;
	const char *root;
	const char *kernel;
	const char *log_level;
	const char *fetcher; /* fetch.h; NULL: the network is here */
	bool debug;
	bool version;
};

/* What the first words of a command line mean. */
struct command_match {
	const struct command *command;	   /* or NULL */
	const struct command_group *group; /* set for a bare group, or an unknown word in one */
	const char *unknown;		   /* the word that is no command, or NULL */
	size_t nr_words;		   /* words that named the command or the group */
	bool by_top;			   /* found under its top-level name */
};

void command_find(const char *const *words, struct command_match *ret);

/* "veneer images" or "veneer image ls": the path by which it was called. Returns new. */
char *command_path(const struct command *command, bool by_top);

/* Is name one of the words of its aliases? */
bool command_has_alias(const struct command *command, const char *name);

#endif
