# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("link/through", "x\n"), ("abslink/through2", "y\n")])
