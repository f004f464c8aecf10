# SPDX-License-Identifier: Apache-2.0
file("r/filelink", "replaced\n")
file("r/dangling", "replaced\n")
