/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/tar_entry.h"

#include <archive.h>
#include <archive_entry.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "limits.h"

/* What ext4 holds: 1901-12-13 20:45:52 to 2446-05-10 22:38:55. */
#define MIN_SECONDS INT64_C(-0x80000000)
#define MAX_SECONDS INT64_C(0x37fffffff)

#define MAX_ACL_ENTRIES                                                \
	((LIMIT_XATTR_BYTES - sizeof(struct posix_acl_xattr_header)) / \
	 sizeof(struct posix_acl_xattr_entry))

/*
 * libarchive reads "-1.5" as second -1 and then adds the fraction. (Of "-0.5"
 * it loses the sign; nothing here can know.)
 */
static struct timespec to_time(time_t seconds, long nanoseconds)
{
	struct timespec time = { seconds, nanoseconds };

	if (seconds < 0 && nanoseconds > 0) {
		time.tv_sec--;
		time.tv_nsec = 1000000000L - nanoseconds;
	}
	if (time.tv_sec < MIN_SECONDS)
		time = (struct timespec){ MIN_SECONDS, 0 };
	if (time.tv_sec > MAX_SECONDS)
		time = (struct timespec){ MAX_SECONDS, 0 };
	return time;
}

static int set_path(struct buf *ret, const char *name, struct error *err)
{
	if (strlen(name) >= LIMIT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "a name of %zu bytes, more than %d: '%.64s...'",
			       strlen(name), LIMIT_PATH_BYTES - 1, name);
	return path_clean(name, ret, err);
}

static int set_names(struct tar_entry *entry, struct archive_entry *header, struct error *err)
{
	const char *name = archive_entry_pathname(header);
	const char *link;

	if (!name)
		return err_set(err, ERR_CORRUPT, "an entry without a name");
	if (set_path(&entry->path, name, err) < 0)
		return -1;
	buf_reset(&entry->link);
	link = archive_entry_hardlink(header);
	if (link)
		return set_path(&entry->link, link, err);
	link = archive_entry_symlink(header);
	if (archive_entry_filetype(header) != AE_IFLNK)
		return 0;
	if (!link || !*link)
		return err_set(err, ERR_CORRUPT, "link '%s' without a target", entry->path.data);
	if (strlen(link) >= LIMIT_PATH_BYTES)
		return err_set(err, ERR_LIMIT, "link '%s' to a name of %zu bytes, more than %d",
			       entry->path.data, strlen(link), LIMIT_PATH_BYTES - 1);
	buf_puts(&entry->link, link);
	return 0;
}

static int check_owner(const struct tar_entry *entry, int64_t id, struct error *err)
{
	/* The highest number means "leave it" to chown(2). */
	if (id < 0 || id >= UINT32_MAX)
		return err_set(err, ERR_CORRUPT, "'%s': impossible owner %jd", entry->path.data,
			       (intmax_t)id);
	return 0;
}

static void add_xattr(struct tar_entry *entry, const char *name, const void *value, size_t len)
{
	size_t nr = entry->attr.nr_xattrs;

	if (nr == entry->cap_xattrs) {
		entry->cap_xattrs = nr ? nr * 2 : 8;
		entry->xattrs = xrealloc(entry->xattrs, entry->cap_xattrs * sizeof(*entry->xattrs));
	}
	entry->xattrs[nr] = (struct tree_xattr){ name, value, len };
	entry->attr.xattrs = entry->xattrs;
	entry->attr.nr_xattrs = nr + 1;
}

static int set_xattrs(struct tar_entry *entry, struct archive_entry *header, struct error *err)
{
	int nr = archive_entry_xattr_reset(header);
	const char *name;
	const void *value;
	size_t len;

	entry->attr.nr_xattrs = 0;
	if (nr > (int)LIMIT_XATTRS)
		return err_set(err, ERR_LIMIT, "'%s': more than %u attributes", entry->path.data,
			       LIMIT_XATTRS);
	while (archive_entry_xattr_next(header, &name, &value, &len) == ARCHIVE_OK) {
		if (len > LIMIT_XATTR_BYTES)
			return err_set(err, ERR_LIMIT,
				       "'%s': attribute '%.64s' of %zu bytes, more than %u",
				       entry->path.data, name, len, LIMIT_XATTR_BYTES);
		add_xattr(entry, name, value, len);
	}
	return 0;
}

/* ---- ACLs ---- */

/* In the order in which the kernel wants them. */
static uint16_t acl_tag(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return ACL_USER_OBJ;
	case ARCHIVE_ENTRY_ACL_USER:
		return ACL_USER;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return ACL_GROUP_OBJ;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return ACL_GROUP;
	case ARCHIVE_ENTRY_ACL_MASK:
		return ACL_MASK;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return ACL_OTHER;
	default:
		return 0;
	}
}

static bool is_named(uint16_t tag)
{
	return tag == ACL_USER || tag == ACL_GROUP;
}

