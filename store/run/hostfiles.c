/* SPDX-License-Identifier: Apache-2.0 */
#include "run/hostfiles.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "limits.h"

#define USUAL_HOSTS                                   \
	"127.0.0.1\tlocalhost\n"                      \
	"::1\tlocalhost ip6-localhost ip6-loopback\n" \
	"fe00::\tip6-localnet\n"                      \
	"ff00::\tip6-mcastprefix\n"                   \
	"ff02::1\tip6-allnodes\n"                     \
	"ff02::2\tip6-allrouters\n"

void hostfiles_hosts(const char *before, const struct strlist *add_host, struct buf *ret)
{
	buf_puts(ret, before ? before : USUAL_HOSTS);
	if (ret->len && ret->data[ret->len - 1] != '\n')
		buf_putc(ret, '\n');
	for (size_t i = 0; add_host && i < add_host->nr; i++) {
		const char *entry = add_host->items[i];
		size_t len = strcspn(entry, ":=");
		const char *address = entry + len + (entry[len] != '\0');
		bool bracket = *address == '[';

		buf_printf(ret, "%.*s\t%.*s\n", (int)strcspn(address + bracket, "]"),
			   address + bracket, (int)len, entry);
	}
}

static int put(const char *folder, const char *name, const struct buf *text,
	       struct bundle_mounts *mounts, struct error *err)
{
	auto_free char *path = xasprintf("%s/%s", folder, name);
	auto_free char *target = xasprintf("/etc/%s", name);

	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_set(err, ERR_IO, "write '%s'", path);
	if (text->len && io_write(fd, text->data, text->len, err) < 0)
		return -1;
	bundle_mounts_add(mounts, path, target, false, "rprivate");
	return 0;
}

int hostfiles_write(const struct hostfiles *args, const char *folder, struct bundle_mounts *mounts,
		    struct error *err)
{
	auto_buf struct buf hosts = { 0 };
	auto_buf struct buf before = { 0 };
	auto_buf struct buf resolv = { 0 };
	auto_buf struct buf name = { 0 };
	struct error ignored;

	if (args->own_network ||
	    io_read_file(AT_FDCWD, "/etc/hosts", LIMIT_HOSTS_BYTES, &before, &ignored) < 0)
		buf_reset(&before);
	hostfiles_hosts(before.len ? before.data : NULL, args->add_host, &hosts);
	for (size_t i = 0; args->dns && i < args->dns->nr; i++)
		buf_printf(&resolv, "nameserver %s\n", args->dns->items[i]);
	if (!resolv.len &&
	    io_read_file(AT_FDCWD, "/etc/resolv.conf", LIMIT_HOSTS_BYTES, &resolv, &ignored) < 0)
		buf_reset(&resolv);
	buf_printf(&name, "%s\n", args->hostname);
	if (put(folder, "hosts", &hosts, mounts, err) < 0 ||
	    put(folder, "resolv.conf", &resolv, mounts, err) < 0)
		return -1;
	return put(folder, "hostname", &name, mounts, err);
}
