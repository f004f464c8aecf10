/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/curllib.h"

#include <stdbool.h>

#include "base/library.h"

static int load(struct curllib *lib, struct error *err)
{
	const struct library_symbol symbols[] = {
		{ "curl_global_init", &lib->global_init },
		{ "curl_easy_init", &lib->easy_init },
		{ "curl_easy_cleanup", &lib->easy_cleanup },
		{ "curl_easy_setopt", &lib->easy_setopt },
		{ "curl_easy_perform", &lib->easy_perform },
		{ "curl_easy_getinfo", &lib->easy_getinfo },
		{ "curl_easy_strerror", &lib->easy_strerror },
		{ "curl_getdate", &lib->getdate },
		{ NULL, NULL },
	};

	if (library_load("libcurl.so.4", symbols, err) < 0)
		return -1;
	if (lib->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
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
