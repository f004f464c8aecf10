#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""odd.py - image archives that no sane tool writes

usage: odd.py bad FOLDER     archives that must be refused, and FOLDER/cases: a line
                             "KIND<TAB>FILE<TAB>what the error must contain" for each
       odd.py layers FOLDER  NAME.tar: the layers alone that must be refused, and FOLDER/cases:
                             a line "NAME<TAB>what the error must contain" for each
       odd.py legal FOLDER   archives that must be taken, NAME.tar, with NAME.tree:
                             the tree as `odd.py list` must print it
       odd.py tiny NR        on stdout: an archive with one layer of NR tiny files
       odd.py bomb MIB       on stdout: an archive whose one layer, a megabyte or so,
                             unpacks to a file of MIB MiB
       odd.py list FOLDER    a tree, one line for each entry, everything a tar can say
       odd.py peak COMMAND…  runs it and prints the KiB of memory that it had at most

Headers are written byte by byte here, since tarfile would not write most of them.
"""
import bz2
import copy
import gzip
import hashlib
import io
import json
import lzma
import os
import resource
import stat
import struct
import subprocess
import sys

BLOCK = 512


# ---- tar ----

def pad(data):
    return data + b"\0" * (-len(data) % BLOCK)


def number(value, width):
    """Octal where it fits, else base 256 as GNU tar writes it."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return (value & (1 << 8 * width - 1) - 1 | 1 << 8 * width - 1).to_bytes(width, "big")


def header(name, kind=b"0", size=0, mode=0o644, uid=0, gid=0, mtime=0, link=b"", dev=(0, 0),
           raw_size=None, checksum=None):
    if isinstance(name, str):
        name = name.encode()
    if isinstance(link, str):
        link = link.encode()
    block = bytearray(BLOCK)
    block[0:100] = name[:100].ljust(100, b"\0")
    block[100:108] = number(mode, 8)
    block[108:116] = number(uid, 8)
    block[116:124] = number(gid, 8)
    block[124:136] = raw_size if raw_size is not None else number(size, 12)
    block[136:148] = number(mtime, 12)
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157:257] = link[:100].ljust(100, b"\0")
    block[257:265] = b"ustar\00000"
    block[329:337] = number(dev[0], 8)
    block[337:345] = number(dev[1], 8)
    block[148:156] = b"%06o\0 " % (sum(block) if checksum is None else checksum)
    return bytes(block)


def record(key, value):
    if isinstance(value, str):
        value = value.encode()
    body = b" " + key.encode() + b"=" + value + b"\n"
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def pax(**records):
    data = b"".join(record(key.replace("__", "."), value) for key, value in records.items())
    return header("PaxHeader", b"x", len(data)) + pad(data)


def pax_of(records):
    data = b"".join(record(key, value) for key, value in records)
    return header("PaxHeader", b"x", len(data)) + pad(data)


def entry(name, data=b"", kind=b"0", **fields):
    return header(name, kind, len(data), **fields) + pad(data)


def folder(name, mode=0o755, **fields):
    return header(name, b"5", mode=mode, **fields)


def tar(*parts):
    return b"".join(parts) + b"\0" * 2 * BLOCK


# ---- images ----

def hex_of(data):
    return hashlib.sha256(data).hexdigest()


def digest(data):
    return "sha256:" + hex_of(data)


def dump(value):
    return json.dumps(value).encode()


