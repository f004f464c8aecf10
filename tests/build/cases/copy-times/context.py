# SPDX-License-Identifier: Apache-2.0
file("m/old", "x", mtime=1)
file("m/epoch", "x", mtime=0)
file("m/mid", "x", mtime=1234567890)
symlink("m/l", "old", mtime=1111111111)
