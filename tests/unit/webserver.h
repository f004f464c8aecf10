/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webserver - for tests of what downloads: a server of ours on the loopback, in a process
 *
 * It answers one request after the other, by its path.
 */
#ifndef WEBSERVER_H
#define WEBSERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "unit.h"

struct webserver {
	pid_t pid;
	int port;
};

struct webanswer {
	const char *path;
	const char *text; /* status line, headers, body; NULL: the request comes back as body */
	bool stall;	  /* says nothing more, and does not end */
};

static inline void web_write(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t done = send(fd, data, len, MSG_NOSIGNAL);

		if (done <= 0)
			return;
		data += done;
		len -= (size_t)done;
	}
}

static inline void web_answer(int fd, const struct webanswer *answers)
{
	char request[8192] = { 0 }, path[512] = { 0 }, rest[64];
	size_t len = 0;
	ssize_t got;

	while (len + 1 < sizeof(request) && !strstr(request, "\r\n\r\n")) {
		got = read(fd, request + len, sizeof(request) - 1 - len);
		if (got <= 0)
			return;
		len += (size_t)got;
	}
	if (sscanf(request, "GET %511s", path) != 1)
		return;
	for (; answers->path; answers++)
		if (strcmp(answers->path, path) == 0)
			break;
	if (answers->path && answers->text)
		web_write(fd, answers->text, strlen(answers->text));
	else if (answers->path)
		dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", len, request);
	else
		dprintf(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n");
	if (!answers->path || !answers->stall)
		shutdown(fd, SHUT_WR);
	/* Until the other side has had enough: a close before that would reset the connection. */
	while (read(fd, rest, sizeof(rest)) > 0)
		;
}

static inline int web_listen(int backlog, int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_EQUAL_FATAL(0, bind(fd, (struct sockaddr *)&address, len));
	CU_ASSERT_EQUAL_FATAL(0, listen(fd, backlog));
	CU_ASSERT_EQUAL_FATAL(0, getsockname(fd, (struct sockaddr *)&address, &len));
	*ret_port = ntohs(address.sin_port);
	return fd;
}

/* @answers: ends with a path of NULL */
static inline struct webserver web_start(const struct webanswer *answers)
{
	struct webserver server;
	auto_fd int fd = web_listen(16, &server.port);

	server.pid = fork();
	CU_ASSERT_FATAL(server.pid >= 0);
	if (server.pid)
		return server;
	for (;;) {
		int client = accept(fd, NULL, NULL);

		if (client < 0)
			_exit(1);
		web_answer(client, answers);
		close(client);
	}
}

static inline void web_stop(struct webserver *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
}
#define auto_webserver __attribute__((cleanup(web_stop)))

#endif
