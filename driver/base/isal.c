/* SPDX-License-Identifier: Apache-2.0 */
#include "base/isal.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/library.h"

#define NOT_STARTED 127 /* the dynamic linker's status */

static struct isal lib;

static void load(void)
{
	const struct library_symbol symbols[] = {
		{ "crc32_iscsi", &lib.crc32_iscsi },
		{ "crc32_gzip_refl", &lib.crc32_gzip_refl },
		{ "isal_inflate_init", &lib.inflate_init },
		{ "isal_inflate_reset", &lib.inflate_reset },
		{ "isal_inflate", &lib.inflate },
		{ "isal_deflate_init", &lib.deflate_init },
		{ "isal_deflate", &lib.deflate },
		{ NULL, NULL },
	};
	struct error err;

	if (library_load("libisal.so.2", symbols, &err) == 0)
		return;
	fprintf(stderr, "%s: install libisal2\n", err.text);
	_exit(NOT_STARTED);
}

const struct isal *isal_get(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return &lib;
}
