# SPDX-License-Identifier: Apache-2.0
file("a")
folder("empty", 0o700)
file("f/g/h", mode=0o400)
symlink("l", "f/g")
