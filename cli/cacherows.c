/* SPDX-License-Identifier: Apache-2.0 */
#include "cacherows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/human.h"
#include "format/plainline.h"

const struct gotmpl_type cache_row_type = {
	.kind = GOTMPL_STRUCT,
	.name = "*formatter.buildCacheContext",
	.fields =
		(const struct gotmpl_field[]){
			{ "CacheType", &gotmpl_string },
			{ "CreatedAt", &gotmpl_string },
			{ "CreatedSince", &gotmpl_string },
			{ "Description", &gotmpl_string },
			{ "ID", &gotmpl_string },
			{ "InUse", &gotmpl_string },
			{ "LastUsedAt", &gotmpl_string },
			{ "LastUsedSince", &gotmpl_string },
			{ "Shared", &gotmpl_string },
			{ "Size", &gotmpl_string },
			{ "UsageCount", &gotmpl_string },
			{ 0 },
		},
	.is_row = true,
};

const struct listing_kind cache_listing = {
	.type = &cache_row_type,
	.headers =
		(const struct listing_header[]){
			{ "CacheType", "CACHE TYPE" },
			{ "CreatedAt", "CREATED AT" },
			{ "CreatedSince", "CREATED" },
			{ "Description", "DESCRIPTION" },
			{ "ID", "CACHE ID" },
			{ "InUse", "IN USE" },
			{ "LastUsedAt", "LAST USED AT" },
			{ "LastUsedSince", "LAST USED" },
			{ "Shared", "SHARED" },
			{ "Size", "SIZE" },
			{ "UsageCount", "USAGE" },
			{ 0 },
		},
	.table = "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t"
		 "{{.UsageCount}}\t{{.Shared}}",
};

int64_t cache_own_bytes(const struct build_cache_list *list)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < list->nr; i++)
		bytes += list->items[i].held ? list->items[i].content_bytes : 0;
	return bytes;
}

static json_t *row_json(const struct build_cache_entry *entry, const struct timespec *now,
			bool no_trunc)
{
	struct timespec created = human_time_from_ns(entry->created_ns);
	struct timespec used = human_time_from_ns(entry->used_ns);
	const char *id = entry->chain_id.text;
	auto_buf struct buf what = { 0 };
	char uses[24];

	/* A Dockerfile may hold bytes that JSON cannot. */
	buf_puts(&what, "");
	plainline_put(&what, entry->what, strlen(entry->what));
	snprintf(uses, sizeof(uses), "%" PRId64, entry->uses);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "CacheType",
			 "regular", "CreatedAt", human_time_local(&created).text, "CreatedSince",
			 human_since(&created, now).text, "Description", what.data, "ID",
			 no_trunc ? id : human_short_id(id).text, "InUse", "false", "LastUsedAt",
			 human_time_local(&used).text, "LastUsedSince",
			 human_since(&used, now).text, "Shared", entry->held ? "false" : "true",
			 "Size", human_size(entry->content_bytes, HUMAN_LIST).text, "UsageCount",
			 uses);
}

json_t *cache_rows_json(const struct build_cache_list *list, bool no_trunc)
{
	struct timespec now = human_now();
	json_t *ret = json_array();

	for (size_t i = 0; i < list->nr; i++)
		json_array_append_new(ret, row_json(&list->items[i], &now, no_trunc));
	return ret;
}
