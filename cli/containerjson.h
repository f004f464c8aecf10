/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerjson - a container as `inspect` shows it
 *
 * Docker's keys in Docker's order, as far as there is something behind them.
 */
#ifndef CONTAINERJSON_H
#define CONTAINERJSON_H

#include <jansson.h>

#include "db/rows_container.h"
#include "format/gotmpl_value.h"
#include "imagejson.h"

/* Docker's fields in their order; those that only pass through are as the JSON says. */
extern const struct gotmpl_type containerjson_type;

struct containerjson_facts {
	struct imagejson_device device;
	const char *log_path;
	const char *store_root;
	int64_t file_bytes; /* -1: not asked for */
	int64_t image_bytes;
};

/* Returns new. */
json_t *containerjson_new(const struct container_row *row, const json_t *document,
			  const struct containerjson_facts *facts);

#endif
