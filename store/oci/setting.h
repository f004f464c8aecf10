/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting - a metadata instruction applied to the "config" object of an image
 *
 * The one implementation for builds and for --change. Pure: no file is looked at,
 * USER stays text.
 * Source: spec/dockerfile.md, sections 3 and 5.
 */
#ifndef OCI_SETTING_H
#define OCI_SETTING_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "oci/instruction.h"

/* What the instruction finds around it. */
struct setting_stage {
	char *const *vars; /* "NAME=value"; NULL: the Env of the settings */
	char escape;	   /* '\\' or '`' */
	bool cmd_given; /* by an instruction of this stage: ENTRYPOINT keeps it; kept up to date */
};

/* Is it one that setting_apply() takes? The others make layers or stages, or declare an ARG. */
bool setting_is_metadata(enum instruction_kind kind);

/**
 * setting_apply - apply one instruction
 * @settings:       changed in place; on failure as it was
 * @ret_created_by: the entry in the history is appended: "ENV a=b"; may be NULL
 *
 * MAINTAINER changes nothing here: its argument is the author of the image.
 * WORKDIR does not make the folder. Returns 0, or -1: ERR_USAGE with what is
 * wrong with the arguments, ERR_LIMIT for what is too large, ERR_CORRUPT for
 * settings of the wrong type.
 */
int setting_apply(json_t *settings, const struct instruction *instruction,
		  struct setting_stage *stage, struct buf *ret_created_by, struct error *err);

/* Appends SHELL as JSON strings to an array: that of the settings, else the default. */
void setting_add_shell(const json_t *settings, json_t *array);

#endif
