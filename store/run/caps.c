/* SPDX-License-Identifier: Apache-2.0 */
#include "run/caps.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"

#define PREFIX "CAP_"

/* By number. Source: Linux include/uapi/linux/capability.h */
static const char *const names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};
#define NR_CAPS (sizeof(names) / sizeof(*names))
#define ALL	((UINT64_C(1) << NR_CAPS) - 1)

static const char *const defaults[] = {
	"CAP_CHOWN",	   "CAP_DAC_OVERRIDE",	   "CAP_FSETID",     "CAP_FOWNER",
	"CAP_MKNOD",	   "CAP_NET_RAW",	   "CAP_SETGID",     "CAP_SETUID",
	"CAP_SETFCAP",	   "CAP_SETPCAP",	   "CAP_SYS_CHROOT", "CAP_KILL",
	"CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE",
};

static uint64_t bit_of(const char *name)
{
	for (size_t i = 0; i < NR_CAPS; i++)
		if (strcmp(names[i], name) == 0)
			return UINT64_C(1) << i;
	return 0;
}

static int parse_one(const char *word, uint64_t *ret, struct error *err)
{
	auto_free char *name =
		xasprintf("%s%s", strncasecmp(word, PREFIX, 4) == 0 ? "" : PREFIX, word);

	for (char *c = name; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	*ret = strcmp(name, PREFIX "ALL") == 0 ? ALL : bit_of(name);
	if (!*ret)
		return err_set(err, ERR_USAGE, "invalid capability: \"%s\"", name);
	return 0;
}

static int parse(const struct strlist *list, uint64_t *ret, struct error *err)
{
	uint64_t one;

	*ret = 0;
	for (size_t i = 0; i < list->nr; i++) {
		if (parse_one(list->items[i], &one, err) < 0)
			return -1;
		*ret |= one;
	}
	return 0;
}

int caps_resolve(bool privileged, const struct strlist *add, const struct strlist *drop,
		 uint64_t *ret, struct error *err)
{
	uint64_t base = 0, added, dropped;

	if (parse(add, &added, err) < 0 || parse(drop, &dropped, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		base |= bit_of(defaults[i]);
	if (privileged)
		*ret = ALL;
	else if (dropped == ALL) /* with ALL, only what is added by name stays */
		*ret = added == ALL ? 0 : added;
	else
		*ret = (base | added) & ~dropped;
	return 0;
}

void caps_names(uint64_t caps, struct strlist *ret)
{
	for (size_t i = 0; i < NR_CAPS; i++)
		if (caps >> i & 1)
			strlist_add(ret, names[i]);
}

bool caps_has(uint64_t caps, const char *name)
{
	return caps & bit_of(name);
}
