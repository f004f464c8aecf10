# SPDX-License-Identifier: Apache-2.0
import gzip
file("text.gz", gzip.compress(b"only text\n" * 200, mtime=0))
