# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("closed", "now a file\n")])
