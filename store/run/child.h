/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child - a program that we start with streams of its own, and wait for
 */
#ifndef RUN_CHILD_H
#define RUN_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct child_args {
	const struct strlist *argv; /* argv[0] is looked up in PATH */
	const struct strlist *env;  /* set beside our own; or NULL */
	int fds[3];		    /* its standard streams; -1: /dev/null */
	const int *kept;	    /* more descriptors that it gets, by their numbers */
	size_t nr_kept;
	bool own_group; /* a process group of its own: no key of the terminal reaches it */
};

/* Returns the process id, or -1; ERR_NOT_FOUND without the program. */
pid_t child_start(const struct child_args *args, struct error *err);
/* Its exit status, 128+n for a signal. */
int child_wait(pid_t pid);

#endif
