/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountspec - what -v, --mount and --tmpfs say
 *
 * Source: Docker's documentation of `docker run`, "--volume", "--mount", "--tmpfs".
 */
#ifndef RUN_MOUNTSPEC_H
#define RUN_MOUNTSPEC_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum mountspec_kind {
	MOUNTSPEC_BIND,
	MOUNTSPEC_VOLUME, /* named, or anonymous when source is NULL */
	MOUNTSPEC_TMPFS,
};

struct mountspec {
	enum mountspec_kind kind;
	char *source; /* absolute path, or a volume's name */
	char *target; /* absolute, clean */
	bool read_only;
	bool no_copy;	  /* a volume that takes nothing over from the image */
	bool make_source; /* -v makes a folder that is not there, --mount does not */
	char *options;	  /* propagation, or a tmpfs's options; or NULL */
};

void mountspec_done(struct mountspec *spec);
#define auto_mountspec __attribute__((cleanup(mountspec_done)))

/* "[SOURCE:]TARGET[:OPTIONS]"; a source beginning with '.' is relative to cwd. */
int mountspec_parse_volume(const char *text, const char *cwd, struct mountspec *ret,
			   struct error *err);
/* "type=bind,source=…,target=…[,readonly]" */
int mountspec_parse_mount(const char *text, const char *cwd, struct mountspec *ret,
			  struct error *err);
/* "TARGET[:OPTIONS]" */
int mountspec_parse_tmpfs(const char *text, struct mountspec *ret, struct error *err);

#endif
