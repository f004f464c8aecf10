# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("old", "x", {"mtime": 1000000001}), ("epoch", "x", {"mtime": 0})])
