/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel - the User-Mode Linux kernel: where it is, what it needs, how it is called
 *
 * Source: Linux Documentation/virt/uml/user_mode_linux_howto_v2.rst; `linux.uml --help`
 */
#ifndef APPLIANCE_KERNEL_H
#define APPLIANCE_KERNEL_H

#include <stdint.h>

#include "appliance/frame.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/size.h"

#define KERNEL_PATH    "/usr/bin/linux.uml"
#define KERNEL_MODULES "/usr/lib/uml/modules"
#define KERNEL_PACKAGE "user-mode-linux"

#define KERNEL_MEMORY_MIN_BYTES (192 * MIB)

struct kernel {
	char *path;    /* absolute */
	char *modules; /* folder with modules.dep */
	uint64_t memory_bytes;
	char *memory_dir; /* where the kernel is to put the file that is its memory */
};

/**
 * kernel_find - check that a kernel can be started
 * @path, @modules: NULL for the package's; memory_bytes: 0 for what fits
 *
 * Returns 0, or -1 with the next step in the text: ERR_NOT_FOUND without the
 * package, ERR_NO_SPACE or ERR_DENIED when no folder can hold its memory. A tmpfs
 * is preferred, and one that TMPDIR, TMP or TEMP names to the usual ones.
 */
int kernel_find(const char *path, const char *modules, uint64_t memory_bytes, struct kernel *ret,
		struct error *err);
void kernel_done(struct kernel *kernel);
#define auto_kernel __attribute__((cleanup(kernel_done)))

/**
 * kernel_newest_modules - of several releases, the newest by number
 *
 * Returns new: dir/RELEASE, or NULL when dir has none with a modules.dep.
 */
char *kernel_newest_modules(const char *dir);

/* The numbers in two release names compared one by one: "6.1.9" is before "6.1.10". */
int kernel_compare_releases(const char *a, const char *b);

/**
 * kernel_argv - how the kernel is called
 * @init:     absolute path of this program
 * @line_fd:  the serial line; both directions
 * @disk_fds: the disks, the store's first
 *
 * The kernel's standard output is its console. Returns 0, or -1 with
 * ERR_UNSUPPORTED when the path of the program cannot be told to a kernel.
 */
int kernel_argv(const struct kernel *kernel, const char *init, const struct frame_key *key,
		int line_fd, const int disk_fds[], size_t nr_disks, struct strlist *ret,
		struct error *err);

#endif
