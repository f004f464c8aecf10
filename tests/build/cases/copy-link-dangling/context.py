# SPDX-License-Identifier: Apache-2.0
symlink("nowhere", "gone")
