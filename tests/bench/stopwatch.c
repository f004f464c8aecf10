/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stopwatch - run a command and note its time and memory
 *
 *	stopwatch FILE COMMAND [ARG...]
 *
 * Appends "SECONDS KIB CPU_SECONDS" to FILE: wall time from the start of the
 * process to its end; the peak resident size of the largest of it and the
 * children that it waited for; their processor time, which a busy machine
 * changes least. Exits as the command did.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

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
	if (!file ||
	    fprintf(file, "%.4f %ld %.4f\n", start, usage.ru_maxrss,
		    seconds(usage.ru_utime) + seconds(usage.ru_stime)) < 0 ||
	    fclose(file) != 0) {
		fprintf(stderr, "stopwatch: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
