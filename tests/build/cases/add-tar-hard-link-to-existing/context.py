# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("hard", tarfile.LNKTYPE, {"linkname": "real/old", "mtime": 1600000000})])
