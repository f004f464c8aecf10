# SPDX-License-Identifier: Apache-2.0
for n in range(700):
    file("m/%04d" % n, "%d\n" % n)
