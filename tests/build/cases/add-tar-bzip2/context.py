# SPDX-License-Identifier: Apache-2.0
tar("a.any", [("x", "bz\n")], "w:bz2")
