/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tar_apply.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cancel.h"
#include "base/path.h"
#include "layer/tar_entry.h"
#include "layer/whiteout.h"
#include "limits.h"

struct apply {
	const struct tar_apply_args *args;
	struct tree_writer *tree;
	struct archive *archive;
	struct tar_entry entry;
	struct tar_apply_result result;
	bool has_links_dir; /* WHITEOUT_LINKS_DIR is in the tree for the time being */
	/* Between the stream and libarchive. */
	bool ended;
	bool failed; /* with err */
	struct error err;
	uint64_t header_bytes; /* handed over for the present header */
	bool in_header;
	bool in_entry;
	bool complete; /* nothing can follow */
};

/* ---- feeding libarchive ---- */

static ssize_t feed_failed(struct apply *apply)
{
	apply->failed = true;
	archive_set_error(apply->archive, EIO, "%s", apply->err.text);
	return ARCHIVE_FATAL;
}

static void report(const struct apply *apply)
{
	const struct tar_apply_args *args = apply->args;

	progress_update(args->progress, args->progress_item,
			args->progress_phase ?: "Loading layer", stream_blob_bytes(args->stream),
			args->progress_total);
}

static ssize_t feed(struct archive *archive, void *ctx, const void **ret_block)
{
	struct apply *apply = ctx;
	size_t len;

	(void)archive;
	if (cancel_check(&apply->err) < 0 ||
	    stream_next(apply->args->stream, ret_block, &len, &apply->err) < 0)
		return feed_failed(apply);
	apply->ended = len == 0;
	apply->header_bytes += len;
	if (apply->in_header && apply->header_bytes > LIMIT_TAR_HEADER_BYTES) {
		err_set(&apply->err, ERR_LIMIT,
			"the headers of one entry are larger than %ju bytes",
			(uintmax_t)LIMIT_TAR_HEADER_BYTES);
		return feed_failed(apply);
	}
	report(apply);
	return (ssize_t)len;
}

static int archive_failed(const struct apply *apply, struct error *err)
{
	const char *text = archive_error_string(apply->archive);

	if (apply->failed) {
		*err = apply->err;
		return -1;
	}
	return err_set(err, ERR_CORRUPT, "not a valid tar archive: %s", text ? text : "unknown");
}

static int open_archive(struct apply *apply, struct error *err)
{
	struct archive *archive = archive_read_new();

	apply->archive = archive;
	/* No filter: the stream has inflated. Nothing but tar is looked for. */
	if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_support_format_empty(archive) != ARCHIVE_OK ||
	    archive_read_open(archive, apply, NULL, feed, NULL) != ARCHIVE_OK)
		return archive_failed(apply, err);
	return 0;
}

/*
 * libarchive warns of names that do not convert into the present character set;
 * in the "C" locale those are all beyond ASCII, and it hands over their bytes,
 * which is what is wanted. Any other warning means that it ignored a header.
 */
static bool is_harmless(struct archive *archive)
{
	const char *text = archive_error_string(archive);

	return text && strstr(text, "can't be converted");
}

/* Returns 1 and the next header, 0 at the end, -1. */
static int next_header(struct apply *apply, struct archive_entry **ret, struct error *err)
{
	int code;

	if (apply->complete)
		return 0;
	/* What is skipped does not count as header. */
	if (apply->in_entry && archive_read_data_skip(apply->archive) < ARCHIVE_WARN)
		return archive_failed(apply, err);
	apply->header_bytes = 0;
	apply->in_header = true;
	code = archive_read_next_header(apply->archive, ret);
	apply->in_header = false;
	apply->in_entry = true;
	if (code == ARCHIVE_EOF)
		return 0;
	if (code == ARCHIVE_OK || (code == ARCHIVE_WARN && is_harmless(apply->archive)))
		return 1;
	return archive_failed(apply, err);
}

/* ---- one entry ---- */

