# SPDX-License-Identifier: Apache-2.0
file("a.txt")
file("a.md")
