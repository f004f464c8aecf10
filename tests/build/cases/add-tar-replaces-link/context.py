# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("filelink", "no link now\n"), ("file", tarfile.SYMTYPE, {"linkname": "real/old"})])
