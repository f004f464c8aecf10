/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pace.h"

#define WAIT_MS 500  /* a busy machine makes a reader wait 200 for the first bytes of a fast line */
#define IDLE_MS 1500 /* the end of a large layer takes up to half of it */

void pace_fed(struct pace *pace, int64_t now_ms)
{
	*pace = (struct pace){ .fed_ms = now_ms };
}

void pace_waited(struct pace *pace, int64_t from_ms, int64_t to_ms)
{
	pace->waited_ms += to_ms - from_ms;
}

bool pace_is_ahead_worth_it(const struct pace *pace, int64_t now_ms)
{
	return pace->waited_ms >= WAIT_MS || now_ms - pace->fed_ms >= IDLE_MS;
}
