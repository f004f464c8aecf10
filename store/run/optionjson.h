/* SPDX-License-Identifier: Apache-2.0 */
/*
 * optionjson - options with a grammar of their own, checked, in the form of the OCI config
 */
#ifndef RUN_OPTIONJSON_H
#define RUN_OPTIONJSON_H

#include <jansson.h>

#include "base/err.h"

struct run_options;

/**
 * optionjson_new - caps, rlimits, sysctls, devices, seccomp of a container
 * @ret: new object: "caps" (the set as a number), "rlimits", "sysctls", "devices" as in
 *	 struct bundle_args, "seccomp" if the user gave a profile, "noSeccomp", "noNewPrivileges"
 *
 * ERR_USAGE with Docker's text for the option that is wrong, ERR_UNSUPPORTED.
 */
int optionjson_new(const struct run_options *options, json_t **ret, struct error *err);

#endif
