# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("link", tarfile.DIRTYPE), ("link/x", "x\n")])
