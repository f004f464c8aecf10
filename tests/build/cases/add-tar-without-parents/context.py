# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("a/b/c", "x\n")])
