#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# inside.sh - the part of power.sh that runs in the kernel: from one power cut to the next
#
# usage: inside.sh WORK PREPARE COMMAND...
#
# WORK is a folder of the host, so what is in it outlives the kernel:
#
#	old new		the two states between which there is none
#	passages	the crash points on the way, "NUMBER NAME"
#	cuts		those that are left to be made
#	pending		the one that was made; absent when the kernel must not have died
#	go		there when the host may cut the power: the seconds to wait
#	report		what went wrong
#
# and ../content what each layer held when nothing had happened yet: CHAINID SUM...
#
# One call looks at what the last cut has left, then makes the next one. It ends
# with 0 when no cut is left, with 3 when something was wrong. A file of the host
# has what was written when it was closed.
#
# POWER_DAMAGE is what happens to the pool before COMMAND, which repairs it.
# POWER_AGAIN is a pattern for what COMMAND says when it finds its work done already.
#
# Starting a process is what takes time in this kernel: bash does what it can itself.
set -uo pipefail
shopt -s nullglob globstar

work=$1
prepare=$2
shift 2
archives=${work%/*}
mnt=$VENEER_ROOT/mnt

wrong() {
	printf '%s\n' "$*" >>"$work/report"
	exit 3
}

# text FILE - in $out
text() {
	out=
	read -r -d '' out <"$1"
}

# must COMMAND... - its standard output is in $out, standard error in /run/errors
must() {
	local status=0
	"$@" >/run/out 2>/run/errors || status=$?
	text /run/errors
	[ $status = 0 ] || wrong "$where: exit status $status of: $*
$(</run/out)
$out"
	text /run/out
}

# names FOLDER - in $out
names() {
	local files=("$1"/*)
	out=${files[*]##*/}
}

# What a store is, in $state. What the config of an imported image holds is the time, too.
look() {
	local pool=none blobs files images
	names "$VENEER_ROOT/blobs/sha256"
	blobs=$out
	if [ "$prepare" = no_name ]; then
		files=("$VENEER_ROOT/blobs/sha256"/*)
		blobs=${#files[@]}
	fi
	if [ -e "$VENEER_ROOT/pool.json" ]; then
		must "$VENEER" pool status --format '{{.Health}} {{.DataTotal}} {{.MetadataTotal}} volumes={{.Volumes}} views={{.Views}} work={{.Work}} unknown={{.Unknown}} used={{.DataUsed}}'
		pool=$out
	fi
	# How much of a writable view was written when the power went is nobody's promise.
	[[ $pool != *views=[1-9]* ]] || pool=${pool% used=*}
	must "$VENEER" images --format '{{.Repository}}:{{.Tag}}'
	images=$out
	must "$VENEER" layers --no-trunc --human=false --format '{{.ThinID}} {{.ChainID}} {{.OwnSize}}'
	layers=()
	[ -z "$out" ] || mapfile -t layers <<<"$out"
	out=${layers[*]#* }
	state="pool $pool; images ${images//$'\n'/ }; layers $out; blobs $blobs"
	must "$VENEER" ps -a --format '{{.Names}}'
	state+="; containers ${out//$'\n'/ }."
}

# tidy STATE - nothing is there that only a running command may have
tidy() {
	local folder entry
	for folder in sessions tmp chains mounts containers volumes disks; do
		names "$VENEER_ROOT/$folder"
		[ -z "$out" ] || wrong "$where: left in $folder: $out"
	done
	for entry in "$VENEER_ROOT"/*; do
		case ${entry##*/} in
		blobs | catalogue.db | catalogue.db-wal | catalogue.db-shm | chains | lock | lost+found | mnt) ;;
		containers | disks | mounts | pool | pool.json | pool.damaged | sessions | tmp) ;;
		verity | volumes) ;;
		*) wrong "$where: left in the root: $entry" ;;
		esac
	done
	for entry in /sys/block/dm-*/dm/name; do
		text "$entry"
		case $out in
		*-pool | *-data | *-meta) ;;
		*) [[ $1 = *views=1* ]] || wrong "$where: left active: $out" ;;
		esac
	done
	[ -e "$VENEER_ROOT/pool.json" ] || [ ! -e "$VENEER_ROOT/pool" ] || wrong "$where: files of no pool"
}

