# SPDX-License-Identifier: Apache-2.0
file("f", "x\n", 0o640)
owner("f", 1234, 5678)
os.utime(path("f"), (1500000000, 1500000000))
