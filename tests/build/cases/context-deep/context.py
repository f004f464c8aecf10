# SPDX-License-Identifier: Apache-2.0
file("/".join(["d%02d" % n for n in range(40)]) + "/f")
