#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_image.py FOLDER - the tars of the image that the benchmark unpacks

Writes layer1.tar (a system), layer2.tar (an application, some files of the
first replaced) and layer3.tar (whiteouts and one file): 34,000 files, 890 MB,
the same bytes in every run. Sizes, kinds of files and how well they compress
are those of a large Debian image: many small texts, some libraries, and a few
large files that hold half of the bytes.
"""
import io
import itertools
import random
import sys
import tarfile

TIME = 1_700_000_000
CORPUS_BYTES = 24 << 20


def make_words(rng, count):
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    weights = [len(letters) - i for i in range(len(letters))]
    return ["".join(rng.choices(letters, weights, k=rng.randint(2, 11))) for _ in range(count)]


def make_text(rng):
    """Prose of invented words, the short ones frequent: gzip leaves about a third."""
    words = make_words(rng, 12_000)
    weights = list(itertools.accumulate(1.0 / (i + 3) for i in range(len(words))))
    out = []
    size = 0
    while size < CORPUS_BYTES:
        line = " ".join(rng.choices(words, cum_weights=weights, k=12)) + "\n"
        out.append(line)
        size += len(line)
    return "".join(out).encode()[:CORPUS_BYTES]


def make_code(rng):
    """What looks like machine code: gzip leaves about half."""
    pieces = [rng.randbytes(rng.randint(2, 9)) for _ in range(1500)]
    weights = list(itertools.accumulate(1.0 / (i + 10) for i in range(len(pieces))))
    out = bytearray()
    while len(out) < CORPUS_BYTES:
        out += b"".join(rng.choices(pieces, cum_weights=weights, k=4096))
        out += rng.randbytes(1024)
    return bytes(out[:CORPUS_BYTES])


class Layer:
    def __init__(self, rng, corpora, path):
        self.rng = rng
        self.corpora = corpora
        self.tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)
        self.folders = set()

    def entry(self, name, kind, mode):
        info = tarfile.TarInfo(name)
        info.type = kind
        info.mode = mode
        info.mtime = TIME + self.rng.randint(0, 10_000_000)
        return info

    def folder(self, name):
        parts = name.split("/")
        for i in range(1, len(parts) + 1):
            prefix = "/".join(parts[:i])
            if prefix not in self.folders:
                self.folders.add(prefix)
                self.tar.addfile(self.entry(prefix, tarfile.DIRTYPE, 0o755))

    def file(self, name, size, mode=0o644):
        info = self.entry(name, tarfile.REGTYPE, mode)
        info.size = size
        corpus = self.corpora[0 if self.rng.random() < 0.5 else 1]
        parts = []
        while size > 0:
            part = min(size, 1 << 18)
            start = self.rng.randrange(CORPUS_BYTES - part)
            parts.append(corpus[start : start + part])
            size -= part
        self.tar.addfile(info, io.BytesIO(b"".join(parts)))

    def link(self, name, target, kind):
        info = self.entry(name, kind, 0o777 if kind == tarfile.SYMTYPE else 0o644)
        info.linkname = target
        self.tar.addfile(info)

    def fill(self, top, count, total_bytes):
        """count files below top, total_bytes in all, a few of them half of it."""
        rng = self.rng
        sizes = [min(int(rng.lognormvariate(8.0, 1.6)), 4 << 20) for _ in range(count)]
        big = max(count // 600, 1)
        rest = max(total_bytes - sum(sizes), 0)
        for i in rng.sample(range(count), big):
            sizes[i] += rest // big
        at = 0
        number = 0
        while at < count:
            depth = rng.randint(1, 4)
            folder = "/".join([top] + [f"d{rng.randint(0, 12)}" for _ in range(depth)] + [f"p{number}"])
            number += 1
            self.folder(folder)
            here = min(rng.randint(2, 28), count - at)
            for i in range(here):
                name = f"{folder}/{'module' if i % 3 else 'a-longer-name-of-a-file'}-{at}.bin"
                self.file(name, sizes[at], 0o755 if at % 9 == 0 else 0o644)
                at += 1
            if number % 2 == 0:
                self.link(f"{folder}/current", f"module-{at - 1}.bin", tarfile.SYMTYPE)
            if number % 7 == 0:
                self.link(f"{folder}/twin", name, tarfile.LNKTYPE)
        self.tar.close()


def main():
    out = sys.argv[1]
    rng = random.Random(20240117)
    corpora = (make_text(rng), make_code(rng))

    Layer(rng, corpora, f"{out}/layer1.tar").fill("usr", 22_000, 560_000_000)

    second = Layer(rng, corpora, f"{out}/layer2.tar")
    second.folder("usr/d1")
    for i in range(200):
        second.file(f"usr/d1/replaced-{i}.bin", 4000)
    second.fill("srv", 12_000, 300_000_000)

    third = Layer(rng, corpora, f"{out}/layer3.tar")
    third.folder("usr")
    for i in range(0, 12, 4):
        third.file(f"usr/.wh.d{i}", 0)
    third.folder("srv/d3")
    third.file("srv/d3/.wh..wh..opq", 0)
    third.file("srv/d3/new", 3_000_000)
    third.tar.close()


main()
