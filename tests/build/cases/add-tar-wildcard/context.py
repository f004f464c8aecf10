# SPDX-License-Identifier: Apache-2.0
tar("one.tar", [("1", "1\n")])
tar("two.tar", [("2", "2\n")])
