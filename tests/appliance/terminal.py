#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""terminal.py PROGRAM - commands in the appliance, with a terminal around them.

Each case waits for a text, then presses keys or changes the window, and looks
at what was shown in the end, at the exit status, and at the terminal's state.
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

PROGRAM = sys.argv[1]
DEADLINE_S = 60


def resize(rows, columns):
    def act(_pid, fd):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    return act


def press(keys):
    return lambda _pid, fd: os.write(fd, keys)


def terminate(pid, _fd):
    os.kill(pid, signal.SIGTERM)


def run(argv, steps):
    """Returns what was shown, and the exit status."""
    begin, go = os.pipe()
    pid, fd = pty.fork()
    if pid == 0:
        os.close(go)
        os.read(begin, 1)  # until the window has its size
        os.execv(argv[0], argv)
    os.close(begin)
    resize(33, 99)(pid, fd)
    os.close(go)
    shown, start, steps = b"", time.monotonic(), list(steps)
    while time.monotonic() - start < DEADLINE_S:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        if steps and steps[0][0] in shown:
            steps.pop(0)[1](pid, fd)
    else:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return shown.decode(errors="replace"), status


def inside(script):
    return [PROGRAM, "appliance", "exec", "sh", "-c", script]


def outside(script):
    return ["/bin/sh", "-c", script.replace("INSIDE", f"'{PROGRAM}' appliance exec sh -c")]


LOOP = "echo ready; while :; do sleep 0.1; done"
CASES = [
    ("all three are a terminal of the same size",
     inside("test -t 0 && test -t 1 && test -t 2 && stty size"), [], "33 99\r\n", 0),
    ("a line is read and echoed once",
     inside('echo ready; read x; echo "got $x"; exit 3'), [(b"ready", press(b"hello\r"))],
     "ready\r\nhello\r\ngot hello\r\n", 3),
    ("the interrupt key reaches the command",
     inside(f'trap "echo INT; exit 9" INT; {LOOP}'), [(b"ready", press(b"\x03"))],
     "ready\r\n^CINT\r\n", 9),
    ("the interrupt key without a handler",
     inside(LOOP), [(b"ready", press(b"\x03"))], "ready\r\n^C", 130),
    ("a new window size is told",
     inside(f'trap "stty size; exit 4" WINCH; {LOOP}'), [(b"ready", resize(40, 120))],
     "ready\r\n40 120\r\n", 4),
    ("a signal from outside",
     inside(f'trap "echo TERM; exit 5" TERM; {LOOP}'), [(b"ready", terminate)],
     "ready\r\nTERM\r\n", 5),
    ("end of file by a key",
     inside("echo ready; cat; echo end"), [(b"ready", press(b"\x04"))], "ready\r\nend\r\n", 0),
    ("standard output in a pipe is none",
     outside("INSIDE 'test -t 1 || echo none; test -t 0 && test -t 2 && exit 0' | cat"), [],
     "none\r\n", 0),
    ("the terminal is as it was before",
     outside("before=$(stty -g); INSIDE 'stty raw -echo'; test \"$before\" = \"$(stty -g)\""
             " && echo same"), [], "same\r\n", 0),
    ("the terminal is as it was before, after a kill inside",
     outside("before=$(stty -g); INSIDE 'kill -9 $$'; echo $?; test \"$before\" = \"$(stty -g)\""
             " && echo same"), [], "137\r\nsame\r\n", 0),
]

failed = 0
for name, argv, steps, wanted, wanted_status in CASES:
    shown, status = run(argv, steps)
    if shown != wanted or status != wanted_status:
        failed += 1
        print(f"{name}: shown {shown!r}, status {status}; wanted {wanted!r}, {wanted_status}")
sys.exit(failed != 0)
