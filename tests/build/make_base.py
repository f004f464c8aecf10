#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_base.py BUSYBOX FILE - the images that the Dockerfile cases begin from

Writes a docker-archive, the same bytes in every run, with

    bare      busybox as /bin/busybox and /bin/sh, and nothing else
    base      a small system around it, with odd places for COPY to go to
    parent    the same with every field of the configuration set
    trigger   the same with ONBUILD instructions
"""
import hashlib
import io
import json
import sys
import tarfile

sys.dont_write_bytecode = True
from corpus import put_entry  # noqa: E402 - no __pycache__ among the sources

TIME = 1_600_000_000
APPLETS = ("cat chmod chown cp echo env false head id ln ls mkdir mv rm readlink sleep sort stat "
           "test touch tr true uname wc").split()
PASSWD = """root:x:0:0:root:/root:/bin/sh
daemon:x:1:1::/:/bin/false
app:x:1000:1001::/home/app:/bin/sh
staff:x:1002:1003::/:/bin/sh
"""
GROUP = """root:x:0:
daemon:x:1:
staff:x:50:app
appgroup:x:1001:
extra:x:2000:app
"""


def make_layer(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content, fields in entries:
            put_entry(archive, name, content, {"mtime": TIME, **fields})
    return out.getvalue()


def folder(name, mode=0o755, uid=0, gid=0):
    return name, tarfile.DIRTYPE, {"mode": mode, "uid": uid, "gid": gid}


def symlink(name, target):
    return name, tarfile.SYMTYPE, {"linkname": target, "mode": 0o777}


def make_image(name, layer, config):
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2020-09-13T12:26:40Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        "history": [{"created": "2020-09-13T12:26:40Z", "created_by": "made by make_base.py"}],
    }
    return name + ":latest", layer, json.dumps(document).encode()


def put(archive, name, data):
    info = tarfile.TarInfo(name)
    info.mtime = TIME
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def main():
    with open(sys.argv[1], "rb") as source:
        busybox = source.read()
    bare = [folder("bin"), ("bin/busybox", busybox, {"mode": 0o755}),
            symlink("bin/sh", "busybox")]
    system = bare + [symlink("bin/" + name, "busybox") for name in APPLETS] + [
        folder("dev"), folder("proc"), folder("sys"), folder("etc"), folder("root", 0o700),
        folder("run"), folder("tmp", 0o1777), folder("home"), folder("home/app", 0o755, 1000, 1001),
        ("etc/passwd", PASSWD, {}), ("etc/group", GROUP, {}),
        ("etc/hosts", "", {}), ("etc/hostname", "", {}), ("etc/resolv.conf", "", {}),
        folder("real"), ("real/old", "old\n", {}),
        symlink("link", "real"), symlink("abslink", "/real"), symlink("outside", "../../../real"),
        symlink("dangling", "real/made"), symlink("loop", "loop"),
        folder("closed", 0o700, 1000, 1001), ("closed/old", "old\n", {"uid": 1000, "gid": 1001}),
        folder("closed/sub", 0o711, 5, 6), ("file", "the base's\n", {}),
        symlink("filelink", "file"),
    ]
    bare_layer, layer = make_layer(bare), make_layer(system)
    path = "PATH=/bin"
    images = [
        make_image("bare", bare_layer, {}),
        make_image("base", layer, {"Env": [path], "Cmd": ["sh"]}),
        make_image("parent", layer, {
            "Env": [path, "FROM_PARENT=1", "CHANGED=parent"],
            "Entrypoint": ["/bin/echo", "entry"], "Cmd": ["parent"],
            "User": "app", "WorkingDir": "/home/app",
            "Labels": {"parent": "yes", "changed": "parent"},
            "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/vol": {}},
            "StopSignal": "SIGINT",
            "Healthcheck": {"Test": ["CMD", "true"], "Interval": 30000000000},
        }),
        make_image("trigger", layer, {
            "Env": [path], "Cmd": ["sh"],
            "OnBuild": ["ARG WHO=nobody", "ENV TRIGGERED=$WHO", "COPY a.txt /triggered/",
                        "RUN echo $WHO >/triggered/who"],
        }),
    ]
    with tarfile.open(sys.argv[2], "w", format=tarfile.USTAR_FORMAT) as archive:
        manifest = []
        layers = {}
        for name, layer, config in images:
            layers[hashlib.sha256(layer).hexdigest() + ".tar"] = layer
            config_name = hashlib.sha256(config).hexdigest() + ".json"
            put(archive, config_name, config)
            manifest.append({"Config": config_name, "RepoTags": [name],
                             "Layers": [hashlib.sha256(layer).hexdigest() + ".tar"]})
        for name, layer in layers.items():
            put(archive, name, layer)
        put(archive, "manifest.json", json.dumps(manifest).encode())


main()
