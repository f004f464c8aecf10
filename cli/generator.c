/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "provision/units.h"
#include "table.h"

#define GENERATOR_NAME PROGRAM "-generator"

bool generator_is_called(const char *argv0)
{
	return argv0 && strcmp(path_base(argv0), GENERATOR_NAME) == 0;
}

static void say(const char *text)
{
	auto_fd int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	dprintf(log < 0 ? STDERR_FILENO : log, "<3>" GENERATOR_NAME ": %s\n", text);
}

int generator_run(int argc, char **argv)
{
	auto_plans struct plans plans = { 0 };
	struct error err;

	if (argc != 2 && argc != 4) {
		fprintf(stderr, "Usage:  " GENERATOR_NAME " FOLDER [EARLY LATE]\n");
		return EXIT_FAILURE;
	}
	if (plans_add_all(&plans, &err) < 0 || units_write(&plans, argv[1], say, &err) < 0) {
		say(err.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
