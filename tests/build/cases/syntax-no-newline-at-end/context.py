# SPDX-License-Identifier: Apache-2.0
file("Dockerfile", "FROM base\nENV A=1")
