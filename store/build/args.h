/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args - ARG and ENV: what variables stand for at a place of a Dockerfile
 *
 * There is one set of --build-arg values for the build, one scope for the ARGs before
 * the first FROM, and one for each stage. ENV always wins over ARG.
 * Source: spec/dockerfile.md, section 2 ("ARG/ENV") and 5 ("|2 foo=bar").
 */
#ifndef BUILD_ARGS_H
#define BUILD_ARGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "oci/instruction.h"
#include "oci/platform.h"

/* Where the base image has none; also stored in the config, as both of docker's builders do. */
#define ARGS_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* --build-arg, and which of them a Dockerfile asked for. Starts as { 0 }. */
struct build_args {
	struct strlist values; /* "NAME=value"; a later one of a name replaces the former */
	bool *used;
};

void build_args_done(struct build_args *args);
#define auto_build_args __attribute__((cleanup(build_args_done)))

/* A --build-arg "NAME=value"; "NAME" alone takes its value from env, or is nothing. */
int build_args_add(struct build_args *args, const char *text, char *const *env, struct error *err);

/* Appends "[Warning] One or more build-args [x y] were not consumed", or nothing. */
void build_args_warning(const struct build_args *args, struct buf *ret);

/* The ARGs of one scope. */
struct args {
	struct build_args *given;  /* borrowed */
	const struct args *global; /* borrowed; NULL for the global scope itself */
	struct strlist declared;   /* names in the order of their first declaration */
	struct strlist values;	   /* "NAME=value", of those that have one */
	size_t bytes;		   /* that declarations have added */
};

void args_done(struct args *args);
#define auto_args __attribute__((cleanup(args_done)))

/**
 * args_init_global - the scope before the first FROM
 * @given:  borrowed
 * @target: --target as given; NULL: none
 *
 * Holds BUILDPLATFORM, TARGETARCH and the like, which a --build-arg may replace.
 */
void args_init_global(struct args *args, struct build_args *given, const struct platform *build,
		      const struct platform *wanted, const char *target);

/* The scope of a stage; @base: that of the stage it is built FROM, or NULL. */
void args_init_stage(struct args *args, const struct args *global, const struct args *base);

/**
 * args_declare - an ARG instruction
 * @env: the "Env" of the config so far, an array, or NULL
 * @ret_created_by: "ARG a=b c" is appended; may be NULL
 *
 * Returns 0, or -1: ERR_USAGE, ERR_LIMIT.
 */
int args_declare(struct args *args, const struct instruction *instruction, const json_t *env,
		 char escape, struct buf *ret_created_by, struct error *err);

/* What variables stand for in instructions: adds "NAME=value", ENV before ARG. */
void args_variables(const struct args *args, const json_t *env, struct strlist *ret);

/* The environment of RUN: likewise, and the proxies that were given; each name once. */
void args_run_env(const struct args *args, const json_t *env, struct strlist *ret);

/* Likewise without proxies that no ARG declared: what a cache key counts. */
void args_cache_env(const struct args *args, const json_t *env, struct strlist *ret);

/* Appends "|2 foo=bar bar=123 ", or nothing: what stands before a RUN in the history. */
void args_history(const struct args *args, const json_t *env, struct buf *ret);

#endif
