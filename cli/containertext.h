/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containertext - a container in the words of `ps`
 *
 * Source: spec/cli.md section 3, "ps".
 */
#ifndef CONTAINERTEXT_H
#define CONTAINERTEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <time.h>

#include "db/rows_container.h"
#include "format/gotmpl_value.h"
#include "listing.h"

struct store;

/*
 * The command in double quotes, words with blanks in single ones: "sh -c 'a b'". Cut to 20
 * characters unless no_trunc. Returns new.
 */
char *container_command_text(const json_t *document, bool no_trunc);

/* "Up 2 hours", "Exited (0) 3 minutes ago", "Created". Returns new. */
char *container_status_text(const struct container_row *row, const struct timespec *now);

/* What `ps` and `system df -v` list. */
extern const struct gotmpl_type container_type;
extern const struct listing_header container_headers[];

/* What a row of `ps` needs beside the container's own. */
struct container_view {
	const struct container_row *row;
	const json_t *document;
	const char *image;    /* as shown */
	const char *platform; /* "linux/amd64" */
	int64_t file_bytes;   /* -1: not asked for */
	int64_t image_bytes;
	bool no_trunc;
};

/* Returns new. */
json_t *container_row_json(const struct container_view *view, const struct timespec *now);

/*
 * IMAGE: the name given at create while it means the same image, else the id. Without
 * no_trunc a digest is left out. *ret is new; *ret_bytes and *ret_platform say what is known.
 */
int container_image_text(struct store *store, const struct container_row *row, bool no_trunc,
			 char **ret, int64_t *ret_bytes, char **ret_platform, struct error *err);

#endif
