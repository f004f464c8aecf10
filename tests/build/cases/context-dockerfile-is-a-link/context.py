# SPDX-License-Identifier: Apache-2.0
file("real", "FROM base\nENV A=1\n")
symlink("alias", "real")
