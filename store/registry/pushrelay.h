/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pushrelay - a push whose store is where no network is: one process has it, the other uploads
 *
 * The uploading one asks and the other answers, both in frames: a type, a layer, a length, and so
 * many bytes. Both are this program on one machine, so numbers are as the processor has them.
 *
 *	'T'        tags of the repository: a frame 't' for each, then 'E'
 *	'I' TAG    the image: 'c' its config, 'm' its manifest, an 'l' for each layer, an 'r' for
 *	           each blob that registries have; then 'E'
 *	'B' layer  the bytes of its kept blob: frames 'D', then 'E'
 *	'R' layer  its tar, likewise
 *	'm', 'r'   as above, and then 'K' with two digests: it was pushed; answered with 'E'
 *
 * 'X' is an error in the place of any answer; more can be asked after it.
 */
#ifndef REGISTRY_PUSHRELAY_H
#define REGISTRY_PUSHRELAY_H

#include "registry/origin.h"

/*
 * The uploading side. Kept blobs are copied to nameless files in the folder, which is borrowed.
 * The caller owns the result.
 */
struct origin *pushrelay_open(int in_fd, int out_fd, int folder_fd, const char *folder);

/* The side that has the store. Returns 0 when the other one has ended; ERR_CORRUPT, ERR_IO. */
int pushrelay_serve(struct origin *origin, int in_fd, int out_fd, struct error *err);

#endif
