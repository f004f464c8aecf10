/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "courier.h"
#include "layer/stream.h"
#include "oci/reference.h"
#include "pullprint.h"
#include "registry/pull.h"
#include "registry/relay.h"
#include "through.h"

#define REQUEST	   "request"
#define RESULT	   "result"
#define IMAGE	   "image"
#define WEB_FILE   "file"
#define UP	   "up"
#define DOWN	   "down"
#define TEXT_MAX   8192
#define CHUNK	   65536
#define EVENT_ROOM (sizeof(struct inotify_event) + 256)

static const char *platform_of(const char *platform)
{
	return platform && *platform ? platform : getenv("DOCKER_DEFAULT_PLATFORM");
}

/* ---- where the network is ---- */

static int pull(struct cli *cli, struct store *store, const struct reference *ref,
		const char *platform, bool quiet, struct error *err)
{
	auto_pullprint struct pullprint printer = { 0 };
	struct pull_result result = { 0 };
	const struct pull_args args = {
		.ref = ref,
		.platform = platform_of(platform),
		.options = cli_registry_options(cli),
		.report = &printer.report,
	};
	int done;

	pullprint_init(&printer, stderr, quiet);
	done = registry_pull(store, &args, &result, err);
	pullprint_done(&printer);
	if (done == 0 && !quiet)
		pullprint_result(stderr, ref, &result);
	return done;
}

/* ---- inside ---- */

/* @what: the lines behind that of the streams. Returns new: the folder of these; or NULL. */
static char *ask(const char *folder, const char *what, struct courier *ret, struct error *err)
{
	static unsigned nr_asked;
	auto_free char *streams = xasprintf("%s/%u", folder, nr_asked++);
	auto_free char *path = xasprintf("%s/" REQUEST, folder);
	auto_free char *text = xasprintf("%s\n%s", streams, what);

	cli_flush();
	if (mkdir(streams, 0700) < 0) {
		err_sys(err, errno, "make a folder '%s'", streams);
		return NULL;
	}
	if (courier_start(streams, DOWN, UP, ret, err) < 0 ||
	    io_replace_file(AT_FDCWD, path, text, strlen(text), 0600, err) < 0)
		return NULL;
	return take_ptr(streams);
}

static int ask_image(const char *folder, struct store *store, const struct reference *ref,
		     const char *platform, bool quiet, struct error *err)
{
	auto_courier struct courier courier = { 0 };
	auto_free char *name = reference_key(ref);
	auto_free char *what =
		xasprintf(IMAGE "\n%s\n%s\n%s", name, platform ?: "", quiet ? "quiet" : "");
	auto_free char *streams = ask(folder, what, &courier, err);

	if (!streams)
		return -1;
	return relay_pull(store, ref, platform_of(platform), courier.in_fd, courier.out_fd, err);
}

/* What the other side says of a file that came, or did not. */
static int read_result(const char *streams, struct fetch_result *ret, struct error *err)
{
	auto_free char *path = xasprintf("%s/" RESULT, streams);
	auto_buf struct buf text = { 0 };
	intmax_t seconds;
	long nanoseconds;
	unsigned kind;
	int at = 0;

	if (io_read_file(AT_FDCWD, path, TEXT_MAX, &text, err) < 0)
		return err_set(err, ERR_IO, "who downloads outside of the appliance is gone");
	if (sscanf(text.data ?: "", "%u %jd %ld\n%n", &kind, &seconds, &nanoseconds, &at) < 3 ||
	    !at)
		return err_set(err, ERR_IO, "who downloads outside of the appliance says nonsense");
	if (kind)
		return err_set(err, (enum err_kind)kind, "%s", text.data + at);
	ret->mtime = (struct timespec){ .tv_sec = (time_t)seconds, .tv_nsec = nanoseconds };
	return 0;
}

static int ask_file(const char *folder, const struct fetch_args *args, struct fetch_result *ret,
		    struct error *err)
{
	auto_courier struct courier courier = { 0 };
	auto_free char *what = xasprintf(WEB_FILE "\n%s", args->url);
	auto_free char *chunk = xmalloc(CHUNK);
	auto_free char *streams = NULL;
	int got;

	*ret = (struct fetch_result){ 0 };
	if (strchr(args->url, '\n'))
		return err_set(err, ERR_USAGE, "a URL has no line breaks");
	streams = ask(folder, what, &courier, err);
	if (!streams)
		return -1;
	while ((got = stream_read_fd(&courier.in_fd, chunk, CHUNK, err)) > 0) {
		if (cancel_check(err) < 0 || io_write(args->fd, chunk, (size_t)got, err) < 0)
			return -1;
		ret->bytes += (uint64_t)got;
	}
	return got < 0 ? -1 : read_result(streams, ret, err);
}

int fetch_image(struct cli *cli, struct store *store, const char *name, const char *platform,
		bool quiet, struct error *err)
{
	auto_reference struct reference ref = { 0 };

	if (reference_parse(name, &ref, err) < 0)
		return -1;
	reference_default_tag(&ref);
	if (cli->global->fetcher)
		return ask_image(cli->global->fetcher, store, &ref, platform, quiet, err);
	return pull(cli, store, &ref, platform, quiet, err);
}

