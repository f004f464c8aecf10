/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - every bound on what comes from outside, with its reason
 *
 * Beyond a bound the answer is ERR_LIMIT. The bounds are far above what exists,
 * and low enough that memory and time stay small whatever is sent.
 */
#ifndef LIMITS_H
#define LIMITS_H

/* ---- JSON documents ---- */

/* OCI distribution-spec: registries take manifests of at least 4 MiB, clients rely on no more. */
#define LIMIT_JSON_BYTES (4u * 1024 * 1024)
/* Docker stacks at most 125 (a limit of overlay mounts, not ours); a chain is walked by loops. */
#define LIMIT_LAYERS 1024
/* One entry for each build instruction, most of them without a layer. */
#define LIMIT_HISTORY 8192
/* An index names platforms; the largest public ones have some fifty with attestations. */
#define LIMIT_INDEX_ENTRIES 4096
/* An index within an index: the specification allows it, nobody needs more. */
#define LIMIT_INDEX_DEPTH 4
/* Alternative addresses of one foreign layer. */
#define LIMIT_URLS 64

/* ---- names ---- */

/* distribution: RepositoryNameTotalLengthMax, without the domain. */
#define LIMIT_REPOSITORY_BYTES 255
/* RFC 1035 section 2.3.4 (255) and ":65535". */
#define LIMIT_DOMAIN_BYTES 261
/* distribution: tag grammar. */
#define LIMIT_TAG_BYTES 128
/* Anything longer is no name; up to here the error says what is too long. */
#define LIMIT_REFERENCE_BYTES 4096
/* PATH_MAX with its NUL: the kernel takes no longer path at once. */
#define LIMIT_PATH_BYTES 4096

/* ---- archives ---- */

/* docker save of 500 images with 30 layers in the oldest dialect, three members each. */
#define LIMIT_ARCHIVE_MEMBERS 65536u
/* The names of all members, which are remembered: 128 bytes each. */
#define LIMIT_ARCHIVE_NAME_BYTES (8u * 1024 * 1024)
/*
 * The configs of all images of an archive, which are read before the first layer: 500 images of
 * 32 KiB. The load as a whole has to stay below 64 MiB.
 */
#define LIMIT_ARCHIVE_CONFIG_BYTES (16u * 1024 * 1024)
/* Images in one archive. */
#define LIMIT_ARCHIVE_IMAGES 4096
/* Files of a layout folder held open at once: layers and documents of one load. */
#define LIMIT_ARCHIVE_OPEN 8192
/* Names of one image in an archive. */
#define LIMIT_ARCHIVE_TAGS 4096

/* ---- layers ---- */

/*
 * Window of a layer's decoder. zstd --ultra -20 uses 32 MiB, image tools at most 8; the load as a
 * whole has to stay below 64 MiB.
 */
#define LIMIT_LAYER_WINDOW_BYTES (UINT64_C(32) * 1024 * 1024)
/* The same of an outer archive, which is unpacked before any layer: zstd --long, xz -9 (65 MiB). */
#define LIMIT_ARCHIVE_WINDOW_BYTES (UINT64_C(128) * 1024 * 1024)
/*
 * Headers of one tar entry: libarchive takes 1 MiB for each PAX, long name and long link header, but
 * any number of sparse extents, and keeps them all.
 */
#define LIMIT_TAR_HEADER_BYTES (UINT64_C(3) * 1024 * 1024)
/* ext4 and xfs: XATTR_SIZE_MAX, XATTR_LIST_MAX with the shortest names. */
#define LIMIT_XATTR_BYTES (64u * 1024)
#define LIMIT_XATTRS	  1024u
/*
 * Entries of one layer above the base, whose names are remembered for whiteouts: some 40 MiB of
 * hashes. The base has no such bound. The largest known layers have some 500,000.
 */
#define LIMIT_LAYER_NAMES 3000000u
/* Folders within folders below an opaque one. A path of LIMIT_PATH_BYTES has 2,048; links add to it. */
#define LIMIT_TREE_DEPTH 16384u

/*
 * Pool blocks of one layer whose digests are listed: those of the largest volume (256 TiB). In as
 * many runs: 256 GiB in single blocks of 64 KiB; they are held in memory.
 */
#define LIMIT_VERITY_BLOCKS (UINT64_C(1) << 32)
#define LIMIT_VERITY_RUNS   (UINT64_C(1) << 22)
/* dm-thin: 24 bits. */
#define LIMIT_THIN_IDS (UINT64_C(1) << 24)

/* ---- builds ---- */

