# SPDX-License-Identifier: Apache-2.0
file("a", "1\n")
file("b", "2\n")
symlink("l", "a")
symlink("x/l", "a")
