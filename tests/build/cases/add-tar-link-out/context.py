# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("l", tarfile.SYMTYPE, {"linkname": "/etc"}), ("l/f", "x\n")])
