# SPDX-License-Identifier: Apache-2.0
tar("ctx.tar", [("Dockerfile", "FROM base\nCOPY f /made/\n"), ("f", "f\n")], "w:gz")