/* The longest public Dockerfiles have some 100 KiB; payloads in heredocs more. */
#define LIMIT_DOCKERFILE_BYTES (1024u * 1024)
/* Each becomes an entry of the history. */
#define LIMIT_INSTRUCTIONS LIMIT_HISTORY
/* The bodies of one instruction; generated ones write a dozen files at once. */
#define LIMIT_HEREDOCS 256
/* FROM; generated files have some hundred. */
#define LIMIT_STAGES 1024
/* RUN --mount of one instruction: each is a real mount. */
#define LIMIT_RUN_MOUNTS 256
/* --build-arg, and ARG of one stage: names are looked up one after the other. */
#define LIMIT_BUILD_ARGS 4096
/* The same in bytes: a quarter of what the kernel takes as environment, as ENV may take the rest. */
#define LIMIT_ARGS_BYTES (512u * 1024)
/* .dockerignore: a file of that size has some 10,000 patterns, and each path is held against all. */
#define LIMIT_IGNORE_BYTES    (256u * 1024)
#define LIMIT_IGNORE_PATTERNS 16384u
/* docker: a secret may not be larger. */
#define LIMIT_SECRET_BYTES (500u * 1024)
/* Images of --cache-from, each of which is searched for each step. Pipelines name a handful. */
#define LIMIT_CACHE_IMAGES 64
/* Files that one source of COPY may name by a wildcard, or a folder of the context may hold. */
#define LIMIT_CONTEXT_NAMES 3000000u
/*
 * Where files with several names were copied to, with what finds them: some 700,000 files. The
 * modules of a large project, each linked to a store of its package manager, are 500,000.
 */
#define LIMIT_COPY_LINK_BYTES (UINT64_C(128) * 1024 * 1024)

/* ADD of a URL. The weights of large models come in files of some 10 GiB; the end of a stream may never. */
#define LIMIT_FETCH_BYTES (UINT64_C(64) * 1024 * 1024 * 1024)

/* ---- registries ---- */

/* Certificates for one registry; a whole bundle of the system's has 220 KB. */
#define LIMIT_CERTIFICATE_BYTES (4u * 1024 * 1024)
/* Of one repository, and of the pages that they come in. */
#define LIMIT_TAGS	65536u
#define LIMIT_TAG_PAGES 1024u
/* Of one registry: each may cost the time of a connection. */
#define LIMIT_MIRRORS 16
/* config.json and auth.json: credentials of many registries fit. */
#define LIMIT_AUTH_FILE_BYTES (1024u * 1024)
/* A user's name, a password or a token. Signed tokens of clouds have some 10 KiB. */
#define LIMIT_CREDENTIAL_BYTES (64u * 1024)
/* What a credential helper answers: one of those in JSON, where six bytes may stand for one. */
#define LIMIT_HELPER_BYTES (512u * 1024)
/* The name of a helper is part of a file name. */
#define LIMIT_HELPER_NAME_BYTES 200
/* A token server's answer holds up to three tokens; an error of a registry is shorter. */
#define LIMIT_AUTH_ANSWER_BYTES (256u * 1024)
/* WWW-Authenticate: one header of one answer, and how many of them. */
#define LIMIT_CHALLENGE_BYTES 8192u
#define LIMIT_CHALLENGES      16u
/* Headers of one answer that are remembered, and one line of them. */
#define LIMIT_HEADER_BYTES (64u * 1024)
/* The document that says why a request was refused, or a proxy's page in its place. */
#define LIMIT_REFUSAL_BYTES (64u * 1024)
/* Seconds that a server may let us wait before we ask again; beyond, its refusal is final. */
#define LIMIT_RETRY_AFTER 60
/*
 * Bytes of layers on disk that wait for the layer below them. Beyond, the others are fetched
 * when their turn has come.
 */
#define LIMIT_WAITING_BYTES (UINT64_C(4) * 1024 * 1024 * 1024)

/* ---- containers ---- */

/* /etc/passwd and /etc/group of an image; a directory service has no place there. */
#define LIMIT_ACCOUNT_BYTES (4u * 1024 * 1024)
/* An --env-file, written by hand or by a deployment. */
#define LIMIT_ENV_FILE_BYTES (1u * 1024 * 1024)
/* The host's /etc/hosts and /etc/resolv.conf. */
#define LIMIT_HOSTS_BYTES (1u * 1024 * 1024)
/* What conmon or the runtime says in one file: an exit status, a message. */
#define LIMIT_RUNTIME_BYTES (64u * 1024)

#endif
