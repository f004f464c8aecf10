# SPDX-License-Identifier: Apache-2.0
file("a/x")
file("a/b/x")
file("a/b/c/x")
file("a/b/c/y")
