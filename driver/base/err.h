/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - why an operation failed: a kind for the program, a sentence for the person
 *
 * The caller owns one struct error, usually in main() or in a test, and passes
 * it down as the last argument; it is never NULL and needs no release. A
 * function that fails fills it and returns -1; one that succeeds leaves it alone.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* What a caller may decide on. Each kind has one exit status and one gRPC code. */
enum err_kind {
	ERR_USAGE = 1, /* the request makes no sense */
	ERR_NOT_FOUND,
	ERR_EXISTS,
	ERR_IN_USE,
	ERR_DENIED,
	ERR_NO_SPACE,
	ERR_LIMIT,   /* input larger or deeper than we accept */
	ERR_CORRUPT, /* bad digest, bad format, bad metadata */
	ERR_UNSUPPORTED,
	ERR_REMOTE,    /* the registry or the runtime refused */
	ERR_CANCELLED, /* a signal asked us to stop */
	ERR_TEMPLATE,  /* a --format template does not parse or evaluate */
	ERR_IO,
};

struct error {
	enum err_kind kind;
	int sys_errno;	 /* 0 unless a system call failed */
	char text[1024]; /* outermost context first: "load x.tar: layer 3: ..." */
};

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* All three return -1, so that a failing path is one return statement. */
int err_set(struct error *err, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Appends ": strerror(sys_errno)" and derives the kind from the number. */
int err_sys(struct error *err, int sys_errno, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts context in front of what err already says; the kind stays. */
int err_add(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
