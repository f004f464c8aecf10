# SPDX-License-Identifier: Apache-2.0
for name in ("a1", "a2", "a3", "ab", "b1", "b"):
    file(name)
