# SPDX-License-Identifier: Apache-2.0
file("Dockerfile", b"\xef\xbb\xbfFROM base\nENV A=1\n")
