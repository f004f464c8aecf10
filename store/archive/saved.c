/* SPDX-License-Identifier: Apache-2.0 */
#include "archive/saved.h"

#include <stdlib.h>

void saved_image_done(struct saved_image *image)
{
	buf_done(&image->document);
	image_config_done(&image->config);
	strlist_done(&image->names);
	free(image->layers);
	buf_done(&image->manifest);
	*image = (struct saved_image){ 0 };
}

char *saved_blob_name(const struct digest *digest)
{
	return xasprintf("blobs/sha256/%s", digest_hex(digest));
}
