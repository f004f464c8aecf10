# SPDX-License-Identifier: Apache-2.0
symlink("r/file", "elsewhere")
symlink("r/filelink", "elsewhere")
