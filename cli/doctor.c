/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <errno.h>
#include <jansson.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define HOSTFS_MAGIC 0x00c0ffee
#define XFS_MAGIC    0x58465342
#define CIFS_MAGIC   0xff534d42
#define ZFS_MAGIC    0x2fc12fc1

void doctor_done(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->nr; i++) {
		free(doctor->items[i].text);
		free(doctor->items[i].remedy);
	}
	free(doctor->items);
	doctor->items = NULL;
	doctor->nr = 0;
}

void doctor_found(struct doctor *doctor, enum doctor_level level, const char *topic,
		  const char *remedy, const char *fmt, ...)
{
	char text[1280];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	doctor->items = xrealloc(doctor->items, (doctor->nr + 1) * sizeof(*doctor->items));
	doctor->items[doctor->nr++] = (struct doctor_finding){
		.level = level,
		.topic = topic,
		.text = xstrdup(text),
		.remedy = xstrdup(remedy),
	};
}

const char *doctor_level_name(enum doctor_level level)
{
	static const char *const names[] = { "ok", "note", "warning", "error" };

	return names[level];
}

bool doctor_has_errors(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->nr; i++)
		if (doctor->items[i].level == DOCTOR_ERROR)
			return true;
	return false;
}

char *doctor_version_in(const char *text)
{
	size_t line = strcspn(text, "\n");

	for (size_t i = 0; i < line; i++) {
		bool first = i == 0 || strchr(" \tvV(", text[i - 1]);
		size_t len = strspn(text + i, "0123456789.+-~abcdefghijklmnopqrstuvwxyz");

		if (first && text[i] >= '0' && text[i] <= '9') {
			while (len && strchr(".+-~", text[i + len - 1]))
				len--;
			return xasprintf("%.*s", (int)len, text + i);
		}
	}
	return xstrdup("");
}

enum doctor_level doctor_disk_kind(long type, const char **ret_name, const char **ret_why)
{
	static const struct {
		unsigned long type;
		enum doctor_level level;
		const char *name, *why;
	} kinds[] = {
		{ EXT4_SUPER_MAGIC, DOCTOR_OK, "ext4", "" },
		{ XFS_MAGIC, DOCTOR_OK, "xfs", "" },
		{ BTRFS_SUPER_MAGIC, DOCTOR_OK, "btrfs", "" },
		{ ZFS_MAGIC, DOCTOR_OK, "zfs", "" },
		{ F2FS_SUPER_MAGIC, DOCTOR_OK, "f2fs", "" },
		{ OVERLAYFS_SUPER_MAGIC, DOCTOR_WARNING, "overlay",
		  ", the layer of a container: the store goes with that" },
		{ TMPFS_MAGIC, DOCTOR_WARNING, "tmpfs", ": the store is gone after a reboot" },
		{ RAMFS_MAGIC, DOCTOR_WARNING, "ramfs", ": the store is gone after a reboot" },
		{ HOSTFS_MAGIC, DOCTOR_WARNING, "hostfs",
		  ": a catalogue and the files of a pool do not work well on it" },
		{ FUSE_SUPER_MAGIC, DOCTOR_WARNING, "fuse",
		  ": whether locks and direct writes work depends on its program" },
		{ NFS_SUPER_MAGIC, DOCTOR_ERROR, "nfs",
		  ": neither the catalogue nor the files of a pool are safe on it" },
		{ CIFS_MAGIC, DOCTOR_ERROR, "cifs",
		  ": neither the catalogue nor the files of a pool are safe on it" },
		{ SMB2_SUPER_MAGIC, DOCTOR_ERROR, "smb",
		  ": neither the catalogue nor the files of a pool are safe on it" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (kinds[i].type != ((unsigned long)type & 0xffffffff))
			continue;
		*ret_name = kinds[i].name;
		*ret_why = kinds[i].why;
		return kinds[i].level;
	}
	*ret_name = "of a kind not known here";
	*ret_why = "";
	return DOCTOR_NOTE;
}

static void look_at_registries(struct doctor *doctor, const struct registry_table *table)
{
	for (size_t i = 0; i < table->nr; i++) {
		const struct registry_row *row = &table->rows[i];
		auto_transport struct transport transport = { 0 };
		struct error err;

		if (transport_open(table, row->host, &transport, &err) < 0)
			doctor_found(doctor, DOCTOR_ERROR, "registries", "", "%s: %s", row->host,
				     err.text);
		else if (row->insecure)
			doctor_found(doctor, DOCTOR_WARNING, "registries", "",
				     "%s is insecure: anyone on the way can change what comes from "
				     "it",
				     row->host);
		else
			doctor_found(doctor, DOCTOR_OK, "registries", "", "%s: %zu mirrors%s",
				     row->host, row->mirrors.nr,
				     row->ca ? ", a root of its own" : "");
	}
}

static void look_at_file(struct doctor *doctor, const char *path)
{
	json_auto_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	auto_buf struct buf keys = { 0 };
	const char *key;
	json_t *value;

	json_object_foreach(document, key, value)
		buf_printf(&keys, "%s%s", keys.len ? ", " : "", key);
	doctor_found(doctor, DOCTOR_OK, "configuration", "", "%s sets %s", path,
		     keys.len ? keys.data : "nothing");
}

void doctor_look_at_settings(struct doctor *doctor, const struct error *why)
{
	const char *path = settings_file(doctor->cli->global);
	const struct settings *settings = doctor->cli->settings;
	auto_free char *edit = xasprintf("editor %s", path);
	struct stat st;

	if (why)
		doctor_found(doctor, DOCTOR_ERROR, "configuration", edit,
			     "%s; what follows holds for the defaults", why->text);
	else if (stat(path, &st) < 0)
		doctor_found(doctor, DOCTOR_OK, "configuration", "",
			     "there is no %s: the defaults hold", path);
	else
		look_at_file(doctor, path);
	if (!why && stat(path, &st) == 0 && (st.st_mode & S_IWOTH)) {
		auto_free char *chmod_ = xasprintf("chmod o-w %s", path);

		doctor_found(doctor, DOCTOR_ERROR, "configuration", chmod_,
			     "anyone may write to %s", path);
	}
	look_at_registries(doctor, &settings->registries);
}
