/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/curllib.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

static int load(struct curllib *lib, struct error *err)
{
	const struct {
		const char *name;
		void *at;
	} symbols[] = {
		{ "curl_global_init", &lib->global_init },
		{ "curl_easy_init", &lib->easy_init },
		{ "curl_easy_cleanup", &lib->easy_cleanup },
		{ "curl_easy_setopt", &lib->easy_setopt },
		{ "curl_easy_perform", &lib->easy_perform },
		{ "curl_easy_getinfo", &lib->easy_getinfo },
		{ "curl_easy_strerror", &lib->easy_strerror },
		{ "curl_getdate", &lib->getdate },
	};
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; library && i < sizeof(symbols) / sizeof(*symbols); i++) {
		void *symbol = dlsym(library, symbols[i].name);

		if (!symbol)
			library = NULL;
		else
			memcpy(symbols[i].at, &symbol, sizeof(symbol));
	}
	if (!library)
		return err_set(err, ERR_UNSUPPORTED, "%s: %s", LIBRARY, dlerror() ?: "unusable");
	if (lib->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_IO, "%s cannot be set up", LIBRARY);
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
