# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("f", "f\n", {"uid": 7, "gid": 8, "uname": "app", "gname": "staff"})])
