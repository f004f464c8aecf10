/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash - named points where a test may pull the plug
 *
 * In a build with CRASH_POINTS, VENEER_CRASH_AT="name" or "name:3" makes the
 * process kill itself with SIGKILL at the (third) passage of that point, "*:3"
 * at the third passage of any; its stderr then ends with "crash point NAME". No
 * handler, no atexit and no cleanup runs. "?" only says which points are passed.
 * With VENEER_CRASH_POWER in the environment the whole kernel dies instead, as in
 * a power cut: only for a virtual machine. Elsewhere a point costs nothing.
 */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#ifdef CRASH_POINTS
void crash_point(const char *name);
#else
static inline void crash_point(const char *name)
{
	(void)name;
}
#endif

#endif