def config_of(layers, **more):
    config = {"architecture": "amd64", "os": "linux", "config": {},
              "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}}
    config.update(more)
    return dump(config)


def docker(layers, name="odd:1", config=None, manifest=None, blobs=None, first=b"", **entry_more):
    """A docker-archive; blobs are the layers' bytes in it where they differ from the tars."""
    config = config_of(layers) if config is None else config
    blobs = layers if blobs is None else blobs
    image = {"Config": "config.json", "RepoTags": [name],
             "Layers": ["%d.tar" % at for at in range(len(blobs))]}
    image.update(entry_more)
    manifest = dump([image]) if manifest is None else manifest
    return tar(first, entry("config.json", config), entry("manifest.json", manifest),
               *[entry("%d.tar" % at, blob) for at, blob in enumerate(blobs)])


LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def descriptor(data, media, **more):
    return {"mediaType": media, "digest": digest(data), "size": len(data), **more}


class Oci:
    """An OCI layout in the making: every document that is added becomes a blob."""

    def __init__(self):
        self.members = {}

    def blob(self, data):
        self.members["blobs/sha256/" + hex_of(data)] = data
        return data

    def image(self, layers, blobs=None, media=LAYER, config=None, descriptors=None):
        blobs = layers if blobs is None else blobs
        config = self.blob(config_of(layers) if config is None else config)
        for blob in blobs:
            self.blob(blob)
        descriptors = descriptors or [descriptor(blob, media) for blob in blobs]
        return self.blob(dump({"schemaVersion": 2, "mediaType": MANIFEST,
                               "config": descriptor(config, CONFIG), "layers": descriptors}))

    def index(self, *entries):
        self.members["index.json"] = dump({"schemaVersion": 2, "manifests": list(entries)})
        self.members["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'

    def finish(self, manifest, name="odd:1"):
        self.index(descriptor(manifest, MANIFEST, annotations={
            "io.containerd.image.name": "docker.io/library/" + name}))
        return self.tar()

    def tar(self):
        return tar(*[entry(name, data) for name, data in self.members.items()])


def oci(layers, **more):
    layout = Oci()
    return layout.finish(layout.image(layers, **more))


def zst(data):
    return subprocess.run(["zstd", "-q", "-c", "-"], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


def gz(data):
    return gzip.compress(data, mtime=0)


# ---- what must be refused ----

def noise(size):
    """Bytes that do not compress, the same each time."""
    return b"".join(hashlib.sha256(b"%d" % at).digest() for at in range(size // 32))


GOOD = tar(folder("etc"), entry("etc/motd", b"hello\n"), entry("data", noise(300000)))
NO_MANIFEST = "invalid archive: does not contain a manifest.json"


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1:]


def bad_containers():
    whole = docker([GOOD])
    yield "empty", b"", "empty.tar: it is empty"
    yield "text", b"this is no archive\n" * 100, "text.tar: not a tar archive"
    yield "short-text", b"hello", "not a tar archive"
    yield "zeros", b"\0" * 10240, NO_MANIFEST
    yield "noise", noise(20000), "not a tar archive"
    yield "cut-in-layer", whole[:200000], "Truncated"
    yield "cut-in-config", whole[:700], "Truncated"
    yield "cut-in-header", whole[:1400], "Truncated"
    yield "broken-header", flip(whole, 1024 + 30), "Damaged tar archive"
    yield "cut.gz", gz(whole)[:100000], "gzip data: unexpected end"
    yield "cut-at-end.gz", gz(whole)[:-4], "gzip data: unexpected end"
    yield "cut.zst", zst(whole)[:100000], "zstd data: unexpected end"
    yield "cut.xz", lzma.compress(whole)[:100000], "xz data: unexpected end"
    yield "cut.bz2", bz2.compress(whole)[:100000], "bzip2 data: unexpected end"
    yield "flipped.gz", flip(gz(whole), 150000), "gzip data"
    yield "flipped.zst", flip(zst(whole), 150000), "zstd data"
    yield "checksum.gz", flip(gz(whole), len(gz(whole)) - 6), "gzip data: checksum"
    yield "garbage-behind.gz", gz(whole) + b"garbage", "gzip data: garbage"
    yield "only-repositories", tar(entry("repositories", b'{"x":{"1":"ab"}}'),
                                   entry("ab/layer.tar", GOOD)), NO_MANIFEST
    yield "root-file-system", GOOD, NO_MANIFEST
    yield "zip", b"PK\3\4" + noise(5000), "not a tar archive"


def bad_members():
    yield "member-outside", docker([GOOD], first=entry("../../outside/planted", b"x")), \
        "leaves the root"
    yield "member-link-outside", docker([GOOD], first=header(
        "out", b"2", link="../../../../../../../../etc")), "leaves the root"
    yield "config-outside", docker([GOOD], Config="../../../../../../etc/passwd"), \
        "image config: path"
    yield "config-absolute", docker([GOOD], Config="/etc/passwd"), "no '/etc/passwd'"
    yield "layer-outside", docker([GOOD], Layers=["../0.tar"]), "leaves the root"
    yield "layer-missing", docker([GOOD], Layers=["9.tar"]), "layer 0: archive has no '9.tar'"
    yield "layer-circle", docker([GOOD], Layers=["a"], first=header("a", b"2", link="b") + header(
        "b", b"2", link="a")), "no 'a'"
    yield "layer-folder", docker([GOOD], Layers=["a"], first=folder("a")), "no 'a'"
    yield "member-name-too-long", docker([GOOD], first=pax(path="n" * 5000) + entry("x")), \
        "name is longer"
    yield "members-too-many", docker([GOOD], first=header("m") * 65540), \
        "more than 65536 members"
    yield "member-negative", docker([GOOD], first=header("x", raw_size=b"\xff" * 12)), "negative size"
    yield "member-absurd", docker([GOOD], first=header(
        "x", raw_size=b"\x80\0\0\0\x7f" + b"\xff" * 7)), "overflow"
    holes = b"0\n0\n" * 1200000
    yield "member-sparse-map", docker([GOOD], first=pax_of(
        [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "x"),
         ("GNU.sparse.realsize", "0")]) + entry("x", pad(b"1200000\n" + holes))), \
        "headers of one entry"


def bad_manifests():
    def with_text(text):
        return docker([GOOD], manifest=text)

    yield "manifest-null", with_text(b"null"), \
        "invalid manifest, manifest cannot be null (but can be [])"
    yield "manifest-empty-file", with_text(b""), "invalid manifest: invalid JSON: empty"
    yield "manifest-object", with_text(b"{}"), "invalid manifest, manifest must be a list"
    yield "manifest-number", with_text(b"[1]"), "invalid manifest, image 0"
    yield "manifest-cut", with_text(b'[{"Config":'), "invalid manifest: invalid JSON"
    yield "manifest-tail", with_text(b"[]]"), "invalid manifest: invalid JSON"
    yield "manifest-twice-key", with_text(
        b'[{"Config":"config.json","Config":"x","Layers":["0.tar"]}]'), "duplicate"
    yield "manifest-config-number", docker([GOOD], Config=5), '"Config"'
    yield "manifest-config-missing", docker([GOOD], Config="nothing.json"), "no 'nothing.json'"
    yield "manifest-layers-text", docker([GOOD], Layers="0.tar"), '"Layers"'
    yield "manifest-layers-numbers", docker([GOOD], Layers=[1]), '"Layers"'
    yield "manifest-deep", with_text(b"[" * 100000), "nested deeper"
    yield "manifest-values", with_text(b"[" + b"{}," * 1000000 + b"{}]"), "values"
    yield "manifest-large", with_text(b" " * 5000000 + b"[]"), "larger than"
    yield "manifest-not-utf8", docker([GOOD], manifest=b'[{"Config":"\xff\xfe"}]'), "unable to decode"
    yield "manifest-nul", docker([GOOD], Config="config.json\0/etc"), "NUL"
    yield "manifest-huge-number", with_text(
        b'[{"Config":"config.json","Layers":[' + b"9" * 5000 + b"]}]"), "too big"
    yield "manifest-images", with_text(b"[" + b"{}," * 5000 + b"{}]"), "more than 4096 images"
    yield "length-mismatch", docker([GOOD], Layers=["0.tar", "0.tar"]), \
        "invalid manifest, layers length mismatch: expected 2, got 1"
    yield "length-none", docker([GOOD], Layers=None), \
        "invalid manifest, layers length mismatch: expected 0, got 1"
    for at, name in enumerate(["x", "", "Bad Name:1", "x@" + digest(b""), "x:" + "t" * 129,
                               "../x:1", "x:1\n"]):
        yield "tag-%d" % at, docker([GOOD], name=name), 'invalid tag "'


def bad_configs():
    def with_config(text):
        return docker([GOOD], config=text)

    good = json.loads(config_of([GOOD]))
    diff_ids = good["rootfs"]["diff_ids"]

    def changed(**more):
        return with_config(dump({**good, **more}))

    yield "config-null", with_config(b"null"), "invalid image JSON"
    yield "config-list", with_config(b"[]"), "invalid image JSON"
    yield "config-no-rootfs", with_config(b"{}"), "invalid image JSON, no RootFS key"
    yield "config-rootfs-type", changed(rootfs={"type": "x", "diff_ids": diff_ids}), \
        'unsupported rootfs type "x"'
    yield "config-diff-id", changed(rootfs={"type": "layers", "diff_ids": ["sha256:12"]}), \
        "diff_ids[0]"
    yield "config-diff-path", changed(rootfs={"type": "layers",
                                              "diff_ids": ["sha256:../../etc/passwd"]}), \
        "diff_ids[0]"
    yield "config-diff-number", changed(rootfs={"type": "layers", "diff_ids": [1]}), '"diff_ids"'
    yield "config-env", changed(config={"Env": {"a": 1}}), '"Env"'
    yield "config-history", changed(history=[{}, {}]), \
        "too many non-empty layers in History section"
    yield "config-created", changed(created="yesterday"), '"created"'
    yield "config-windows", changed(os="windows"), "cannot load windows image on linux"
    yield "config-layers", changed(rootfs={"type": "layers", "diff_ids": diff_ids * 1025}), \
        "more than 1024"
    yield "config-large", changed(comment="x" * 5000000), "larger than"
    yield "wrong-diff-id", docker([GOOD], blobs=[tar(entry("other", b"x"))]), \
        'invalid diffID for layer 0: expected "%s", got "sha256:' % digest(GOOD)
    yield "wrong-second-diff-id", docker([GOOD, GOOD], blobs=[GOOD, GOOD + b"\0" * 512]), \
        "invalid diffID for layer 1"


def bad_layouts():
    def patched(change):
        layout = Oci()
        manifest = layout.image([GOOD], blobs=[gz(GOOD)], media=LAYER + "+gzip")
        layout.finish(manifest)
        change(layout, manifest)
        return layout.tar()

    def spoil(data):
        def change(layout, _manifest):
            layout.members["blobs/sha256/" + hex_of(data)] = data.replace(b"amd64", b"arm64") \
                if b"amd64" in data else data + b" "
        return change

    def top(text):
        return patched(lambda layout, _: layout.members.update({"index.json": text}))

    def drop(data):
        return patched(lambda layout, _: layout.members.pop("blobs/sha256/" + hex_of(data)))

    layout = Oci()
    manifest = layout.image([GOOD], blobs=[gz(GOOD)], media=LAYER + "+gzip")
    yield "oci-wrong-blob", patched(spoil(gz(GOOD))), "filesystem layer verification failed for digest sha256:"
    other = gz(tar(entry("other", b"x")))
    yield "oci-other-blob", patched(lambda layout, _: layout.members.update(
        {"blobs/sha256/" + hex_of(gz(GOOD)): other})), \
        "layer verification failed for digest " + digest(gz(GOOD))
    yield "oci-wrong-config", patched(spoil(config_of([GOOD]))), \
        "image config verification failed for digest " + digest(config_of([GOOD]))
    yield "oci-wrong-manifest", patched(spoil(manifest)), \
        "manifest verification failed for digest " + digest(manifest)
    yield "oci-no-blob", drop(gz(GOOD)), "no 'blobs/sha256/"
    yield "oci-no-config", drop(config_of([GOOD])), "no 'blobs/sha256/"
    yield "oci-no-manifest", drop(manifest), "no 'blobs/sha256/"
    yield "oci-index-null", top(b"null"), "index.json: invalid manifest: must be an object"
    yield "oci-index-empty", top(b'{"schemaVersion":2,"manifests":[]}'), "index.json"
    yield "oci-index-list", top(b"[]"), "index.json"
    yield "oci-digest-path", top(dump({"schemaVersion": 2, "manifests": [
        {"mediaType": MANIFEST, "digest": "sha256:../../../../etc/passwd", "size": 3}]})), \
        "digest"
    yield "oci-size-negative", top(dump({"schemaVersion": 2, "manifests": [
        {"mediaType": MANIFEST, "digest": digest(manifest), "size": -1}]})), "size"
    yield "oci-size-huge", top(b'{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"%s",'
                               b'"size":99999999999999999999999}]}' %
                               (MANIFEST.encode(), digest(manifest).encode())), "too big"
    yield "oci-size-text", top(dump({"schemaVersion": 2, "manifests": [
        {"mediaType": MANIFEST, "digest": digest(manifest), "size": "3"}]})), '"size"'
    yield "oci-nested", nested_indexes(), "nested"
    yield "oci-schema1", patched(lambda layout, _: layout.finish(layout.blob(
        dump({"schemaVersion": 1, "fsLayers": []})))), "schema 1"
    yield "oci-artifact", patched(lambda layout, _: layout.finish(layout.blob(dump(
        {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
         "config": descriptor(b"{}", "application/vnd.cncf.helm.config.v1+json")})))), \
        "unsupported media type"
    yield "oci-length", patched(lambda layout, _: layout.finish(layout.image(
        [GOOD, GOOD], blobs=[GOOD]))), "layers"
    short = gz(GOOD)[:100000]
    yield "oci-cut-gzip", oci([GOOD], blobs=[short]), "gzip data: unexpected end"
    short = zst(GOOD)[:100000]
    yield "oci-cut-zstd", oci([GOOD], blobs=[short]), "zstd data: unexpected end"
    flipped = flip(gz(GOOD), len(gz(GOOD)) - 6)
    yield "oci-checksum", oci([GOOD], blobs=[flipped]), "gzip data: checksum"


def nested_indexes():
    layout = Oci()
    data = layout.image([GOOD])
    for _ in range(6):
        data = layout.blob(dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            descriptor(data, INDEX if b"manifests" in data else MANIFEST)]}))
    layout.index(descriptor(data, INDEX))
    return layout.tar()


