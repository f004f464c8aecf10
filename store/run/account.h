/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account - who a process in a container is: "user[:group]" by its own passwd and group
 *
 * Source: passwd(5), group(5); what Docker does with USER and --user.
 */
#ifndef RUN_ACCOUNT_H
#define RUN_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct account {
	uint32_t uid;
	uint32_t gid;
	uint32_t *groups; /* further ones */
	size_t nr_groups;
	char *home; /* never NULL after account_resolve() */
};

void account_done(struct account *account);
#define auto_account __attribute__((cleanup(account_done)))

/**
 * account_resolve - who "user", "user:group", "1000" or "1000:1000" is
 * @user:   NULL and "" are root
 * @passwd: text of /etc/passwd, "" without one
 * @group:  text of /etc/group
 *
 * A number needs no entry. Further groups are those that list the user, unless
 * a group was named. ERR_USAGE: "unable to find user X: no matching entries in
 * passwd file".
 */
int account_resolve(const char *user, const char *passwd, const char *group, struct account *ret,
		    struct error *err);

/* The same with the files of a root folder; links stay beneath it. */
int account_find(int root_fd, const char *user, struct account *ret, struct error *err);

/* Adds what --group-add says: names or numbers. */
int account_add_group(int root_fd, const char *group, struct account *account, struct error *err);

#endif
