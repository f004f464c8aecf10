/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cacherows - the build cache as rows of `system df`
 */
#ifndef CACHEROWS_H
#define CACHEROWS_H

#include <jansson.h>
#include <stdbool.h>

#include "build/remember.h"
#include "listing.h"

extern const struct gotmpl_type cache_row_type;
extern const struct listing_kind cache_listing;

/* What is not an image's too: that alone is given back by a prune. */
int64_t cache_own_bytes(const struct build_cache_list *list);

/* Returns new: an array of rows. */
json_t *cache_rows_json(const struct build_cache_list *list, bool no_trunc);

#endif
