# SPDX-License-Identifier: Apache-2.0
cap = bytes.fromhex("0100000200200000000000000000000000000000").decode("latin1")
tar("o.tar", [("prog", "x", {"mode": 0o755, "pax_headers": {"SCHILY.xattr.security.capability": cap}})])
