/* SPDX-License-Identifier: Apache-2.0 */
#include "write_ops.h"

#include <endian.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"

/* xorshift64*, Vigna, 2016 */
uint32_t ops_random(struct ops *ops, uint32_t n)
{
	ops->state ^= ops->state >> 12;
	ops->state ^= ops->state << 25;
	ops->state ^= ops->state >> 27;
	return (uint32_t)((ops->state * UINT64_C(2685821657736338717)) >> 33) % n;
}

static bool one_in(struct ops *ops, uint32_t n)
{
	return ops_random(ops, n) == 0;
}

static void add_name(struct ops *ops, char *path, size_t size)
{
	static const char *const names[] = { "a", "b", "c", "dir", "\xc3\xa4", "x.y", "lib" };
	size_t len = strlen(path);
	uint32_t nr = one_in(ops, 40) ? 255 : one_in(ops, 200) && ops->hostile ? 256 : 0;

	if (nr && len + nr + 2 < size) {
		memset(path + len, 'n', nr);
		path[len + nr] = '\0';
		return;
	}
	snprintf(path + len, size - len, "%s",
		 names[ops_random(ops, sizeof(names) / sizeof(*names))]);
}

static void random_path(struct ops *ops, char *path, size_t size)
{
	uint32_t depth = ops_random(ops, 4);

	*path = '\0';
	for (uint32_t i = 0; i < depth; i++) {
		add_name(ops, path, size);
		snprintf(path + strlen(path), size - strlen(path), "/");
	}
	add_name(ops, path, size);
}

static void random_target(struct ops *ops, char *target, size_t size)
{
	static const char *const prefixes[] = { "", "/", "../", "../../", "/../", "./" };

	if (one_in(ops, 8)) {
		uint32_t len =
			one_in(ops, 2) ? 55 + ops_random(ops, 10) : 1 + ops_random(ops, 4090);

		memset(target, 't', len);
		target[len] = '\0';
		for (uint32_t i = 100; i < len; i += 100)
			target[i] = '/';
		return;
	}
	snprintf(target, size, "%s",
		 prefixes[ops_random(ops, sizeof(prefixes) / sizeof(*prefixes))]);
	random_path(ops, target + strlen(target), size - strlen(target));
}

static struct timespec random_time(struct ops *ops)
{
	static const int64_t seconds[] = {
		0,
		-1,
		-0x80000000LL,
		0x7fffffff,
		0x80000000LL,
		0xffffffffLL,
		0x100000000LL,
		0x17fffffffLL,
		0x180000000LL,
		0x37fffffffLL,
		1700000000,
	};
	struct timespec time = { .tv_sec = ops_random(ops, 2000000000) };

	if (one_in(ops, 3))
		time.tv_sec = seconds[ops_random(ops, sizeof(seconds) / sizeof(*seconds))];
	if (one_in(ops, 2))
		time.tv_nsec = ops_random(ops, 1000000000);
	return time;
}

static uint32_t random_id(struct ops *ops)
{
	static const uint32_t ids[] = { 0, 1, 1000, 65535, 65536, 0x7fffffff, 0xfffffffe };

	return one_in(ops, 2) ? 0 : ids[ops_random(ops, sizeof(ids) / sizeof(*ids))];
}

/* ---- attributes ---- */

static size_t put_acl(struct ops *ops, uint8_t *value)
{
	struct posix_acl_xattr_header header = { htole32(POSIX_ACL_XATTR_VERSION) };
	const uint16_t tags[] = { ACL_USER_OBJ, ACL_USER, ACL_GROUP_OBJ,
				  ACL_GROUP,	ACL_MASK, ACL_OTHER };
	bool named = !one_in(ops, 4);
	size_t len = sizeof(header);

	memcpy(value, &header, len);
	for (size_t i = 0; i < 6; i++) {
		struct posix_acl_xattr_entry entry = {
			htole16(tags[i]),
			htole16((uint16_t)ops_random(ops, 8)),
			htole32(i == 1 || i == 3 ? ops_random(ops, 70000) : UINT32_MAX),
		};

		if (!named && (i == 1 || i == 3 || i == 4))
			continue;
		if (ops->hostile && one_in(ops, 300))
			continue;
		memcpy(value + len, &entry, sizeof(entry));
		len += sizeof(entry);
	}
	return len;
}

