/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/devname.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "pool/devices.h"

#define PREFIX	   "veneer-"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define STORE_LEN  8
#define ID_MAX	   ((1UL << 24) - 1)
#define DIGITS	   "0123456789"
#define TEXT_MAX   256

static enum devname_kind kind_of(const char *part, uint32_t *ret_id)
{
	static const struct {
		const char *part;
		enum devname_kind kind;
	} known[] = {
		{ "pool", DEVNAME_POOL },
		{ "data", DEVNAME_DATA },
		{ "meta", DEVNAME_META },
	};
	unsigned long id;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(part, known[i].part) == 0)
			return known[i].kind;
	if (strncmp(part, DEVICES_READER, strlen(DEVICES_READER)) == 0)
		return DEVNAME_READER;
	if (!*part || strlen(part) > STORE_LEN || part[strspn(part, DIGITS)])
		return DEVNAME_OTHER;
	id = strtoul(part, NULL, 10);
	if (id > ID_MAX)
		return DEVNAME_OTHER;
	*ret_id = (uint32_t)id;
	return DEVNAME_VOLUME;
}

bool devname_parse(const char *uuid, struct devname *ret)
{
	const char *store = uuid + PREFIX_LEN;

	*ret = (struct devname){ 0 };
	if (strncmp(uuid, PREFIX, PREFIX_LEN) != 0 ||
	    strspn(store, "0123456789abcdef") != STORE_LEN || store[STORE_LEN] != '-')
		return false;
	memcpy(ret->store_id, store, STORE_LEN);
	ret->kind = kind_of(store + STORE_LEN + 1, &ret->thin_id);
	return true;
}

const char *devname_owner(const char *uuid)
{
	static const char *const owners[][2] = {
		{ PREFIX, "veneer" },
		{ "LVM-", "LVM (lvs shows it)" },
		{ "CRYPT-VERITY-", "veritysetup" },
		{ "CRYPT-", "cryptsetup" },
		{ "mpath-", "multipath" },
		{ "DMRAID-", "dmraid" },
		{ "part", "kpartx, a partition of another device" },
		{ "VDO-", "VDO" },
		{ "stratis-", "Stratis" },
	};

	for (size_t i = 0; i < sizeof(owners) / sizeof(*owners); i++)
		if (strncmp(uuid, owners[i][0], strlen(owners[i][0])) == 0)
			return owners[i][1];
	return *uuid ? "a program that is not known here"
		     : "dmsetup, or a program that sets no uuid";
}

static bool read_text(dev_t device, const char *what, char *ret, size_t size)
{
	auto_free char *path =
		xasprintf("/sys/dev/block/%u:%u/dm/%s", major(device), minor(device), what);
	auto_buf struct buf text = { 0 };
	struct error ignored;

	if (io_read_file(AT_FDCWD, path, TEXT_MAX, &text, &ignored) < 0)
		return false;
	snprintf(ret, size, "%.*s", text.len ? (int)strcspn(text.data, "\n") : 0,
		 text.len ? text.data : "");
	return true;
}

bool devname_read(dev_t device, struct devname_texts *ret)
{
	return read_text(device, "name", ret->name, sizeof(ret->name)) &&
	       read_text(device, "uuid", ret->uuid, sizeof(ret->uuid));
}

/* Calls take for each device until it returns false. */
static void each_device(bool (*take)(void *ctx, dev_t device, const struct devname_texts *texts),
			void *ctx)
{
	auto_strlist struct strlist names = { 0 };
	bool more = true;

	io_list_folder(AT_FDCWD, "/sys/block", &names);
	for (size_t i = 0; i < names.nr && more; i++) {
		auto_free char *path = xasprintf("/sys/block/%s/dev", names.items[i]);
		unsigned int major_number, minor_number;
		auto_buf struct buf text = { 0 };
		struct devname_texts texts;
		struct error ignored;
		dev_t device;

		if (strncmp(names.items[i], "dm-", 3) != 0 ||
		    io_read_file(AT_FDCWD, path, TEXT_MAX, &text, &ignored) < 0 || !text.len ||
		    sscanf(text.data, "%u:%u", &major_number, &minor_number) != 2)
			continue;
		device = makedev(major_number, minor_number);
		if (devname_read(device, &texts))
			more = take(ctx, device, &texts);
	}
}

struct wanted {
	const char *name;
	dev_t *ret;
	bool found;
};

static bool is_wanted(void *ctx, dev_t device, const struct devname_texts *texts)
{
	struct wanted *wanted = ctx;

	if (strcmp(texts->name, wanted->name) != 0)
		return true;
	*wanted->ret = device;
	wanted->found = true;
	return false;
}

bool devname_find(const char *name, dev_t *ret)
{
	struct wanted wanted = { .name = name, .ret = ret };

	each_device(is_wanted, &wanted);
	return wanted.found;
}

static bool add_name(void *ctx, dev_t device, const struct devname_texts *texts)
{
	(void)device;
	strlist_add(ctx, texts->name);
	return true;
}

void devname_list(struct strlist *ret)
{
	each_device(add_name, ret);
}
