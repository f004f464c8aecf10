# SPDX-License-Identifier: Apache-2.0
file("d/x")
file("d/e/x")
file("d/y")
