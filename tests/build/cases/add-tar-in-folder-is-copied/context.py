# SPDX-License-Identifier: Apache-2.0
tar("s/x.tar", [("y", "y\n")])