def bad_layer_tars():
    x = entry("x", b"x")
    yield "cut", GOOD[:200000], "failed to register layer 1: not a valid tar archive: Truncated"
    yield "cut-header", GOOD[:700], "Truncated"
    yield "text", b"no tar at all " * 100, "not a valid tar archive"
    yield "outside", tar(entry("../../../outside/planted", b"x")), "leaves the root"
    yield "outside-late", tar(folder("a"), entry("a/b/../../../planted", b"x")), "leaves the root"
    yield "hard-link-outside", tar(header("l", b"1", link="../../../outside/canary")), \
        "leaves the root"
    yield "hard-link-host", tar(header("l", b"1", link="/outside/canary")), "outside/canary"
    yield "hard-link-chain", tar(header("a", b"2", link="/"), header("b", b"2", link="a/.."),
                                 header("l", b"1", link="b/outside/canary")), "b/outside/canary"
    yield "hard-link-nothing", tar(header("l", b"1", link="gone")), "'gone'"
    yield "hard-link-itself", tar(header("l", b"1", link="l")), "'l'"
    yield "hard-link-folder", tar(folder("d"), header("l", b"1", link="d")), "'d'"
    yield "hard-link-root", tar(header("l", b"1", link="/")), "to the root"
    yield "link-circle", tar(header("a", b"2", link="b"), header("b", b"2", link="a"),
                             entry("a/x", b"x")), "too many links"
    yield "link-empty", tar(header("a", b"2")), "without a target"
    yield "name-4096", tar(pax(path="d/" * 2047 + "xx") + x), "a name of 4096 bytes, more than 4095"
    yield "name-component", tar(pax(path="n" * 256) + x), "the name is too long"
    yield "link-long", tar(pax(linkpath="t" * 4096) + header("l", b"2", link="t")), "4096 bytes"
    yield "whiteout-dots", tar(entry(".wh...", b"")), "invalid whiteout name"
    yield "whiteout-nothing", tar(entry("a/.wh.", b"")), "invalid whiteout name"
    yield "below-whiteout", tar(entry(".wh.a/b", b"")), "below a whiteout"
    yield "size-negative", tar(header("x", raw_size=b"\xff" * 12)), "negative size"
    yield "size-absurd", tar(header("x", raw_size=b"\x80\0\0\0\x7f" + b"\xff" * 7)), "overflow"
    yield "size-lie", tar(header("x", raw_size=b"00007777777\0")), "Truncated"
    yield "size-pax", tar(pax(size="99999999999999999999999999") + x), "overflow"
    yield "checksum", tar(header("x", checksum=1)), "not a valid tar archive"
    yield "owner-negative", tar(header("x", uid=-1)), "impossible owner"
    yield "owner-huge", tar(pax(uid="4294967296") + x), "impossible owner"
    yield "pax-broken", tar(header("P", b"x", 10) + pad(b"99 path=x\n") + x), "malformed pax"
    yield "pax-large", tar(pax(comment="c" * 4000000) + x), "header"
    yield "attributes-many", tar(pax_of([("SCHILY.xattr.user.%d" % at, "v")
                                         for at in range(2000)]) + x), "more than 1024 attributes"
    yield "attribute-large", tar(pax_of([("SCHILY.xattr.user.a", "v" * 70000)]) + x), \
        "attribute 'user.a' of 70000 bytes"
    yield "attribute-no-room", tar(pax_of([("SCHILY.xattr.user.a", "v" * 30000)]) + x), \
        "attribute 'user.a' of 'x': 30000 bytes do not fit"
    yield "sparse-beyond", tar(pax_of([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
                                       ("GNU.sparse.name", "x"), ("GNU.sparse.realsize", "10")]) +
                               entry("x", pad(b"1\n100000\n5\n") + b"hello")), "'x'"
    yield "sparse-huge", tar(pax_of([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
                                     ("GNU.sparse.name", "x"),
                                     ("GNU.sparse.realsize", "9000000000000000000")]) +
                             entry("x", pad(b"1\n0\n5\n") + b"hello")), "'x'"
    yield "newline", tar(entry("a\nb/../../../x", b"x")), "leaves the root"
    yield "escape", tar(entry("\x1b[2J/../../x", b"x")), "leaves the root"


