/* SPDX-License-Identifier: Apache-2.0 */
#include "run/account.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/path.h"
#include "limits.h"

#define FIELDS_MAX 7
#define ID_MAX	   UINT64_C(2147483647) /* as Docker has it */

void account_done(struct account *account)
{
	free(account->groups);
	free(account->home);
	*account = (struct account){ 0 };
}

static bool parse_id(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long long value;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
		return false;
	value = strtoull(text, &end, 10);
	*ret = (uint32_t)value;
	return value <= ID_MAX;
}

/* The next line of *text cut into fields, in place. Returns their number, -1 at the end. */
static int next_entry(char **text, char *fields[FIELDS_MAX])
{
	char *line = strsep(text, "\n");
	int nr = 0;

	if (!line)
		return -1;
	while (line && nr < FIELDS_MAX)
		fields[nr++] = strsep(&line, ":");
	return nr;
}

/* By name first, then by number. Fills uid, gid and home, and the name. */
static bool find_user(const char *user, const char *passwd, struct account *ret, char **ret_name)
{
	uint32_t wanted;
	bool numeric = parse_id(user, &wanted);

	for (int by_number = 0; by_number <= numeric; by_number++) {
		auto_free char *copy = xstrdup(passwd);
		char *at = copy, *fields[FIELDS_MAX];
		int nr;

		while ((nr = next_entry(&at, fields)) >= 0) {
			uint32_t uid, gid;

			if (nr < 6 || !parse_id(fields[2], &uid) || !parse_id(fields[3], &gid) ||
			    (by_number ? uid != wanted : strcmp(fields[0], user) != 0))
				continue;
			ret->uid = uid;
			ret->gid = gid;
			ret->home = xstrdup(*fields[5] ? fields[5] : "/");
			*ret_name = xstrdup(fields[0]);
			return true;
		}
	}
	return false;
}

static bool find_group(const char *name, const char *group, uint32_t *ret)
{
	auto_free char *copy = xstrdup(group);
	char *at = copy, *fields[FIELDS_MAX];
	int nr;

	while ((nr = next_entry(&at, fields)) >= 0)
		if (nr >= 3 && strcmp(fields[0], name) == 0 && parse_id(fields[2], ret))
			return true;
	return parse_id(name, ret);
}

static void add_group(struct account *account, uint32_t gid)
{
	for (size_t i = 0; i < account->nr_groups; i++)
		if (account->groups[i] == gid)
			return;
	account->groups =
		xrealloc(account->groups, (account->nr_groups + 1) * sizeof(*account->groups));
	account->groups[account->nr_groups++] = gid;
}

static bool lists(char *members, const char *name)
{
	char *member;

	while ((member = strsep(&members, ",")))
		if (strcmp(member, name) == 0)
			return true;
	return false;
}

static void add_groups_of(const char *name, const char *group, struct account *ret)
{
	auto_free char *copy = xstrdup(group);
	char *at = copy, *fields[FIELDS_MAX];
	uint32_t gid;
	int nr;

	while ((nr = next_entry(&at, fields)) >= 0)
		if (nr >= 4 && parse_id(fields[2], &gid) && lists(fields[3], name))
			add_group(ret, gid);
}

int account_resolve(const char *user, const char *passwd, const char *group, struct account *ret,
		    struct error *err)
{
	auto_free char *name = xstrdup(user && *user ? user : "0");
	auto_free char *known = NULL;
	char *colon = strchr(name, ':');

	*ret = (struct account){ 0 };
	if (colon)
		*colon++ = '\0';
	if (!find_user(*name ? name : "0", passwd, ret, &known) && *name &&
	    !parse_id(name, &ret->uid))
		return err_set(err, ERR_USAGE,
			       "unable to find user %s: no matching entries in passwd file", name);
	if (!ret->home)
		ret->home = xstrdup(ret->uid == 0 ? "/root" : "/");
	if (colon && *colon) {
		if (find_group(colon, group, &ret->gid))
			return 0;
		account_done(ret);
		return err_set(err, ERR_USAGE,
			       "unable to find group %s: no matching entries in group file", colon);
	}
	if (known)
		add_groups_of(known, group, ret);
	return 0;
}

/* An absent or odd file counts as empty. */
static void read_file(int root_fd, const char *path, struct buf *ret)
{
	struct error err;
	auto_fd int fd = path_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK, 0, &err);
	auto_free char *name = xasprintf("/proc/self/fd/%d", fd);

	if (fd < 0 || io_read_file(AT_FDCWD, name, LIMIT_ACCOUNT_BYTES, ret, &err) < 0)
		buf_reset(ret);
	buf_puts(ret, "");
}

int account_find(int root_fd, const char *user, struct account *ret, struct error *err)
{
	auto_buf struct buf passwd = { 0 };
	auto_buf struct buf group = { 0 };

	read_file(root_fd, "etc/passwd", &passwd);
	read_file(root_fd, "etc/group", &group);
	return account_resolve(user, passwd.data, group.data, ret, err);
}

int account_add_group(int root_fd, const char *group, struct account *account, struct error *err)
{
	auto_buf struct buf text = { 0 };
	uint32_t gid;

	read_file(root_fd, "etc/group", &text);
	if (!find_group(group, text.data, &gid))
		return err_set(err, ERR_USAGE,
			       "Unable to find group %s: no matching entries in "
			       "group file",
			       group);
	add_group(account, gid);
	return 0;
}
