/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest - the appliance's first process: sets the system up and runs commands
 *
 * It takes commands from the line (appliance/channel.h) that the launcher
 * holds at the other end, one at a time, and switches the kernel off when a
 * command ended and nothing is mounted or attached.
 */
#ifndef APPLIANCE_GUEST_H
#define APPLIANCE_GUEST_H

/**
 * appliance_early - the parts that this program plays inside the appliance
 *
 * To be called first in main(). Never returns as the kernel's first process
 * (`init=PROGRAM -- --appliance-guest`); returns the exit status as its module
 * loader (/run/veneer/modprobe); otherwise -1, and the program goes on.
 */
int appliance_early(int argc, char **argv);

#endif
