# SPDX-License-Identifier: Apache-2.0
tar("whole.tar", [("f", "x" * 5000), ("g", "y" * 5000)])
file("cut.tar", open(path("whole.tar"), "rb").read()[:7000])
