/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch - an image, or a file of the web, that a command needs
 *
 * The network is where the user is. A command that runs inside the appliance asks a process
 * outside, which the same user has begun with it, through a folder that both see. A file "request"
 * in it has a line each for the folder of the streams (courier.h), what is asked for, and
 *
 *	image	its name, the platform, and whether to be quiet; the streams have the words of
 *		registry/relay.h
 *	file	its URL; the stream has its bytes, and a file "result" beside the streams is there
 *		before they end
 */
#ifndef FETCH_H
#define FETCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli.h"
#include "registry/fetch.h"

/**
 * fetch_image - pull it
 * @platform: "os/arch[/variant]"; NULL or "": the host's
 * @quiet:    else its progress is shown on stderr
 *
 * No lock of the store may be held. Errors of registry_pull(), ERR_USAGE for what is no name of a
 * registry's image.
 */
int fetch_image(struct cli *cli, struct store *store, const char *name, const char *platform,
		bool quiet, struct error *err);

/* As fetch_url(); args has no progress. */
int fetch_file(struct cli *cli, const struct fetch_args *args, struct fetch_result *ret,
	       struct error *err);

/* The process outside. Starts as { 0 }. */
struct fetcher {
	pid_t pid;
	char *folder; /* for --fetcher; NULL: not begun */
};

/* ERR_IO. */
int fetcher_start(struct cli *cli, struct fetcher *ret, struct error *err);
void fetcher_stop(struct fetcher *fetcher);
#define auto_fetcher __attribute__((cleanup(fetcher_stop)))

#endif
