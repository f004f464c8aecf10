# SPDX-License-Identifier: Apache-2.0
file("s/f")
symlink("s/to-file", "f")
symlink("s/to-folder", "g")
file("s/g/h")
symlink("s/nowhere", "gone")
symlink("s/absolute", "/etc/passwd")
symlink("s/up", "../../..")
