#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_many.py COUNT - a tar of so many empty files to stdout"""
import sys
import tarfile

TIME = 1_700_000_000


def main():
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.USTAR_FORMAT, bufsize=1 << 20) as tar:
        for number in range(int(sys.argv[1])):
            info = tarfile.TarInfo(f"many/d{number // 20000}/p{number // 100 % 200}/module-{number}.bin")
            info.mtime = TIME
            tar.addfile(info)


main()