def write_bad(out):
    sources = [bad_containers, bad_members, bad_manifests, bad_configs, bad_layouts]
    with open(out + "/cases", "w") as cases:
        def put(kind, name, data, want):
            file = name if "." in name else name + ".tar"
            with open(out + "/" + file, "wb") as archive:
                archive.write(data)
            cases.write("%s\t%s\t%s\n" % (kind, file, want))

        for source in sources:
            for name, data, want in source():
                put(source.__name__[4:], name, data, want)
        for name, layer, want in bad_layer_tars():
            # A whole layer before the bad one: it must go again too.
            put("layer_tars", "layer-tar-" + name, docker([GOOD, layer]), want)


def write_layers(out):
    with open(out + "/cases", "w") as cases:
        for name, layer, want in bad_layer_tars():
            with open(out + "/" + name + ".tar", "wb") as archive:
                archive.write(layer)
            cases.write("%s\t%s\n" % (name, want))


# ---- what is odd, but legal: the tree is worked out here from the same entries ----

class Node:
    def __init__(self, kind, mode=0, uid=0, gid=0, mtime_ns=0, data=b"", link=b"", dev=(0, 0),
                 xattrs=None, layer=0):
        self.__dict__.update(kind=kind, mode=mode, uid=uid, gid=gid, mtime_ns=mtime_ns, data=data,
                             link=link, dev=dev, xattrs=dict(xattrs or {}), layer=layer)


