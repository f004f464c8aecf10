# SPDX-License-Identifier: Apache-2.0
file("a")
file("d/b")
file("e/c")
file("f/g")
