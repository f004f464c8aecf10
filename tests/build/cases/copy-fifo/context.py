# SPDX-License-Identifier: Apache-2.0
fifo("p/pipe")
file("p/f")
