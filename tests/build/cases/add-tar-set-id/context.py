# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("s", "x", {"mode": 0o4755, "uid": 5, "gid": 6}), ("g", "x", {"mode": 0o2711}), ("t", tarfile.DIRTYPE, {"mode": 0o1777})])
