/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry - one repository at its registry: addresses, authentication, documents
 *
 * https; a registry that transport.h says so of may also speak http, or have any certificate,
 * which the first request finds out. Documents that do not come are asked for again, with growing
 * pauses. Mirrors are asked first, once each, with credentials of their own; after a failure of
 * one it is the next one's turn for good, and at last the registry's own.
 * Not for two threads at once, but for the questions whose turn it is.
 * Source: OCI distribution-spec; spec/registry-and-archive.md sections 5 and 6.
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include "base/buf.h"
#include "base/digest.h"
#include "registry/http.h"
#include "registry/refusal.h"

struct reference;      /* oci/reference.h */
struct registry_table; /* registry/transport.h */

struct registry_options {
	const char *docker_config_dir;	    /* of the credentials; NULL: anonymous */
	const struct registry_table *table; /* "registries" of the configuration; or NULL */
	struct http_limits limits;
	unsigned pause_ms; /* before the first of all tries that follow; 0: 5 seconds */
	bool push;	   /* the right to write is wanted, too */
};

#define REGISTRY_TRIES 5 /* as Docker */

struct registry;

/* ERR_UNSUPPORTED without libcurl; errors of credentials_find(). The caller owns *ret. */
int registry_open(const struct registry_options *options, const struct reference *ref,
		  struct registry **ret, struct error *err);
void registry_free(struct registry *registry);
static inline void registry_free_(struct registry **registry)
{
	registry_free(*registry);
}
#define auto_registry __attribute__((cleanup(registry_free_)))

const struct curllib *registry_lib(const struct registry *registry);

/* Is this a mirror, whom somebody else can stand in for? */
bool registry_has_other(const struct registry *registry);
/* Now it is the next one's turn. Returns false when there is none. */
bool registry_fall_back(struct registry *registry);
bool registry_is_mirror(const struct registry *registry, unsigned turn);
/* https is not spoken: may it be http? Then it is from now on. */
bool registry_try_plain(struct registry *registry);
/* Which one's turn it is. An answer of another one is not for registry_authenticate(). */
unsigned registry_turn(const struct registry *registry);

/* "https://host/v2/PATH/blobs/sha256:…". Returns new. */
char *registry_blob_url(const struct registry *registry, const struct digest *digest);

/* "https://host/v2/PATH/KIND/WHAT": of the registry's own, once it is known. Returns new. */
char *registry_url(const struct registry *registry, const char *kind, const char *what);

/**
 * registry_meet - the first request, which finds out how it speaks and who we are to it
 *
 * What it answers does not matter. ERR_REMOTE when it is not there, ERR_DENIED, ERR_CANCELLED.
 */
int registry_meet(struct registry *registry, struct error *err);

/* A document that came with status 2xx. */
struct registry_document {
	struct buf bytes;
	char *content_type; /* NULL: not said */
	char *link;	    /* likewise */
};

void registry_document_done(struct registry_document *document);
#define auto_registry_document __attribute__((cleanup(registry_document_done)))

/**
 * registry_manifest - a manifest or an index, as it came
 * @what: tag or digest
 * @ret_refusal: set after a failure that the registry said; may be NULL
 *
 * Errors of refusal_read(), ERR_LIMIT beyond LIMIT_JSON_BYTES, ERR_REMOTE, ERR_CANCELLED.
 * Nothing is verified.
 */
int registry_manifest(struct registry *registry, const char *what, struct registry_document *ret,
		      enum refusal *ret_refusal, struct error *err);

/* A small blob; likewise. */
int registry_blob(struct registry *registry, const struct digest *digest,
		  struct registry_document *ret, struct error *err);

/**
 * registry_tags - the names of all tags of the repository, those that are none left out
 *
 * Mirrors are not asked, now and later: they may have some of them only. ERR_LIMIT for a list
 * without an end, ERR_REMOTE for one that goes on elsewhere; else as registry_manifest().
 */
int registry_tags(struct registry *registry, struct strlist *ret, enum refusal *ret_refusal,
		  struct error *err);

/* ---- for transfers that are made elsewhere ---- */

/* Begins a download of a URL of the registry's own, or, foreign, of somebody else's. */
int registry_transfer(struct registry *registry, const char *url, bool foreign,
		      uint64_t range_start, http_write_fn *write, void *write_ctx,
		      struct http_transfer *ret, struct error *err);
/* As auth_answer(). */
int registry_authenticate(struct registry *registry, const struct http_head *head,
			  struct error *err);

/* Everything borrowed. */
struct registry_request {
	const char *method;
	const char *url;	/* anybody else's gets no Authorization */
	const char *more_scope; /* rights besides those of the repository; NULL: none */
	const char *headers[3]; /* NULL: none */
	struct http_body body;	/* the limits below count for the answer, too */
	unsigned stall_seconds; /* 0: as the options say */
	bool last;		/* as in http.h */
};

/* The same of any kind; a 401 of the registry's own is for registry_authenticate_for(). */
int registry_request(struct registry *registry, const struct registry_request *request,
		     http_write_fn *write, void *write_ctx, struct http_transfer *ret,
		     struct error *err);
int registry_authenticate_for(struct registry *registry, const char *more_scope,
			      const struct http_head *head, struct error *err);
/* Is that an address of the registry's own? Nobody else is told who we are. */
bool registry_owns(const struct registry *registry, const char *url);
/* 408, 429, 5xx: it may be asked again. */
bool registry_is_passing(long status);
/* Waits; ERR_CANCELLED. */
int registry_wait_ms(int64_t ms, struct error *err);
/**
 * registry_pause_ms - how long to wait before a try, the second is number 1
 * @head: of the answer that asked for patience, or NULL
 *
 * Returns -1 when there is no use in waiting.
 */
int64_t registry_pause_ms(const struct registry *registry, unsigned try,
			  const struct http_head *head);
/* "Retrying in 5 seconds": a static string for each number of seconds. */
const char *registry_retry_phase(int64_t seconds);

#endif
