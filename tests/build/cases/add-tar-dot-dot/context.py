# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("../escaped", "x\n")])
