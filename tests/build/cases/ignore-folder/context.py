# SPDX-License-Identifier: Apache-2.0
file("a")
file("d/a")
file("d/e/f")
file("x/d/a")
