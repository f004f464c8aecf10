# SPDX-License-Identifier: Apache-2.0
import subprocess
tar("plain.tar", [("x", "zst\n")])
subprocess.run(["zstd", "-q", "--rm", path("plain.tar"), "-o", path("a.tar.zst")], check=True)
os.utime(path("a.tar.zst"), (1500000000, 1500000000))
