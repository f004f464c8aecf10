/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostfiles - /etc/hosts, /etc/hostname and /etc/resolv.conf, which a container is given
 */
#ifndef RUN_HOSTFILES_H
#define RUN_HOSTFILES_H

#include <stdbool.h>

#include "base/buf.h"
#include "run/bundle.h"

struct hostfiles {
	const char *hostname;
	bool own_network;		/* else the host's files are its own */
	const struct strlist *dns;	/* servers in place of the host's; may be NULL or empty */
	const struct strlist *add_host; /* "name:address"; may be NULL */
};

/**
 * hostfiles_write - write the three into a folder and add mounts of them
 * @folder: absolute; the files keep their names of /etc there
 */
int hostfiles_write(const struct hostfiles *args, const char *folder, struct bundle_mounts *mounts,
		    struct error *err);

/* The text of /etc/hosts: what it had (or NULL: the usual), and the further hosts. Pure. */
void hostfiles_hosts(const char *before, const struct strlist *add_host, struct buf *ret);

#endif
