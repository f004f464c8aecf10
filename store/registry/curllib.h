/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curllib - libcurl, loaded when something is first transferred
 *
 * With what it brings along it would make every other command start slower. And its TLS
 * library is not the one that is linked in: loaded by itself it never sees that one's symbols.
 * What libcurl copies of a password or a token is wiped when it frees it.
 */
#ifndef REGISTRY_CURLLIB_H
#define REGISTRY_CURLLIB_H

#include <curl/curl.h>

#include "base/err.h"

struct curllib {
	__typeof__(curl_global_init_mem) *global_init_mem;
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	__typeof__(curl_easy_setopt) *easy_setopt;
	__typeof__(curl_easy_reset) *easy_reset;
	__typeof__(curl_easy_perform) *easy_perform;
	__typeof__(curl_easy_getinfo) *easy_getinfo;
	__typeof__(curl_easy_strerror) *easy_strerror;
	__typeof__(curl_easy_pause) *easy_pause;
	__typeof__(curl_multi_init) *multi_init;
	__typeof__(curl_multi_cleanup) *multi_cleanup;
	__typeof__(curl_multi_add_handle) *multi_add_handle;
	__typeof__(curl_multi_remove_handle) *multi_remove_handle;
	__typeof__(curl_multi_perform) *multi_perform;
	__typeof__(curl_multi_poll) *multi_poll;
	__typeof__(curl_multi_wakeup) *multi_wakeup;
	__typeof__(curl_multi_info_read) *multi_info_read;
	__typeof__(curl_multi_strerror) *multi_strerror;
	__typeof__(curl_slist_append) *slist_append;
	__typeof__(curl_slist_free_all) *slist_free_all;
	__typeof__(curl_getdate) *getdate;
};

/* The library; NULL with ERR_UNSUPPORTED where it is not installed. Not for two threads at once. */
const struct curllib *curllib_get(struct error *err);

#endif
