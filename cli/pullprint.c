/* SPDX-License-Identifier: Apache-2.0 */
#include "pullprint.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "oci/reference.h"

static void flush(struct pullprint *print)
{
	fflush(print->out); /* an error is seen at the end, by cli_flush() */
}

static void on_say(struct pull_report *self, const char *text)
{
	struct pullprint *print = (struct pullprint *)self; /* its first member */

	if (!print->out)
		return;
	ttyprogress_settle(&print->tty);
	fprintf(print->out, "%s\n", text);
	flush(print);
}

static bool is_retry(const char *phase)
{
	return strncmp(phase, "Retrying", 8) == 0;
}

/* Of a count-down its first line is printed. Returns false for the others. */
static bool begins(struct pullprint *print, const char *id, const char *phase)
{
	struct strlist *retrying = &print->retrying;

	for (size_t i = 0; i < retrying->nr; i++) {
		if (strcmp(retrying->items[i], id) != 0)
			continue;
		if (is_retry(phase))
			return false;
		free(retrying->items[i]);
		retrying->items[i] = retrying->items[--retrying->nr];
		return true;
	}
	if (is_retry(phase))
		strlist_add(retrying, id);
	return true;
}

static bool has_bar(const char *phase)
{
	return strcmp(phase, "Downloading") == 0 || strcmp(phase, "Extracting") == 0 ||
	       strcmp(phase, "Pushing") == 0;
}

/* The same text, which stays until the end. */
static const char *lasting(struct pullprint *print, const char *phase)
{
	for (size_t i = 0; i < print->phases.nr; i++)
		if (strcmp(print->phases.items[i], phase) == 0)
			return print->phases.items[i];
	strlist_add(&print->phases, phase);
	return print->phases.items[print->phases.nr - 1];
}

static void on_phase(struct pull_report *self, const char *id, const char *phase,
		     uint64_t done_bytes, uint64_t total_bytes)
{
	struct pullprint *print = (struct pullprint *)self;

	if (!print->out)
		return;
	if (print->tty.out) {
		progress_update(ttyprogress_sink(&print->tty), id, lasting(print, phase),
				done_bytes, total_bytes);
		return;
	}
	if (!begins(print, id, phase) || has_bar(phase))
		return;
	fprintf(print->out, "%s: %s\n", id, phase);
	flush(print);
}

void pullprint_init(struct pullprint *print, FILE *out, bool quiet)
{
	*print = (struct pullprint){ .report = { .say = on_say, .phase = on_phase } };
	if (quiet)
		return;
	print->out = out;
	ttyprogress_open(&print->tty, out);
}

void pullprint_done(struct pullprint *print)
{
	ttyprogress_done(&print->tty);
	strlist_done(&print->retrying);
	print->retrying = (struct strlist){ 0 };
	strlist_done(&print->phases);
	print->phases = (struct strlist){ 0 };
}

void pullprint_result(FILE *out, const struct reference *ref, const struct pull_result *result)
{
	auto_free char *familiar = reference_familiar(ref);

	fprintf(out, "Digest: %s\nStatus: %s for %s\n", result->digest.text,
		result->news ? "Downloaded newer image" : "Image is up to date", familiar);
	fflush(out);
}
