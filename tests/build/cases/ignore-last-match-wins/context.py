# SPDX-License-Identifier: Apache-2.0
file("a.md")
file("README.md")
file("README-secret.md")
