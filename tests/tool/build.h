/* SPDX-License-Identifier: Apache-2.0 */
/* build - the commands of test-tool that read Dockerfiles, and what goes with them */
#ifndef TOOL_BUILD_H
#define TOOL_BUILD_H

/* Returns the exit status, or -1 when the command is none of these. */
int build_tool(const char *name, char *const argv[]);

#endif
