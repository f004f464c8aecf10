/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filters - what `--filter key=value` options ask for
 *
 * Source: spec/cli.md, "Filters".
 */
#ifndef FILTERS_H
#define FILTERS_H

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"

struct store;

/**
 * filters_for_list - the filters of `images`
 * @filters: "key=value" as OPT_FILTER leaves them
 * @ret:     image_filter_done() releases it, also after a failure
 *
 * ERR_USAGE: "invalid filter 'x'"; ERR_NOT_FOUND for an image that before or
 * since names.
 */
int filters_for_list(struct store *store, const struct strlist *filters, struct image_filter *ret,
		     struct error *err);

/* The filters of `image prune`: until, label, label!, dangling. */
int filters_for_prune(const struct strlist *filters, struct image_filter *ret, struct error *err);

/**
 * filters_for_cache - the filters of `builder prune`: until, also as unused-for
 * @ret_until_ns: INT64_MAX without any
 */
int filters_for_cache(const struct strlist *filters, int64_t *ret_until_ns, struct error *err);

#endif
