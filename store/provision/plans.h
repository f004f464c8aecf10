/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plans - all plans of this server: the files of a folder and the kernel's command line
 *
 * A plan has a name: that of its file without ".json", or "kernel:N" for the Nth word veneer.pull= or
 * veneer.volume=. A broken one is listed with what is wrong, so that it stops only itself.
 */
#ifndef PROVISION_PLANS_H
#define PROVISION_PLANS_H

#include "provision/plan.h"

#define PLANS_FOLDER "/etc/veneer/provision.d"
#define PLANS_SUFFIX ".json"
#define PLANS_KERNEL "/proc/cmdline"

struct named_plan {
	char *name;
	char *source;	  /* path of the file, or the word of the command line */
	bool of_file;	  /* source is a path */
	bool broken;	  /* what is wrong is in err, and plan is empty */
	struct error err; /* names the source */
	struct plan plan;
};

struct plans {
	struct named_plan *items; /* files by name, then words in their order */
	size_t nr;
};

/* A folder that is not there has no files. */
int plans_add_folder(struct plans *plans, const char *folder, struct error *err);
/* @cmdline: as /proc/cmdline has it. Words of others are skipped. */
void plans_add_words(struct plans *plans, const char *cmdline);
/* One file. */
void plans_add_file(struct plans *plans, const char *path);
/* PLANS_FOLDER and PLANS_KERNEL. */
int plans_add_all(struct plans *plans, struct error *err);
/* NULL: there is none of that name. */
struct named_plan *plans_find(const struct plans *plans, const char *name);
/* To the end of another list; here an empty one stays. */
void plans_move(struct plans *plans, struct named_plan *plan);
void plans_done(struct plans *plans);
#define auto_plans __attribute__((cleanup(plans_done)))

#endif
