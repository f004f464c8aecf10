/* SPDX-License-Identifier: Apache-2.0 */
#include "dockerconf.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"

void dockerconf_done(struct dockerconf *conf)
{
	free(conf->images_format);
	free(conf->ps_format);
	strlist_done(&conf->prune_filters);
	*conf = (struct dockerconf){ 0 };
}

static int read_prune_filters(const json_t *list, struct strlist *ret, struct error *err)
{
	if (!list)
		return 0;
	if (!json_is_array(list))
		return err_set(err, ERR_CORRUPT, "pruneFilters is not a list");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text)
			return err_set(err, ERR_CORRUPT, "pruneFilters holds more than text");
		strlist_add(ret, text);
	}
	return 0;
}

static int read_format(const json_t *document, const char *key, char **ret, struct error *err)
{
	const json_t *format = json_object_get(document, key);

	if (format && !json_is_string(format))
		return err_set(err, ERR_CORRUPT, "%s is not text", key);
	if (format && *json_string_value(format))
		*ret = xstrdup(json_string_value(format));
	return 0;
}

static int read_document(const json_t *document, struct dockerconf *ret, struct error *err)
{
	if (!json_is_object(document))
		return err_set(err, ERR_CORRUPT, "not an object");
	if (read_format(document, "imagesFormat", &ret->images_format, err) < 0 ||
	    read_format(document, "psFormat", &ret->ps_format, err) < 0)
		return -1;
	return read_prune_filters(json_object_get(document, "pruneFilters"), &ret->prune_filters,
				  err);
}

int dockerconf_read(const char *dir, struct dockerconf *ret, struct error *err)
{
	auto_free char *path = xasprintf("%s/config.json", dir);
	auto_buf struct buf text = { 0 };
	json_error_t problem;

	*ret = (struct dockerconf){ 0 };
	if (io_read_file(AT_FDCWD, path, DOCKERCONF_FILE_MAX, &text, err) < 0)
		return err->sys_errno == ENOENT || err->sys_errno == ENOTDIR ? 0 : -1;
	json_auto_t *document = json_loadb(text.data ? text.data : "", text.len, 0, &problem);

	if (!document) {
		/* The parser shows the text that it stumbled over, which may be a password. */
		char *near = strstr(problem.text, " near ");

		if (near)
			*near = '\0';
		return err_set(err, ERR_CORRUPT, "line %d: %s", problem.line, problem.text);
	}
	return read_document(document, ret, err);
}
