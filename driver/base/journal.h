/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal - messages with fields for systemd's journal
 *
 * Where standard error is the journal (JOURNAL_STREAM has its device and inode) they go there through
 * libsystemd, which is loaded for the first; without that library as lines of standard error with
 * their priority, which the journal understands. Elsewhere they are plain lines of standard error.
 * Source: sd_journal_sendv(3), sd-daemon(3), systemd.journal-fields(7), systemd.exec(5)
 */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

#include <stddef.h>

#include "base/buf.h"

enum journal_priority { /* those of syslog(3) */
			JOURNAL_ERROR = 3,
			JOURNAL_WARNING = 4,
			JOURNAL_NOTICE = 5,
			JOURNAL_INFO = 6,
};

/* fields: "NAME=value" each, names in capitals. */
void journal_send(enum journal_priority priority, const char *message,
		  const struct strlist *fields);

#endif
