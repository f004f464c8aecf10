/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tar_header.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"

/* A field of octal digits ends with a NUL. */
#define OCTAL_MAX(field_bytes) ((UINT64_C(1) << (3 * ((field_bytes)-1))) - 1)

struct ustar {
	char name[100];
	char mode[8];
	char uid[8];
	char gid[8];
	char size[12];
	char mtime[12];
	char sum[8];
	char type;
	char link[100];
	char magic[6];
	char version[2];
	char uname[32];
	char gname[32];
	char major_nr[8];
	char minor_nr[8];
	char prefix[155];
	char unused[12];
};

static_assert(sizeof(struct ustar) == TAR_BLOCK_BYTES, "ustar");

/* Zero where it does not fit: the PAX header has it. */
static void put_octal(char *field, size_t bytes, uint64_t value)
{
	if (value > OCTAL_MAX(bytes))
		value = 0;
	for (size_t i = bytes - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

static void put_text(char *field, size_t bytes, const char *text)
{
	memcpy(field, text, strnlen(text, bytes));
}

/* The slash at which a long path is divided between prefix and name; NULL when there is none. */
static const char *find_split(const char *path)
{
	size_t len = strlen(path);
	const char *slash;

	if (len > sizeof(((struct ustar *)0)->name) + 1 + sizeof(((struct ustar *)0)->prefix))
		return NULL;
	/* The first one that leaves a name short enough; the name may not be empty. */
	slash = strchr(path + (len - sizeof(((struct ustar *)0)->name) - 1), '/');
	if (!slash || slash == path || !slash[1] ||
	    (size_t)(slash - path) > sizeof(((struct ustar *)0)->prefix))
		return NULL;
	return slash;
}

static bool fits(const char *path)
{
	return strlen(path) <= sizeof(((struct ustar *)0)->name) || find_split(path);
}

static void put_path(struct ustar *block, const char *path)
{
	const char *split;

	if (strlen(path) <= sizeof(block->name)) {
		put_text(block->name, sizeof(block->name), path);
		return;
	}
	split = find_split(path);
	if (split) {
		memcpy(block->prefix, path, (size_t)(split - path));
		path = split + 1;
	}
	put_text(block->name, sizeof(block->name), path);
}

static void seal(struct ustar *block)
{
	const unsigned char *bytes = (const unsigned char *)block;
	unsigned sum = 0;

	memcpy(block->magic, "ustar", sizeof(block->magic));
	memcpy(block->version, "00", sizeof(block->version));
	memset(block->sum, ' ', sizeof(block->sum));
	for (size_t i = 0; i < sizeof(*block); i++)
		sum += bytes[i];
	/* Six digits, NUL, blank. */
	put_octal(block->sum, sizeof(block->sum) - 1, sum);
	block->sum[sizeof(block->sum) - 2] = '\0';
}

static void pad(struct buf *buf, size_t len)
{
	static const char zeros[TAR_BLOCK_BYTES];

	buf_append(buf, zeros, -len % TAR_BLOCK_BYTES);
}

/* ---- PAX ---- */

/* "LENGTH KEY=VALUE\n", where the length counts itself. */
static void add_record(struct buf *pax, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3; /* blank, '=', newline */
	size_t total = rest + 1;

	while ((size_t)snprintf(NULL, 0, "%zu", total) + rest != total)
		total++;
	buf_printf(pax, "%zu %s=", total, key);
	buf_append(pax, value, len);
	buf_putc(pax, '\n');
}

static void add_text(struct buf *pax, const char *key, const char *value)
{
	add_record(pax, key, value, strlen(value));
}

static void add_number(struct buf *pax, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	add_text(pax, key, text);
}

static void add_records(const struct tar_header *header, struct buf *pax)
{
	struct ustar *block = NULL;

	if (!fits(header->path))
		add_text(pax, "path", header->path);
	if (header->target && strlen(header->target) > sizeof(block->link))
		add_text(pax, "linkpath", header->target);
	if (header->size > OCTAL_MAX(sizeof(block->size)))
		add_number(pax, "size", (int64_t)header->size);
	if (header->uid > OCTAL_MAX(sizeof(block->uid)))
		add_number(pax, "uid", header->uid);
	if (header->gid > OCTAL_MAX(sizeof(block->gid)))
		add_number(pax, "gid", header->gid);
	if (header->mtime < 0 || (uint64_t)header->mtime > OCTAL_MAX(sizeof(block->mtime)))
		add_number(pax, "mtime", header->mtime);
	for (size_t i = 0; i < header->nr_xattrs; i++) {
		const struct tree_xattr *xattr = &header->xattrs[i];
		auto_free char *key = xasprintf("SCHILY.xattr.%s", xattr->name);

		add_record(pax, key, xattr->value, xattr->len);
	}
}

/* An entry of its own, with a name for readers that do not know what it is. */
static void put_pax(const struct buf *pax, struct buf *ret)
{
	struct ustar block = { 0 };

	put_text(block.name, sizeof(block.name), "PaxHeaders.0/entry");
	put_octal(block.mode, sizeof(block.mode), 0644);
	put_octal(block.uid, sizeof(block.uid), 0);
	put_octal(block.gid, sizeof(block.gid), 0);
	put_octal(block.size, sizeof(block.size), pax->len);
	put_octal(block.mtime, sizeof(block.mtime), 0);
	put_octal(block.major_nr, sizeof(block.major_nr), 0);
	put_octal(block.minor_nr, sizeof(block.minor_nr), 0);
	block.type = 'x';
	seal(&block);
	buf_append(ret, &block, sizeof(block));
	buf_append(ret, pax->data, pax->len);
	pad(ret, pax->len);
}

void tar_header_write(const struct tar_header *header, struct buf *ret)
{
	auto_buf struct buf pax = { 0 };
	struct ustar block = { 0 };

	add_records(header, &pax);
	if (pax.len)
		put_pax(&pax, ret);
	put_path(&block, header->path);
	put_octal(block.mode, sizeof(block.mode), header->mode);
	put_octal(block.uid, sizeof(block.uid), header->uid);
	put_octal(block.gid, sizeof(block.gid), header->gid);
	put_octal(block.size, sizeof(block.size), header->size);
	put_octal(block.mtime, sizeof(block.mtime),
		  header->mtime < 0 ? 0 : (uint64_t)header->mtime);
	put_octal(block.major_nr, sizeof(block.major_nr), header->major_nr);
	put_octal(block.minor_nr, sizeof(block.minor_nr), header->minor_nr);
	if (header->target)
		put_text(block.link, sizeof(block.link), header->target);
	block.type = (char)header->type;
	seal(&block);
	buf_append(ret, &block, sizeof(block));
}
