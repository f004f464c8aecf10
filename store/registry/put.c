/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/put.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "limits.h"

#define LOGINS_MAX 3u

static int read_bytes(void *ctx, uint64_t at, void *data, size_t len)
{
	const struct buf *bytes = ctx;

	memcpy(data, bytes->data + at, len);
	return 0;
}

static size_t on_answer(char *data, size_t one, size_t size, void *ctx)
{
	struct buf *answer = ctx;

	(void)one;
	if (answer->len + size > LIMIT_REFUSAL_BYTES)
		return size ? 0 : 1;
	buf_append(answer, data, size);
	return size;
}

/* Returns 1 when it is there, 0 when it is worth another try at once, -1; *ret_pause: later. */
static int once(struct registry *registry, const struct registry_request *request, unsigned try,
		int64_t *ret_pause, struct error *err)
{
	auto_http_transfer struct http_transfer transfer = { 0 };
	auto_buf struct buf answer = { 0 };
	CURLcode code;
	long status;

	*ret_pause = -1;
	if (registry_request(registry, request, on_answer, &answer, &transfer, err) < 0)
		return -1;
	code = registry_lib(registry)->easy_perform(transfer.curl);
	status = transfer.head.status;
	if (code != CURLE_OK && status < 400) {
		http_transfer_failed(&transfer, code, err);
		if (err->kind == ERR_REMOTE && http_may_retry(code))
			*ret_pause = registry_pause_ms(registry, try, NULL);
		return -1;
	}
	if (status == 201)
		return 1;
	if (status == 401) {
		int again = registry_authenticate(registry, &transfer.head, err);

		if (again)
			return again > 0 ? 0 : -1;
	}
	if (status / 100 == 2)
		return err_set(err, ERR_REMOTE,
			       "the registry answers with status %ld where 201 is due", status);
	refusal_read(&transfer.head, &answer, err);
	if (registry_is_passing(status))
		*ret_pause = registry_pause_ms(registry, try, &transfer.head);
	return -1;
}

int put_manifest(struct registry *registry, const char *tag, const char *media_type,
		 const struct buf *bytes, struct error *err)
{
	auto_free char *url = registry_url(registry, "manifests", tag);
	auto_free char *type = xasprintf("Content-Type: %s", media_type);
	const struct registry_request request = {
		.method = "PUT",
		.url = url,
		.headers = { type },
		.body = { bytes->len, read_bytes, (void *)bytes },
	};
	unsigned logins = 0;

	for (unsigned try = 1;;) {
		int64_t pause;
		int result = once(registry, &request, try, &pause, err);

		if (result > 0)
			return 0;
		if (result == 0) {
			if (++logins < LOGINS_MAX)
				continue;
			return err_set(err, ERR_DENIED, "unauthorized: authentication required");
		}
		if (pause < 0)
			return -1;
		log_debug("manifest %s: %s: again in %jd ms", tag, err->text, (intmax_t)pause);
		if (registry_wait_ms(pause, err) < 0)
			return -1;
		try++;
	}
}
