/* SPDX-License-Identifier: Apache-2.0 */
#include "provision/plans.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "limits.h"

/* source: taken over */
static struct named_plan *add(struct plans *plans, char *name, char *source, bool of_file)
{
	struct named_plan *plan;

	plans->items = xrealloc(plans->items, (plans->nr + 1) * sizeof(*plans->items));
	plan = &plans->items[plans->nr++];
	*plan = (struct named_plan){ .name = name, .source = source, .of_file = of_file };
	return plan;
}

static void set_broken(struct named_plan *plan)
{
	plan->broken = true;
	plan_done(&plan->plan);
	err_add(&plan->err, "provision '%s'", plan->source);
}

/* ---- files ---- */

static int is_plan(const struct dirent *entry)
{
	return *entry->d_name != '.' && path_has_suffix(entry->d_name, PLANS_SUFFIX);
}

void plans_add_file(struct plans *plans, const char *path)
{
	char *name = xstrdup(path_base(path));
	struct named_plan *plan;

	if (path_has_suffix(name, PLANS_SUFFIX))
		name[strlen(name) - strlen(PLANS_SUFFIX)] = '\0';
	plan = add(plans, name, xstrdup(path), true);
	if (plan_read(path, &plan->plan, &plan->err) < 0)
		set_broken(plan);
}

int plans_add_folder(struct plans *plans, const char *folder, struct error *err)
{
	struct dirent **names = NULL;
	int nr = scandir(folder, &names, is_plan, alphasort);

	if (nr < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "folder '%s'", folder);
	for (int i = 0; i < nr; i++) {
		auto_free char *path = xasprintf("%s/%s", folder, names[i]->d_name);

		plans_add_file(plans, path);
		free(names[i]);
	}
	free(names);
	return 0;
}

/* ---- the kernel's command line ---- */

/* "NAME=" in front of a word: what follows, or NULL. */
static const char *value_of(const char *word, const char *name)
{
	return strncmp(word, name, strlen(name)) == 0 ? word + strlen(name) : NULL;
}

static void add_word(struct plans *plans, const char *word, size_t *nr)
{
	const char *image = value_of(word, "veneer.pull="),
		   *volume = value_of(word, "veneer.volume=");
	struct named_plan *plan;

	if (!image && !volume)
		return;
	plan = add(plans, xasprintf("kernel:%zu", ++*nr), xstrdup(word), false);
	if (image && *image)
		plan->plan.image = xstrdup(image);
	else if (image)
		err_set(&plan->err, ERR_USAGE, "no image is named");
	if ((image && !*image) ||
	    (volume && plan_parse_volume(volume, &plan->plan, &plan->err) < 0))
		set_broken(plan);
}

/* Between quotes a blank is a part of the word, and they are not: as the kernel reads it. */
void plans_add_words(struct plans *plans, const char *cmdline)
{
	auto_buf struct buf word = { 0 };
	bool quoted = false;
	size_t nr = 0;

	for (const char *at = cmdline;; at++) {
		if (*at == '"') {
			quoted = !quoted;
		} else if (*at && (quoted || !strchr(" \t\n", *at))) {
			buf_putc(&word, *at);
		} else {
			auto_free char *text = buf_take(&word);

			add_word(plans, text, &nr);
		}
		if (!*at)
			return;
	}
}

int plans_add_all(struct plans *plans, struct error *err)
{
	auto_buf struct buf words = { 0 };
	auto_free char *text = NULL;

	if (plans_add_folder(plans, PLANS_FOLDER, err) < 0 ||
	    io_read_file(AT_FDCWD, PLANS_KERNEL, LIMIT_JSON_BYTES, &words, err) < 0)
		return -1;
	text = buf_take(&words);
	plans_add_words(plans, text);
	return 0;
}

struct named_plan *plans_find(const struct plans *plans, const char *name)
{
	for (size_t i = 0; i < plans->nr; i++)
		if (plans->items[i].name && strcmp(plans->items[i].name, name) == 0)
			return &plans->items[i];
	return NULL;
}

void plans_move(struct plans *plans, struct named_plan *plan)
{
	struct named_plan *moved = add(plans, NULL, NULL, false);

	*moved = *plan;
	*plan = (struct named_plan){ 0 };
}

void plans_done(struct plans *plans)
{
	for (size_t i = 0; i < plans->nr; i++) {
		free(plans->items[i].name);
		free(plans->items[i].source);
		plan_done(&plans->items[i].plan);
	}
	free(plans->items);
	*plans = (struct plans){ 0 };
}
