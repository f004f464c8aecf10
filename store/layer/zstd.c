/* SPDX-License-Identifier: Apache-2.0 */
#include "layer/zstd.h"

#include <signal.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cpus.h"

#define LEVEL 3 /* the library's own choice, and that of buildah and BuildKit */

struct zstd {
	int (*write)(void *ctx, const void *data, size_t len, struct error *err);
	void *ctx;
	struct hasher *hasher;
	ZSTD_CCtx *stream;
	void *out;
	size_t out_size;
};

struct zstd *zstd_new(int (*write)(void *ctx, const void *data, size_t len, struct error *err),
		      void *ctx, unsigned int threads)
{
	struct zstd *zstd = xcalloc(1, sizeof(*zstd));

	zstd->write = write;
	zstd->ctx = ctx;
	zstd->hasher = hasher_new();
	zstd->stream = ZSTD_createCCtx();
	if (!zstd->stream)
		abort();
	zstd->out_size = ZSTD_CStreamOutSize();
	zstd->out = xmalloc(zstd->out_size);
	ZSTD_CCtx_setParameter(zstd->stream, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(zstd->stream, ZSTD_c_checksumFlag, 1);
	/* Without any the result is another one than with any number of them. */
	ZSTD_CCtx_setParameter(zstd->stream, ZSTD_c_nbWorkers,
			       (int)(threads ? threads : cpus_usable()));
	return zstd;
}

void zstd_free(struct zstd *zstd)
{
	if (!zstd)
		return;
	ZSTD_freeCCtx(zstd->stream);
	hasher_free(zstd->hasher);
	free(zstd->out);
	free(zstd);
}

/* Returns what the library still holds back, or -1. Its threads leave signals to the caller's. */
static ssize_t step(struct zstd *zstd, ZSTD_inBuffer *in, ZSTD_EndDirective end, struct error *err)
{
	ZSTD_outBuffer out = { zstd->out, zstd->out_size, 0 };
	sigset_t all, old;
	size_t left;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	left = ZSTD_compressStream2(zstd->stream, &out, in, end);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ZSTD_isError(left))
		return err_set(err, ERR_IO, "compress: %s", ZSTD_getErrorName(left));
	hasher_add(zstd->hasher, zstd->out, out.pos);
	if (out.pos && zstd->write(zstd->ctx, zstd->out, out.pos, err) < 0)
		return -1;
	return (ssize_t)left;
}

int zstd_add(struct zstd *zstd, const void *data, size_t len, struct error *err)
{
	ZSTD_inBuffer in = { data, len, 0 };

	while (in.pos < in.size)
		if (step(zstd, &in, ZSTD_e_continue, err) < 0)
			return -1;
	return 0;
}

int zstd_end(struct zstd *zstd, struct digest *ret, struct error *err)
{
	ZSTD_inBuffer in = { NULL, 0, 0 };
	ssize_t left;

	while ((left = step(zstd, &in, ZSTD_e_end, err)) > 0)
		;
	if (left < 0)
		return -1;
	hasher_end(zstd->hasher, ret);
	return 0;
}
