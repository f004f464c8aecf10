# SPDX-License-Identifier: Apache-2.0
file("a.txt")
file("b")
file("d/c.txt")
file("d/e")
file("d/f")
