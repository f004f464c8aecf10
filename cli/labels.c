/* SPDX-License-Identifier: Apache-2.0 */
#include "labels.h"

#include <string.h>

int labels_read(const struct strlist *words, struct strlist *ret, struct error *err)
{
	for (size_t i = 0; i < words->nr; i++) {
		const char *text = words->items[i];
		const char *key = text + strspn(text, " \t");
		size_t len = strcspn(key, "=");

		if (len == 0)
			return err_set(err, ERR_USAGE, "invalid label '%s': empty name", text);
		if (strcspn(key, " \t\n") < len)
			return err_set(err, ERR_USAGE, "label '%s' contains whitespaces", text);
		strlist_take(ret, xasprintf("%s%s", text, key[len] ? "" : "="));
	}
	return 0;
}
