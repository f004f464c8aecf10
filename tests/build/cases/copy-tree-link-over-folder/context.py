# SPDX-License-Identifier: Apache-2.0
symlink("r/closed", "/real")
