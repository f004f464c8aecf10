/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "appliance/kernel.h"
#include "appliance/place.h"
#include "appliance/supervisor.h"
#include "appliance/talk.h"
#include "appliance/trim.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"

#define KILL_MS 10000
#define END_MS	60000 /* for switching off, with everything still in memory to be written */

extern char **environ;

/* The kernel that serves a request: already running, or started for it. */
struct engine {
	struct place place;
	int conn_fd;
	struct supervisor_greeting greeting;
	bool taken_over;
	bool vanished; /* taken over, and it ended before it heard of the request */
};

static void engine_done(struct engine *engine)
{
	if (engine->conn_fd >= 0)
		close(engine->conn_fd);
	supervisor_greeting_done(&engine->greeting);
	place_done(&engine->place);
}
#define auto_engine __attribute__((cleanup(engine_done)))

static void engine_init(struct engine *engine)
{
	*engine = (struct engine){ .conn_fd = -1 };
	engine->place =
		(struct place){ .dir_fd = -1, .run_fd = -1, .lock_fd = -1, .running_fd = -1 };
	engine->greeting.line_fd = -1;
}

static void close_fds(int *fds, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Disks and their paths; the store's own comes first and has no path. */
struct disks {
	int fds[1 + APPLIANCE_DISKS_MAX];
	size_t nr;
	struct strlist paths;
};

static void disks_done(struct disks *disks)
{
	close_fds(disks->fds, disks->nr);
	strlist_done(&disks->paths);
}
#define auto_disks __attribute__((cleanup(disks_done)))

static bool has(const struct strlist *list, const char *text)
{
	for (size_t i = 0; i < list->nr; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

static int open_disk(const char *path, struct error *err)
{
	struct stat st;
	int flags = O_RDWR | O_CLOEXEC;

	if (strchr(path, '\n'))
		return err_set(err, ERR_USAGE, "disk '%s': a line break in its name", path);
	if (stat(path, &st) < 0)
		return err_sys(err, errno, "disk '%s'", path);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return err_set(err, ERR_USAGE, "disk '%s': neither a block device nor a file",
			       path);
	/* The host's kernel refuses a device that it has mounted itself, and keeps it for us. */
	if (S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	int fd = open(path, flags);

	return fd < 0 ? err_sys(err, errno, "open disk '%s'", path) : fd;
}

static int add_disk(struct disks *disks, const char *path, struct error *err)
{
	int fd;

	if (has(&disks->paths, path))
		return 0;
	if (disks->paths.nr == APPLIANCE_DISKS_MAX)
		return err_set(err, ERR_LIMIT, "the appliance takes at most %d further disks",
			       APPLIANCE_DISKS_MAX);
	fd = open_disk(path, err);
	if (fd < 0)
		return -1;
	disks->fds[disks->nr++] = fd;
	strlist_add(&disks->paths, path);
	return 0;
}

/* The store's disk, those that the pool is known to lie on, those asked for. */
static int open_disks(const struct strlist *wanted, const struct place *place, uint64_t size_bytes,
		      struct disks *ret, struct error *err)
{
	auto_strlist struct strlist known = { 0 };
	struct error skipped;

	ret->fds[0] = place_open_disk(place, size_bytes, err);
	if (ret->fds[0] < 0)
		return -1;
	ret->nr = 1;
	for (size_t i = 0; i < wanted->nr; i++)
		if (add_disk(ret, wanted->items[i], err) < 0)
			return -1;
	if (place_read_disks(place, &known, err) < 0)
		return -1;
	/* The pool itself says what is missing, if it is. */
	for (size_t i = 0; i < known.nr; i++)
		if (add_disk(ret, known.items[i], &skipped) < 0)
			log_warn("%s", skipped.text);
	return 0;
}

/* The path of this program, by which the kernel can start it again. */
static char *own_path(struct error *err)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len < 0) {
		err_sys(err, errno, "path of this program");
		return NULL;
	}
	path[len] = '\0';
	if (access(path, X_OK) < 0) {
		err_sys(err, errno, "start this program in the appliance: '%s'", path);
		return NULL;
	}
	return xstrdup(path);
}

static int launch(struct engine *engine, const struct kernel *kernel, const struct disks *disks,
		  struct error *err)
{
	auto_free char *program = own_path(err);
	auto_strlist struct strlist argv = { 0 };
	auto_fd int ours = -1, theirs = -1, console_fd = -1;
	struct frame_key key;
	int pair[2];

	if (!program)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "make the appliance's line");
	ours = pair[0];
	theirs = pair[1];
	fcntl(ours, F_SETFL, O_NONBLOCK);
	console_fd = place_open_console(&engine->place, err);
	if (console_fd < 0)
		return -1;
	frame_key_make(&key);
	if (kernel_argv(kernel, program, &key, theirs, disks->fds, disks->nr, &argv, err) < 0)
		return -1;
	place_clean(engine->place.run_fd);
	struct supervisor_start start = {
		.place = &engine->place,
		.line_fd = ours,
		.guest_line_fd = theirs,
		.console_fd = console_fd,
		.disk_fds = disks->fds,
		.nr_disks = disks->nr,
		.argv = argv.items,
		.memory_dir = kernel->memory_dir,
		.key = &key,
		.disks = &disks->paths,
	};

	engine->conn_fd = supervisor_run(&start, err);
	/* From here on the supervisor and the kernel hold the lock. */
	close(engine->place.running_fd);
	engine->place.running_fd = -1;
	if (engine->conn_fd < 0)
		return -1;
	return supervisor_greet(engine->conn_fd, &engine->greeting, err);
}

static int check_running_disks(const struct engine *engine, const struct strlist *wanted,
			       struct error *err)
{
	for (size_t i = 0; i < wanted->nr; i++)
		if (!has(&engine->greeting.disks, wanted->items[i]))
			return err_set(err, ERR_IN_USE,
				       "the running appliance does not have the disk '%s'; unmount "
				       "and detach what keeps it running, or end it ('veneer "
				       "appliance stop')",
				       wanted->items[i]);
	return 0;
}

/* Returns 1 with a kernel, 0 when none runs, -1. */
static int take_over(struct engine *engine, struct error *err)
{
	struct error absent;

	engine->conn_fd = supervisor_connect(&engine->place, &absent);
	if (engine->conn_fd < 0) {
		if (absent.kind == ERR_NOT_FOUND)
			return 0;
		*err = absent;
		return -1;
	}
	if (supervisor_greet(engine->conn_fd, &engine->greeting, &absent) < 0) {
		close(engine->conn_fd); /* it is just ending: then the claim waits for that */
		engine->conn_fd = -1;
		return 0;
	}
	engine->taken_over = true;
	return 1;
}

static int check_other_store(const char *root, struct error *err)
{
	auto_free char *catalogue = xasprintf("%s/catalogue.db", root);

	if (access(catalogue, F_OK) == 0)
		return err_set(err, ERR_IN_USE,
			       "the store in '%s' was made without the appliance; use it with "
			       "--kernel host, or name another with --root",
			       root);
	return 0;
}

/* As the command will name them, but absolute. */
static int wanted_disks(const struct appliance_request *request, struct strlist *ret,
			struct error *err)
{
	auto_free char *folder = getcwd(NULL, 0);

	for (size_t i = 0; request->disks && request->disks[i]; i++) {
		if (*request->disks[i] == '/')
			strlist_add(ret, request->disks[i]);
		else if (folder)
			strlist_take(ret, xasprintf("%s/%s", folder, request->disks[i]));
		else
			return err_sys(err, errno, "current folder");
	}
	return 0;
}

static int start_engine(const struct appliance_request *request, struct engine *engine,
			int signal_fd, struct error *err)
{
	auto_kernel struct kernel kernel = { 0 };
	auto_disks struct disks disks = { 0 };
	auto_strlist struct strlist wanted = { 0 };

	if (wanted_disks(request, &wanted, err) < 0 || check_other_store(request->root, err) < 0 ||
	    place_open(request->root, &engine->place, err) < 0 ||
	    place_lock(&engine->place, signal_fd, err) < 0)
		return -1;
	switch (take_over(engine, err)) {
	case -1:
		return -1;
	case 1:
		return check_running_disks(engine, &wanted, err);
	default:
		break;
	}
	if (kernel_find(request->kernel, request->modules, request->memory_bytes, &kernel, err) <
		    0 ||
	    place_claim(&engine->place, signal_fd, err) < 0 ||
	    open_disks(&wanted, &engine->place, request->disk_bytes, &disks, err) < 0)
		return -1;
	return launch(engine, &kernel, &disks, err);
}

static void set_env(struct strlist *env, const char *name, const char *value)
{
	strlist_take(env, xasprintf("%s=%s", name, value));
}

static bool is_ours(const char *entry)
{
	static const char *const names[] = { "VENEER_ROOT=", "VENEER_KERNEL=", "VENEER_APPLIANCE=",
					     "DM_DISABLE_UDEV=" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void fill_env(const char *root, struct strlist *env)
{
	for (char **entry = environ; *entry; entry++)
		if (!is_ours(*entry))
			strlist_add(env, *entry);
	set_env(env, "VENEER_ROOT", root);
	set_env(env, "VENEER_KERNEL", "host");
	set_env(env, "VENEER_APPLIANCE", "1");
	set_env(env, "DM_DISABLE_UDEV", "1"); /* there is none inside */
}

static int fill_start(const struct appliance_request *request, const struct engine *engine,
		      struct channel_start *ret, struct error *err)
{
	char host[HOST_NAME_MAX + 1] = "";
	mode_t mask = umask(022);

	umask(mask);
	gethostname(host, sizeof(host) - 1);
	ret->root = xstrdup(engine->place.root);
	ret->modules = request->modules ? xstrdup(request->modules)
					: kernel_newest_modules(KERNEL_MODULES);
	if (!ret->modules)
		ret->modules = xstrdup("");
	ret->host = xstrdup(host);
	for (size_t i = 0; i < engine->greeting.disks.nr; i++)
		strlist_add(&ret->disks, engine->greeting.disks.items[i]);
	if (!request->exec) {
		ret->program = own_path(err);
		if (!ret->program)
			return -1;
	}
	for (char *const *word = request->argv; *word; word++)
		strlist_add(&ret->argv, *word);
	fill_env(engine->place.root, &ret->env);
	ret->cwd = getcwd(NULL, 0);
	if (!ret->cwd)
		ret->cwd = xstrdup("/"); /* it was removed */
	ret->umask = mask;
	ret->time = (uint64_t)time(NULL);
	return 0;
}

/* Room that the store gave up is the host's again. No failure: there is a next time. */
static void give_back(const struct place *place)
{
	auto_free char *path = xasprintf("%s/appliance/" PLACE_DISK, place->root);
	uint64_t bytes = 0;
	struct error err;

	if (trim_disk(path, &bytes, &err) < 0)
		log_debug("%s", err.text);
	else if (bytes)
		log_debug("gave %ju bytes of '%s' back", (uintmax_t)bytes, path);
}

/* The kernel's end, or its leave to stay. */
static int part(struct engine *engine, const struct talk *talk, struct error *err)
{
	if (talk->end.stays)
		return supervisor_tell(engine->conn_fd, SUPERVISOR_KEEP, err);
	if (talk->gone || supervisor_wait(engine->conn_fd, END_MS, err) == 0) {
		give_back(&engine->place);
		return 0;
	}
	supervisor_tell(engine->conn_fd, SUPERVISOR_KILL, err);
	err_set(err, ERR_IO, "the appliance did not switch off within %d s", END_MS / 1000);
	return place_add_console(&engine->place, err);
}

/* A disk in use belongs to the pool from now on; a pool that is gone has none. */
static int note_disks(const struct appliance_request *request, const struct place *place,
		      const struct channel_exit *end, struct error *err)
{
	auto_strlist struct strlist known = { 0 };
	size_t nr_before;

	if (request->forget_disks && end->status == 0)
		return place_write_disks(place, &known, err);
	if (end->disks.nr == 0)
		return 0;
	if (place_read_disks(place, &known, err) < 0)
		return -1;
	nr_before = known.nr;
	for (size_t i = 0; i < end->disks.nr; i++)
		if (!has(&known, end->disks.items[i]))
			strlist_add(&known, end->disks.items[i]);
	return known.nr > nr_before ? place_write_disks(place, &known, err) : 0;
}

/* Even a command that ended well may have left something unwritten. */
static void warn_of_full_disk(const struct place *place)
{
	if (place_disk_was_full(place))
		log_warn("the file system of '%s' became full while the appliance wrote to its "
			 "disk; make room there, then run 'veneer check'",
			 place->root);
}

static int serve_request(const struct appliance_request *request, int signal_fd, int *caught,
			 struct engine *engine, struct error *err)
{
	auto_talk struct talk talk = { .terminal.fd = -1 };
	struct channel_start start = { 0 };
	struct error parting;
	int result;

	if (start_engine(request, engine, signal_fd, err) < 0) {
		*caught = engine->place.caught;
		return -1;
	}
	talk_init(&talk, &engine->place, engine->greeting.line_fd, &engine->greeting.key,
		  engine->conn_fd, signal_fd);
	result = fill_start(request, engine, &start, err);
	if (result == 0)
		result = talk_greet(&talk, err);
	if (result == 0)
		result = talk_run(&talk, &start, request->reads_stdin, err);
	channel_start_done(&start);
	*caught = talk.caught;
	engine->vanished = engine->taken_over && talk.gone && !talk.ready;
	if (!talk.ended) {
		/* A kernel that was there before only ends the command; the closed connection says so. */
		if (!engine->taken_over &&
		    supervisor_tell(engine->conn_fd, SUPERVISOR_KILL, &parting) == 0)
			supervisor_wait(engine->conn_fd, KILL_MS, &parting);
		return -1;
	}
	if (part(engine, &talk, &parting) < 0 && result == 0) {
		*err = parting;
		return -1;
	}
	if (result < 0 || note_disks(request, &engine->place, &talk.end, err) < 0)
		return -1;
	return (int)(talk.end.status & 0xff);
}

static int run_request(const struct appliance_request *request, int signal_fd, int *caught,
		       struct error *err)
{
	for (;;) {
		auto_engine struct engine engine;
		int result;

		engine_init(&engine);
		result = serve_request(request, signal_fd, caught, &engine, err);
		if (engine.vanished)
			continue; /* the next one is ours */
		if (engine.conn_fd >= 0)
			warn_of_full_disk(&engine.place);
		return result;
	}
}

/* Descriptors 0 to 2 exist from here on, so that no other file becomes one of them. */
static void fill_standard_streams(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_RDONLY : O_RDWR) != fd)
			return;
}

/* Returns a descriptor that gives the signals, which are blocked from now on. */
static int open_signals(struct error *err)
{
	static const int numbers[] = { SIGINT,	SIGTERM, SIGHUP,   SIGQUIT,
				       SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };
	struct sigaction now;
	sigset_t mask;
	int fd;

	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		/* nohup and the like: what the caller ignores stays ignored */
		if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			continue;
		sigaddset(&mask, numbers[i]);
	}
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(err, errno, "wait for signals") : fd;
}

