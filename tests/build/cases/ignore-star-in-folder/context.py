# SPDX-License-Identifier: Apache-2.0
file("a.o")
file("d/b.o")
file("d/e/c.o")
