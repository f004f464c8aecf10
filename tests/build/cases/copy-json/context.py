# SPDX-License-Identifier: Apache-2.0
file("a.txt", "a\n")
file("with space", "s\n")
