/* SPDX-License-Identifier: Apache-2.0 */
#include "complete.h"

#include <string.h>

#include "table.h"

/* The shape of the script: which command do the words name, what may come next? */
static const char script_head[] =
	"# bash completion for " PROGRAM "; made by `" PROGRAM " completion bash`\n"
	"_" PROGRAM "()\n"
	"{\n"
	"\tlocal cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
	"\tlocal i word path='' words='' files='' devices='' values=''\n"
	"\tlocal names='' colons\n"
	"\tCOMPREPLY=()\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=\"${COMP_WORDS[i]}\"\n"
	"\t\tcase \"$path:$word\" in\n";

static const char script_middle[] = "\t\tesac\n"
				    "\tdone\n"
				    "\tcase \"$path\" in\n";

static const char script_tail[] =
	"\tesac\n"
	"\tcase \" $files \" in *\" $prev \"*) COMPREPLY=($(compgen -f -- \"$cur\")); return;; esac\n"
	"\tcase \" $devices \" in *\" $prev \"*) COMPREPLY=($(compgen -f -- \"${cur:-/dev/}\"));"
	" return;; esac\n"
	"\tcase \" $values \" in *\" $prev \"*) return;; esac\n"
	"\tcase \"$names:$cur\" in :*|*:-*) ;; *)\n"
	"\t\twords=\"$words $(\"$1\" " COMPLETE_COMMAND " $names 2>/dev/null)\";;\n"
	"\tesac\n"
	/* Bash takes the word apart at colons, and puts the answer behind the last one. */
	"\tcur=\"${COMP_LINE:0:COMP_POINT}\" cur=\"${cur##*[[:space:]]}\"\n"
	"\tcolons=\"${cur%\"${cur##*:}\"}\"\n"
	"\t[[ $COMP_WORDBREAKS == *:* ]] || colons=''\n"
	"\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	"\tCOMPREPLY=(\"${COMPREPLY[@]#\"$colons\"}\")\n"
	"}\n"
	"complete -o bashdefault -o default -F _" PROGRAM " " PROGRAM "\n";

static bool takes_file(const struct opt *opt)
{
	return opt->kind == OPT_PATH;
}

static bool takes_device(const struct opt *opt)
{
	return opt->kind == OPT_DEVICE;
}

static bool takes_text(const struct opt *opt)
{
	return opt->kind != OPT_BOOL && opt->kind != OPT_PATH && opt->kind != OPT_DEVICE;
}

static bool any(const struct opt *opt)
{
	return opt->name != NULL;
}

/* The spellings of the options that the test picks. */
static void put_options(const struct opt *opts, bool (*picks)(const struct opt *), struct buf *ret)
{
	for (const struct opt *opt = opts; opt && opt->name; opt++) {
		if (opt->hidden || !picks(opt))
			continue;
		buf_printf(ret, " --%s", opt->name);
		if (opt->letter)
			buf_printf(ret, " -%c", opt->letter);
	}
}

/* What of the store the words in the synopsis stand for. */
static void put_names(const char *synopsis, struct buf *ret)
{
	static const struct {
		const char *word;
		const char *names;
	} known[] = {
		{ "CONTAINER", "containers" }, { "NAME|ID", "containers" }, { "IMAGE", "images" },
		{ "REPOSITORY", "images" },    { "NAME[:TAG", "images" },   { "NAME|ID", "images" },
	};
	const char *last = "";

	buf_puts(ret, "names='");
	for (size_t i = 0; synopsis && i < sizeof(known) / sizeof(*known); i++) {
		if (!strstr(synopsis, known[i].word) || strcmp(last, known[i].names) == 0)
			continue;
		buf_printf(ret, "%s%s", *last ? " " : "", known[i].names);
		last = known[i].names;
	}
	buf_puts(ret, "' ");
}

static void put_assignments(const struct opt *opts, const char *synopsis, struct buf *ret)
{
	put_names(synopsis, ret);
	buf_puts(ret, "files='");
	put_options(opts, takes_file, ret);
	buf_puts(ret, "' devices='");
	put_options(opts, takes_device, ret);
	buf_puts(ret, "' values='");
	put_options(opts, takes_text, ret);
	buf_puts(ret, "' words='--help");
	put_options(opts, any, ret);
}

/* "image/ls" for a command in a group, "/images" at top level. */
static void put_case(const char *group, const char *name, const struct command *command,
		     struct buf *ret)
{
	buf_printf(ret, "\t%s/%s) ", group, name);
	put_assignments(command->options, command->synopsis, ret);
	buf_puts(ret, "';;\n");
}

/* Steps of the walk over the words: from "" to a group, from there to a command. */
static void put_step(const char *from, const char *word, const char *to, const char *name,
		     struct buf *ret)
{
	buf_printf(ret, "\t\t%s:%s) path='%s/%s';;\n", from, word, to, name);
}

static void put_alias_steps(const struct command *command, struct buf *ret)
{
	const char *group = command->group ? command->group : "";

	for (const char *at = command->aliases; at && *at;) {
		size_t len = strcspn(at, " ");

		buf_printf(ret, "\t\t%s:%.*s) path='%s/%s';;\n", group, (int)len, at, group,
			   command->name);
		at += len + (at[len] == ' ');
	}
}

static void put_steps(struct buf *ret)
{
	for (const struct command_group *group = command_groups; group->name; group++)
		buf_printf(ret, "\t\t:%s) path='%s';;\n", group->name, group->name);
	for (const struct command *const *at = command_table; *at; at++) {
		const struct command *command = *at;
		const char *group = command->group ? command->group : "";

		if (command->hidden)
			continue;
		put_step(group, command->name, group, command->name, ret);
		put_alias_steps(command, ret);
		if (command->top)
			put_step("", command->top, group, command->name, ret);
	}
}

static void put_top_words(struct buf *ret)
{
	buf_puts(ret, "\t'') ");
	put_assignments(global_options, NULL, ret);
	for (const struct command_group *group = command_groups; group->name; group++)
		buf_printf(ret, " %s", group->name);
	for (const struct command *const *at = command_table; *at; at++) {
		const char *name = (*at)->group ? (*at)->top : (*at)->name;

		if (name && !(*at)->hidden)
			buf_printf(ret, " %s", name);
	}
	buf_puts(ret, "';;\n");
}

static void put_group_words(const struct command_group *group, struct buf *ret)
{
	buf_printf(ret, "\t%s) words='--help", group->name);
	for (const struct command *const *at = command_table; *at; at++)
		if ((*at)->group && strcmp((*at)->group, group->name) == 0 && !(*at)->hidden)
			buf_printf(ret, " %s", (*at)->name);
	buf_puts(ret, "';;\n");
}

void complete_bash(struct buf *ret)
{
	buf_puts(ret, script_head);
	put_steps(ret);
	buf_puts(ret, script_middle);
	put_top_words(ret);
	for (const struct command_group *group = command_groups; group->name; group++)
		put_group_words(group, ret);
	for (const struct command *const *at = command_table; *at; at++)
		if (!(*at)->hidden)
			put_case((*at)->group ? (*at)->group : "", (*at)->name, *at, ret);
	buf_puts(ret, script_tail);
}
