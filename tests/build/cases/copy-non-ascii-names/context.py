# SPDX-License-Identifier: Apache-2.0
file("grün.txt")
file("日本.txt")
file("tab\there.txt")
file("quo\"te")
