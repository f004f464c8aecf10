/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write_ops - random entries of layers, from a seed, for write_check
 */
#ifndef WRITE_OPS_H
#define WRITE_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/tree_writer.h"

enum op_kind {
	OP_DIR,
	OP_FILE,
	OP_LINK,
	OP_SYMLINK,
	OP_NODE,
	OP_WHITEOUT,
	OP_OPAQUE,
	OP_DISCARD,
	OP_MANY, /* many small files in one folder */
	NR_OPS
};

#define OP_XATTRS 5
#define OP_PIECES 6

struct op {
	enum op_kind kind;
	char path[1024];
	char target[4096];
	struct tree_attr attr;
	struct tree_xattr xattrs[OP_XATTRS];
	char names[OP_XATTRS][64];
	uint8_t values[OP_XATTRS][6000];
	mode_t type;
	dev_t dev;
	uint64_t size;
	struct {
		uint64_t offset;
		uint32_t len;
	} pieces[OP_PIECES];
	size_t nr_pieces;
	uint32_t count; /* of OP_MANY */
	uint64_t fill;	/* content is made of it */
};

struct ops {
	uint64_t state;
	uint64_t done;
	bool hostile; /* makes what must fail, too */
};

/* A number below n. */
uint32_t ops_random(struct ops *ops, uint32_t n);
void ops_next(struct ops *ops, struct op *ret);
/* Returns 0, or -1 with what the writer said. */
int ops_apply(const struct op *op, struct tree_writer *tree, struct error *err);
void ops_print(const struct op *op, struct buf *ret);

#endif
