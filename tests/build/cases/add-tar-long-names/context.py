# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("n" * 120 + "/" + "m" * 200, "x\n"), ("l", tarfile.SYMTYPE, {"linkname": "t" * 180})])
