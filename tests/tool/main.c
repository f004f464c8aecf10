/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-tool - the pure parsers, for scripts and fuzzers; never installed
 *
 *	reference                   names: canonical form, tab, familiar form
 *	size [DIGITS]               bytes as Docker prints them ("1.05MB"); a size with
 *	                            a unit ("64K") as bytes
 *	since [NOW]                 RFC 3339 times, or ages in seconds, as "2 weeks ago"
 *	until [NOW]                 values of an `until` filter as RFC 3339
 *	template [OPTION] TEMPLATE  JSON documents
 *	    -r  they are rows of a listing: unknown fields are errors
 *	    -e  a missing key is an error
 *	    -H  they are the headers of a table
 *	dockerfile                  a Dockerfile: for each instruction its name, flags,
 *	                            arguments and bodies of heredocs
 *	expand [ESCAPE]             words, with variables of the environment
 *	words [ESCAPE]              likewise, split into several: a JSON array
 *	ignore FILE                 paths: "excluded" or "kept" by the patterns in FILE
 *	context-hash DIR [SOURCE]   the content hash of a build context, less .dockerignore
 *
 * Reads lines from stdin and prints one line for each; what cannot be parsed is
 * told on stderr, and the exit status is 1.
 */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/size.h"
#include "build.h"
#include "format/gotmpl_eval.h"
#include "format/human.h"
#include "oci/reference.h"

#define MAX_LINE (16 * 1024 * 1024)

typedef int line_fn(const char *line, size_t len, const char *arg, struct buf *out,
		    struct error *err);

static int do_reference(const char *line, size_t len, const char *arg, struct buf *out,
			struct error *err)
{
	auto_reference struct reference ref = { 0 };
	auto_free char *canonical = NULL, *familiar = NULL;

	(void)len;
	(void)arg;
	if (reference_parse(line, &ref, err) < 0)
		return -1;
	canonical = reference_canonical(&ref);
	familiar = reference_familiar(&ref);
	buf_printf(out, "%s\t%s\n", canonical, familiar);
	return 0;
}

/* A plain integer, perhaps negative */
static bool parse_integer(const char *text, long long *ret)
{
	char *end;

	if (!isdigit((unsigned char)text[*text == '-']))
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0;
}

static int do_size(const char *line, size_t len, const char *arg, struct buf *out,
		   struct error *err)
{
	int digits = arg && isdigit((unsigned char)*arg) ? *arg - '0' : HUMAN_LIST;
	uint64_t bytes;
	long long plain;

	(void)len;
	if (parse_integer(line, &plain)) {
		buf_printf(out, "%s\n", human_size(plain, digits).text);
		return 0;
	}
	if (size_parse(line, &bytes, err) < 0)
		return -1;
	buf_printf(out, "%llu\n", (unsigned long long)bytes);
	return 0;
}

static int parse_now(const char *text, struct timespec *ret, struct error *err)
{
	if (text)
		return human_time_parse(text, ret, NULL, err);
	*ret = human_now();
	return 0;
}

static int do_since(const char *line, size_t len, const char *arg, struct buf *out,
		    struct error *err)
{
	struct timespec now, start = { 0 };
	long long age;

	(void)len;
	if (parse_now(arg, &now, err) < 0)
		return -1;
	if (parse_integer(line, &age))
		now = (struct timespec){ .tv_sec = age };
	else if (human_time_parse(line, &start, NULL, err) < 0)
		return -1;
	buf_printf(out, "%s\n", human_since(&start, &now).text);
	return 0;
}

static int do_until(const char *line, size_t len, const char *arg, struct buf *out,
		    struct error *err)
{
	struct timespec now, until;

	(void)len;
	if (parse_now(arg, &now, err) < 0 || human_until_parse(line, &now, &until, err) < 0)
		return -1;
	buf_printf(out, "%s\n", human_time_rfc3339_nano(&until, 0).text);
	return 0;
}

struct template_job {
	struct gotmpl *tmpl;
	unsigned flags;
	bool rows;
};

static struct template_job job;

