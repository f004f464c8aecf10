/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor - what is not as it should be, each with its remedy
 *
 * Looks only: nothing is made, loaded, activated or mended.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli.h"

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_NOTE,	/* not all can be done, or not all could be seen */
	DOCTOR_WARNING, /* will hurt one day */
	DOCTOR_ERROR,	/* something does not work */
};

struct doctor_finding {
	enum doctor_level level;
	const char *topic;
	char *text;
	char *remedy; /* a command, or "" */
};

struct doctor {
	struct cli *cli; /* with settings */
	bool root;	 /* may look at everything */
	bool here;	 /* the pool is this kernel's, not the appliance's */
	struct doctor_finding *items;
	size_t nr;
};

void doctor_done(struct doctor *doctor);
#define auto_doctor __attribute__((cleanup(doctor_done)))

/* @topic: static; @remedy: "" for none; copied */
void doctor_found(struct doctor *doctor, enum doctor_level level, const char *topic,
		  const char *remedy, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* "ok", "note", "warning", "error"; static. */
const char *doctor_level_name(enum doctor_level level);
bool doctor_has_errors(const struct doctor *doctor);

/* The kernel, its modules, control groups, udev, the clock, the disk below the store. */
void doctor_look_at_machine(struct doctor *doctor);
/* The programs and libraries that some commands need. */
void doctor_look_at_tools(struct doctor *doctor);
/* The configuration; why: settings_load() failed with it, or NULL. */
void doctor_look_at_settings(struct doctor *doctor, const struct error *why);
/* Pool, catalogue, devices, mounts and loop devices that are not accounted for. */
void doctor_look_at_store(struct doctor *doctor);

/* The version in what a program prints about itself: from its first digit behind a blank; new. Pure. */
char *doctor_version_in(const char *text);

/* What a disk of this kind (statfs.f_type) does to a store; level and name. Pure. */
enum doctor_level doctor_disk_kind(long type, const char **ret_name, const char **ret_why);

#endif