# Each layer's file system is whole, and the top one's holds what it did.
check_layers() {
	local pool=(/dev/mapper/veneer-*-pool) layer id chain known
	for layer in ${layers[@]+"${layers[@]}"}; do
		read -r id chain _ <<<"$layer"
		dmsetup create --noudevsync --readonly crash --table "0 $((256 * 2048)) thin ${pool[0]} $id" ||
			wrong "$where: layer $chain does not start"
		e2fsck -fn /dev/mapper/crash >/run/errors 2>&1 ||
			wrong "$where: layer $chain is damaged: $(</run/errors)"
		if [ "$layer" = "${layers[-1]}" ]; then
			mount -t ext4 -o ro,noload /dev/mapper/crash "$mnt" ||
				wrong "$where: layer $chain does not mount"
			must sha256sum "$mnt"/etc/* "$mnt"/data/* "$mnt"/random
			umount "$mnt"
			out=${out//$'\n'/ }
			known=
			while read -r -a line; do
				[ "${line[0]}" != "$chain" ] || known=${line[*]:1}
			done <"$archives/content"
			if [ -z "$known" ]; then
				printf '%s %s\n' "$chain" "$out" >>"$archives/content"
			elif [ "$known" != "${out//  / }" ]; then
				wrong "$where: layer $chain held $known, and holds $out"
			fi
		fi
		dmsetup remove --noudevsync crash
	done
}

learn_layers() {
	local chain
	[ ${#layers[@]} != 0 ] || return 0
	read -r _ chain _ <<<"${layers[-1]}"
	grep -q "^$chain " "$archives/content" || check_layers
}

# Of a writable view a power cut leaves the writes, and that is all there is to say. And at any moment
# the kernel may have blocks in hand that belong to nobody (driver/volume.h): nothing is lost, and a
# repair gives them back.
check() {
	local status=0
	"$VENEER" "$@" check >/run/out 2>/run/errors || status=$?
	text /run/out
	if [[ $where = random* && $out =~ ^[0-9]+\ KiB\ of\ the\ pool\ belong\ to\ no\ volume$ ]]; then
		must "$VENEER" check --repair
		status=0
		"$VENEER" "$@" check >/run/out 2>/run/errors || status=$?
		text /run/out
	fi
	[ $status = 1 ] && [[ $out = *"is recorded, but not there: its writes are kept"* && $out != *$'\n'* ]] && return
	text /run/errors
	[ $status = 0 ] && [ ! -s /run/out ] || wrong "$where: check: exit status $status
$(</run/out)
$out"
}

# said TEXT - the recovery has, at debug level
said() {
	[[ $(</run/errors) = *"$1"* ]] || wrong "$where: the recovery did not say '$1'"
}

# COMMAND once more: it does its work, or finds it done.
repeat() {
	local status=0
	"$@" >/run/out 2>&1 || status=$?
	[ $status = 0 ] && return
	text /run/out
	[[ -n ${POWER_AGAIN:-} && $out =~ $POWER_AGAIN ]] || wrong "$where: repeated: exit status $status
$out"
}

# Before a repair has come to its end, no other command takes the pool for a whole one.
refused_or_whole() {
	if "$VENEER" mount small:1 "$mnt" >/run/out 2>&1; then
		must "$VENEER" unmount "$mnt"
		check
		look
		check_layers
	else
		text /run/out
		[[ $out = *'veneer check --repair'* ]] || wrong "$where: mount: $out"
	fi
}

# What the kernel before this one has left is the old state or the new one.
look_back() {
	local old new kind number nr odd=
	text "$work/old"
	old=$out
	text "$work/new"
	new=$out
	text "$work/pending"
	where=$out
	read -r kind number _ <<<"$where"
	# A second import makes a second image.
	[ "$kind" != point ] || [ $((number % 2)) = 0 ] || [ "$prepare" = no_name ] || odd=yes
	if [ -n "$POWER_DAMAGE" ]; then
		refused_or_whole
		repeat "$@"
	elif [ -n "$odd" ]; then
		repeat "$@"
	fi
	check -D
	case $where in
	*point*[02468]\ journal-advanced) said 'roll transaction' ;;
	*point*[02468]\ layer-intended) said 'undo creation' ;;
	esac
	# Repeated, it has made in this kernel what the power cut had ended.
	tidy "${odd:+$new}"
	look
	check_layers
	nr=${#layers[@]}
	if [ "$state" = "$old" ] && [ "$kind" != end ] && [ -z "$odd" ]; then
		repeat "$@"
		look
		[ ${#layers[@]} -le $nr ] || check_layers
	fi
	[ "$state" = "$new" ] || wrong "$where: neither the old state nor the new one
old $old
new $new
now $state"
	rm "$work/pending"
}

# The two states, and where to cut.
measure() {
	local old started ended
	where='before any cut'
	look
	$prepare
	look
	old=$state
	learn_layers
	$POWER_DAMAGE
	started=${EPOCHREALTIME/./}
	VENEER_CRASH_AT='?' VENEER=$VENEER_CRASH must "$@"
	ended=${EPOCHREALTIME/./}
	awk '$1 == "crash" { print ++nr, $3 }' /run/errors >"$work/passages"
	duration=$((ended - started))
	look
	learn_layers
	printf '%s\n' "$state" >"$work/new"
	printf '%s\n' "$old" >"$work/old"
}

# Lines of "point NUMBER NAME", "end" and "random SECONDS".
choose_cuts() {
	local n wait_us
	if [ -n "$POWER_LONG" ]; then
		sed 's/^/point /' "$work/passages"
	else
		awk -v only="$POWER_POINTS" '$2 ~ only && !seen[$2]++ { print "point", $0 }' "$work/passages"
	fi
	echo end
	RANDOM=$POWER_SEED
	for ((n = 0; n < POWER_RANDOM; n++)); do
		wait_us=$((duration * (RANDOM % 1100) / 1000))
		printf 'random %d.%06d\n' $((wait_us / 1000000)) $((wait_us % 1000000))
	done
}

# The next cut; only "no cut is left" comes back from here.
cut() {
	local kind number left
	mapfile -t left <"$work/cuts"
	[ ${#left[@]} != 0 ] || exit 0
	where=${left[0]}
	unset 'left[0]'
	printf '%s\n' ${left[@]+"${left[@]}"} >"$work/cuts"
	[ ${#left[@]} != 0 ] || : >"$work/cuts"
	read -r kind number _ <<<"$where"
	$prepare
	if [ -n "$POWER_LONG" ]; then
		look
		text "$work/old"
		[ "$state" = "$out" ] || wrong "prepared for '$where': not the old state
wanted $out
got    $state"
	fi
	$POWER_DAMAGE
	printf '%s\n' "$where" >"$work/pending"
	case $kind in
	point)
		VENEER_CRASH_POWER=1 VENEER_CRASH_AT="*:$number" VENEER=$VENEER_CRASH "$@" >/dev/null 2>&1
		;;
	end)
		"$@" >/dev/null 2>&1 && echo c >/proc/sysrq-trigger
		;;
	random)
		printf '%s\n' "$number" >"$work/go"
		"$@" >/dev/null 2>&1
		sleep 30
		;;
	esac
	rm "$work/pending"
	wrong "$where: the power was not cut"
}

run() { "$VENEER" "$@"; }

no_others() {
	local name
	for name in plain:1 second:1; do
		[[ $state != *" $name"* ]] || must "$VENEER" rmi $name
	done
}

# empty, loaded, ...: from what look() has seen to the store before the command
pool() {
	[[ $state = 'pool ok'* ]] || must "$VENEER" pool create --files "$1" --volume-size 256M
}
no_views() {
	pool 1G
	mkdir -p "$mnt"
	if [[ $state = *views=[1-9]* ]]; then
		"$VENEER" unmount "$mnt" >/dev/null 2>&1 || must "$VENEER" detach name
	fi
}
empty() {
	no_views
	no_others
	[[ $state != *' small:1'* ]] || must "$VENEER" rmi -f small:1
}
loaded() {
	no_views
	no_others
	[[ $state = *' small:1'* ]] || must "$VENEER" load -q -i "$archives/small.tar"
}
# As loaded; what the time is part of is not looked at by name.
no_name() {
	loaded
}
mounted() {
	loaded
	must "$VENEER" mount --rw small:1 "$mnt"
	printf '%0300000d' 0 >"$mnt/written"
}
attached() {
	loaded
	must "$VENEER" attach --rw --name name small:1
}
# Its image was used before: it has what containers are made from.
no_container() {
	loaded
	[[ $state = *'containers one.'* ]] || must "$VENEER" create --name one small:1 true
	must "$VENEER" rm one
}
unused() {
	no_container
	must "$VENEER" create --name one small:1 true
}
no_pool() {
	must "$VENEER" pool destroy --force
	state='pool none'
}
large_loaded() {
	[[ $state = *' 1073741824 '* ]] || no_pool
	loaded
}
small_pool() {
	no_pool
	pool 256M
}

# The pool's metadata after a failed commit: flag 1 of the superblock, with its checksum. With
# "more", the tree of the bitmaps of used blocks is garbage, too.
needs_check() {
	must "$VENEER" pool deactivate
	perl - "$VENEER_ROOT/pool/meta" "${1:-}" <<'END' || wrong 'metadata not damaged'
open(my $file, '+<:raw', $ARGV[0]) or die;
seek($file, 1 << 20, 0); # behind the header
read($file, my $block, 4096) == 4096 or die;
substr($block, 4, 4) = pack('V', unpack('V', substr($block, 4, 4)) | 1);
my $crc = 0xffffffff;
for my $byte (unpack('C*', substr($block, 4))) {
	$crc ^= $byte;
	$crc = $crc & 1 ? ($crc >> 1) ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
}
substr($block, 0, 4) = pack('V', $crc ^ 160774);
seek($file, 1 << 20, 0);
print $file $block;
if ($ARGV[1]) {
	seek($file, (1 << 20) + 4096 * unpack('Q<', substr($block, 80, 8)), 0);
	print $file 'garbage' x 500;
}
close($file) or die;
END
}
damaged() {
	needs_check more
}

mkdir -p "$work"
if [ -e "$work/pending" ]; then
	look_back "$@"
elif [ ! -e "$work/cuts" ]; then
	measure "$@"
	choose_cuts >"$work/cuts"
	wc -l <"$work/cuts" >"$work/number"
fi
cut "$@"
