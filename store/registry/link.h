/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link - where a list goes on that comes in pages
 *
 * Source: RFC 8288, section 3; OCI distribution-spec, "Listing Tags".
 */
#ifndef REGISTRY_LINK_H
#define REGISTRY_LINK_H

/* The target of a Link header's value whose relation is "next", as written; new, or NULL. */
char *link_next(const char *value);

/**
 * link_tags - that target, if it is a page of the tags of the repository
 * @host: with a port; @path: of the repository
 *
 * Absolute, with a path, or relative to the first page. Returns new: "list?last=x&n=100"; NULL
 * for what is on another host, or anything else.
 */
char *link_tags(const char *target, const char *host, const char *path);

#endif
