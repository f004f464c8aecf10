# SPDX-License-Identifier: Apache-2.0
file("h/one", "linked\n")
hardlink("h/two", "h/one")
hardlink("h/sub/three", "h/one")
