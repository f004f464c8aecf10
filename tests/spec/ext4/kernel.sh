#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# kernel.sh - makes kernel.tar.xz beside it: a small ext4 that Linux filled
#
# It was called in the appliance's kernel, as `veneer appliance exec tests/spec/ext4/kernel.sh`;
# what it made is kept, so that the unit tests have the kernel's own bytes where no kernel can be
# started. test_ext4w_kernel.c says what it looks for in it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
mkdir "$work/mnt"
trap 'umount "$work/mnt" 2>/dev/null; rm -rf "$work"' EXIT
features=none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super
features+=,large_file,huge_file,dir_nlink,extra_isize,metadata_csum

truncate -s 32M "$work/kernel.img"
mke2fs -q -F -b 4096 -I 256 -m 0 -J size=4 -i 16384 -E lazy_itable_init=1,nodiscard -O "$features" \
	-U 11111111-2222-3333-4444-555555555555 "$work/kernel.img"
mount -o loop,noinit_itable,user_xattr,acl "$work/kernel.img" "$work/mnt"
sync
stat -f -c '%f %d' "$work/mnt" >"$work/free"
cd "$work/mnt"

# Kinds, owners, times, attributes: one inode each, without content.
mkdir k
ln -s "$(printf '%059d' 7)" k/fast # all of i_block
mknod k/small c 5 1
mknod k/large b 300 70000
mknod k/fifo p
for name in plain early late cap user two acl block shared; do : >"k/$name"; done
chown 4294967294:65536 k/plain
chmod 6755 k/plain
setcap cap_net_raw+ep k/cap
setfattr -n user.small -v value k/user
setfattr -n user.small -v value k/two
setfattr -n trusted.other -v 'another value' k/two
setfacl -m u:1000:rwx,g:70000:r k/acl
for name in block shared; do
	setfattr -n user.long -v "$(printf '%0900d' 7)" "k/$name"
	setfattr -n user.b -v second "k/$name"
	setfattr -n trusted.c -v third "k/$name"
done
touch -h -d '2020-02-02 02:02:02.123456789 UTC' k/*
touch -d '1901-12-14 00:00:00.5 UTC' k/early
touch -d '2446-05-10 22:38:55.999999999 UTC' k/late

# Directories: an index, with half of its names removed, and an index of two levels. Extents: in the
# inode, in nodes, in nodes below a node.
python3 - <<'END'
import os
for folder in "many", "deep":
    os.mkdir(folder)
for i in range(700):
    open(f"many/file-{i}", "w").close()
for i in range(0, 700, 2):
    os.unlink(f"many/file-{i}")
open("deep/first", "w").close()
for i in range(6500):
    os.link("deep/first", f"deep/{i:0240}")
for nr in 4, 300, 2000:
    fd = os.open(f"holes-{nr}", os.O_RDWR | os.O_CREAT, 0o644)
    for i in range(nr):
        os.pwrite(fd, b"x", i * 8192)
    os.fsync(fd)
END
printf content >small
truncate -s 1T sparse

cd /
umount "$work/mnt"
# Of the journal only its beginning matters when nothing is to be replayed.
seq -f 'zap_block -f <8> %.0f' 1 1023 | debugfs -w -f - "$work/kernel.img" >/dev/null
e2fsck -fn "$work/kernel.img"
debugfs -R 'htree /deep' "$work/kernel.img" | grep -a 'Indirect levels'
tar --create --sparse --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$work" kernel.img free |
	xz -9e >"$here/kernel.tar.xz"
ls -l "$here/kernel.tar.xz"