/* The keys of a document as the fields of a row type */
static struct gotmpl_field *make_fields(const json_t *document)
{
	struct gotmpl_field *fields = xcalloc(json_object_size(document) + 1, sizeof(*fields));
	const char *key;
	json_t *value;
	size_t nr = 0;

	json_object_foreach((json_t *)document, key, value)
	{
		fields[nr++] = (struct gotmpl_field){
			.name = key,
			.type = json_is_string(value) ? &gotmpl_string : NULL,
		};
	}
	return fields;
}

static int do_template(const char *line, size_t len, const char *arg, struct buf *out,
		       struct error *err)
{
	json_error_t json_err;
	json_auto_t *document = json_loadb(line, len, JSON_DECODE_ANY, &json_err);
	auto_free struct gotmpl_field *fields = NULL;
	struct gotmpl_type type = { .kind = GOTMPL_STRUCT,
				    .name = "*formatter.imageContext",
				    .is_row = true };
	int ret;

	(void)arg;
	if (!document)
		return err_set(err, ERR_CORRUPT, "invalid JSON: %s", json_err.text);
	type.fields = fields = make_fields(document);
	ret = gotmpl_run(job.tmpl, document,
			 job.rows		     ? &type
			 : job.flags & GOTMPL_HEADER ? &gotmpl_string_map
						     : NULL,
			 job.flags, out, err);
	buf_putc(out, '\n');
	return ret < 0 ? err_add(err, "template parsing error") : 0;
}

static int run_lines(line_fn *fn, const char *arg)
{
	auto_free char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int status = 0;

	while ((len = getline(&line, &size, stdin)) > 0) {
		auto_buf struct buf out = { 0 };
		struct error err;

		if (line[len - 1] == '\n')
			line[--len] = '\0';
		if (len > MAX_LINE) {
			fprintf(stderr, "line longer than %d bytes\n", MAX_LINE);
			return 1;
		}
		if (strlen(line) != (size_t)len)
			err_set(&err, ERR_CORRUPT, "a NUL byte in the line");
		else if (fn(line, (size_t)len, arg, &out, &err) == 0) {
			fwrite(out.data, 1, out.len, stdout);
			continue;
		}
		fflush(stdout); /* so that the two keep their order in one pipe */
		fprintf(stderr, "%s\n", err.text);
		status = 1;
	}
	return fflush(stdout) == 0 ? status : 1;
}

static int run_template(char *const argv[])
{
	auto_gotmpl struct gotmpl *tmpl = NULL;
	struct error err;

	for (; *argv && (*argv)[0] == '-' && (*argv)[1] && !(*argv)[2]; argv++) {
		job.rows |= (*argv)[1] == 'r';
		job.flags |= (*argv)[1] == 'e' ? GOTMPL_MISSING_KEY_ERROR : 0;
		job.flags |= (*argv)[1] == 'H' ? GOTMPL_HEADER : 0;
	}
	if (!*argv) {
		fprintf(stderr, "template: no template given\n");
		return 1;
	}
	if (gotmpl_parse(*argv, &tmpl, &err) < 0) {
		fprintf(stderr, "template parsing error: %s\n", err.text);
		return 1;
	}
	job.tmpl = tmpl;
	return run_lines(do_template, NULL);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		line_fn *fn;
	} tools[] = { { "reference", do_reference },
		      { "size", do_size },
		      { "since", do_since },
		      { "until", do_until } };

	int status = argc > 1 ? build_tool(argv[1], argv + 2) : -1;

	if (status >= 0)
		return status;
	if (argc > 1 && strcmp(argv[1], "template") == 0)
		return run_template(argv + 2);
	for (size_t i = 0; argc > 1 && i < sizeof(tools) / sizeof(*tools); i++)
		if (strcmp(argv[1], tools[i].name) == 0)
			return run_lines(tools[i].fn, argv[2]);
	fprintf(stderr,
		"usage: test-tool "
		"reference|size|since|until|template|dockerfile|expand|words|ignore|context-hash "
		"[ARG]\n");
	return 1;
}
