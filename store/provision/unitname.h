/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unitname - text as it has to be in the names and the files of systemd's units
 *
 * Pure. All results are new. Source: systemd.unit(5), "String escaping for inclusion in unit names".
 */
#ifndef PROVISION_UNITNAME_H
#define PROVISION_UNITNAME_H

/* As `systemd-escape TEXT`. */
char *unitname_escape(const char *text);
/* As `systemd-escape --path PATH`: of an absolute path without "..". */
char *unitname_escape_path(const char *path);
/* The name of a unit as an argument of ExecStart= and the like, which know escapes of their own. */
char *unitname_argument(const char *name);
/* The path in its shortest form, for a setting that takes one and knows specifiers (%). */
char *unitname_path_value(const char *path);
/* Likewise for a setting that takes several: quoted. */
char *unitname_path_word(const char *path);

#endif
