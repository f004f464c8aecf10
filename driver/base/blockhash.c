/* SPDX-License-Identifier: Apache-2.0 */
#include "base/blockhash.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/library.h"
#include "base/log.h"

/* There is no package of the library for others. */
#ifdef __x86_64__
#include <intel-ipsec-mb.h>
#if IMB_VERSION_NUM < IMB_VERSION(2, 0, 0)
#define LIBRARY "libIPSec_MB.so.1"
#define PACKAGE "libipsec-mb1"
#else
#define LIBRARY "libIPSec_MB.so.2"
#define PACKAGE "libipsec-mb2"
#endif
#else
#define LIBRARY NULL
#define PACKAGE NULL
typedef struct IMB_MGR IMB_MGR;
#endif

struct blockhash {
	IMB_MGR *manager; /* NULL: not yet, or not to be had */
	bool tried;
	size_t nr_done; /* before */
};

#ifdef __x86_64__

static struct {
	__typeof__(alloc_mb_mgr) *alloc;
	__typeof__(init_mb_mgr_auto) *init;
	__typeof__(free_mb_mgr) *free;
	bool loaded;
} lib;

static void load(void)
{
	const struct library_symbol symbols[] = {
		{ "alloc_mb_mgr", &lib.alloc },
		{ "init_mb_mgr_auto", &lib.init },
		{ "free_mb_mgr", &lib.free },
		{ NULL, NULL },
	};
	struct error err;

	lib.loaded = library_load(LIBRARY, symbols, &err) == 0;
	if (!lib.loaded)
		log_debug("digests of blocks one by one: %s", err.text);
}

static IMB_MGR *manager_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	IMB_MGR *manager;

	pthread_once(&once, load);
	manager = lib.loaded ? lib.alloc(0) : NULL;
	if (manager)
		lib.init(manager, NULL);
	return manager;
}

static void manager_free(IMB_MGR *manager)
{
	lib.free(manager);
}

static bool run_several(IMB_MGR *manager, const unsigned char *data, size_t nr, unsigned char *ret)
{
	size_t nr_done = 0;
	IMB_JOB *job;

	for (size_t i = 0; i < nr; i++) {
		job = IMB_GET_NEXT_JOB(manager);
		memset(job, 0, sizeof(*job));
		job->cipher_mode = IMB_CIPHER_NULL;
		job->cipher_direction = IMB_DIR_ENCRYPT;
		job->chain_order = IMB_ORDER_HASH_CIPHER;
		job->hash_alg = IMB_AUTH_SHA_256;
		job->src = data + i * BLOCKHASH_BYTES;
		job->msg_len_to_hash_in_bytes = BLOCKHASH_BYTES;
		job->auth_tag_output = ret + i * DIGEST_RAW_LEN;
		job->auth_tag_output_len_in_bytes = DIGEST_RAW_LEN;
		/* Gives back one that is done, perhaps of those before it, or none yet. */
		job = IMB_SUBMIT_JOB(manager);
		for (; job; job = IMB_GET_COMPLETED_JOB(manager))
			nr_done += job->status == IMB_STATUS_COMPLETED;
	}
	while ((job = IMB_FLUSH_JOB(manager)))
		nr_done += job->status == IMB_STATUS_COMPLETED;
	return nr_done == nr;
}

#else

static IMB_MGR *manager_new(void)
{
	return NULL;
}

static void manager_free(IMB_MGR *manager)
{
	(void)manager;
}

static bool run_several(IMB_MGR *manager, const unsigned char *data, size_t nr, unsigned char *ret)
{
	(void)manager, (void)data, (void)nr, (void)ret;
	return false;
}

#endif

const char *blockhash_library(const char **ret_package)
{
	*ret_package = PACKAGE;
	return LIBRARY;
}

struct blockhash *blockhash_new(void)
{
	return xcalloc(1, sizeof(struct blockhash));
}

void blockhash_free(struct blockhash *hash)
{
	if (!hash)
		return;
	if (hash->manager)
		manager_free(hash->manager);
	free(hash);
}

void blockhash_run(struct blockhash *hash, const void *data, size_t nr, unsigned char *ret)
{
	const unsigned char *from = data;

	hash->nr_done += nr;
	if (!hash->tried && hash->nr_done > BLOCKHASH_FEW) {
		hash->tried = true;
		hash->manager = manager_new();
	}
	if (hash->manager && run_several(hash->manager, from, nr, ret))
		return;
	for (size_t i = 0; i < nr; i++)
		digest_raw_of(from + i * BLOCKHASH_BYTES, BLOCKHASH_BYTES,
			      ret + i * DIGEST_RAW_LEN);
}
