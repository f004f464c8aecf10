/* SPDX-License-Identifier: Apache-2.0 */
#include "build/download.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "build/build.h"
#include "build/copyspec.h"
#include "registry/fetch.h"
#include "store.h"

#define CHUNK_BYTES (256 * 1024)

static int hash_file(int fd, struct digest *ret, struct error *err)
{
	auto_hasher struct hasher *hasher = hasher_new();
	auto_free char *chunk = xmalloc(CHUNK_BYTES);
	ssize_t got;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "read what was downloaded");
	while ((got = io_read(fd, chunk, CHUNK_BYTES, err)) > 0) {
		if (cancel_check(err) < 0)
			return -1;
		hasher_add(hasher, chunk, (size_t)got);
	}
	hasher_end(hasher, ret);
	if (got < 0)
		return -1;
	return lseek(fd, 0, SEEK_SET) < 0 ? err_sys(err, errno, "read what was downloaded") : 0;
}

static int download(const struct build_options *options, const char *url, int fd,
		    struct fetch_result *ret, struct error *err)
{
	const struct fetch_args args = { .url = url, .fd = fd };

	return options->download ? options->download(options->fetch_ctx, &args, ret, err)
				 : fetch_url(&args, ret, err);
}

int download_file(struct store *store, const struct build_options *options, const char *url,
		  const char *checksum, struct copy_file *ret, char **ret_name,
		  struct digest *ret_digest, struct error *err)
{
	auto_free char *folder = xasprintf("%s/tmp", store->root.path);
	auto_fd int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct fetch_result result;
	struct digest wanted;

	if (fd < 0)
		return err_sys(err, errno, "create a file in '%s'", folder);
	if (checksum && *checksum && digest_parse(checksum, &wanted, err) < 0)
		return err_add(err, "invalid checksum \"%.100s\"", checksum);
	if (download(options, url, fd, &result, err) < 0 || hash_file(fd, ret_digest, err) < 0)
		return -1;
	if (checksum && *checksum && !digest_equal(&wanted, ret_digest))
		return err_set(err, ERR_CORRUPT, "%s: digest mismatch %s: %s", url,
			       ret_digest->text, wanted.text);
	*ret_name = copy_url_name(url);
	*ret = (struct copy_file){
		.name = *ret_name,
		.fd = take_fd(fd),
		.mode = 0600,
		.mtime = result.mtime,
	};
	return 0;
}
