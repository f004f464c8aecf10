# SPDX-License-Identifier: Apache-2.0
file("big", bytes(range(256)) * 5000)
