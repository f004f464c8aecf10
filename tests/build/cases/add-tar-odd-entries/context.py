# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("./", tarfile.DIRTYPE, {"mode": 0o700, "uid": 3, "gid": 3}), ("./a", "a\n"), ("./d/./e", "e\n"), ("a", "again\n"), ("d//f", "f\n")])
