/* SPDX-License-Identifier: Apache-2.0 */
/*
 * download - the file of an ADD of a URL
 *
 * Source: spec/dockerfile.md, section 3 ("ADD").
 */
#ifndef BUILD_DOWNLOAD_H
#define BUILD_DOWNLOAD_H

#include "base/digest.h"
#include "build/copy.h"

struct build_options;
struct store;

/**
 * download_file - fetch a URL into a file without a name
 * @options:  who downloads
 * @checksum: what it must have, "sha256:…"; "" or NULL: anything
 * @ret:      mode 0600, the server's time; ret->fd is the caller's to close
 * @ret_name: for a destination that is a folder, new; NULL when the URL has none
 * @ret_digest: of what came
 *
 * Returns 0, or -1: the errors of fetch_url(), ERR_CORRUPT "digest mismatch".
 */
int download_file(struct store *store, const struct build_options *options, const char *url,
		  const char *checksum, struct copy_file *ret, char **ret_name,
		  struct digest *ret_digest, struct error *err);

#endif
