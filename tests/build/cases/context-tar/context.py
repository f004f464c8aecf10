# SPDX-License-Identifier: Apache-2.0
tar("ctx.tar", [("Dockerfile", "FROM base\nCOPY d /made/\n"), ("d", tarfile.DIRTYPE), ("d/f", "f\n", {"uid": 7, "gid": 8, "mode": 0o640}), ("d/l", tarfile.SYMTYPE, {"linkname": "f"})])
