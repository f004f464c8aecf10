/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform - operating system, processor architecture, and which one will do
 *
 * Source: OCI image-spec image-index.md, "platform"; containerd's platforms
 * package for normal forms and preference.
 */
#ifndef OCI_PLATFORM_H
#define OCI_PLATFORM_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

#define PLATFORM_PART_MAX  64 /* bytes with NUL; longer ones mean nothing to us */
#define PLATFORM_TEXT_SIZE (3 * PLATFORM_PART_MAX)

struct platform {
	char os[PLATFORM_PART_MAX];	      /* "linux" */
	char architecture[PLATFORM_PART_MAX]; /* "amd64" */
	char variant[PLATFORM_PART_MAX];      /* "v7", or "" */
};

/* The platform this program runs on. */
void platform_host(struct platform *ret);

/**
 * platform_parse - "os", "arch", "os/arch" or "os/arch/variant"
 * @text: NULL or "" means the host's
 *
 * Other names of an architecture become the usual ones (x86_64: amd64). Returns
 * 0, or -1 with ERR_USAGE and containerd's text.
 */
int platform_parse(const char *text, struct platform *ret, struct error *err);

/* The platform object of a descriptor. Returns false, and "" in ret, for one we cannot name. */
bool platform_from_json(const json_t *object, struct platform *ret);

/* Fills a platform from the words of an image config; NULL counts as "". */
void platform_set(struct platform *ret, const char *os, const char *architecture,
		  const char *variant);

/* "os/arch[/variant]" into text of PLATFORM_TEXT_SIZE bytes; returns text. */
const char *platform_text(const struct platform *platform, char *text);

/**
 * platform_rank - how well does an image fit?
 * @want: what the image shall run on
 * @have: what it was made for
 *
 * Returns 0 for the very one, larger for what also runs (386 on amd64, arm v6 on
 * v7), -1 for what does not.
 */
int platform_rank(const struct platform *want, const struct platform *have);

#endif
