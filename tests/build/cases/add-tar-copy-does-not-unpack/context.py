# SPDX-License-Identifier: Apache-2.0
tar("small.tar", [("y", "y\n")])
