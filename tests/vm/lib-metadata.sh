# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# lib-metadata.sh - damage to the metadata of a stopped pool on files: source it after lib.sh

# meta_block WHAT [ID] - the number of a block of the metadata of the stopped pool: "mapping" and
# "details" are roots of trees, "bitmap" is the index of the metadata's own space map, "leaf" a leaf
# in the middle of a volume's tree that no other volume has
meta_block() {
	perl - "$VENEER_ROOT/pool/meta" "$@" <<'END'
my ($path, $what, $id) = @ARGV;
open(my $file, '<:raw', $path) or die;
sub block { # the blocks are behind the header
	my $block;
	seek($file, (1 << 20) + 4096 * $_[0], 0);
	read($file, $block, 4096) == 4096 or die;
	return $block;
}
sub node { # its flags, keys and values of 8 bytes
	my $block = block($_[0]);
	my ($flags, $nr, $max) = unpack('x4 V x8 V V', $block);
	return $flags, [unpack("x32 Q$nr", $block)], [unpack('x' . (32 + 8 * $max) . " Q$nr", $block)];
}
if ($what eq 'superblock') {
	print 0;
	exit;
}
my $super = block(0);
my %root = (mapping => 320, details => 328, bitmap => 192 + 16);
if ($root{$what}) {
	print unpack("x$root{$what} Q", $super);
	exit;
}
my (undef, $ids, $roots) = node(unpack('x320 Q', $super));
my (%users, @mine);
for my $i (0 .. $#$ids) {
	my ($flags, undef, $leaves) = node($roots->[$i]);
	my @leaves = $flags & 1 ? @$leaves : ($roots->[$i]);
	$users{$_}++ for @leaves;
	@mine = @leaves if $ids->[$i] == $id;
}
@mine = grep { $users{$_} == 1 } @mine;
print $mine[@mine / 2];
END
}
damage() { # WHAT [ID]
	local block
	block=$(meta_block "$@")
	check 'a block to damage' test -n "$block"
	head -c 4096 /dev/zero | tr '\0' U |
		dd of="$VENEER_ROOT/pool/meta" bs=4096 seek=$((256 + block)) conv=notrunc,fsync status=none
}
