# SPDX-License-Identifier: Apache-2.0
file("m/f")
folder("m/d")
symlink("m/l", "f")
for name in ("m/f", "m/d", "m/l", "m"):
    owner(name, 1234, 5678)
