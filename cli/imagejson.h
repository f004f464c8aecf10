/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imagejson - an image as `inspect` shows it
 *
 * Source: spec/cli.md, "image inspect": keys in order, empty ones left out.
 */
#ifndef IMAGEJSON_H
#define IMAGEJSON_H

#include <jansson.h>

#include "format/gotmpl_value.h"
#include "image/image.h"
#include "oci/config.h"

/* For templates: Docker's image.InspectResponse. */
extern const struct gotmpl_type imagejson_type;

/* The volume of the top layer. */
struct imagejson_device {
	char id[16];	/* thin id; "" without a layer */
	char name[128]; /* of the device, when it is active */
	char size[24];	/* bytes */
};

/* Returns new. */
json_t *imagejson_new(const struct image *image, const struct image_config *config,
		      const struct imagejson_device *device);

#endif
