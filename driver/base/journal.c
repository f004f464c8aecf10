/* SPDX-License-Identifier: Apache-2.0 */
#include "base/journal.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/library.h"
#include "base/log.h"

struct systemd {
	int (*journal_sendv)(const struct iovec *iov, int n);
};

/* NULL when it is not installed. */
static const struct systemd *systemd_get(void)
{
	static struct systemd lib;
	static bool asked, loaded;
	const struct library_symbol symbols[] = {
		{ "sd_journal_sendv", &lib.journal_sendv },
		{ NULL, NULL },
	};
	struct error err;

	if (!asked) {
		loaded = library_load("libsystemd.so.0", symbols, &err) == 0;
		if (!loaded)
			log_debug("%s", err.text);
	}
	asked = true;
	return loaded ? &lib : NULL;
}

static bool send_fields(const struct systemd *systemd, enum journal_priority priority,
			const char *message, const struct strlist *fields)
{
	auto_free struct iovec *iov = xcalloc(fields->nr + 3, sizeof(*iov));
	auto_free char *text = xasprintf("MESSAGE=%s", message);
	auto_free char *level = xasprintf("PRIORITY=%d", priority);
	char name[] = "SYSLOG_IDENTIFIER=veneer";
	int nr = 0;

	iov[nr++] = (struct iovec){ text, strlen(text) };
	iov[nr++] = (struct iovec){ level, strlen(level) };
	iov[nr++] = (struct iovec){ name, strlen(name) };
	for (size_t i = 0; i < fields->nr; i++)
		iov[nr++] = (struct iovec){ fields->items[i], strlen(fields->items[i]) };
	return systemd->journal_sendv(iov, nr) == 0;
}

/* Whose standard error was sent elsewhere has the variable, too. */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	uintmax_t device, inode;
	struct stat st;

	return text && sscanf(text, "%ju:%ju", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void journal_send(enum journal_priority priority, const char *message, const struct strlist *fields)
{
	const struct systemd *systemd = NULL;

	if (!stderr_is_journal()) {
		fprintf(stderr, "%s\n", message);
		return;
	}
	systemd = systemd_get();
	if (!systemd || !send_fields(systemd, priority, message, fields))
		fprintf(stderr, "<%d>%s\n", priority, message);
}
