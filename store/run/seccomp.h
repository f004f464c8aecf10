/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp - which system calls a container may make
 *
 * A list of what is allowed; the rest fails with EPERM. It follows what Docker
 * documents of its default profile (docs.docker.com/engine/security/seccomp).
 */
#ifndef RUN_SECCOMP_H
#define RUN_SECCOMP_H

#include <jansson.h>
#include <stdint.h>

/* Returns new: the "seccomp" object of an OCI config for a process with these capabilities. */
json_t *seccomp_profile(uint64_t caps);

#endif
