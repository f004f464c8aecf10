/* SPDX-License-Identifier: Apache-2.0 */
/*
 * absent - Docker's commands that this version does not have, refused by name
 *
 * "unknown command" would send a user of Docker to look for a slip of the hand.
 * A command leaves this table when it enters the other one (table.h).
 * Source: spec/cli.md, "Command names".
 */
#ifndef ABSENT_H
#define ABSENT_H

/**
 * absent_refusal - what to say of words that name such a command
 * @words: NULL terminated, at least one
 *
 * Returns new: "veneer: 'veneer pull' is not in this version: …"; or NULL.
 */
char *absent_refusal(const char *const *words);

#endif
