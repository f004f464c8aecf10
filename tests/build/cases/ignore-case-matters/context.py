# SPDX-License-Identifier: Apache-2.0
file("A")
file("a")
