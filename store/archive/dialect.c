/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/dialect.h"

#include "archive/docker_archive.h"
#include "archive/oci_archive.h"

int dialect_read(struct bundle *bundle, const char *platform, struct archive_images *ret,
		 struct error *err)
{
	if (bundle_has(bundle, "manifest.json"))
		return docker_archive_read(bundle, ret, err);
	if (bundle_has(bundle, "oci-layout") && bundle_has(bundle, "index.json"))
		return oci_archive_read(bundle, platform, ret, err);
	return err_set(err, ERR_CORRUPT, "invalid archive: does not contain a manifest.json");
}
