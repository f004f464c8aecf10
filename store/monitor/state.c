/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/state.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/jsonfield.h"
#include "base/log.h"

#define FILE_MAX 16384

struct record {
	int64_t pid, growths, prunes, last_growth_ns, last_prune_ns;
	char *problem;
};

static const struct jsonfield fields[] = {
	{ "growths", JSONFIELD_INT64, offsetof(struct record, growths) },
	{ "last_growth_ns", JSONFIELD_INT64, offsetof(struct record, last_growth_ns) },
	{ "last_prune_ns", JSONFIELD_INT64, offsetof(struct record, last_prune_ns) },
	{ "pid", JSONFIELD_INT64, offsetof(struct record, pid) },
	{ "problem", JSONFIELD_STRING, offsetof(struct record, problem) },
	{ "prunes", JSONFIELD_INT64, offsetof(struct record, prunes) },
	{ 0 },
};

static int read_record(int root_fd, struct record *ret, struct error *err)
{
	auto_buf struct buf text = { 0 };
	auto_json json_t *json = NULL;

	if (io_read_file(root_fd, MONITOR_STATE_NAME, FILE_MAX, &text, err) < 0 ||
	    jsonfield_load(text.data ? text.data : "", text.len, FILE_MAX, &json, err) < 0)
		return -1;
	return jsonfield_decode(json, fields, JSONFIELD_TOLERANT, ret, err);
}

void monitor_state_read(int root_fd, struct monitor_state *ret)
{
	struct record record = { 0 };
	struct error err;

	*ret = (struct monitor_state){ 0 };
	if (read_record(root_fd, &record, &err) < 0) {
		if (err.kind != ERR_NOT_FOUND)
			log_debug("%s: %s", MONITOR_STATE_NAME, err.text);
		return;
	}
	ret->pid = record.pid;
	ret->growths = record.growths;
	ret->prunes = record.prunes;
	ret->last_growth_ns = record.last_growth_ns;
	ret->last_prune_ns = record.last_prune_ns;
	snprintf(ret->problem, sizeof(ret->problem), "%s", record.problem ? record.problem : "");
	jsonfield_done(fields, &record);
}

int monitor_state_write(int root_fd, const struct monitor_state *state, struct error *err)
{
	auto_buf struct buf text = { 0 };
	auto_json json_t *json =
		json_pack("{s:I, s:I, s:I, s:I, s:I}", "pid", (json_int_t)state->pid, "growths",
			  (json_int_t)state->growths, "prunes", (json_int_t)state->prunes,
			  "last_growth_ns", (json_int_t)state->last_growth_ns, "last_prune_ns",
			  (json_int_t)state->last_prune_ns);

	json_object_set_new(json, "problem", jsonfield_text(state->problem));
	jsonfield_write(json, &text);
	return io_replace_file(root_fd, MONITOR_STATE_NAME, text.data, text.len, 0600, err);
}

bool monitor_is_running(int root_fd)
{
	auto_fd int fd = openat(root_fd, MONITOR_LOCK_NAME, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
}
