#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""catalogue.py ROOT VENEER - a catalogue of 5,000 images and 20,000 layers

VENEER makes the empty catalogue, so the schema is the program's own. Every
image has one name and five layers, the base shared with 24 others.
"""
import hashlib
import os
import sqlite3
import subprocess
import sys

IMAGES = 5_000
LAYERS = 20_000
BASES = 200  # base layers that many images share
START_NS = 1_700_000_000_000_000_000


def digest(kind, number):
    return "sha256:" + hashlib.sha256(f"{kind} {number}".encode()).hexdigest()


def layers_of(image):
    """Numbers of its layers from the base up: a shared one, then three or four of its own."""
    own = LAYERS - BASES
    return [image % BASES] + list(range(BASES + image * own // IMAGES, BASES + (image + 1) * own // IMAGES))


def fill(db):
    parents = {}
    for image in range(IMAGES):
        chain = layers_of(image)
        for below, layer in zip([None] + chain, chain):
            parents[layer] = below
    order = sorted(parents)
    db.executemany(
        "INSERT INTO thin (id, kind, state, txid, origin) VALUES (?, 'layer', 'live', ?, 1)",
        ((layer + 2, layer + 1) for layer in order))
    db.executemany(
        "INSERT INTO layer (chain_id, parent, diff_id, thin_id, tar_bytes, content_bytes, own_bytes,"
        " created_ns, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'RUN step')",
        ((digest("chain", layer), None if parents[layer] is None else digest("chain", parents[layer]),
          digest("diff", layer), layer + 2, 1_000_000 + layer, 900_000 + layer, 65536 * (layer % 300),
          START_NS + layer) for layer in order))
    for image in range(IMAGES):
        chain = layers_of(image)
        db.execute(
            "INSERT INTO image (id, top, created_ns, size_bytes, architecture, os)"
            " VALUES (?, ?, ?, ?, 'amd64', 'linux')",
            (digest("image", image), digest("chain", chain[-1]), START_NS + image * 10**9, 5_000_000 + image))
        db.executemany("INSERT INTO image_layer VALUES (?, ?, ?)",
                       ((digest("image", image), at, digest("chain", layer)) for at, layer in enumerate(chain)))
        repository = f"registry.example/team{image % 50}/app{image % 700}"
        db.execute("INSERT INTO reference (name, repository, tag, image) VALUES (?, ?, ?, ?)",
                   (f"{repository}:v{image}", repository, f"v{image}", digest("image", image)))
    db.execute("UPDATE meta SET value = ? WHERE key = 'next_thin'", (LAYERS + 2,))


def main():
    root, veneer = sys.argv[1:]
    os.makedirs(root)
    # An empty one is a new one. Without, veneer makes no store for a kernel that has no pools.
    open(os.path.join(root, "catalogue.db"), "x").close()
    subprocess.run([veneer, "--root", root, "images"], check=True, stdout=subprocess.DEVNULL)
    db = sqlite3.connect(os.path.join(root, "catalogue.db"), isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN")
    fill(db)
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


main()
