# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("./", tarfile.DIRTYPE, {"mode": 0o711, "uid": 3, "gid": 4}), ("./n", "n\n")])
