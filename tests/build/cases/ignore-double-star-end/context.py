# SPDX-License-Identifier: Apache-2.0
file("a/x")
file("a/b/x")
file("b")
