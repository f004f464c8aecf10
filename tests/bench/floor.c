/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor - what unpacking cannot do without
 *
 *	floor DEVICE LAYER.tar.gz...
 *
 * Reads the layers, SHA-256 of the bytes, inflates with ISA-L, SHA-256 of the
 * tar, and writes as many bytes to the device past the page cache. One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define IN_BYTES  (1u << 18)
#define OUT_BYTES (1u << 20)

struct floor {
	int device;
	off_t at;
	EVP_MD_CTX *blob;
	EVP_MD_CTX *tar;
	struct inflate_state state;
	unsigned char *in;
	unsigned char *out; /* aligned for O_DIRECT */
};

static int put(struct floor *f, size_t len)
{
	size_t whole = (len + 4095) / 4096 * 4096;

	EVP_DigestUpdate(f->tar, f->out, len);
	if (pwrite(f->device, f->out, whole, f->at) != (ssize_t)whole)
		return -1;
	f->at += (off_t)whole;
	return 0;
}

/* Fills a whole block of output before it is written. */
static int inflate_block(struct floor *f, int fd)
{
	f->state.next_out = f->out;
	f->state.avail_out = OUT_BYTES;
	while (f->state.avail_out && f->state.block_state != ISAL_BLOCK_FINISH) {
		if (!f->state.avail_in) {
			ssize_t got = read(fd, f->in, IN_BYTES);

			if (got <= 0)
				return -1;
			EVP_DigestUpdate(f->blob, f->in, (size_t)got);
			f->state.next_in = f->in;
			f->state.avail_in = (uint32_t)got;
		}
		if (isal_inflate(&f->state) != ISAL_DECOMP_OK)
			return -1;
	}
	return put(f, OUT_BYTES - f->state.avail_out);
}

static int unpack(struct floor *f, const char *path)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	isal_inflate_init(&f->state);
	f->state.crc_flag = ISAL_GZIP;
	EVP_DigestInit_ex(f->blob, EVP_sha256(), NULL);
	EVP_DigestInit_ex(f->tar, EVP_sha256(), NULL);
	while (f->state.block_state != ISAL_BLOCK_FINISH) {
		if (inflate_block(f, fd) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct floor f;

	if (argc < 3) {
		fprintf(stderr, "usage: floor DEVICE LAYER...\n");
		return 2;
	}
	f.device = open(argv[1], O_WRONLY | O_DIRECT | O_CLOEXEC);
	f.blob = EVP_MD_CTX_new();
	f.tar = EVP_MD_CTX_new();
	f.in = malloc(IN_BYTES);
	f.out = aligned_alloc(4096, OUT_BYTES);
	for (int i = 2; f.device >= 0 && i < argc; i++) {
		if (unpack(&f, argv[i]) < 0) {
			fprintf(stderr, "floor: %s: %s\n", argv[i], strerror(errno));
			return 1;
		}
	}
	if (f.device < 0 || fsync(f.device) < 0) {
		fprintf(stderr, "floor: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	EVP_MD_CTX_free(f.blob);
	EVP_MD_CTX_free(f.tar);
	free(f.in);
	free(f.out);
	return 0;
}
