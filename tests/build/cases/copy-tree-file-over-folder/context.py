# SPDX-License-Identifier: Apache-2.0
file("r/closed", "now a file\n")