/* Returns 1 with data, 0 at the end of the entry's data, -1. */
static int next_data(struct apply *apply, uint64_t done, const void **ret, size_t *ret_len,
		     uint64_t *ret_offset, struct error *err)
{
	la_int64_t offset;
	int code = archive_read_data_block(apply->archive, ret, ret_len, &offset);

	if (code == ARCHIVE_EOF)
		return 0;
	/* The padding of the very last file may be missing. */
	if (code == ARCHIVE_FATAL && apply->ended && !apply->failed && done == apply->entry.size) {
		apply->complete = true;
		return 0;
	}
	if (code != ARCHIVE_OK)
		return archive_failed(apply, err);
	if (offset < 0 || (uint64_t)offset < done)
		return err_set(err, ERR_CORRUPT, "'%s': the extents do not rise",
			       apply->entry.path.data);
	if ((uint64_t)offset > apply->entry.size || *ret_len > apply->entry.size - (uint64_t)offset)
		return err_set(err, ERR_CORRUPT, "'%s': data beyond the end of the file",
			       apply->entry.path.data);
	*ret_offset = (uint64_t)offset;
	return 1;
}

static int take_space(struct apply *apply, uint64_t bytes, struct error *err)
{
	const struct tar_apply_args *args = apply->args;

	return args->take_space ? args->take_space(args->take_space_ctx, bytes, err) : 0;
}

static int apply_file(struct apply *apply, struct error *err)
{
	const struct tree_writer_ops *ops = apply->tree->ops;
	const struct tar_entry *entry = &apply->entry;
	uint64_t offset = 0, done = 0;
	const void *data;
	size_t len;
	int more;

	if (ops->open_file(apply->tree, entry->path.data, &entry->attr, entry->size, err) < 0)
		return -1;
	/* Nothing to ask for an empty file. */
	while (entry->size) {
		more = next_data(apply, done, &data, &len, &offset, err);
		if (more < 0)
			return -1;
		if (!more)
			break;
		if (take_space(apply, len, err) < 0)
			return -1;
		if (len && ops->write_file(apply->tree, data, len, offset, err) < 0)
			return -1;
		done = offset + len;
	}
	apply->result.content_bytes += entry->size;
	return ops->close_file(apply->tree, err);
}

static int apply_link(struct apply *apply, struct error *err)
{
	const struct tar_entry *entry = &apply->entry;

	if (!entry->link.len)
		return err_set(err, ERR_CORRUPT, "hard link '%s': to the root", entry->path.data);
	return apply->tree->ops->make_link(apply->tree, entry->path.data, entry->link.data,
					   &entry->attr, err);
}

static bool ends_with_slash(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	return len && name[len - 1] == '/';
}

/* Old tars have no type for folders; libarchive misses some of them. */
static bool is_folder(struct archive_entry *header)
{
	mode_t type = archive_entry_filetype(header);

	if (archive_entry_hardlink(header))
		return false;
	return type == AE_IFDIR ||
	       (type == AE_IFREG && ends_with_slash(archive_entry_pathname(header)));
}

static int apply_entry(struct apply *apply, struct archive_entry *header, struct error *err)
{
	const struct tree_writer_ops *ops = apply->tree->ops;
	const struct tar_entry *entry = &apply->entry;
	const char *path = entry->path.data;
	mode_t type = archive_entry_filetype(header);

	if (archive_entry_hardlink(header))
		return apply_link(apply, err);
	if (is_folder(header))
		return ops->make_dir(apply->tree, path, &entry->attr, err);
	switch (type) {
	case AE_IFREG:
		return apply_file(apply, err);
	case AE_IFLNK:
		return ops->make_symlink(apply->tree, path, entry->link.data, &entry->attr, err);
	case AE_IFCHR:
	case AE_IFBLK:
		return ops->make_node(apply->tree, path, type == AE_IFCHR ? S_IFCHR : S_IFBLK,
				      archive_entry_rdev(header), &entry->attr, err);
	case AE_IFIFO:
		return ops->make_node(apply->tree, path, S_IFIFO, 0, &entry->attr, err);
	case AE_IFSOCK: /* lives only as long as its server */
		return 0;
	default:
		return err_set(err, ERR_UNSUPPORTED, "'%s': unknown kind of entry", path);
	}
}

