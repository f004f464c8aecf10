/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

void cancel_catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

int cancel_signal(void)
{
	return caught;
}

int cancel_check(struct error *err)
{
	if (caught)
		return err_set(err, ERR_CANCELLED, "stopped by signal %d (%s)", (int)caught,
			       strsignal(caught));
	return 0;
}
