#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pool as XML for thin_restore: snapshots that share blocks, an empty volume, holes.

With the argument "total": the number of distinct data blocks instead.
"""
import random
import sys

random.seed(20)
next_data = 0


def write(volume, start, length, step=1):
    global next_data
    for block in range(start, start + length * step, step):
        volume[block] = next_data
        next_data += 1


def discard(volume, start, length):
    for block in range(start, start + length):
        volume.pop(block, None)


pool = {1: {}}
write(pool[1], 0, 700)
pool[2] = dict(pool[1])
write(pool[2], 300, 40)
discard(pool[2], 500, 100)
pool[3] = dict(pool[2])
write(pool[3], 1 << 30, 300, 3)
pool[4] = {}
pool[5] = dict(pool[1])
for _ in range(150):
    write(pool[5], random.randrange(2000), 2)
    discard(pool[5], random.randrange(2000), 3)

if sys.argv[1:] == ["total"]:
    print(len({data for volume in pool.values() for data in volume.values()}))
    sys.exit()
print('<superblock uuid="" time="5" transaction="9" data_block_size="128" nr_data_blocks="32768">')
for number, volume in pool.items():
    print(f'<device dev_id="{number}" mapped_blocks="{len(volume)}" transaction="{number}" '
          f'creation_time="0" snap_time="{number}">')
    for block in sorted(volume):
        print(f'<single_mapping origin_block="{block}" data_block="{volume[block]}" time="1"/>')
    print('</device>')
print('</superblock>')
