/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* A pipe as core_pattern pays no heed to the limit, but to the flag. */
static struct {
	pthread_mutex_t lock;
	unsigned held;
	int dumpable;
	struct rlimit core;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

void secret_free(void *p)
{
	if (!p)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void secret_buf_init(struct buf *ret, size_t max)
{
	*ret = (struct buf){ .data = xcalloc(max + 1, 1), .cap = max + 1 };
}

void secret_buf_done(struct buf *buf)
{
	secret_free(buf->data);
	*buf = (struct buf){ 0 };
}

void secret_hold(void)
{
	struct rlimit none;

	pthread_mutex_lock(&state.lock);
	if (state.held++ == 0) {
		state.dumpable = prctl(PR_GET_DUMPABLE);
		prctl(PR_SET_DUMPABLE, 0);
		getrlimit(RLIMIT_CORE, &state.core);
		none = (struct rlimit){ 0, state.core.rlim_max };
		setrlimit(RLIMIT_CORE, &none);
	}
	pthread_mutex_unlock(&state.lock);
}

void secret_release(void)
{
	pthread_mutex_lock(&state.lock);
	if (state.held && --state.held == 0) {
		setrlimit(RLIMIT_CORE, &state.core);
		/* 2 cannot be set, and is what a program has that only root may look into. */
		if (state.dumpable == 1)
			prctl(PR_SET_DUMPABLE, 1);
	}
	pthread_mutex_unlock(&state.lock);
}
