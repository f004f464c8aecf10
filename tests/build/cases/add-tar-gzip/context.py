# SPDX-License-Identifier: Apache-2.0
tar("a", [("x", "gz\n", {"uid": 3, "gid": 4})], "w:gz")
