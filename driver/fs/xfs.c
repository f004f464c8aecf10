/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/size.h"
#include "fs/fs.h"

#define MAKE_DEADLINE_MS (10 * 60 * 1000)
#define TAIL_BYTES	 (64 * KIB) /* of the device, behind the file system: for the label */

static int make(const char *device, uint64_t size_bytes, struct error *err)
{
	auto_free char *data = xasprintf("size=%" PRIu64, size_bytes - TAIL_BYTES);
	const char *const argv[] = { /* Kernels of the last years read all of these features. */
				     "mkfs.xfs", "-q",	      "-f", "-K", "-b",	  "size=4096",
				     "-s",	 "size=4096", "-d", data, device, NULL
	};

	return proc_check(argv, MAKE_DEADLINE_MS, err);
}

static uint64_t label_offset(uint64_t size_bytes)
{
	return size_bytes - TAIL_BYTES;
}

/* XFS tries again for ever when a metadata write finds the pool full, unless told not to. */
static void mounted(const char *device)
{
	static const char *const causes[] = { "ENOSPC", "EIO" };

	for (size_t i = 0; i < sizeof(causes) / sizeof(*causes); i++) {
		auto_free char *path = xasprintf("/sys/fs/xfs/%s/error/metadata/%s/max_retries",
						 path_base(device), causes[i]);
		auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
		struct error err;

		if (fd < 0 || io_write(fd, "0", 1, &err) < 0)
			log_debug("cannot set %s", path);
	}
}

const struct fs_kind fs_xfs = {
	.name = "xfs",
	.min_bytes = 320 * MIB,
	.options = {
		/* All volumes descend from one template, so all have its UUID. */
		[FS_VIEW] = { { "ro" }, { "norecovery" }, { "nouuid" } },
		[FS_UNPACK] = { { "nouuid" } },
		[FS_WRITE] = { { "nouuid" } },
	},
	.make = make,
	.label_offset = label_offset,
	.mounted = mounted,
};
