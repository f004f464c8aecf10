# SPDX-License-Identifier: Apache-2.0
# The files that every case has which does not make its own.
file("a.txt", "a\n")
file("b.txt", "b\n")
file("tool.sh", "#!/bin/sh\necho tool\n", 0o755)
file("secret", "s3cret\n", 0o600)
file("d/one", "one\n")
file("d/two", "two\n", 0o640)
file("d/sub/three", "three\n")
symlink("d/link", "one")
folder("d/empty", 0o711)
file("deep/er/est/x", "x\n")
file("e/one", "e's one\n")
file("e/four", "four\n")
symlink("link", "a.txt")
symlink("dlink", "d")
tar("arc.tar", [
    ("t", tarfile.DIRTYPE, {"mode": 0o750, "uid": 7, "gid": 8}),
    ("t/f", "in the archive\n", {"uid": 1000, "gid": 1001, "mode": 0o600}),
    ("t/l", tarfile.SYMTYPE, {"linkname": "f"}),
    ("t/h", tarfile.LNKTYPE, {"linkname": "t/f", "uid": 1000, "gid": 1001, "mode": 0o600}),
])
