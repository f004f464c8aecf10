/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <signal.h>

int thread_start(void *(*main)(void *ctx), void *ctx, pthread_t *ret, struct error *err)
{
	sigset_t all, old;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	code = pthread_create(ret, NULL, main, ctx);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return code ? err_sys(err, code, "start a thread") : 0;
}
