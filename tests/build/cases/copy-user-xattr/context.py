# SPDX-License-Identifier: Apache-2.0
file("f", "x")
xattr("f", "user.note", b"text")
