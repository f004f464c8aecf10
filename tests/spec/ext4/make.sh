#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# make.sh FOLDER - pairs of small ext4 images, and what changed between them
#
#	FOLDER/CASE/parent    256 KiB
#	FOLDER/CASE/child     the same, changed by debugfs
#	FOLDER/CASE/expected  lines as `diff` prints them; or the kind of error
#
# debugfs changes a directory's blocks but not its times, so that is done here.
set -euo pipefail

out=$(mkdir -p "$1" && cd "$1" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree" "$tree.log"' EXIT
base=none,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,dir_nlink,extra_isize

mkdir -p "$tree/a/sub" "$tree/b" "$tree/empty"
echo hello >"$tree/a/f"
head -c 9000 /dev/zero | tr '\0' x >"$tree/a/sub/large"
echo twice >"$tree/a/one-name"
ln "$tree/a/one-name" "$tree/b/other-name"
ln -s f "$tree/a/link"
touch -d @1000000000 "$tree"/a/* "$tree"/b/*

# begin NAME [FEATURES] - parent, and a child that is the same
begin() {
	pair=$out/$1
	mkdir -p "$pair"
	rm -f "$pair"/*
	mke2fs -q -F -t ext4 -b 4096 -I 256 -N 64 -m 0 -O "$base${2:+,$2}" -d "$tree" \
		"$pair/parent" 64 >"$tree.log"
	cp "$pair/parent" "$pair/child"
}

# change COMMAND... - each a command of debugfs, on the child
change() {
	local errors
	errors=$(printf '%s\n' "$@" | debugfs -w -f - "$pair/child" 2>&1 >/dev/null | sed 1d)
	[ -z "$errors" ] || { printf '%s: %s\n' "$pair" "$errors" >&2; exit 1; }
}

# expect LINE...
expect() {
	[ $# = 0 ] && : >"$pair/expected" || printf '%s\n' "$@" >"$pair/expected"
}

# where PATH - the byte in the image at which its inode is
where() {
	debugfs -R "imap $1" "$pair/child" 2>/dev/null |
		sed -n 's/.*located at block \([0-9]*\), offset \(0x[0-9a-f]*\)/\1 \2/p' |
		{ read -r block offset && echo $((block * 4096 + offset)); }
}

# poke OFFSET TEXT - into the child
poke() {
	printf '%s' "$2" | dd of="$pair/child" bs=1 seek="$1" conv=notrunc status=none
}

for features in '' metadata_csum inline_data; do
	suffix=${features:+-$features}

	begin "nothing$suffix" "$features"
	expect

	begin "mode-in-place$suffix" "$features"
	change 'set_inode_field a/sub/large mode 0100600'
	expect 'C a' 'C a/sub' 'C a/sub/large'

	begin "both-names$suffix" "$features"
	change 'set_inode_field a/one-name mode 0100600'
	expect 'C a' 'C a/one-name' 'C b' 'C b/other-name'

	begin "atime-only$suffix" "$features"
	change 'set_inode_field a/f atime 20300101000000'
	expect

	begin "content-same-size$suffix" "$features"
	change 'set_inode_field a/sub/large ctime 20300101000000'
	poke $(($(debugfs -R 'bmap a/sub/large 1' "$pair/child" 2>/dev/null) * 4096 + 17)) y
	expect 'C a' 'C a/sub' 'C a/sub/large'

	begin "attribute$suffix" "$features"
	change 'ea_set a/f user.x value'
	expect 'C a' 'C a/f'

	begin "added-and-deleted$suffix" "$features"
	change 'cd a' "write $0 new" 'mkdir dir' 'rm link' 'cd dir' 'mknod pipe p' \
		'symlink link target' 'set_inode_field /a mtime 20300101000000'
	expect 'C a' 'A a/dir' 'A a/dir/link' 'A a/dir/pipe' 'D a/link' 'A a/new'

	begin "tree-deleted$suffix" "$features"
	change 'unlink a/sub/large' 'rmdir a/sub' 'set_inode_field a mtime 20300101000000'
	expect 'C a' 'D a/sub'

	begin "renamed$suffix" "$features"
	change 'ln a/f b/f' 'unlink a/f' 'set_inode_field a mtime 20300101000000' \
		'set_inode_field b mtime 20300101000000'
	expect 'C a' 'D a/f' 'C b' 'A b/f'

	begin "other-kind$suffix" "$features"
	change 'rmdir empty' "write $0 empty" 'set_inode_field / mtime 20300101000000'
	expect 'C empty'

	# A name without a trace in its directory's inode: nothing leads there.
	begin "hidden-name$suffix" "$features"
	change 'cd b' 'mknod pipe p'
	case $features in
	inline_data) expect 'C b' 'A b/pipe' ;;
	*) expect corrupt ;;
	esac
done

begin journal
change 'feature needs_recovery'
expect unsupported

begin unknown-feature
change 'feature encrypt'
expect unsupported

begin marked-as-damaged
change 'set_super_value state 2'
expect corrupt

begin no-file-system
head -c 262144 /dev/zero >"$pair/child"
expect unsupported

begin cut-off
truncate -s 131072 "$pair/child"
expect corrupt

begin inode-checksum metadata_csum
poke $(($(where a/f) + 4)) y
expect corrupt

begin directory-checksum metadata_csum
change 'set_inode_field a ctime 20300101000000'
poke $(($(debugfs -R 'bmap a 0' "$pair/child" 2>/dev/null) * 4096 + 32)) y
expect corrupt
