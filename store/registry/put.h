/* SPDX-License-Identifier: Apache-2.0 */
/*
 * put - a manifest into a repository
 */
#ifndef REGISTRY_PUT_H
#define REGISTRY_PUT_H

#include "base/buf.h"
#include "registry/registry.h"

/*
 * These exact bytes under a tag; asked again where that may help. Errors of refusal_read(),
 * ERR_REMOTE, ERR_CANCELLED.
 */
int put_manifest(struct registry *registry, const char *tag, const char *media_type,
		 const struct buf *bytes, struct error *err);

#endif