static size_t put_capability(struct ops *ops, uint8_t *value)
{
	struct vfs_cap_data data = { htole32(VFS_CAP_REVISION_2), { { htole32(1), 0 } } };

	data.data[0].permitted = htole32(ops_random(ops, 1000));
	memcpy(value, &data, sizeof(data));
	return ops->hostile && one_in(ops, 100) ? 7 : sizeof(data);
}

static void random_xattr(struct ops *ops, struct op *op, size_t at)
{
	static const char *const names[] = { "user.a",	  "user.longer-name-of-an-attribute",
					     "trusted.t", "security.x",
					     "user.b",	  "system.none",
					     "user." };
	uint32_t max = one_in(ops, 5) ? 1500 : 40;
	size_t len = ops_random(ops, max);
	uint32_t which = ops_random(ops, 12);
	const char *name;

	if (ops->hostile && one_in(ops, 100))
		len = 5000;
	/* Few different ones, so that blocks are equal. */
	memset(op->values[at], (int)ops_random(ops, 3), sizeof(op->values[at]));
	if (which < 2) {
		name = "system.posix_acl_access";
		len = put_acl(ops, op->values[at]);
	} else if (which == 2 && op->kind == OP_DIR) {
		name = "system.posix_acl_default";
		len = put_acl(ops, op->values[at]);
	} else if (which == 3) {
		name = "security.capability";
		len = put_capability(ops, op->values[at]);
	} else {
		name = names[ops_random(ops, ops->hostile && one_in(ops, 50) ? 7 : 5)];
	}
	snprintf(op->names[at], sizeof(op->names[at]), "%s", name);
	op->xattrs[at] = (struct tree_xattr){ op->names[at], op->values[at], len };
}

static void random_attr(struct ops *ops, struct op *op)
{
	op->attr = (struct tree_attr){
		.mode = one_in(ops, 3) ? ops_random(ops, 010000) : 0644,
		.uid = random_id(ops),
		.gid = random_id(ops),
		.mtime = random_time(ops),
		.atime = random_time(ops),
		.xattrs = op->xattrs,
	};
	if (!one_in(ops, 4))
		return;
	op->attr.nr_xattrs = 1 + ops_random(ops, OP_XATTRS);
	for (size_t i = 0; i < op->attr.nr_xattrs; i++)
		random_xattr(ops, op, i);
}

/* ---- files ---- */

static void random_content(struct ops *ops, struct op *op)
{
	static const uint32_t sizes[] = { 0, 1, 59, 60, 4095, 4096, 4097, 8192, 65536, 70000 };
	uint64_t at = 0;

	op->fill = ops->state;
	op->nr_pieces = 0;
	op->size = one_in(ops, 2) ? sizes[ops_random(ops, sizeof(sizes) / sizeof(*sizes))]
				  : ops_random(ops, one_in(ops, 10) ? 2000000 : 20000);
	if (!one_in(ops, 6)) { /* one after the other */
		while (at < op->size && op->nr_pieces < OP_PIECES) {
			uint64_t left = op->size - at;
			uint32_t len = op->nr_pieces == OP_PIECES - 1
					       ? (uint32_t)left
					       : ops_random(ops, (uint32_t)left) + 1;

			op->pieces[op->nr_pieces].offset = at;
			op->pieces[op->nr_pieces++].len = len;
			at += len;
		}
		return;
	}
	/* Holes, up to terabytes. */
	for (uint32_t nr = ops_random(ops, OP_PIECES); nr; nr--) {
		at += one_in(ops, 3) ? UINT64_C(1000000000) * ops_random(ops, 200)
				     : ops_random(ops, 100000);
		op->pieces[op->nr_pieces].offset = at;
		op->pieces[op->nr_pieces].len = 1 + ops_random(ops, 9000);
		at += op->pieces[op->nr_pieces++].len;
	}
	op->size = at + (one_in(ops, 2) ? ops_random(ops, 100000) : 0);
}

