# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("/abs/f", "x\n")])
