# SPDX-License-Identifier: Apache-2.0
file("a", "1\n")
file("b", "2\n")
symlink("l", "b")
symlink("x/l", "b")