class Tree:
    """Path to node; the rules of the specification, applied to whole layers at once."""

    def __init__(self):
        self.nodes = {}
        self.layer = 0

    def remove(self, path, only_below=False):
        for name in list(self.nodes):
            if name.startswith(path + b"/" if path else b"") or (name == path and not only_below):
                del self.nodes[name]

    def apply(self, entries):
        """Lower layers lose what the whiteouts name, wherever in the tar these stand."""
        self.layer += 1
        for path, node in entries:
            base = path.rsplit(b"/", 1)[-1]
            above = path[:-len(base)].rstrip(b"/")
            if base == b".wh..wh..opq":
                self.remove(above, only_below=True)
            elif base.startswith(b".wh."):
                self.remove((above + b"/" if above else b"") + base[4:])
        for path, node in entries:
            if path.rsplit(b"/", 1)[-1].startswith(b".wh."):
                continue
            if node.kind == "hard":
                target = self.nodes[path] = self.nodes[node.link]
                for what in "mode", "uid", "gid", "mtime_ns":  # its header repeats them
                    setattr(node, what, getattr(target, what))
                continue
            was = self.nodes.get(path)
            if was and not (was.kind == node.kind == "d"):
                self.remove(path)
            elif was:
                node = copy.copy(node)
                node.xattrs = {**was.xattrs, **node.xattrs}
            self.nodes[path] = node

    def text(self):
        lines = []
        count = {}
        for node in self.nodes.values():
            count[id(node)] = count.get(id(node), 0) + 1
        for path, node in sorted(self.nodes.items()):
            nlink = count[id(node)]
            if node.kind == "d":
                nlink = 2 + sum(1 for name, child in self.nodes.items() if child.kind == "d" and
                                name.startswith(path + b"/") and
                                b"/" not in name[len(path) + 1:])
            lines.append(line_of(path, node.kind, node.mode, node.uid, node.gid, nlink,
                                 node.mtime_ns, node.data, node.link, node.dev, node.xattrs))
        return "".join(lines)


