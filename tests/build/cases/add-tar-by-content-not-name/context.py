# SPDX-License-Identifier: Apache-2.0
file("no.tar.gz", "not an archive\n")
