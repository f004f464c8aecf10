/* SPDX-License-Identifier: Apache-2.0 */
#include "prompt.h"

#include <errno.h>
#include <strings.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cancel.h"

/* One line without its end, or as much of it as an answer can have. */
static int read_answer(int fd, char ret[16], struct error *err)
{
	size_t len = 0;

	for (;;) {
		char c;
		ssize_t got = read(fd, &c, 1);

		if (got < 0 && errno == EINTR) {
			if (cancel_check(err) < 0)
				return -1;
			continue;
		}
		if (got < 0)
			return err_sys(err, errno, "read the answer");
		if (got == 0 || c == '\n')
			break;
		if (len < 15)
			ret[len++] = c;
	}
	if (len && ret[len - 1] == '\r')
		len--;
	ret[len] = '\0';
	return 0;
}

int prompt_confirm(FILE *out, int in_fd, const char *warning, bool *ret, struct error *err)
{
	char answer[16];

	fprintf(out, "%sAre you sure you want to continue? [y/N] ", warning);
	fflush(out);
	if (read_answer(in_fd, answer, err) < 0) {
		fputc('\n', out);
		return -1;
	}
	*ret = strcasecmp(answer, "y") == 0;
	return 0;
}
