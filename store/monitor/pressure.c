/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/pressure.h"

#include <inttypes.h>

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
	if (pressure_prunes(limits, used, total))
		return "a monitor deletes unused images, or run 'veneer pool grow'";
	return NULL;
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
