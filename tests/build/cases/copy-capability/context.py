# SPDX-License-Identifier: Apache-2.0
file("prog", "x", 0o755)
capability("prog")