def line_of(path, kind, mode, uid, gid, nlink, mtime_ns, data, link, dev, xattrs):
    what = {"f": lambda: "%d %s" % (len(data), hashlib.sha256(data).hexdigest()[:16]),
            "l": lambda: repr(link), "c": lambda: "%d,%d" % dev, "b": lambda: "%d,%d" % dev}
    return "%s %s %04o %d:%d %d %d %s %s\n" % (
        repr(path)[2:-1], kind, mode, uid, gid, nlink, mtime_ns,
        what.get(kind, lambda: "-")(),
        " ".join("%s=%s" % (name, value.hex()) for name, value in sorted(xattrs.items())))


def list_tree(top):
    top = os.fsencode(top)
    found = []
    for folder_name, folders, files in os.walk(top):
        for name in folders + files:
            full = os.path.join(folder_name, name)
            path = os.path.relpath(full, top)
            if path != b"lost+found":
                found.append((path, full))
    for path, full in sorted(found):
        st = os.lstat(full)
        kind = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c",
                stat.S_IFBLK: "b", stat.S_IFIFO: "p"}[stat.S_IFMT(st.st_mode)]
        data = b""
        if kind == "f":
            with open(full, "rb") as file:
                data = file.read()
        xattrs = {name: os.getxattr(full, name, follow_symlinks=False)
                  for name in os.listxattr(full, follow_symlinks=False)}
        sys.stdout.write(line_of(
            path, kind, stat.S_IMODE(st.st_mode) if kind != "l" else 0o777, st.st_uid, st.st_gid,
            st.st_nlink, st.st_mtime_ns, data, os.readlink(full) if kind == "l" else b"",
            (os.major(st.st_rdev), os.minor(st.st_rdev)), xattrs))


KINDS = {"f": b"0", "hard": b"1", "l": b"2", "c": b"3", "b": b"4", "d": b"5", "p": b"6"}


def pack(path, node):
    """One entry, with the PAX records that it needs."""
    records = []
    if len(path) > 100:
        records.append(("path", path))
    if len(node.link) > 100:
        records.append(("linkpath", node.link))
    if node.mtime_ns % 10 ** 9 or node.mtime_ns < 0:
        sign = "-" if node.mtime_ns < 0 else ""
        records.append(("mtime", "%s%d.%09d" % (sign, abs(node.mtime_ns) // 10 ** 9,
                                                abs(node.mtime_ns) % 10 ** 9)))
    records += [("SCHILY.xattr." + name, value) for name, value in node.xattrs.items()
                if not name.startswith("system.")]
    if "system.posix_acl_access" in node.xattrs:
        records.append(("SCHILY.acl.access", ACL_TEXT))
    if "system.posix_acl_default" in node.xattrs:
        records.append(("SCHILY.acl.default", ACL_TEXT))
    return (pax_of(records) if records else b"") + entry(
        path, node.data, KINDS[node.kind], mode=node.mode, uid=node.uid, gid=node.gid,
        mtime=max(node.mtime_ns, 0) // 10 ** 9, link=node.link, dev=node.dev)


ACL_TEXT = "user::rw-,user:app:r--:1000,group::r--,group:adm:rwx:4,mask::rwx,other::---"
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in [
    (1, 6, 2 ** 32 - 1), (2, 4, 1000), (4, 4, 2 ** 32 - 1), (8, 7, 4), (16, 7, 2 ** 32 - 1),
    (32, 0, 2 ** 32 - 1)])
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


def f(data=b"", mode=0o644, **more):
    return Node("f", mode, data=data, **more)


def d(mode=0o755, **more):
    return Node("d", mode, **more)


def kinds_layers():
    """Every kind of entry with every kind of attribute."""
    latin = "caf\u00e9".encode("latin-1")
    deep = b"/".join([b"d" * 250] * 10)
    first = [
        (b"bin", d()),
        (b"bin/ping", f(b"ping", 0o755, xattrs={"security.capability": CAPABILITY})),
        (b"bin/su", f(b"su", 0o4755)),
        (b"bin/wall", f(b"wall", 0o2755, uid=7, gid=5)),
        (b"tmp", d(0o1777)),
        (b"team", d(0o2775, gid=50)),
        (b"team/own", f(b"x", gid=0)),  # the folder's group is not handed down
        (b"team/sub", d(0o755)),
        (b"dev", d()),
        (b"dev/null", Node("c", 0o666, dev=(1, 3))),
        (b"dev/loop", Node("b", 0o660, gid=6, dev=(7, 200000))),
        (b"dev/pipe", Node("p", 0o600)),
        (b"owned", f(b"o", uid=4000000000, gid=3000000)),
        (b"old", f(b"o", mtime_ns=-1500000000)),
        (b"older", f(b"o", mtime_ns=-2 ** 31 * 10 ** 9)),
        (b"new", f(b"n", mtime_ns=4102444800123456789)),
        (b"exact", f(b"e", mtime_ns=1700000000000000001)),
        (b"attr", f(b"a", xattrs={"user.empty": b"", "user.bin": b"\0=\n\xff",
                                  "trusted.x": b"1"})),
        (b"acl", f(b"a", 0o670, xattrs={"system.posix_acl_access": ACL})),
        (b"acldir", d(0o755, xattrs={"system.posix_acl_default": ACL})),
        (b"acldir/plain", f(b"p", 0o640)),  # no ACL by inheritance
        (b"acldir/sub", d(0o700)),
        (b"names", d()),
        (b"names/" + latin, f(b"latin-1")),
        (b"names/e\xcc\x81", f(b"decomposed")),
        (b"names/\xc3\xa9", f(b"composed")),
        (b"names/new\nline", f(b"n")),
        (b"names/ blank ", f(b"b")),
        (b"names/" + latin * 40, f(b"too long for a plain header")),
        (b"names/back\\slash", f(b"b")),
        (b"names/" + b"l" * 255, f(b"long")),
        (b"names/\x01\x7f\xff", f(b"control")),
        (b"link", Node("l", 0o777, link=b"/etc/../../../outside/canary")),
        (b"longlink", Node("l", 0o777, link=b"t" * 4000)),
        (b"hard", Node("hard", link=b"bin/su")),
        (b"links", Node("hard", link=b"link")),
        (b"empty", f()),
        (b"none", f(b"secret", 0)),
    ]
    at = b""
    for part in deep.split(b"/"):
        at = at + b"/" + part if at else part
        first.append((at, d()))
    first.append((at + b"/file", f(b"deep")))
    return [first]


