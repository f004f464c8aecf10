# SPDX-License-Identifier: Apache-2.0
file("arr[0].txt")
file("arr0.txt")
