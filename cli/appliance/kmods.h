/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kmods - load modules into the guest's kernel; the only user of libkmod
 */
#ifndef APPLIANCE_KMODS_H
#define APPLIANCE_KMODS_H

#include "base/err.h"

/**
 * kmods_load - load what names mean, and what that needs
 * @dir:   folder with modules.dep; configuration files of the host are not read
 * @names: NULL terminated module names or aliases; what is loaded already is fine
 */
int kmods_load(const char *dir, const char *const names[], struct error *err);

#endif
