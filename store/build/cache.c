/* SPDX-License-Identifier: Apache-2.0 */
#include "build/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "build/filehash.h"

/* Another form of the keys needs another name, or old entries would be taken for new ones. */
#define FORM "veneer build key 1"

static void add_text(struct hasher *hasher, const char *text)
{
	filehash_field(hasher, text, strlen(text));
}

static void add_digest(struct hasher *hasher, const struct digest *digest)
{
	add_text(hasher, digest ? digest->text : "");
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Their order says nothing: each name is there once. */
static void add_env(struct hasher *hasher, const struct strlist *env)
{
	size_t nr = env ? env->nr : 0;
	auto_free char **sorted = xcalloc(nr, sizeof(*sorted));

	if (nr) {
		memcpy(sorted, env->items, nr * sizeof(*sorted));
		qsort(sorted, nr, sizeof(*sorted), compare_text);
	}
	filehash_number(hasher, nr);
	for (size_t i = 0; i < nr; i++)
		add_text(hasher, sorted[i]);
}

void cache_key(const struct cache_input *input, struct digest *ret)
{
	auto_hasher struct hasher *hasher = hasher_new();

	add_text(hasher, FORM);
	add_digest(hasher, input->parent);
	add_digest(hasher, input->config);
	add_text(hasher, input->operation);
	add_env(hasher, input->env);
	filehash_number(hasher, input->nr_contents);
	for (size_t i = 0; i < input->nr_contents; i++)
		add_digest(hasher, &input->contents[i]);
	filehash_number(hasher, input->nr_mounts);
	for (size_t i = 0; i < input->nr_mounts; i++) {
		add_text(hasher, input->mounts[i].text);
		add_digest(hasher, input->mounts[i].content);
	}
	hasher_end(hasher, ret);
}

json_t *cache_text(const char *text, size_t len)
{
	json_t *ret = json_stringn(text, len);
	auto_buf struct buf bytes = { 0 };

	if (ret)
		return ret;
	/* JSON holds UTF-8 alone: each byte as a character, in an array, which no other text is. */
	for (size_t i = 0; i < len; i++)
		utf8_put(&bytes, (unsigned char)text[i]);
	ret = json_array();
	json_array_append_new(ret, json_stringn(bytes.data, bytes.len));
	return ret;
}