int appliance_run(const struct appliance_request *request, struct error *err)
{
	auto_fd int signal_fd = -1;
	int caught = 0, result;

	fill_standard_streams();
	signal_fd = open_signals(err);
	if (signal_fd < 0)
		return -1;
	result = run_request(request, signal_fd, &caught, err);
	return result < 0 && caught ? 128 + caught : result;
}

static int find_running(const char *root, struct engine *engine, int signal_fd, struct error *err)
{
	if (access(root, F_OK) < 0)
		return 0;
	if (place_open(root, &engine->place, err) < 0 ||
	    place_lock(&engine->place, signal_fd, err) < 0)
		return -1;
	return take_over(engine, err);
}

int appliance_stop(const char *root, bool force, struct error *err)
{
	auto_fd int signal_fd = open_signals(err);
	auto_engine struct engine engine;
	auto_talk struct talk talk = { .terminal.fd = -1 };
	struct error parting;
	int found;

	engine_init(&engine);
	found = signal_fd < 0 ? -1 : find_running(root, &engine, signal_fd, err);
	if (found <= 0)
		return found;
	talk_init(&talk, &engine.place, engine.greeting.line_fd, &engine.greeting.key,
		  engine.conn_fd, signal_fd);
	if (talk_greet(&talk, err) < 0 || talk_stop(&talk, force, err) < 0) {
		if (talk.gone && !talk.ready)
			return 0; /* by itself */
		/* One that does not even answer is of no use to anybody. */
		if (force)
			supervisor_tell(engine.conn_fd, SUPERVISOR_KILL, &parting);
		return -1;
	}
	if (part(&engine, &talk, err) < 0)
		return -1;
	if (talk.end.stays)
		return err_set(err, ERR_IN_USE,
			       "%ju volumes are mounted or attached in the appliance; unmount and "
			       "detach them first, or use --force",
			       (uintmax_t)talk.nr_attached);
	return 0;
}