void ops_next(struct ops *ops, struct op *ret)
{
	static const uint32_t weights[NR_OPS] = { 20, 40, 12, 12, 6, 12, 4, 2, 2 };
	uint32_t pick, total = 0;

	for (size_t i = 0; i < NR_OPS; i++)
		total += weights[i];
	pick = ops_random(ops, total);
	for (ret->kind = 0; pick >= weights[ret->kind]; ret->kind++)
		pick -= weights[ret->kind];
	ops->done++;
	random_path(ops, ret->path, sizeof(ret->path));
	random_target(ops, ret->target, sizeof(ret->target));
	random_attr(ops, ret);
	random_content(ops, ret);
	ret->type = (mode_t[]){ S_IFCHR, S_IFBLK, S_IFIFO }[ops_random(ops, 3)];
	ret->dev = makedev(ops_random(ops, one_in(ops, 2) ? 256 : 4096),
			   ops_random(ops, one_in(ops, 2) ? 256 : 1 << 20));
	ret->count = 1 + ops_random(ops, one_in(ops, 4) ? 3000 : 150);
	if ((ret->kind == OP_DIR || ret->kind == OP_OPAQUE) && one_in(ops, 20))
		*ret->path = '\0';
	if (ret->kind == OP_LINK)
		random_path(ops, ret->target, sizeof(ret->target));
}

static int write_pieces(const struct op *op, struct tree_writer *tree, struct error *err)
{
	auto_free uint8_t *data = xmalloc(2100000);

	for (size_t i = 0; i < op->nr_pieces; i++) {
		for (uint32_t at = 0; at < op->pieces[i].len; at++)
			data[at] = (uint8_t)((op->fill * (at / 509 + 1) + at) >> (at % 7));
		if (op->pieces[i].len && tree->ops->write_file(tree, data, op->pieces[i].len,
							       op->pieces[i].offset, err) < 0)
			return -1;
	}
	return tree->ops->close_file(tree, err);
}

static int make_many(const struct op *op, struct tree_writer *tree, struct error *err)
{
	char path[1200];

	for (uint32_t i = 0; i < op->count; i++) {
		snprintf(path, sizeof(path), "%s/%0*u", op->path, (int)(1 + op->fill % 100), i);
		if (tree->ops->open_file(tree, path, &op->attr, 0, err) < 0 ||
		    tree->ops->close_file(tree, err) < 0)
			return -1;
	}
	return 0;
}

int ops_apply(const struct op *op, struct tree_writer *tree, struct error *err)
{
	const struct tree_writer_ops *ops = tree->ops;

	switch (op->kind) {
	case OP_DIR:
		return ops->make_dir(tree, op->path, &op->attr, err);
	case OP_FILE:
		if (ops->open_file(tree, op->path, &op->attr, op->size, err) < 0)
			return -1;
		return write_pieces(op, tree, err);
	case OP_LINK:
		return ops->make_link(tree, op->path, op->target, &op->attr, err);
	case OP_SYMLINK:
		return ops->make_symlink(tree, op->path, op->target, &op->attr, err);
	case OP_NODE:
		return ops->make_node(tree, op->path, op->type, op->dev, &op->attr, err);
	case OP_WHITEOUT:
		return ops->whiteout(tree, op->path, err);
	case OP_OPAQUE:
		return ops->opaque(tree, op->path, err);
	case OP_DISCARD:
		return ops->discard(tree, op->path, err);
	default:
		return make_many(op, tree, err);
	}
}

void ops_print(const struct op *op, struct buf *ret)
{
	static const char *const names[] = { "dir",	 "file",   "link",    "symlink", "node",
					     "whiteout", "opaque", "discard", "many" };

	buf_printf(ret, "    %s '%s'", names[op->kind], op->path);
	if (op->kind == OP_LINK || op->kind == OP_SYMLINK)
		buf_printf(ret, " -> '%.100s'", op->target);
	if (op->kind == OP_FILE)
		buf_printf(ret, " %ju bytes in %zu pieces", (uintmax_t)op->size, op->nr_pieces);
	if (op->kind == OP_MANY)
		buf_printf(ret, " %u files", op->count);
	if (op->kind < OP_WHITEOUT) {
		buf_printf(ret, " mode %04o %u:%u", op->attr.mode, op->attr.uid, op->attr.gid);
		for (size_t i = 0; i < op->attr.nr_xattrs; i++)
			buf_printf(ret, " %s=%zu", op->xattrs[i].name, op->xattrs[i].len);
	}
	buf_puts(ret, "\n");
}
