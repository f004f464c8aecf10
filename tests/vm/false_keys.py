#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""carry.py LAYER_TAR BASES IMAGE ARCHIVE [KEY...] - an image leaves the store of VENEER_ROOT

Writes a docker-archive of IMAGE, which was built above an image of the archive BASES;
LAYER_TAR is the program that emits a layer. With KEYs the history is a false one: its
entries with layers get these keys, any JSON, from the first that has one.
"""
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile


def put(archive, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def next_chain(chain, diff_id):
    if not chain:
        return diff_id
    return "sha256:" + hashlib.sha256(("%s %s" % (chain, diff_id)).encode()).hexdigest()


def main():
    layer_tar, bases, image, path = sys.argv[1:5]
    root, veneer = os.environ["VENEER_ROOT"], os.environ["VENEER"]
    inspect = json.loads(subprocess.check_output([veneer, "image", "inspect", image]))[0]
    with open("%s/blobs/sha256/%s" % (root, inspect["Id"].split(":")[1]), "rb") as blob:
        text = blob.read()
    config = json.loads(text)
    keys = [json.loads(key) for key in sys.argv[5:]]
    for entry in config["history"]:
        if keys and "veneer.step" in entry:
            entry["veneer.step"] = keys.pop(0)
            text = json.dumps(config).encode()
    layers, chain = [], ""
    with tarfile.open(path, "w") as archive, tarfile.open(bases) as below:
        for diff_id in config["rootfs"]["diff_ids"]:
            chain = next_chain(chain, diff_id)
            name = diff_id.split(":")[1] + ".tar"
            if name in below.getnames():
                data = below.extractfile(name).read()
            else:
                data = subprocess.check_output([layer_tar, root, chain])
            if name not in layers:
                put(archive, name, data)
            layers.append(name)
        name = hashlib.sha256(text).hexdigest() + ".json"
        put(archive, name, text)
        put(archive, "manifest.json", json.dumps(
            [{"Config": name, "RepoTags": inspect["RepoTags"], "Layers": layers}]).encode())


main()
