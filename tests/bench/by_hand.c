/* SPDX-License-Identifier: Apache-2.0 */
/*
 * by_hand - snapshot, activate and mount with nothing but the ioctls that it takes
 *
 *	by_hand mount POOL ID ORIGIN SECTORS DIR	(POOL: "254:3")
 *	by_hand unmount POOL ID DIR
 *	by_hand layer POOL ID ORIGIN NAME
 *
 * `mount` prints the milliseconds between the first ioctl and the end of mount(2), `layer` those that
 * a snapshot of an active volume takes, and deletes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define NAME "by-hand"

struct request {
	struct dm_ioctl head;
	char data[1024];
};

static int control;

static int verb(struct request *request, unsigned long command, const char *what)
{
	request->head.version[0] = DM_VERSION_MAJOR;
	request->head.data_size = sizeof(*request);
	request->head.data_start = offsetof(struct request, data);
	if (ioctl(control, command, request) == 0)
		return 0;
	fprintf(stderr, "by_hand: %s: %s\n", what, strerror(errno));
	return -1;
}

static int message(const char *pool, const char *text)
{
	struct request request = { 0 };
	struct dm_target_msg *target = (void *)request.data;
	unsigned major, minor;

	if (sscanf(pool, "%u:%u", &major, &minor) != 2)
		return -1;
	request.head.dev = (uint64_t)makedev(major, minor);
	snprintf(target->message, sizeof(request.data) - sizeof(*target), "%s", text);
	return verb(&request, DM_TARGET_MSG, text);
}

static int of_device(const char *name, unsigned long command, unsigned flags, const char *what,
		     dev_t *ret)
{
	struct request request = { 0 };

	snprintf(request.head.name, sizeof(request.head.name), "%s", name);
	request.head.flags = flags;
	if (verb(&request, command, what) < 0)
		return -1;
	if (ret)
		*ret = (dev_t)request.head.dev;
	return 0;
}

static int simple(unsigned long command, unsigned flags, const char *what, dev_t *ret)
{
	return of_device(NAME, command, flags, what, ret);
}

static void print_since(const struct timespec *start)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.3f\n", 1e3 * (double)(end.tv_sec - start->tv_sec) +
				 1e-6 * (double)(end.tv_nsec - start->tv_nsec));
}

static int load_table(const char *pool, const char *id, const char *sectors)
{
	struct request request = { 0 };
	struct dm_target_spec *spec = (void *)request.data;

	snprintf(request.head.name, sizeof(request.head.name), NAME);
	request.head.flags = DM_READONLY_FLAG;
	request.head.target_count = 1;
	spec->length = strtoull(sectors, NULL, 10);
	memcpy(spec->target_type, "thin", sizeof("thin"));
	snprintf((char *)(spec + 1), 64, "%s %s", pool, id);
	return verb(&request, DM_TABLE_LOAD, "load");
}

static int mount_snapshot(char **argv)
{
	struct timespec start;
	char text[64], node[32];
	dev_t device = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	snprintf(text, sizeof(text), "create_snap %s %s", argv[3], argv[4]);
	if (message(argv[2], text) < 0 || simple(DM_DEV_CREATE, 0, "create", &device) < 0 ||
	    load_table(argv[2], argv[3], argv[5]) < 0 ||
	    simple(DM_DEV_SUSPEND, DM_READONLY_FLAG, "resume", NULL) < 0)
		return -1;
	snprintf(node, sizeof(node), "/dev/dm-%u", minor(device));
	if (mount(node, argv[6], "ext4", MS_RDONLY, "noload") < 0) {
		fprintf(stderr, "by_hand: mount %s: %s\n", node, strerror(errno));
		return -1;
	}
	print_since(&start);
	return 0;
}

static int take_layer(char **argv)
{
	struct timespec start;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &start);
	snprintf(text, sizeof(text), "create_snap %s %s", argv[3], argv[4]);
	if (of_device(argv[5], DM_DEV_SUSPEND, DM_SUSPEND_FLAG, "suspend", NULL) < 0 ||
	    message(argv[2], text) < 0 || of_device(argv[5], DM_DEV_SUSPEND, 0, "resume", NULL) < 0)
		return -1;
	print_since(&start);
	snprintf(text, sizeof(text), "delete %s", argv[3]);
	return message(argv[2], text);
}

static int unmount_snapshot(char **argv)
{
	char text[64];

	snprintf(text, sizeof(text), "delete %s", argv[3]);
	if (umount(argv[4]) < 0)
		return -1;
	return simple(DM_DEV_REMOVE, 0, "remove", NULL) < 0 ? -1 : message(argv[2], text);
}

int main(int argc, char **argv)
{
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (argc == 7 && strcmp(argv[1], "mount") == 0)
		return mount_snapshot(argv) < 0;
	if (argc == 5 && strcmp(argv[1], "unmount") == 0)
		return unmount_snapshot(argv) < 0;
	if (argc == 6 && strcmp(argv[1], "layer") == 0)
		return take_layer(argv) < 0;
	fprintf(stderr, "usage: by_hand mount POOL ID ORIGIN SECTORS DIR | unmount POOL ID DIR | "
			"layer POOL ID ORIGIN NAME\n");
	return 2;
}
