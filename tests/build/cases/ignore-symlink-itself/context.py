# SPDX-License-Identifier: Apache-2.0
file("d/x")
symlink("l", "d")
symlink("k", "d")