static void disk_status(const struct place *place, struct appliance_status *ret)
{
	struct stat st;

	if (fstatat(place->dir_fd, PLACE_DISK, &st, 0) < 0)
		return;
	ret->disk_bytes = (uint64_t)st.st_size;
	ret->disk_used_bytes = (uint64_t)st.st_blocks * 512;
}

int appliance_status(const char *root, struct appliance_status *ret, struct error *err)
{
	auto_fd int signal_fd = open_signals(err);
	auto_engine struct engine engine;
	auto_talk struct talk talk = { .terminal.fd = -1 };
	int found;

	*ret = (struct appliance_status){ 0 };
	engine_init(&engine);
	found = signal_fd < 0 ? -1 : find_running(root, &engine, signal_fd, err);
	if (found < 0)
		return -1;
	if (engine.place.dir_fd >= 0)
		disk_status(&engine.place, ret);
	if (found == 0)
		return 0;
	talk_init(&talk, &engine.place, engine.greeting.line_fd, &engine.greeting.key,
		  engine.conn_fd, signal_fd);
	if (talk_greet(&talk, err) < 0)
		return talk.gone ? 0 : -1;
	ret->running = true;
	ret->nr_attached = (uint32_t)talk.nr_attached;
	return supervisor_tell(engine.conn_fd, SUPERVISOR_KEEP, err);
}
