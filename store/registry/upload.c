/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/upload.h"

#include <stdlib.h>
#include <time.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/thread.h"
#include "registry/upload_part.h"

#define AT_ONCE 5u /* as Docker */
#define POLL_MS 100

/* ---- the thread ---- */

static enum upload_state state_of(struct upload_part *part)
{
	enum upload_state ret;

	pthread_mutex_lock(&part->upload->lock);
	ret = part->state;
	pthread_mutex_unlock(&part->upload->lock);
	return ret;
}

static void start_parts(struct upload *upload)
{
	size_t nr_active = 0;
	struct error err;

	for (size_t i = 0; i < upload->nr; i++) {
		if (state_of(&upload->parts[i]) == STATE_FED)
			upload_part_take_bytes(&upload->parts[i]);
		nr_active += state_of(&upload->parts[i]) == STATE_ACTIVE;
	}
	for (size_t i = 0; i < upload->nr && nr_active < AT_ONCE; i++) {
		struct upload_part *part = &upload->parts[i];

		if (state_of(part) != STATE_DUE || clock_ms() < part->due_ms)
			continue;
		upload_part_set_state(part, STATE_ACTIVE);
		nr_active++;
		if (upload_part_start(part, &err) < 0)
			upload_part_fail(part, &err);
	}
}

static void count_down(struct upload *upload)
{
	for (size_t i = 0; i < upload->nr; i++) {
		struct upload_part *part = &upload->parts[i];
		int64_t left = (part->due_ms - clock_ms() + 999) / 1000;

		if (state_of(part) != STATE_DUE || left <= 0 || left == part->shown_seconds)
			continue;
		part->shown_seconds = left;
		upload_part_tell(part, registry_retry_phase(left), 0);
	}
}

static void reap(struct upload *upload)
{
	CURLMsg *message;
	int left;

	while ((message = upload->lib->multi_info_read(upload->multi, &left))) {
		CURLcode code = message->data.result;

		for (size_t i = 0; i < upload->nr; i++)
			if (message->msg == CURLMSG_DONE &&
			    upload->parts[i].transfer.curl == message->easy_handle) {
				upload_part_finish(&upload->parts[i], code);
				break;
			}
	}
}

static bool is_stopping(struct upload *upload)
{
	bool ret;

	pthread_mutex_lock(&upload->lock);
	ret = upload->stopping;
	pthread_mutex_unlock(&upload->lock);
	return ret;
}

static void *thread_main(void *arg)
{
	struct upload *upload = arg;
	int running, ready;

	while (!is_stopping(upload)) {
		start_parts(upload);
		upload->lib->multi_perform(upload->multi, &running);
		reap(upload);
		count_down(upload);
		upload->lib->multi_poll(upload->multi, NULL, 0, POLL_MS, &ready);
	}
	for (size_t i = 0; i < upload->nr; i++) {
		struct upload_part *part = &upload->parts[i];

		if (part->transfer.curl)
			upload->lib->multi_remove_handle(upload->multi, part->transfer.curl);
		http_transfer_done(&part->transfer);
	}
	for (size_t i = 0; i < upload->nr; i++)
		upload_part_end_session(&upload->parts[i]);
	return NULL;
}

/* ---- the caller's side ---- */

int upload_new(const struct upload_args *args, struct upload **ret, struct error *err)
{
	auto_upload struct upload *upload = xcalloc(1, sizeof(*upload));

	upload->args = *args;
	upload->lib = registry_lib(args->registry);
	upload->nr = args->nr_items;
	upload->parts = xcalloc(upload->nr, sizeof(*upload->parts));
	pthread_mutex_init(&upload->lock, NULL);
	pthread_cond_init(&upload->changed, NULL);
	for (size_t i = 0; i < upload->nr; i++)
		upload->parts[i] = (struct upload_part){
			.upload = upload,
			.index = i,
			.item = &args->items[i],
			.state = args->items[i].nr_known ? STATE_DUE : STATE_HUNGRY,
			.step = STEP_ASK,
			.fd = -1,
			.chunk = args->chunk_bytes,
		};
	upload->multi = upload->lib->multi_init();
	if (!upload->multi)
		return err_set(err, ERR_IO, "libcurl cannot begin transfers");
	if (thread_start(thread_main, upload, &upload->thread, err) < 0)
		return -1;
	upload->has_thread = true;
	*ret = take_ptr(upload);
	return 0;
}

void upload_free(struct upload *upload)
{
	if (!upload)
		return;
	if (upload->has_thread) {
		pthread_mutex_lock(&upload->lock);
		upload->stopping = true;
		pthread_mutex_unlock(&upload->lock);
		upload->lib->multi_wakeup(upload->multi);
		pthread_join(upload->thread, NULL);
	}
	if (upload->multi)
		upload->lib->multi_cleanup(upload->multi);
	for (size_t i = 0; i < upload->nr; i++)
		upload_part_done(&upload->parts[i]);
	pthread_cond_destroy(&upload->changed);
	pthread_mutex_destroy(&upload->lock);
	free(upload->parts);
	free(upload);
}

/* Under the lock. Returns 1, 0, -1 as upload_next(), 2 when there is nothing to tell yet. */
static int look(struct upload *upload, size_t *ret, struct error *err)
{
	size_t nr_done = 0, nr_fed = 0;
	struct upload_part *hungry = NULL;

	for (size_t i = 0; i < upload->nr; i++) {
		struct upload_part *part = &upload->parts[i];

		if (part->state == STATE_FAILED) {
			*err = part->err;
			return -1;
		}
		if (part->state == STATE_HUNGRY && !hungry)
			hungry = part;
		nr_done += part->state == STATE_DONE;
		nr_fed += part->fed && part->state != STATE_DONE;
	}
	if (nr_done == upload->nr)
		return 0;
	if (!hungry || nr_fed >= AT_ONCE)
		return 2; /* what waits for its upload takes room on the disk */
	*ret = hungry->index;
	return 1;
}

int upload_next(struct upload *upload, size_t *ret, struct error *err)
{
	int result = 2;

	pthread_mutex_lock(&upload->lock);
	while (result == 2) {
		struct timespec until;

		result = cancel_check(err) < 0 ? -1 : look(upload, ret, err);
		if (result != 2)
			break;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += POLL_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&upload->changed, &upload->lock, &until);
	}
	pthread_mutex_unlock(&upload->lock);
	return result;
}

void upload_give(struct upload *upload, size_t item, int fd, const struct digest *digest,
		 uint64_t size)
{
	struct upload_part *part = &upload->parts[item];

	pthread_mutex_lock(&upload->lock);
	part->fd = fd;
	part->digest = *digest;
	part->size = size;
	part->fed = true;
	part->state = STATE_FED;
	pthread_mutex_unlock(&upload->lock);
	upload->lib->multi_wakeup(upload->multi);
}

bool upload_has_failed(struct upload *upload, struct error *err)
{
	bool ret = false;

	pthread_mutex_lock(&upload->lock);
	for (size_t i = 0; i < upload->nr && !ret; i++) {
		ret = upload->parts[i].state == STATE_FAILED;
		if (ret)
			*err = upload->parts[i].err;
	}
	pthread_mutex_unlock(&upload->lock);
	return ret;
}

void upload_result(const struct upload *upload, size_t item, struct digest *ret_digest,
		   uint64_t *ret_size)
{
	*ret_digest = upload->parts[item].digest;
	*ret_size = upload->parts[item].size;
}
