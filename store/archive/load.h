/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - images out of archives that other tools made, and images of plain trees
 *
 * docker-archive in all its dialects, OCI layout as tar or folder, any outer
 * compression, from a file or a pipe. Each byte is read once; layers that come
 * before the manifest in a pipe wait in the store's tmp folder.
 * Source: spec/registry-and-archive.md section 7.
 */
#ifndef ARCHIVE_LOAD_H
#define ARCHIVE_LOAD_H

#include "base/digest.h"
#include "base/err.h"
#include "base/progress.h"

struct store;

struct load_report {
	/* "Loaded image: x:1": called once per tag, after it is durable. */
	void (*tagged)(struct load_report *self, const char *familiar_name);
	/* "Loaded image ID: sha256:…": an image without a tag. */
	void (*untagged)(struct load_report *self, const struct digest *id);
	/* "The image NAME already exists, renaming the old one with ID …" */
	void (*moved)(struct load_report *self, const char *familiar_name,
		      const struct digest *old_id);
};

struct load_args {
	const char *path; /* file or folder; NULL: read fd */
	int fd;
	const char *platform;	   /* "os/arch[/variant]", see dialect.h; or NULL */
	struct progress *progress; /* may be NULL */
	struct load_report *report;
};

/*
 * Loads every image of the archive. On failure no image of it is tagged, and
 * layers that it brought and nothing else uses are removed again.
 */
int archive_load(struct store *store, const struct load_args *args, struct error *err);

struct import_args {
	const char *path; /* tar file; NULL: read fd */
	int fd;
	const char *reference;	    /* "repo[:tag]" or NULL */
	const char *message;	    /* history comment */
	const char *const *changes; /* Dockerfile instructions, NULL terminated, or NULL */
	const char *platform;	    /* NULL: the host's */
	struct progress *progress;
};

/* One layer out of a root file system tar; *ret is the image's id. */
int archive_import(struct store *store, const struct import_args *args, struct digest *ret,
		   struct error *err);

#endif
