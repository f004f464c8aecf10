/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/dialect.h"

#include "archive/docker_archive.h"
#include "archive/oci_archive.h"

static int read_images(struct bundle *bundle, const struct platform *platform,
		       struct archive_images *ret, struct error *err)
{
	if (bundle_has(bundle, "manifest.json"))
		return docker_archive_read(bundle, ret, err);
	if (bundle_has(bundle, "oci-layout") && bundle_has(bundle, "index.json"))
		return oci_archive_read(bundle, platform, ret, err);
	return err_set(err, ERR_CORRUPT, "invalid archive: does not contain a manifest.json");
}

int dialect_read(struct bundle *bundle, const char *platform_name, struct archive_images *ret,
		 struct error *err)
{
	struct platform platform;

	if (platform_parse(platform_name, &platform, err) < 0 ||
	    read_images(bundle, &platform, ret, err) < 0)
		return -1;
	if (!platform_name || !*platform_name)
		return 0;
	return archive_images_check_platform(ret, &platform, err);
}
