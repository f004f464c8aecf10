/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document - what a container is: what was asked for, merged with its image
 *
 * One JSON object with Docker's names (Path, Args, Config, HostConfig, Mounts),
 * as `inspect` shows it, and "Oci" with what only the bundle needs. It is made
 * once, at create, and stored; start makes the bundle from it.
 * Source: spec/cli.md section 3.
 */
#ifndef RUN_DOCUMENT_H
#define RUN_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/digest.h"
#include "oci/config.h"
#include "run/bundle.h"
#include "run/mountspec.h"

/* What `create` was told. Texts may be NULL, numbers 0. */
struct run_options {
	const char *image_name; /* as given */
	struct strlist command; /* words behind the image */
	bool has_entrypoint;	/* then the image's CMD does not count */
	const char *entrypoint; /* "" clears it */
	struct strlist env;	/* "KEY=value"; later ones win */
	struct strlist labels;	/* "key=value" or "key" */
	struct strlist cap_add, cap_drop, security, dns, add_host, groups;
	struct strlist ulimits, devices, sysctls;
	struct mountspec *mounts;
	size_t nr_mounts;
	const char *user, *workdir, *hostname, *stop_signal;
	const char *network; /* "host", "none"; NULL: host */
	const char *init;    /* path of the program that --init puts in front */
	bool tty, open_stdin, read_only, privileged, auto_remove;
	bool detached;
	int64_t stop_timeout; /* seconds; -1: not given */
	int64_t shm_bytes;
	struct bundle_limits limits;
};

void run_options_done(struct run_options *options);
#define auto_run_options __attribute__((cleanup(run_options_done)))

/**
 * document_new - the document of a new container
 * @id:   64 hex digits; the host name unless one is given
 * @ret:  new
 *
 * Anonymous volumes get names. ERR_USAGE for whatever an option says wrong,
 * "no command specified" among it; ERR_UNSUPPORTED for what is not done here.
 */
int document_new(const struct run_options *options, const struct image_config *image,
		 const struct digest *image_id, const char *id, json_t **ret, struct error *err);

/* A text or a number of the document by two keys, "" and 0 when absent: "Config", "User". */
const char *document_text(const json_t *document, const char *part, const char *key);
int64_t document_number(const json_t *document, const char *part, const char *key);
bool document_flag(const json_t *document, const char *part, const char *key);

/* Path and Args in one list. */
void document_argv(const json_t *document, struct strlist *ret);

/* The names of its volumes. */
void document_volumes(const json_t *document, struct strlist *ret);

/* Adds the texts of an array. */
void document_list(const json_t *array, struct strlist *ret);

/* Does an environment have that key? Returns the value, or NULL. */
const char *env_value(const struct strlist *env, const char *key);
/* Sets "KEY=value" in its place or at the end. */
void env_set(struct strlist *env, const char *entry);

#endif
