/* SPDX-License-Identifier: Apache-2.0 */
#include "envfile.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/utf8.h"
#include "limits.h"

/* "KEY=value" or "KEY" as it is in our own environment. */
static void add_word(const char *word, struct strlist *ret)
{
	const char *value = strchr(word, '=') ? NULL : getenv(word);

	if (strchr(word, '='))
		strlist_add(ret, word);
	else if (value)
		strlist_take(ret, xasprintf("%s=%s", word, value));
}

static int add_line(char *line, struct strlist *ret, struct error *err)
{
	size_t len;

	line[strcspn(line, "\r")] = '\0';
	while (isspace((unsigned char)*line))
		line++;
	len = strcspn(line, "=");
	if (!*line || *line == '#')
		return 0;
	if (len == 0)
		return err_set(err, ERR_USAGE, "no variable name on line '%s'", line);
	if (strcspn(line, " \t") < len)
		return err_set(err, ERR_USAGE, "variable '%.*s' contains whitespaces", (int)len,
			       line);
	add_word(line, ret);
	return 0;
}

int envfile_text(const char *text, struct strlist *ret, struct error *err)
{
	auto_free char *copy = xstrdup(text);
	char *rest = copy, *line;

	for (unsigned int nr = 1; (line = strsep(&rest, "\n")); nr++) {
		if (!utf8_is_valid(line, strlen(line)))
			return err_set(err, ERR_USAGE, "invalid utf8 bytes at line %u: %s", nr,
				       line);
		if (add_line(line, ret, err) < 0)
			return -1;
	}
	return 0;
}

int envfile_collect(const struct strlist *files, const struct strlist *words, struct strlist *ret,
		    struct error *err)
{
	for (size_t i = 0; i < files->nr; i++) {
		auto_buf struct buf text = { 0 };

		if (io_read_file(AT_FDCWD, files->items[i], LIMIT_ENV_FILE_BYTES, &text, err) < 0 ||
		    (text.len && envfile_text(text.data, ret, err) < 0))
			return err_add(err, "env file '%s'", files->items[i]);
	}
	for (size_t i = 0; i < words->nr; i++) {
		if (words->items[i][0] == '=' || !words->items[i][0])
			return err_set(err, ERR_USAGE,
				       "invalid argument \"%s\" for \"-e, --env\" flag: invalid "
				       "environment variable: %s",
				       words->items[i], words->items[i]);
		add_word(words->items[i], ret);
	}
	return 0;
}
