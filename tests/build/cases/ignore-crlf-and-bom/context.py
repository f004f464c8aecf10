# SPDX-License-Identifier: Apache-2.0
file("a")
file("b")
file("c")
file(".dockerignore", b"\xef\xbb\xbfa\r\nb\r\nDockerfile\r\n.dockerignore\r\n")
