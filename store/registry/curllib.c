/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/curllib.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"
#include "base/secret.h"

/* realloc() would leave the old place as it was. */
static void *move(void *p, size_t size)
{
	size_t had = p ? malloc_usable_size(p) : 0;
	void *moved = malloc(size);

	if (!moved)
		return NULL;
	memcpy(moved, p ?: "", had < size ? had : size);
	secret_free(p);
	return moved;
}

static int load(struct curllib *lib, struct error *err)
{
	const struct library_symbol symbols[] = {
		{ "curl_global_init_mem", &lib->global_init_mem },
		{ "curl_easy_init", &lib->easy_init },
		{ "curl_easy_cleanup", &lib->easy_cleanup },
		{ "curl_easy_setopt", &lib->easy_setopt },
		{ "curl_easy_reset", &lib->easy_reset },
		{ "curl_easy_perform", &lib->easy_perform },
		{ "curl_easy_getinfo", &lib->easy_getinfo },
		{ "curl_easy_strerror", &lib->easy_strerror },
		{ "curl_easy_pause", &lib->easy_pause },
		{ "curl_multi_init", &lib->multi_init },
		{ "curl_multi_cleanup", &lib->multi_cleanup },
		{ "curl_multi_add_handle", &lib->multi_add_handle },
		{ "curl_multi_remove_handle", &lib->multi_remove_handle },
		{ "curl_multi_perform", &lib->multi_perform },
		{ "curl_multi_poll", &lib->multi_poll },
		{ "curl_multi_wakeup", &lib->multi_wakeup },
		{ "curl_multi_info_read", &lib->multi_info_read },
		{ "curl_multi_strerror", &lib->multi_strerror },
		{ "curl_slist_append", &lib->slist_append },
		{ "curl_slist_free_all", &lib->slist_free_all },
		{ "curl_getdate", &lib->getdate },
		{ NULL, NULL },
	};

	if (library_load("libcurl.so.4", symbols, err) < 0)
		return -1;
	if (lib->global_init_mem(CURL_GLOBAL_DEFAULT, malloc, secret_free, move, strdup, calloc) !=
	    CURLE_OK)
		return err_set(err, ERR_IO, "libcurl.so.4 cannot be set up");
	return 0;
}

const struct curllib *curllib_get(struct error *err)
{
	static struct curllib lib;
	static bool loaded;

	if (!loaded && load(&lib, err) < 0)
		return NULL;
	loaded = true;
	return &lib;
}