/* AUFS's store of files with several names: links to them may follow, itself it goes away. */
static int apply_linked(struct apply *apply, struct archive_entry *header, struct error *err)
{
	if (archive_entry_filetype(header) != AE_IFREG || archive_entry_hardlink(header))
		return 0;
	apply->has_links_dir = true;
	return apply_file(apply, err);
}

static int apply_whiteout(struct apply *apply, const char *hidden, struct error *err)
{
	struct buf *path = &apply->entry.path;
	size_t dir_len = (size_t)(path_base(path->data) - path->data);

	/* hidden lies inside path, at its end */
	memmove(path->data + dir_len, hidden, strlen(hidden) + 1);
	path->len = dir_len + strlen(path->data + dir_len);
	return apply->tree->ops->whiteout(apply->tree, path->data, err);
}

static int apply_opaque(struct apply *apply, struct error *err)
{
	struct buf *path = &apply->entry.path;
	size_t dir_len = (size_t)(path_base(path->data) - path->data);

	path->len = dir_len ? dir_len - 1 : 0;
	path->data[path->len] = '\0';
	return apply->tree->ops->opaque(apply->tree, path->data, err);
}

static void adjust(struct apply *apply, struct archive_entry *header)
{
	const struct tar_apply_args *args = apply->args;
	mode_t type = is_folder(header) ? S_IFDIR : archive_entry_filetype(header);

	if (args->adjust)
		args->adjust(args->adjust_ctx, type, &apply->entry.attr);
}

static int apply_header(struct apply *apply, struct archive_entry *header, struct error *err)
{
	enum whiteout whiteout = WHITEOUT_NONE;
	const char *hidden;

	if (tar_entry_fill(&apply->entry, header, err) < 0)
		return -1;
	/* The root stays what it is: at most its attributes are anybody's to set. */
	if (!apply->entry.path.len && (apply->args->plain || !is_folder(header)))
		return 0;
	if (!apply->args->plain &&
	    whiteout_parse(apply->entry.path.data, &whiteout, &hidden, err) < 0)
		return -1;
	adjust(apply, header);
	if (take_space(apply, TREE_ENTRY_BYTES, err) < 0)
		return -1;
	apply->result.entries++;
	switch (whiteout) {
	case WHITEOUT_NAME:
		return apply_whiteout(apply, hidden, err);
	case WHITEOUT_HIDES:
		return apply_opaque(apply, err);
	case WHITEOUT_LINKED:
		return apply_linked(apply, header, err);
	case WHITEOUT_SKIP:
		return 0;
	default:
		return apply_entry(apply, header, err);
	}
}

static int apply_all(struct apply *apply, struct error *err)
{
	const struct tree_writer_ops *ops = apply->tree->ops;
	struct archive_entry *header;
	int more;

	if (ops->begin_layer(apply->tree, apply->args->base, err) < 0 ||
	    open_archive(apply, err) < 0)
		return -1;
	while ((more = next_header(apply, &header, err)) > 0)
		if (cancel_check(err) < 0 || apply_header(apply, header, err) < 0)
			return -1;
	if (more < 0 || stream_finish(apply->args->stream, &apply->result.stream, err) < 0)
		return -1;
	report(apply);
	if (apply->has_links_dir && ops->discard(apply->tree, WHITEOUT_LINKS_DIR, err) < 0)
		return -1;
	return ops->end_layer(apply->tree, &apply->result.removed, err);
}

int tar_apply(const struct tar_apply_args *args, struct tar_apply_result *ret, struct error *err)
{
	struct apply apply = { .args = args, .tree = args->tree };
	/* In a UTF-8 locale libarchive would compose the accents of names. */
	locale_t bytes = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t old = uselocale(bytes);
	int result = apply_all(&apply, err);

	archive_read_free(apply.archive);
	tar_entry_done(&apply.entry);
	uselocale(old);
	freelocale(bytes);
	if (result == 0)
		*ret = apply.result;
	return result;
}
