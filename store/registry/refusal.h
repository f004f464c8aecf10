/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusal - why a registry or a token server said no, in Docker's words
 *
 * Source: OCI distribution-spec, "Error Codes"; distribution's registry client for the words.
 */
#ifndef REGISTRY_REFUSAL_H
#define REGISTRY_REFUSAL_H

#include "base/buf.h"
#include "base/err.h"
#include "registry/http.h"

enum refusal {
	REFUSAL_OTHER,
	REFUSAL_UNAUTHORIZED, /* who are you? */
	REFUSAL_DENIED,	      /* not you */
	REFUSAL_NO_NAME,
	REFUSAL_NO_MANIFEST,
	REFUSAL_TOO_MANY, /* requests; ask again later */
};

/**
 * refusal_read - an answer whose status is not 2xx
 * @err: "manifest unknown: manifest unknown"; without a document of errors, the status
 *
 * The kind of err is ERR_DENIED, ERR_NOT_FOUND or ERR_REMOTE.
 */
enum refusal refusal_read(const struct http_head *head, const struct buf *body, struct error *err);

#endif
