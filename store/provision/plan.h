/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - what a server needs: an image, and perhaps a volume from it
 *
 *	{
 *	  "image": "registry.example/web@sha256:…",	a reference, or an image's id
 *	  "archive": "/srv/images/web.tar",		where it is, when it is not in a registry
 *	  "volume": {
 *	    "name": "web", "size": "20G",
 *	    "mount": "/srv/web", "options": "nodev,noatime", "read_only": false,
 *	    "attach": false				a device for somebody else, in place of a mount
 *	  }
 *	}
 *
 * Without an image the volume starts empty. An unknown key is an error.
 *
 * On the kernel's command line, for what does not deserve a file:
 *
 *	veneer.pull=registry.example/web@sha256:…
 *	veneer.volume=web,image=debian:12,archive=/srv/debian.tar,size=20G,mount=/srv/web,option=nodev,ro
 *
 * "option" may be there several times; "ro" and "attach" have no value.
 */
#ifndef PROVISION_PLAN_H
#define PROVISION_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct plan_volume {
	char *name;	     /* NULL: none is wanted */
	uint64_t size_bytes; /* 0: the pool's size for volumes */
	char *mount;	     /* absolute; or NULL */
	char *options;	     /* or NULL */
	bool read_only;
	bool attach;
};

struct plan {
	char *image;   /* or NULL */
	char *archive; /* absolute; or NULL */
	struct plan_volume volume;
};

/* @ret: overwritten; plan_done() releases it, also after a failure. ERR_USAGE names the key. */
int plan_parse(const void *data, size_t len, struct plan *ret, struct error *err);
int plan_read(const char *path, struct plan *ret, struct error *err);
/* The value of veneer.volume=; likewise. */
int plan_parse_volume(const char *text, struct plan *ret, struct error *err);
void plan_done(struct plan *plan);
#define auto_plan __attribute__((cleanup(plan_done)))

#endif
