# SPDX-License-Identifier: Apache-2.0
file("v.txt", "first\n", 0o600)