def merge_layers():
    """Whiteouts before and after what they do not mean, links and kinds across layers."""
    base = [(b"keep", d()), (b"keep/a", f(b"a")), (b"keep/b", f(b"b")),
            (b"gone", d()), (b"gone/x", f(b"x")),
            (b"again", d()), (b"again/old", f(b"old")),
            (b"opaque", d(0o700)), (b"opaque/old", f(b"old")), (b"opaque/sub", d()),
            (b"opaque/sub/old", f(b"old")),
            (b"late", d()), (b"late/old", f(b"old")),
            (b"file", f(b"file")), (b"dir", d()), (b"dir/in", f(b"in")),
            (b"first", f(b"one", 0o600)), (b"second", Node("hard", link=b"first")),
            (b"self", f(b"self"))]
    upper = [(b".wh.gone", f()),
             (b"keep", d(0o711, mtime_ns=5 * 10 ** 9)), (b"keep/.wh.b", f()),
             (b"again", d(0o701)), (b"again/new", f(b"new")), (b".wh.again", f()),
             (b"opaque", d(0o750)), (b"opaque/.wh..wh..opq", f()), (b"opaque/new", f(b"new")),
             (b"late", d()), (b"late/new", f(b"new")), (b"late/.wh..wh..opq", f()),
             (b"file", d(0o755)), (b"file/in", f(b"now a folder")),
             (b"dir", f(b"now a file")),
             (b"third", Node("hard", link=b"second")),  # of a file two layers down
             (b".wh.never", f()),
             (b"self", f(b"new self")), (b".wh.self", f())]
    top = [(b"first", f(b"changed", 0o644)),  # the other names keep the old content
           (b"opaque/.wh.new", f()), (b"fourth", Node("hard", link=b"third"))]
    return [base, upper, top]


def build(layers):
    tree = Tree()
    tars = []
    for layer in layers:
        tree.apply(layer)
        tars.append(tar(*[pack(path, node) for path, node in layer]))
    return tars, tree


