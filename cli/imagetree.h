/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imagetree - the view of `images --tree`
 *
 * Source: spec/cli.md, "v29 view".
 */
#ifndef IMAGETREE_H
#define IMAGETREE_H

#include "base/buf.h"
#include "image/usage.h"

/**
 * image_tree_text - the whole view, appended to ret
 * @usage:      one entry for each image of the list
 * @on_screen:  with the legend that a terminal gets
 * @columns:    width of the screen, for the legend
 */
void image_tree_text(const struct image_list *list, const struct image_usage *usage, bool on_screen,
		     unsigned int columns, struct buf *ret);

#endif
