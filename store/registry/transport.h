/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport - how a registry is spoken to: mirrors, certificates, and whether they matter
 *
 * The table is "registries" of the configuration:
 *
 *	"registries": {
 *	  "docker.io": { "mirrors": [ "mirror.example:5000" ] },
 *	  "mirror.example:5000": { "ca": "/etc/ssl/mirror.crt" },
 *	  "old.example": { "insecure": true }
 *	}
 *
 * A mirror is a host like others: its own row and its own credentials are for it. Beside that,
 * HOST/ in /etc/docker/certs.d and /etc/containers/certs.d, as Docker reads it: *.crt are roots,
 * *.cert with *.key are ours. The system's roots are always good.
 *
 * A host that is insecure, and one on the loopback for which there are no roots of its own, may
 * have any certificate, or speak http.
 * Source: docker/docs "Verify repository client with certificates"; containers-certs.d(5).
 */
#ifndef REGISTRY_TRANSPORT_H
#define REGISTRY_TRANSPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/http.h"

struct registry_row {
	char *host; /* as in a reference: "docker.io", "localhost:5000" */
	struct strlist mirrors;
	bool insecure;
	char *ca; /* absolute path; NULL: none */
};

struct registry_table {
	struct registry_row *rows;
	size_t nr;
	const char *const *folders; /* in the place of both certs.d; NULL terminated; or NULL */
};

/* @ret: emptied first; registry_table_done() releases it, also after a failure. ERR_USAGE. */
int registry_table_read(json_t *object, struct registry_table *ret, struct error *err);
void registry_table_done(struct registry_table *table);
/* The row of a host, or NULL; so without a table. */
const struct registry_row *registry_table_find(const struct registry_table *table,
					       const char *host);

struct transport {
	bool plain_allowed; /* http, where https is not spoken */
	bool plain_first;   /* on the loopback, where nothing says that TLS is spoken */
	bool unverified;
	struct buf roots; /* PEM, beside the system's */
	char *cert, *key; /* paths of ours; or NULL */
};

/**
 * transport_open - what holds for a host
 * @table: may be NULL
 * @host: as in a reference
 * @ret: overwritten; transport_done() releases it, also after a failure
 *
 * ERR_NOT_FOUND, ERR_DENIED, ERR_IO or ERR_LIMIT for a file; ERR_USAGE for a certificate without
 * its key, or the other way round.
 */
int transport_open(const struct registry_table *table, const char *host, struct transport *ret,
		   struct error *err);
void transport_done(struct transport *transport);
#define auto_transport __attribute__((cleanup(transport_done)))

/* Fills what a request needs of it; borrowed. */
void transport_apply(const struct transport *transport, struct http_request *request);

#endif
