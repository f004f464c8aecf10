/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake - the bytes of a layer on their way in: read, kept, inflated, and compared with its digests
 *
 * The blob is kept as it came, and a plain tar compressed: a volume does not tell in which order and
 * with which headers files were written.
 */
#ifndef LAYER_INTAKE_H
#define LAYER_INTAKE_H

#include "layer/layer.h"
#include "layer/stream.h"

struct intake; /* one layer's */

/**
 * intake_open - begin to read
 * @source: copied; what it points to must outlive the result
 * @ahead:  its turn comes later, see struct stream_options
 *
 * The store has a session. The caller owns *ret.
 */
int intake_open(struct store *store, const struct layer_source *source, bool ahead,
		struct intake **ret, struct error *err);
/* What was kept and not published is gone. */
void intake_free(struct intake *intake);
static inline void intake_free_(struct intake **intake)
{
	intake_free(*intake);
}
#define auto_intake __attribute__((cleanup(intake_free_)))

/* Its place in the image. */
size_t intake_index(const struct intake *intake);
/* Borrowed. */
struct stream *intake_stream(struct intake *intake);

/* After the stream's end: ERR_CORRUPT, in Docker's words, where it is not the layer that was asked for. */
int intake_check(const struct intake *intake, const struct stream_result *found, struct error *err);
/*
 * What cannot be unpacked may be something else than was asked for: that is then the error.
 * Downloaded bytes are told from a broken image so.
 */
void intake_explain(struct intake *intake, struct error *err);

/* After the check. @ret: the digest of what is kept; unchanged where nothing is. */
int intake_end(struct intake *intake, const struct stream_result *found, struct digest *ret,
	       struct error *err);
/* The kept blob is durable, and then visible: blob/blob.h. Nothing to do where none is. */
int intake_finish_blob(struct intake *intake, const struct digest *digest, struct error *err);
int intake_publish_blob(struct intake *intake, struct error *err);

#endif
