/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_walk - compare two trees by system calls: the judge of the faster way
 *
 * Both trees rest. Descriptors stay few however deep they are.
 */
#ifndef LAYER_TREE_WALK_H
#define LAYER_TREE_WALK_H

#include "base/err.h"
#include "layer/diff.h"

/* Appends what it finds, in no order, and without the directories above. -1 stands for an empty tree. */
int tree_walk(int parent_fd, int child_fd, struct change_list *ret, struct error *err);

/* What the user does not see goes, the directories above come; sorted. */
void change_list_complete(struct change_list *list, const char *const *hidden);

/* path is taken. */
void change_list_add(struct change_list *list, enum change_kind kind, bool is_dir, char *path);

#endif
