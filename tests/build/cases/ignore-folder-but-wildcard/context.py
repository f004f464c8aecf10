# SPDX-License-Identifier: Apache-2.0
file("d/x")
file("d/y")
file("z")
