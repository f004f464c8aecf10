# SPDX-License-Identifier: Apache-2.0
file("d/keep")
file("d/drop")
file("d/e/keep")
file("f")
