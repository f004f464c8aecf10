/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - tell systemd how a service fares, where it asks for that
 *
 * Without libsystemd, which would be half of what a waiting process has in memory.
 * Source: sd_notify(3), "Notes": the protocol is one datagram to $NOTIFY_SOCKET.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdint.h>

/* state: "READY=1", several lines too. Where nobody asked, or nobody listens, nothing happens. */
void notify_send(const char *state);

/* How often this process has to send "WATCHDOG=1", in milliseconds: half of what is asked; 0: never. */
int64_t notify_watchdog_ms(void);

#endif
