# SPDX-License-Identifier: Apache-2.0
file(" lead")
file("trail ")
file("new\nline")
file("-dash")
file("b\\s")
file("*")
file("n" * 255)
