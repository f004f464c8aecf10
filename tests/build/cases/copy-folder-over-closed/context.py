# SPDX-License-Identifier: Apache-2.0
file("m/new", mode=0o604)
folder("m/sub", 0o750)
folder("m", 0o777)
