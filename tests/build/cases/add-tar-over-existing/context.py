# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("file", "from the archive\n"), ("real", tarfile.DIRTYPE, {"mode": 0o700, "uid": 9, "gid": 9}), ("real/new", "n\n")])