def sparse_layer():
    """GNU's newest form; the tree sees only its content."""
    content = bytearray(3000000)
    content[1000000:1000005] = b"hello"
    content[2000000:2000512] = b"w" * 512
    packed = pad(b"3\n1000000\n5\n2000000\n512\n3000000\n0\n") + b"hello" + b"w" * 512
    layer = tar(pax_of([("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
                        ("GNU.sparse.name", "sparse"), ("GNU.sparse.realsize", "3000000")]) +
                entry("GNUSparseFile.0/sparse", packed))
    tree = Tree()
    tree.apply([(b"sparse", f(bytes(content)))])
    return [layer], tree


def escape_layer():
    """Links that lead out of the root lead back into it."""
    layer = tar(header("out", b"2", mode=0o777, link="../../../outside"),
                entry("out/planted", b"inside"),
                header("abs", b"2", mode=0o777, link="/"),
                header("chain", b"2", mode=0o777, link="abs/../../out"),
                entry("chain/second", b"inside too"))
    tree = Tree()
    tree.apply([(b"out", Node("l", 0o777, link=b"../../../outside")),
                (b"outside", d()), (b"outside/planted", f(b"inside")),
                (b"abs", Node("l", 0o777, link=b"/")),
                (b"chain", Node("l", 0o777, link=b"abs/../../out")),
                (b"outside/second", f(b"inside too"))])
    return [layer], tree


def old_docker(tars):
    """Docker <= 24: <id>.json, a folder for each layer, a repeated layer as a link; and the
    manifest before everything it names."""
    config = config_of(tars)
    name = hex_of(config) + ".json"
    ids = [hex_of(b"v1 %d" % at) for at in range(len(tars))]
    parts = [entry("manifest.json", dump([{"Config": name, "RepoTags": ["odd:1"],
                                           "Layers": [one + "/layer.tar" for one in ids]}])),
             entry("repositories", dump({"odd": {"1": ids[-1]}}))]
    seen = {}
    for one, layer in zip(ids, tars):
        parts += [folder(one + "/"), entry(one + "/VERSION", b"1.0"), entry(one + "/json", b"{}")]
        if layer in seen:
            parts.append(header(one + "/layer.tar", b"2",
                                link="../" + seen[layer] + "/layer.tar"))
        else:
            seen[layer] = one
            parts.append(entry(one + "/layer.tar", layer))
    return tar(*parts, entry(name, config))


def crane(tars):
    """Kaniko, Bazel, crane: the config named by its digest, layers compressed, names with "./"."""
    config = config_of(tars)
    blobs = [gz(layer) for layer in tars]
    return tar(entry(digest(config), config),
               *[entry("./" + hex_of(blob) + ".tar.gz", blob) for blob in blobs],
               entry("manifest.json", dump([{"Config": digest(config), "RepoTags": ["odd:1"],
                                             "Layers": [hex_of(blob) + ".tar.gz"
                                                        for blob in blobs]}])))


def lying_config(tars):
    """The name of a config proves nothing."""
    return tar(*[entry("%d" % at, layer) for at, layer in enumerate(tars)],
               entry("0" * 64 + ".json", config_of(tars)),
               entry("manifest.json", dump([{"Config": "0" * 64 + ".json", "RepoTags": ["odd:1"],
                                             "Layers": ["%d" % at for at in range(len(tars))]}])))


def oci_by_platform(tars):
    """An index whose other platforms are not there, below another index."""
    layout = Oci()
    here = descriptor(layout.image(tars, blobs=[zst(layer) for layer in tars],
                                   media=LAYER + "+zstd"), MANIFEST,
                      platform={"os": "linux", "architecture": "amd64"})
    away = descriptor(b"not here", MANIFEST, platform={"os": "linux", "architecture": "s390x"})
    inner = layout.blob(dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": [away, here]}))
    layout.index(descriptor(inner, INDEX, annotations={
        "org.opencontainers.image.ref.name": "docker.io/library/odd:1"}))
    return layout.tar()


def write_legal(out):
    def put(name, archive, tree):
        with open(out + "/" + name + ".tar", "wb") as file:
            file.write(archive)
        with open(out + "/" + name + ".tree", "w") as file:
            file.write(tree.text())

    tars, tree = build(kinds_layers())
    put("kinds", docker(tars), tree)
    tars, tree = build(merge_layers())
    put("merge", docker(tars), tree)
    put("crane", crane(tars), tree)
    put("lying-config", lying_config(tars), tree)
    put("oci-platforms", oci_by_platform(tars), tree)
    put("members-at-the-end-win", docker(
        tars, first=entry("0.tar", b"x") + entry("config.json", b"x")), tree)
    # An empty layer twice, as Docker's ENV lines once made them.
    tars, tree = build(merge_layers()[:1] + [[]] + merge_layers()[1:] + [[]])
    put("old-docker", old_docker(tars), tree)
    tars, tree = sparse_layer()
    put("sparse", docker(tars), tree)
    tars, tree = escape_layer()
    put("escape", docker(tars), tree)
    tars, tree = build([[]])
    put("no-entries", docker(tars), tree)
    put("no-layers", docker([]), tree)


# ---- what is large ----

class Counted:
    """Passes bytes on and knows their digest."""

    def __init__(self, out):
        self.out = out
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data):
        self.hash.update(data)
        self.size += len(data)
        self.out.write(data)


def write_image(compressed, diff_id):
    """An image of one layer, made already."""
    config = dump({"architecture": "amd64", "os": "linux",
                   "rootfs": {"type": "layers", "diff_ids": ["sha256:" + diff_id]}})
    out = sys.stdout.buffer
    out.write(entry("config.json", config))
    out.write(entry("manifest.json", dump([{"Config": "config.json", "RepoTags": ["odd:1"],
                                            "Layers": ["layer"]}])))
    out.write(entry("layer", compressed))
    out.write(b"\0" * 2 * BLOCK)


def write_packed(pieces):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as file:
        counted = Counted(file)
        for piece in pieces:
            counted.write(piece)
    write_image(packed.getvalue(), counted.hash.hexdigest())


def tiny_files(count):
    for at in range(count):
        if at % 1000 == 0:
            yield folder("d%d/" % (at // 1000))
        yield entry("d%d/f%d" % (at // 1000, at), b"%d" % at)
    yield b"\0" * 2 * BLOCK


def one_large_file(mib):
    yield header("bomb", size=mib << 20)
    for _ in range(mib):
        yield b"\0" * (1 << 20)
    yield b"\0" * 2 * BLOCK


def main():
    what, value = sys.argv[1:3]
    if what == "bad":
        write_bad(value)
    elif what == "layers":
        write_layers(value)
    elif what == "legal":
        write_legal(value)
    elif what == "tiny":
        write_packed(tiny_files(int(value)))
    elif what == "bomb":
        write_packed(one_large_file(int(value)))
    elif what == "peak":
        status = subprocess.run(sys.argv[2:], check=False).returncode
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        sys.exit(status)
    elif what == "list":
        list_tree(value)
    else:
        sys.exit("odd.py: %s?" % what)


if __name__ == "__main__":
    main()
