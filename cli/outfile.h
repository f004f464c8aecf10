/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outfile - an archive goes to standard output, or into a file that appears whole
 *
 * The file has no name until it is complete, and is readable by nobody else: killed
 * before, nothing remains. Where the file system knows no nameless files (the host's
 * one in the appliance), it has a temporary name beside its own, which a kill leaves.
 * Source: spec/cli.md, save
 */
#ifndef OUTFILE_H
#define OUTFILE_H

#include <stddef.h>

#include "base/err.h"

/**
 * outfile_check - before anything is done
 * @path: NULL: standard output
 *
 * ERR_USAGE: "cowardly refusing to save to a terminal. …", "invalid output path: …".
 */
int outfile_check(const char *path, struct error *err);

/* Docker's ValidateOutputPath: the folder is there, and the path is no device. ERR_USAGE. */
int outfile_check_path(const char *path, struct error *err);

/* Starts as { .fd = -1 }. */
struct outfile {
	int fd;
	char *path;	 /* NULL: standard output */
	char *folder;	 /* which it lies in */
	char *temporary; /* as long as it is there; NULL: it has no name yet */
};

int outfile_open(struct outfile *file, const char *path, struct error *err);
/* For struct tar_emit_args; ctx is the outfile. */
int outfile_write(void *ctx, const void *data, size_t len, struct error *err);
/* It is on the disk, under its name. */
int outfile_commit(struct outfile *file, struct error *err);
void outfile_done(struct outfile *file);
#define auto_outfile __attribute__((cleanup(outfile_done)))

#endif
