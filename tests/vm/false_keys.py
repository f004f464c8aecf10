#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""false_keys.py ARCHIVE KEY... - an image that veneer saved gets a false history

The entries of its history with layers get these keys, any JSON, from the first that has one.
"""
import hashlib
import io
import json
import sys
import tarfile


def put(archive, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def main():
    path, keys = sys.argv[1], [json.loads(key) for key in sys.argv[2:]]
    with tarfile.open(path) as archive:
        members = {entry.name: archive.extractfile(entry).read()
                   for entry in archive if entry.isfile()}
    manifest = json.loads(members.pop("manifest.json"))
    config = json.loads(members.pop(manifest[0]["Config"]))
    for entry in config["history"]:
        if keys and "veneer.step" in entry:
            entry["veneer.step"] = keys.pop(0)
    text = json.dumps(config).encode()
    manifest[0]["Config"] = hashlib.sha256(text).hexdigest() + ".json"
    members[manifest[0]["Config"]] = text
    members["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            put(archive, name, data)


main()
