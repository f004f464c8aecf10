# SPDX-License-Identifier: Apache-2.0
import io
with tarfile.open(path("o.tar"), "w", format=tarfile.GNU_FORMAT) as archive:
    for name in ("n" * 150, "short"):
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.uid = 2, 1500000000, 3000000
        archive.addfile(info, io.BytesIO(b"x\n"))
