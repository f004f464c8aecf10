/* SPDX-License-Identifier: Apache-2.0 */
/*
 * whiteout - the names by which a layer says that something is gone
 *
 * Source: OCI image-spec layer.md, "Whiteouts"; AUFS's other names as Docker
 * treats them
 */
#ifndef LAYER_WHITEOUT_H
#define LAYER_WHITEOUT_H

#include "base/err.h"

#define WHITEOUT_PREFIX	   ".wh."
#define WHITEOUT_OPAQUE	   ".wh..wh..opq"
#define WHITEOUT_LINKS_DIR ".wh..wh.plnk" /* AUFS keeps files with several names here */

enum whiteout {
	WHITEOUT_NONE,	 /* an ordinary entry */
	WHITEOUT_NAME,	 /* hides the entry behind the prefix */
	WHITEOUT_HIDES,	 /* opaque: hides what lower layers have in its directory */
	WHITEOUT_LINKED, /* a file in WHITEOUT_LINKS_DIR: content for hard links, no entry */
	WHITEOUT_SKIP,	 /* AUFS's own, or inside of it */
};

/**
 * whiteout_parse - what a clean path (path_clean()) means
 * @ret_hidden: for WHITEOUT_NAME the hidden name, inside path; else untouched
 *
 * ERR_CORRUPT for ".wh." without a name, or with "." or ".." behind it, and for
 * an entry below a whiteout, which could only stay in the result as one.
 */
int whiteout_parse(const char *path, enum whiteout *ret, const char **ret_hidden,
		   struct error *err);

#endif
