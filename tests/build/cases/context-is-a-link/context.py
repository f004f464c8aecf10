# SPDX-License-Identifier: Apache-2.0
file("real/Dockerfile", "FROM base\nCOPY . /made/\n")
file("real/f")
symlink("link", "real")
