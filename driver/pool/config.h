/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - ROOT/pool.json: where a store's pool is
 *
 * Strict: an unknown or missing key, a wrong type or an impossible value is
 * ERR_CORRUPT. The same document under the name pool.json.part announces a
 * pool that is being made or taken away (pool/create.c).
 */
#ifndef POOL_CONFIG_H
#define POOL_CONFIG_H

#include <stddef.h>

#include "pool/pool.h"

#define CONFIG_PART_NAME POOL_CONFIG_NAME ".part"

void config_done(struct pool_config *config);
#define auto_config __attribute__((cleanup(config_done)))

/* A new random uuid and the store id that follows from it. */
int config_new_uuid(struct pool_config *config, struct error *err);

/* ret is filled on success only. */
int config_decode(const char *text, size_t len, struct pool_config *ret, struct error *err);
/* Returns new. */
char *config_encode(const struct pool_config *config);

/* name is relative to root. ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO. */
int config_load(const char *root, const char *name, struct pool_config *ret, struct error *err);
/* Durable. */
int config_save(const char *root, const char *name, const struct pool_config *config,
		struct error *err);
/* Durable; replaces to. */
int config_rename(const char *root, const char *from, const char *to, struct error *err);
/* Durable; idempotent. */
int config_remove(const char *root, const char *name, struct error *err);

#endif
