# SPDX-License-Identifier: Apache-2.0
file("f")
symlink("l1", "f")
file("g/h")
symlink("l2", "g")
