/* SPDX-License-Identifier: Apache-2.0 */
#include "prune.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "build/remember.h"
#include "cli.h"
#include "containerfilter.h"
#include "dockerconf.h"
#include "format/human.h"
#include "image/remove.h"
#include "run/container.h"
#include "run/localvolume.h"
#include "store.h"

static bool has(const struct strlist *list, const char *text)
{
	for (size_t i = 0; i < list->nr; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

/* The configuration's filters hold too, but for what the command line turns round. */
static void merge_filters(const struct strlist *given, const struct strlist *configured,
			  struct strlist *ret)
{
	for (size_t i = 0; i < given->nr; i++)
		strlist_add(ret, given->items[i]);
	for (size_t i = 0; i < configured->nr; i++) {
		const char *filter = configured->items[i];
		auto_free char *opposite = NULL;

		if (!strchr(filter, '='))
			continue;
		if (strncmp(filter, "label=", 6) == 0)
			opposite = xasprintf("label!=%s", filter + 6);
		else if (strncmp(filter, "label!=", 7) == 0)
			opposite = xasprintf("label=%s", filter + 7);
		if (!opposite || !has(given, opposite))
			strlist_add(ret, filter);
	}
}

void prune_filters(const struct cli *cli, const struct strlist *given, struct strlist *ret)
{
	auto_dockerconf struct dockerconf conf = { 0 };

	cli_read_dockerconf(cli, &conf);
	merge_filters(given, &conf.prune_filters, ret);
}

/* Returns 1 when it is gone, 0 when it is to stay, or -1. */
static int prune_container(struct store *store, const struct container_row *row,
			   const struct container_filter *filter, int64_t *freed_bytes,
			   struct error *err)
{
	json_auto_t *document = NULL;
	int64_t bytes;
	int match;

	if (row->state == CONTAINER_RUNNING || row->state == CONTAINER_STARTING)
		return 0;
	if (container_document(row, &document, err) < 0)
		return -1;
	match = container_filter_match(filter, row, document, err);
	if (match <= 0)
		return match;
	if (container_own_bytes(store, row, &bytes, err) < 0 ||
	    container_remove(store, row->id, false, false, err) < 0)
		/* Started, or removed, by somebody else meanwhile. */
		return err->kind == ERR_NOT_FOUND || err->kind == ERR_IN_USE ? 0 : -1;
	*freed_bytes += bytes;
	return 1;
}

int prune_containers(struct store *store, const struct strlist *filters, int64_t *freed_bytes,
		     struct error *err)
{
	auto_container_filter struct container_filter filter = { 0 };
	auto_container_rows struct container_rows rows = { 0 };
	int gone, total = 0;

	if (container_list(store, &rows, err) < 0 ||
	    container_filter_parse(store, filters, &rows, true, &filter, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.nr; i++) {
		gone = prune_container(store, &rows.items[i], &filter, freed_bytes, err);
		if (gone < 0)
			return -1;
		if (gone && !total++)
			printf("Deleted Containers:\n");
		if (gone)
			printf("%s\n", rows.items[i].id);
	}
	if (total)
		putchar('\n');
	return 0;
}

static void print_removal(const struct removal *removal)
{
	if (removal->nr)
		printf("Deleted Images:\n");
	for (size_t i = 0; i < removal->nr; i++)
		printf("%s: %s\n", removal->steps[i].deleted ? "deleted" : "untagged",
		       removal->steps[i].what);
	if (removal->nr)
		putchar('\n');
}

int prune_images(struct store *store, bool all, const struct image_filter *filter,
		 int64_t *freed_bytes, struct error *err)
{
	auto_removal struct removal removal = { 0 };
	int result = image_prune(store, all, filter, &removal, err);

	print_removal(&removal); /* also what went before a failure */
	*freed_bytes += removal.content_bytes;
	return result;
}

int prune_cache(struct store *store, bool all, int64_t until_ns, int64_t *freed_bytes,
		struct error *err)
{
	auto_build_cache_list struct build_cache_list list = { 0 };

	if (build_cache_prune(store, all, until_ns, &list, err) < 0)
		return -1;
	if (list.nr)
		printf("Deleted build cache objects:\n");
	for (size_t i = 0; i < list.nr; i++) {
		printf("%s\n", list.items[i].chain_id.text);
		*freed_bytes += list.items[i].content_bytes;
	}
	if (list.nr)
		putchar('\n');
	return 0;
}

const char *prune_which_volumes(bool all)
{
	return all ? "all local volumes not used by at least one container"
		   : "anonymous local volumes not used by at least one container";
}

int prune_volumes(struct store *store, bool all, int64_t *freed_bytes, struct error *err)
{
	auto_local_volume_list struct local_volume_list list = { 0 };
	int total = 0;

	if (local_volume_list(store, &list, err) < 0)
		return -1;
	for (size_t i = 0; i < list.nr; i++) {
		const struct local_volume *volume = &list.items[i];

		if (volume->nr_containers || (!all && !volume->anonymous))
			continue;
		if (local_volume_remove(store, volume->name, err) < 0) {
			/* Taken, or removed, by somebody else meanwhile. */
			if (err->kind == ERR_NOT_FOUND || err->kind == ERR_IN_USE)
				continue;
			return -1;
		}
		if (!total++)
			printf("Deleted Volumes:\n");
		printf("%s\n", volume->name);
		*freed_bytes += volume->size_bytes;
	}
	if (total)
		putchar('\n');
	return 0;
}

void prune_print_total(int64_t freed_bytes)
{
	printf("Total reclaimed space: %s\n", human_size(freed_bytes, HUMAN_TOTAL).text);
}
