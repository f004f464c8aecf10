# SPDX-License-Identifier: Apache-2.0
tar("ctx.tar", [("sub/Other", "FROM base\nCOPY . /made/\n"), ("f", "f\n"), ("g", "g\n"), (".dockerignore", "g\nsub\n.dockerignore\n")])