int fetch_file(struct cli *cli, const struct fetch_args *args, struct fetch_result *ret,
	       struct error *err)
{
	if (cli->global->fetcher)
		return ask_file(cli->global->fetcher, args, ret, err);
	return fetch_url(args, ret, err);
}

/* ---- outside ---- */

static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		auto_free char *below = xasprintf("%s/%s", path, entry->d_name);

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlink(below) < 0)
			remove_tree(below);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

static void answer_image(struct cli *cli, int root_fd, const char *streams, char *request)
{
	char *name = strsep(&request, "\n"), *platform = strsep(&request, "\n");
	auto_reference struct reference ref = { 0 };
	auto_courier struct courier courier = { 0 };
	auto_pullprint struct pullprint printer = { 0 };
	struct pull_result result = { 0 };
	const struct pull_args args = {
		.ref = &ref,
		.platform = platform_of(platform),
		.options = cli_registry_options(cli),
		.report = &printer.report,
	};
	struct error err;

	if (!request || reference_parse(name, &ref, &err) < 0 ||
	    courier_start(streams, UP, DOWN, &courier, &err) < 0) {
		remove_tree(streams); /* which ends the streams of the other side */
		return;
	}
	pullprint_init(&printer, stderr, *request);
	if (relay_serve(&args, root_fd, courier.in_fd, courier.out_fd, &result, &err) == 0 &&
	    !*request) {
		pullprint_done(&printer);
		pullprint_result(stderr, &ref, &result);
	}
}

static void answer_file(const char *streams, const char *url)
{
	auto_courier struct courier courier = { 0 };
	auto_free char *path = xasprintf("%s/" RESULT, streams);
	auto_free char *text = NULL;
	struct fetch_args args = { .url = url };
	struct fetch_result result = { 0 };
	struct error err = { 0 };
	int done;

	if (courier_start(streams, UP, DOWN, &courier, &err) < 0) {
		remove_tree(streams);
		return;
	}
	args.fd = courier.out_fd;
	done = fetch_url(&args, &result, &err);
	text = xasprintf("%u %jd %ld\n%s", done < 0 ? (unsigned)err.kind : 0,
			 (intmax_t)result.mtime.tv_sec, (long)result.mtime.tv_nsec,
			 done < 0 ? err.text : "");
	io_replace_file(AT_FDCWD, path, text, strlen(text), 0600, &err);
}

static void answer(struct cli *cli, int root_fd, char *request)
{
	const char *streams = strsep(&request, "\n"), *what = strsep(&request, "\n");

	if (request && strcmp(what, WEB_FILE) == 0)
		answer_file(streams, request);
	else
		answer_image(cli, root_fd, streams, request);
}

/* Until it is killed. */
static void serve(struct cli *cli, int root_fd, int watch_fd, const char *folder)
{
	auto_free char *path = xasprintf("%s/" REQUEST, folder);
	char event[EVENT_ROOM];

	cancel_catch_signals();
	while (read(watch_fd, event, sizeof(event)) > 0 && !cancel_signal()) {
		auto_buf struct buf text = { 0 };
		struct error err;

		if (io_read_file(AT_FDCWD, path, TEXT_MAX, &text, &err) == 0 && text.data &&
		    unlink(path) == 0)
			answer(cli, root_fd, text.data);
	}
}

int fetcher_start(struct cli *cli, struct fetcher *ret, struct error *err)
{
	auto_free char *folder = xstrdup("/tmp/" PROGRAM "-fetch.XXXXXX");
	auto_fd int watch_fd = inotify_init1(IN_CLOEXEC);
	auto_fd int root_fd = through_open_root(cli, err);
	pid_t parent = getpid();

	if (root_fd < 0)
		return -1;
	if (watch_fd < 0 || !mkdtemp(folder))
		return err_sys(err, errno, "make a folder '%s'", folder);
	if (inotify_add_watch(watch_fd, folder, IN_MOVED_TO) < 0) {
		rmdir(folder);
		return err_sys(err, errno, "watch '%s'", folder);
	}
	cli_flush();
	ret->pid = fork();
	if (ret->pid < 0) {
		rmdir(folder);
		return err_sys(err, errno, "start a process");
	}
	if (ret->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() == parent)
			serve(cli, root_fd, watch_fd, folder);
		remove_tree(folder); /* who asks now sees that nobody is there */
		_exit(0);
	}
	ret->folder = take_ptr(folder);
	return 0;
}

void fetcher_stop(struct fetcher *fetcher)
{
	if (!fetcher->folder)
		return;
	kill(fetcher->pid, SIGTERM);
	while (waitpid(fetcher->pid, NULL, 0) < 0 && errno == EINTR)
		;
	remove_tree(fetcher->folder);
	free(fetcher->folder);
	*fetcher = (struct fetcher){ 0 };
}
