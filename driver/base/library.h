/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library - shared libraries that only some commands need, loaded when they are called
 *
 * What a program is linked with makes each of its commands start slower.
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include "base/err.h"

struct library_symbol {
	const char *name; /* NULL ends a list */
	void *at;	  /* of a pointer to a function of its type */
};

/**
 * library_load - load a library for good, and find what is called of it
 * @file: "libcurl.so.4", found as the dynamic linker finds it
 *
 * Returns 0, or -1: ERR_UNSUPPORTED without the library or one of its functions.
 */
int library_load(const char *file, const struct library_symbol *symbols, struct error *err);

#endif
