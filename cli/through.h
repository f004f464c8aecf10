/* SPDX-License-Identifier: Apache-2.0 */
/*
 * through - a command inside the appliance, served by this process with what is out here
 */
#ifndef THROUGH_H
#define THROUGH_H

#include "cli.h"

/* Appends the program's name and the options before the command, and the command's words. */
void through_words(const struct cli *cli, const struct command *command, struct strlist *ret);

/* Reads what the command writes from in_fd, and writes what it reads to out_fd. */
typedef int through_serve_fn(void *ctx, int in_fd, int out_fd, struct error *err);

/*
 * Runs the command inside, in a process of its own. Returns 0, the exit status of what failed
 * inside and has said why, or -1.
 */
int through_run(struct cli *cli, const struct command *command, const struct strlist *words,
		through_serve_fn *serve, void *ctx, struct error *err);

/* The store's folder out here, made where it is missing. Returns a descriptor, or -1. */
int through_open_root(const struct cli *cli, struct error *err);

#endif
