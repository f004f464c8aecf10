/* SPDX-License-Identifier: Apache-2.0 */
#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

#include "base/pages.h"

int library_load(const char *file, const struct library_symbol *symbols, struct error *err)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	for (; library && symbols->name; symbols++) {
		void *symbol = dlsym(library, symbols->name);

		if (!symbol)
			break;
		memcpy(symbols->at, &symbol, sizeof(symbol));
	}
	if (!library || symbols->name)
		return err_set(err, ERR_UNSUPPORTED, "%s: %s", file, dlerror() ?: "unusable");
	pages_touch_program();
	return 0;
}
