/* SPDX-License-Identifier: Apache-2.0 */
#include "writeropt.h"

#include "settings.h"
#include "store.h"

int writeropt_check(const char *text, struct error *err)
{
	enum layer_writer writer;

	if (!text || settings_parse_writer(text, &writer, err) == 0)
		return 0;
	return err_add(err, "invalid argument \"%s\" for \"--writer\" flag", text);
}

int writeropt_use(const char *text, struct store *store, struct error *err)
{
	return text ? settings_parse_writer(text, &store->options.writer, err) : 0;
}
