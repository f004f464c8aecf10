/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay - a pull whose store is where no network is: one process asks, the other fetches
 *
 * The asking one has the store; it says what it needs in lines of text. The serving one has the
 * network and answers with frames: a type, a layer, a length, and so many bytes. Both are this
 * program on one machine, so numbers are as the processor has them.
 *
 *	config           the image's config is needed: a frame 'C'
 *	start FLAGS      a letter for each layer, 'w' for those that may be fetched
 *	begin LAYER      frames 'D' with its bytes, then 'E', or 'R' when it was resumed
 *	restart LAYER    the same once more, from the registry
 *	end LAYER        nobody needs more of it
 *	show LAYER TEXT  for the user
 *	done NEWS        the image is there; 1: the name meant something else before
 *
 * Without being asked the serving one begins with 'M', the digest, and 'm', the manifest. 'X'
 * is an error in the place of any answer.
 */
#ifndef REGISTRY_RELAY_H
#define REGISTRY_RELAY_H

#include "registry/pull.h"

/**
 * relay_pull - the asking side
 * @in_fd: frames; @out_fd: lines
 *
 * Errors of registry_pull(), ERR_CORRUPT when the other side talks nonsense or is gone.
 */
int relay_pull(struct store *store, const struct reference *ref, const char *platform, int in_fd,
	       int out_fd, struct error *err);

/**
 * relay_serve - the serving side
 * @folder_fd: where layers that wait may lie
 *
 * Returns 0 when the other side said that it is done; -1 with an error that was sent to it, or
 * because it ended.
 */
int relay_serve(const struct pull_args *args, int folder_fd, int in_fd, int out_fd,
		struct pull_result *ret, struct error *err);

#endif
