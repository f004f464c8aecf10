/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opts - command line options, parsed by table, GNU style as Docker's users know it
 *
 * `-qf x`, `-f=x`, `--f x`, `--f=x`, `--bool=false`; "--" ends the options. A
 * command's options land in a struct of its own, at the offset of each row.
 * Source: spec/cli.md, "Argument parsing"; the texts are those of Docker's
 * flag library (spf13/pflag).
 */
#ifndef OPTS_H
#define OPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* What a row's value is, and the C type found at its offset. */
enum opt_kind {
	OPT_BOOL,   /* bool */
	OPT_STRING, /* const char *, borrowed from argv; NULL when not given */
	OPT_LIST,   /* struct strlist; repeatable */
	OPT_FILTER, /* struct strlist of "key=value": key in lower case, both trimmed */
	OPT_INT,    /* int64_t */
	OPT_SIZE,   /* uint64_t bytes; "10G" is binary, see base/size.h */
	OPT_PATH,   /* const char *: a file or folder */
	OPT_DEVICE, /* const char *: a block device, which the appliance passes on */
};

struct opt {
	const char *name; /* without "--" */
	char letter;	  /* 0: none */
	enum opt_kind kind;
	const char *placeholder; /* of the value, in the help; NULL for a bool */
	const char *help;	 /* may have several lines */
	size_t offset;
	const char *preset;	/* the default as the user would type it, or NULL */
	bool hidden;		/* accepted, but not in the help */
	const char *deprecated; /* said when it is used; or NULL */
};

/* A bool and a row with a value; the offset's type must be that of the kind. */
#define OPT_FLAG(name_, letter_, type_, member_, help_)                                  \
	{                                                                                \
		.name = (name_), .letter = (letter_), .kind = OPT_BOOL, .help = (help_), \
		.offset = offsetof(struct type_, member_),                               \
	}
#define OPT_VALUE(kind_, name_, letter_, type_, member_, placeholder_, help_) \
	{                                                                     \
		.name = (name_), .letter = (letter_), .kind = (kind_),        \
		.placeholder = (placeholder_), .help = (help_),               \
		.offset = offsetof(struct type_, member_),                    \
	}

/* The words that are not options. */
struct opts_words {
	bool help;		      /* --help was among the options */
	bool help_short;	      /* as -h, which is deprecated */
	const struct opt *deprecated; /* one that was used, or NULL */
	const char **items;	      /* NULL terminated; the strings belong to argv */
	size_t nr;
};

/**
 * opts_parse - parse argv by the rows of opts
 * @opts:         ends with a zeroed row; NULL: --help is the only option
 * @stop_at_word: the first word ends the options, as for `run IMAGE -d`
 * @argv:         NULL terminated, without the command's name
 * @values:       zeroed struct of the command; filled with presets, then values
 * @ret:          opts_words_done() releases it, also after a failure
 *
 * Returns 0, or -1 with ERR_USAGE: "unknown flag: --x" and its like. The
 * values need opts_done(), also after a failure.
 */
int opts_parse(const struct opt *opts, bool stop_at_word, const char *const *argv, void *values,
	       struct opts_words *ret, struct error *err);
void opts_words_done(struct opts_words *words);
/* Empties the lists among the values. */
void opts_done(const struct opt *opts, void *values);

#endif
