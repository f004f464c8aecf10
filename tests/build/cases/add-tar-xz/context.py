# SPDX-License-Identifier: Apache-2.0
tar("a.txt", [("x", "xz\n")], "w:xz")
