/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/pressure.h"

#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "volume.h"

/* Without an overflow: a hundredth first, as a pool has more than a hundred bytes. */
static uint64_t percent_of(uint64_t total, unsigned percent)
{
	return total / 100 * percent;
}

static bool reaches(uint64_t used, uint64_t total, unsigned percent)
{
	return total && used >= percent_of(total, percent);
}

static const char *const prune_names[] = {
	[PRESSURE_PRUNE_PULLED] = "pulled",
	[PRESSURE_PRUNE_ALL] = "all",
	[PRESSURE_PRUNE_NONE] = "none",
};

const char *pressure_prune_name(enum pressure_prune prune)
{
	return prune_names[prune];
}

int pressure_prune_parse(const char *text, enum pressure_prune *ret, struct error *err)
{
	for (size_t i = 0; text && i < sizeof(prune_names) / sizeof(*prune_names); i++) {
		if (strcmp(text, prune_names[i]) == 0) {
			*ret = (enum pressure_prune)i;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE, "must be \"pulled\", \"all\" or \"none\"");
}

int pressure_check(const struct pressure_limits *limits, struct error *err)
{
	if (limits->prune_to > limits->prune_at)
		return err_set(err, ERR_USAGE,
			       "key \"pool.prune_to\": %u is more than \"prune_at\", which is %u",
			       limits->prune_to, limits->prune_at);
	return 0;
}

static bool may_grow(const struct pressure_limits *limits, uint64_t total)
{
	return pool_growth_next(&limits->growth, total) > total;
}

bool pressure_grows(const struct pressure_limits *limits, uint64_t used, uint64_t total)
{
	return reaches(used, total, limits->grow_at) && may_grow(limits, total);
}

bool pressure_prunes(const struct pressure_limits *limits, uint64_t used, uint64_t total)
{
	return limits->prune_at < 100 && reaches(used, total, limits->prune_at);
}

uint64_t pressure_target(const struct pressure_limits *limits, uint64_t total)
{
	return percent_of(total, limits->prune_to);
}

bool pressure_meta_grows(uint64_t used, uint64_t total)
{
	uint64_t free_bytes = used < total ? total - used : 0;

	return total && free_bytes < volume_meta_reserve(total) / 2 * 3;
}

uint64_t pressure_mark(const struct pressure_limits *limits, uint64_t used, uint64_t total,
		       bool can_grow)
{
	unsigned at = can_grow && may_grow(limits, total) ? limits->grow_at : limits->prune_at;

	if (at < 100 && !reaches(used, total, at))
		return total - percent_of(total, at);
	return used < total ? (total - used) / 2 : 0;
}

static const char *data_words(const struct pressure_limits *limits, uint64_t used, uint64_t total)
{
	if (pressure_grows(limits, used, total))
		return "a monitor lets it grow";
	if (!pressure_prunes(limits, used, total))
		return NULL;
	switch (limits->prune) {
	case PRESSURE_PRUNE_PULLED:
		return "a monitor deletes unused images that were pulled, or run 'veneer pool "
		       "grow'";
	case PRESSURE_PRUNE_ALL:
		return "a monitor deletes unused images, or run 'veneer pool grow'";
	case PRESSURE_PRUNE_NONE:
		break;
	}
	return "run 'veneer pool grow', or remove images";
}

const char *pressure_remedy(const struct pressure_limits *limits)
{
	switch (limits->prune) {
	case PRESSURE_PRUNE_PULLED:
		return "the pool is nearly full, and no unused image can be pulled again: run "
		       "'veneer pool grow', or remove containers, volumes and images";
	case PRESSURE_PRUNE_ALL:
		return "the pool is nearly full, and no image is unused: run 'veneer pool grow', "
		       "or remove containers, volumes and images";
	case PRESSURE_PRUNE_NONE:
		break;
	}
	return "the pool is nearly full: run 'veneer pool grow', or remove containers, volumes and "
	       "images";
}

void pressure_words(const struct pressure_limits *limits, const struct pool_status *status,
		    struct buf *ret)
{
	uint64_t used = status->data_used_bytes, total = status->data_total_bytes;
	const char *data = data_words(limits, used, total);
	size_t before = ret->len;

	if (status->stat.out_of_data)
		buf_puts(ret, "data: full, writes fail; run 'veneer pool grow', or remove images");
	else if (data)
		buf_printf(ret, "data: %" PRIu64 " %% in use; %s", used / (total / 100), data);
	if (pressure_meta_grows(status->meta_used_bytes, status->meta_total_bytes))
		buf_printf(ret,
			   "%smetadata: %" PRIu64
			   " %% in use; run 'veneer pool grow --metadata-size SIZE'",
			   ret->len > before ? "; " : "",
			   status->meta_used_bytes / (status->meta_total_bytes / 100));
	if (ret->len == before)
		buf_puts(ret, "none");
}
