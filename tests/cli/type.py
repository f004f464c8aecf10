#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""type.py STEP... -- COMMAND... - runs a command at a terminal and types what it asks for.

A step is PROMPT=TEXT: once the prompt is shown, the text and a return are typed; PROMPT=^C types
the key that interrupts, PROMPT=!15 sends signal 15. Prints what the terminal showed, then a line
with the exit status and whether the terminal echoes.
"""
import os
import pty
import select
import sys
import termios
import time

split = sys.argv.index("--")
steps, command = sys.argv[1:split], sys.argv[split + 1:]
master, slave = os.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    import fcntl
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.execvp(command[0], command)

shown = b""
deadline = time.monotonic() + 30


def show_until(text):
    global shown
    begin = len(shown)
    while text not in shown[begin:]:
        if time.monotonic() > deadline or not select.select([master], [], [], 1)[0]:
            if time.monotonic() > deadline:
                sys.exit(f"never shown: {text!r}, but {shown!r}")
            continue
        shown += os.read(master, 4096)


for step in steps:
    prompt, text = step.split("=", 1)
    show_until(prompt.encode())
    if text == "^C":
        os.write(master, b"\x03")
    elif text.startswith("!"):
        os.kill(pid, int(text[1:]))
    else:
        os.write(master, text.encode() + b"\n")
while True:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if select.select([master], [], [], 0.05)[0]:
        shown += os.read(master, 4096)
    elif ended:
        break
    if time.monotonic() > deadline:
        sys.exit(f"does not end: {shown!r}")
    if ended:
        while select.select([master], [], [], 0.2)[0]:
            shown += os.read(master, 4096)
        break
echo = bool(termios.tcgetattr(slave)[3] & termios.ECHO)
sys.stdout.write(shown.decode().replace("\r\n", "\n"))
print(f"[{os.waitstatus_to_exitcode(status)} {'echo' if echo else 'no echo'}]")
