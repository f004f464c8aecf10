/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerconf - what Docker's client configuration says about our output
 *
 * Only read, so that its unknown keys are nobody's concern here.
 * Source: spec/cli.md, "Config file".
 */
#ifndef DOCKERCONF_H
#define DOCKERCONF_H

#include "base/buf.h"
#include "base/err.h"

#define DOCKERCONF_FILE_MAX (1024 * 1024) /* bytes; credentials of many registries fit */

struct dockerconf {
	char *images_format;	      /* imagesFormat; NULL when not set */
	char *ps_format;	      /* psFormat */
	struct strlist prune_filters; /* pruneFilters: "key=value" */
};

/**
 * dockerconf_read - read config.json in a folder
 * @ret: dockerconf_done() releases it, also after a failure
 *
 * A missing file is an empty one. ERR_CORRUPT, ERR_LIMIT or ERR_IO: the text
 * is fit for "WARNING: Error parsing config file (PATH): …".
 */
int dockerconf_read(const char *dir, struct dockerconf *ret, struct error *err);
void dockerconf_done(struct dockerconf *conf);
#define auto_dockerconf __attribute__((cleanup(dockerconf_done)))

#endif
