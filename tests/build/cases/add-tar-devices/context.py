# SPDX-License-Identifier: Apache-2.0
tar("o.tar", [("c", tarfile.CHRTYPE, {"devmajor": 1, "devminor": 3, "mode": 0o666}), ("p", tarfile.FIFOTYPE), ("b", tarfile.BLKTYPE, {"devmajor": 7, "devminor": 300})])
