# SPDX-License-Identifier: Apache-2.0
file("keep")
file("drop")
file("d/keep")
