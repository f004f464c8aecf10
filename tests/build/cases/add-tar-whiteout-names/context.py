# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [(".wh.file", ""), ("beside-it", "x\n")])
