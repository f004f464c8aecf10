/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "dm/table.h"
#include "pool/sizing.h"

#define FILE_MAX (64 * KIB)
#define VERSION	 1

void config_done(struct pool_config *config)
{
	free(config->data_path);
	free(config->meta_path);
	*config = (struct pool_config){ 0 };
}

static void set_store_id(struct pool_config *config)
{
	memcpy(config->store_id, config->uuid, sizeof(config->store_id) - 1);
	config->store_id[sizeof(config->store_id) - 1] = '\0';
}

int config_new_uuid(struct pool_config *config, struct error *err)
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return err_sys(err, errno, "get random bytes");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* RFC 4122, version 4 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(config->uuid, sizeof(config->uuid),
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
	set_store_id(config);
	return 0;
}

static bool uuid_is_sound(const char *uuid)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (size_t i = 0; i < sizeof(form); i++) {
		if (form[i] == 'x' ? !uuid[i] || !strchr("0123456789abcdef", uuid[i])
				   : uuid[i] != form[i])
			return false;
	}
	return true;
}

static bool values_are_sound(const struct pool_config *config, const char *uuid, const char *fs)
{
	return uuid_is_sound(uuid) && strlen(fs) < sizeof(config->fs) &&
	       config->data_path[0] == '/' && config->meta_path[0] == '/' &&
	       config->block_bytes >= TABLE_BLOCK_BYTES_MIN &&
	       config->block_bytes <= TABLE_BLOCK_BYTES_MAX &&
	       config->block_bytes % TABLE_BLOCK_BYTES_MIN == 0 && config->volume_bytes > 0 &&
	       config->volume_bytes <= SIZING_VOLUME_MAX_BYTES &&
	       config->volume_bytes % SECTOR_BYTES == 0;
}

int config_decode(const char *text, size_t len, struct pool_config *ret, struct error *err)
{
	auto_config struct pool_config config = { 0 };
	const char *uuid, *fs, *data, *meta;
	json_int_t block_bytes, volume_bytes;
	int version, on_files;
	json_error_t why;
	json_auto_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

	if (!json)
		return err_set(err, ERR_CORRUPT, "line %d: %s", why.line, why.text);
	/* "!": a key that is not named here is an error. */
	if (json_unpack_ex(json, &why, 0, "{s:i, s:s, s:s, s:s, s:s, s:b, s:I, s:I !}", "version",
			   &version, "uuid", &uuid, "fs", &fs, "data", &data, "meta", &meta,
			   "on_files", &on_files, "block_bytes", &block_bytes, "volume_bytes",
			   &volume_bytes) < 0)
		return err_set(err, ERR_CORRUPT, "%s", why.text);
	if (version != VERSION)
		return err_set(err, ERR_UNSUPPORTED, "version %d, this program knows %d", version,
			       VERSION);
	config.data_path = xstrdup(data);
	config.meta_path = xstrdup(meta);
	config.on_files = on_files;
	config.block_bytes = block_bytes < 0 ? 0 : (uint64_t)block_bytes;
	config.volume_bytes = volume_bytes < 0 ? 0 : (uint64_t)volume_bytes;
	if (!values_are_sound(&config, uuid, fs))
		return err_set(err, ERR_CORRUPT, "a value is impossible");
	memcpy(config.uuid, uuid, sizeof(config.uuid));
	memcpy(config.fs, fs, strlen(fs) + 1);
	set_store_id(&config);
	*ret = config;
	config = (struct pool_config){ 0 };
	return 0;
}

char *config_encode(const struct pool_config *config)
{
	json_auto_t *json = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:b, s:I, s:I}", "version", VERSION, "uuid",
		config->uuid, "fs", config->fs, "data", config->data_path, "meta",
		config->meta_path, "on_files", config->on_files, "block_bytes",
		(json_int_t)config->block_bytes, "volume_bytes", (json_int_t)config->volume_bytes);

	return json ? json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;
}

int config_load(const char *root, const char *name, struct pool_config *ret, struct error *err)
{
	auto_free char *path = xasprintf("%s/%s", root, name);
	auto_buf struct buf text = { 0 };

	if (io_read_file(AT_FDCWD, path, FILE_MAX, &text, err) < 0)
		return -1;
	if (config_decode(text.data ? text.data : "", text.len, ret, err) < 0)
		return err_add(err, "'%s'", path);
	return 0;
}

int config_save(const char *root, const char *name, const struct pool_config *config,
		struct error *err)
{
	auto_free char *path = xasprintf("%s/%s", root, name);
	auto_free char *json = config_encode(config);
	auto_free char *text = json ? xasprintf("%s\n", json) : NULL;

	/* jansson takes UTF-8 only. */
	if (!text)
		return err_set(err, ERR_USAGE, "device name '%s' cannot be written as JSON",
			       config->data_path);
	return io_replace_file(AT_FDCWD, path, text, strlen(text), 0600, err);
}

static int open_root(const char *root, struct error *err)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "open '%s'", root) : fd;
}

int config_rename(const char *root, const char *from, const char *to, struct error *err)
{
	auto_fd int root_fd = open_root(root, err);

	if (root_fd < 0)
		return -1;
	if (renameat(root_fd, from, root_fd, to) < 0)
		return err_sys(err, errno, "rename '%s/%s' to '%s'", root, from, to);
	return io_sync_dir(root_fd, err);
}

int config_remove(const char *root, const char *name, struct error *err)
{
	auto_fd int root_fd = open_root(root, err);

	if (root_fd < 0)
		return -1;
	if (unlinkat(root_fd, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s/%s'", root, name);
	return io_sync_dir(root_fd, err);
}
