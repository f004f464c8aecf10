# SPDX-License-Identifier: Apache-2.0
for mode in (0o000, 0o400, 0o644, 0o777):
    file("m/%04o" % mode, "x", mode)
folder("m/dir0700", 0o700)
folder("m/dir1777", 0o1777)
