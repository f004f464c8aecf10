/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stopwatch - run a command and note its time and memory
 *
 *	stopwatch FILE COMMAND [ARG...]
 *
 * Appends "SECONDS KIB" to FILE: wall time from the start of the process to its
 * end, and the peak resident size of the largest of it and the children that it
 * waited for. Exits as the command did.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	double start;
	int status, problem;
	FILE *file;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: stopwatch FILE COMMAND [ARG...]\n");
		return 2;
	}
	start = now();
	problem = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
	if (problem) {
		fprintf(stderr, "stopwatch: %s: %s\n", argv[2], strerror(problem));
		return 127;
	}
	while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
		;
	start = now() - start;
	file = fopen(argv[1], "a");
	if (!file || fprintf(file, "%.4f %ld\n", start, usage.ru_maxrss) < 0 || fclose(file) != 0) {
		fprintf(stderr, "stopwatch: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