static int compare_acl(const void *a, const void *b)
{
	const struct posix_acl_xattr_entry *x = a, *y = b;
	uint16_t x_tag = le16toh(x->e_tag), y_tag = le16toh(y->e_tag);
	uint32_t x_id = le32toh(x->e_id), y_id = le32toh(y->e_id);

	if (x_tag != y_tag)
		return x_tag < y_tag ? -1 : 1;
	return x_id < y_id ? -1 : x_id > y_id;
}

static void append_acl(struct buf *buf, uint16_t tag, int perm, uint32_t id)
{
	struct posix_acl_xattr_entry acl = {
		.e_tag = htole16(tag),
		.e_perm = htole16((uint16_t)(perm & 7)),
		.e_id = htole32(is_named(tag) ? id : (uint32_t)ACL_UNDEFINED_ID),
	};

	buf_append(buf, &acl, sizeof(acl));
}

/* Returns the number of entries, -1 with ERR_LIMIT; 0 too when it cannot be used. */
static int read_acl(struct tar_entry *entry, struct archive_entry *header, int type,
		    struct buf *buf, struct error *err)
{
	int nr = 0, found_type, perm, tag, id, group_perms = 0;
	bool has_mask = false, has_named = false;
	const char *name;

	archive_entry_acl_reset(header, type);
	while (archive_entry_acl_next(header, type, &found_type, &perm, &tag, &id, &name) ==
	       ARCHIVE_OK) {
		uint16_t kernel_tag = acl_tag(tag);

		if (!kernel_tag)
			continue;
		if (is_named(kernel_tag) && id < 0) {
			/* Whom a name means is known inside the image at best. */
			log_warn("the ACL of '%s' is left out: it has no number for '%s'",
				 entry->path.data, name ? name : "");
			return 0;
		}
		if ((size_t)++nr >= MAX_ACL_ENTRIES)
			return err_set(err, ERR_LIMIT, "'%s': the ACL is too long",
				       entry->path.data);
		append_acl(buf, kernel_tag, perm, (uint32_t)id);
		has_mask |= kernel_tag == ACL_MASK;
		has_named |= is_named(kernel_tag);
		if (is_named(kernel_tag) || kernel_tag == ACL_GROUP_OBJ)
			group_perms |= perm;
	}
	if (has_named && !has_mask) {
		append_acl(buf, ACL_MASK, group_perms, 0);
		nr++;
	}
	return nr;
}

static int set_acl(struct tar_entry *entry, struct archive_entry *header, int type,
		   const char *xattr, struct buf *buf, struct error *err)
{
	struct posix_acl_xattr_header head = { htole32(POSIX_ACL_XATTR_VERSION) };
	int nr;

	/* An access ACL of the three basic entries is nothing but the mode. */
	if (archive_entry_acl_count(header, type) == 0)
		return 0;
	buf_reset(buf);
	buf_append(buf, &head, sizeof(head));
	nr = read_acl(entry, header, type, buf, err);
	if (nr <= 0)
		return nr;
	qsort(buf->data + sizeof(head), (size_t)nr, sizeof(struct posix_acl_xattr_entry),
	      compare_acl);
	add_xattr(entry, xattr, buf->data, buf->len);
	return 0;
}

static int set_acls(struct tar_entry *entry, struct archive_entry *header, struct error *err)
{
	if (!(archive_entry_acl_types(header) & ARCHIVE_ENTRY_ACL_TYPE_POSIX1E))
		return 0;
	if (set_acl(entry, header, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access",
		    &entry->acls[0], err) < 0)
		return -1;
	if (archive_entry_filetype(header) != AE_IFDIR)
		return 0;
	return set_acl(entry, header, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default",
		       &entry->acls[1], err);
}

int tar_entry_fill(struct tar_entry *entry, struct archive_entry *header, struct error *err)
{
	struct tree_attr *attr = &entry->attr;
	int64_t size = archive_entry_size(header);

	if (set_names(entry, header, err) < 0 ||
	    check_owner(entry, archive_entry_uid(header), err) < 0 ||
	    check_owner(entry, archive_entry_gid(header), err) < 0)
		return -1;
	if (size < 0)
		return err_set(err, ERR_CORRUPT, "'%s': impossible size %jd", entry->path.data,
			       (intmax_t)size);
	entry->size = (uint64_t)size;
	attr->mode = archive_entry_perm(header) & 07777;
	attr->uid = (uid_t)archive_entry_uid(header);
	attr->gid = (gid_t)archive_entry_gid(header);
	attr->mtime = to_time(archive_entry_mtime(header), archive_entry_mtime_nsec(header));
	attr->atime = archive_entry_atime_is_set(header) ? to_time(archive_entry_atime(header),
								   archive_entry_atime_nsec(header))
							 : attr->mtime;
	if (set_xattrs(entry, header, err) < 0)
		return -1;
	return set_acls(entry, header, err);
}

void tar_entry_done(struct tar_entry *entry)
{
	buf_done(&entry->path);
	buf_done(&entry->link);
	buf_done(&entry->acls[0]);
	buf_done(&entry->acls[1]);
	free(entry->xattrs);
	*entry = (struct tar_entry){ 0 };
}
