# SPDX-License-Identifier: Apache-2.0
file("m/suid", "x", 0o4755)
file("m/sgid", "x", 0o2755)
