# SPDX-License-Identifier: Apache-2.0
file("d/one")
file("e/four")
file("plain")
