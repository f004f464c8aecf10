/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime - calls of crun, and of conmon around it
 *
 * Source: crun(1), conmon(8); conmon's pipes as podman uses them (OCI_SYNCPIPE:
 * conmon answers with {"data": PID}, or a negative number and a message).
 */
#ifndef RUN_RUNTIME_H
#define RUN_RUNTIME_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct store;

struct runtime {
	char *run_dir; /* /run/veneer/STORE */
	char *root;    /* crun's own folder below it */
	char *program; /* path of this program */
	char *fs;      /* kind of file system of the pool */
};

/* Needs the store's pool. Makes the folders. */
int runtime_open(struct store *store, struct runtime *ret, struct error *err);
void runtime_done(struct runtime *runtime);
#define auto_runtime __attribute__((cleanup(runtime_done)))

/* A container to be made: its bundle is in folder, its root on device. */
struct runtime_create {
	const char *id;
	const char *folder;
	const char *device;
	const char *store_root; /* for the command that conmon runs at the end */
	bool terminal;
	bool start;	 /* it runs at once, which spares a call of the runtime */
	bool keep_stdin; /* detached: its standard input is a pipe that stays open */
};

/**
 * runtime_create - make a container that waits to be started, our grandchild
 * @fds:        its standard streams
 * @ret_master: of its terminal, with create->terminal; else untouched
 *
 * Returns the process id of its first process, or -1 with what crun says in the
 * text: see runtime_status().
 */
pid_t runtime_create(const struct runtime *runtime, const struct runtime_create *create,
		     const int fds[3], int *ret_master, struct error *err);

/**
 * runtime_monitor - the same below a conmon, which keeps the log and the exit status
 *
 * At the end conmon runs `veneer container-ended`.
 */
pid_t runtime_monitor(const struct runtime *runtime, const struct runtime_create *create,
		      struct error *err);

/* Lets its process run. */
int runtime_start(const struct runtime *runtime, const char *id, struct error *err);

struct runtime_exec {
	const char *id;
	const char *process; /* path of its JSON */
	bool detach;
	int fds[3];
};

/* Returns crun's process id; child_wait() has the status, runtime_error() what went wrong. */
pid_t runtime_exec(const struct runtime *runtime, const struct runtime_exec *exec, const char *log,
		   struct error *err);

/* What crun wrote into its log; -1 with ERR_REMOTE, or 0 when there is nothing. what: "create" */
int runtime_error(const char *log, const char *what, struct error *err);

/* Docker's exit status for why a process could not be started: 127, 126 or 125. */
int runtime_status(const char *text);

#endif
