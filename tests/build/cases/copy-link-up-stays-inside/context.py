# SPDX-License-Identifier: Apache-2.0
file("etc/passwd", "the context's\n")
symlink("up", "../../../..")
