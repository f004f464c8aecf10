/* SPDX-License-Identifier: Apache-2.0 */
/*
 * version - which program this is
 *
 * Both come from the Makefile; a build without it still has an answer.
 */
#ifndef VERSION_H
#define VERSION_H

#ifndef VENEER_VERSION
#define VENEER_VERSION "0.1.0"
#endif
#ifndef VENEER_COMMIT
#define VENEER_COMMIT "unknown"
#endif

#endif
