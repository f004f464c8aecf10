# SPDX-License-Identifier: Apache-2.0
file("sub/x")
file("y")
