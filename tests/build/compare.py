#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py [--part N/M] VENEER BASES WORK [CASE...] - builds the Dockerfile cases, and compares

VENEER builds each case in the pool of VENEER_ROOT; the image is mounted, listed and
compared with what is expected. BASES is the archive that make_base.py writes. A case is
named by any part of its name; --part 1/2 takes the first half of them.
Prints "ok NAME" ("ok NAME, unlike its peers: REASON"), or "not ok NAME" and then
the lines that differ: "- " is wanted, "+ " was made.

Images are kept, so that a key of the build cache that fits too much shows.
"""
import json
import os
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import corpus  # noqa: E402 - no __pycache__ among the sources


class Builder:
    def __init__(self, veneer, work):
        self.veneer = veneer
        self.work = work
        self.mnt = os.path.join(work, "mnt")
        os.makedirs(self.mnt, exist_ok=True)
        self.blobs = os.path.join(os.environ["VENEER_ROOT"], "blobs", "sha256")
        self.bases = {"nothing": {}}
        # Nothing of the caller's reaches a build.
        self.env = {key: value for key, value in os.environ.items()
                    if key in ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS") or
                    key.startswith("VENEER_")}

    def call(self, *words):
        return subprocess.run([self.veneer, *words], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              text=True, errors="replace")

    def need(self, *words):
        done = self.call(*words)
        if done.returncode:
            raise RuntimeError("veneer %s: %s" % (" ".join(words), done.stdout))
        return done.stdout

    def tree(self, name):
        self.need("mount", name, self.mnt)
        try:
            return corpus.list_folder(self.mnt)
        finally:
            self.need("unmount", self.mnt)

    def load(self, archive):
        self.need("load", "-q", "-i", archive)
        for name in ("bare", "base"):
            self.bases[name] = self.tree(name + ":latest")

    def listing(self, name):
        image = json.loads(self.need("image", "inspect", name))[0]
        with open(os.path.join(self.blobs, image["Id"].split(":")[1]), encoding="utf-8") as blob:
            config = json.load(blob)
        if corpus.plain_config({"config": image["Config"]}) != \
                corpus.plain_config({"config": config.get("config")}):
            return ["+ image inspect tells another configuration: " + json.dumps(image["Config"])]
        layers = [e for e in config.get("history") or [] if not e.get("empty_layer")]
        if len(layers) != len(config["rootfs"]["diff_ids"]):
            return ["+ history tells %d layers, rootfs %d" %
                    (len(layers), len(config["rootfs"]["diff_ids"]))]
        return corpus.render(config, self.tree(name), self.bases)

    def check(self, name):
        """Lines that tell what is wrong; none when all is well."""
        case = corpus.Case(name)
        context = os.path.join(self.work, "context", name)
        os.makedirs(os.path.dirname(context), exist_ok=True)
        corpus.make_context(name, context)
        tag = name + ":1"
        done = case.run([self.veneer, "build", "--progress=plain", "-t", tag], context, self.env)
        if case.is_error:
            wanted = corpus.facts(case.lines("expected-error"))
            return self.check_error(tag, wanted, done)
        if done.returncode:
            return ["+ fails with %d:" % done.returncode] + tail(done.stdout)
        wanted = corpus.facts(case.lines("expected"))
        return corpus.difference(wanted, self.listing(tag))

    def check_error(self, tag, wanted, done):
        text = wanted[1] if len(wanted) > 1 else ""
        last = (done.stdout.rstrip("\n").split("\n") or [""])[-1]
        if "exit %d" % done.returncode != wanted[0]:
            return ["- " + wanted[0], "+ exit %d" % done.returncode, "- " + text] + \
                tail(done.stdout)
        if not last.endswith(text):
            return ["- " + text, "+ " + last]
        if self.call("image", "inspect", tag).returncode == 0:
            return ["+ it has made an image all the same"]
        return []


def tail(output):
    return ["+ " + line for line in output.splitlines() if line.strip()][-6:]


def main():
    args = sys.argv[1:]
    part, parts = 1, 1
    if args and args[0] == "--part":
        part, parts = (int(n) for n in args[1].split("/"))
        args = args[2:]
    if len(args) < 3:
        corpus.die("usage: compare.py [--part N/M] VENEER BASES WORK [CASE...]")
    builder = Builder(os.path.abspath(args[0]), os.path.abspath(args[2]))
    corpus.serve(os.path.join(builder.work, "web"))
    builder.load(args[1])
    os.umask(0o022)
    names = corpus.all_cases(args[3:])
    names = names[len(names) * (part - 1) // parts:len(names) * part // parts]
    failed = 0
    started = time.monotonic()
    for name in names:
        try:
            wrong = builder.check(name)
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            wrong = ["+ %s" % error]
        reason = " ".join(corpus.Case(name).lines("on-purpose"))
        if reason and wrong:
            print("ok %s, unlike its peers: %s" % (name, reason))
            continue
        if reason:
            wrong = ["+ it is as expected: on-purpose can go"]
        failed += bool(wrong)
        print("%s %s" % ("not ok" if wrong else "ok", name))
        for line in wrong:
            print("    " + re.sub(r"[\x00-\x08\x0b-\x1f]", "?", line))
        sys.stdout.flush()
    print("# %d cases, %d differ, %.1f s" % (len(names), failed, time.monotonic() - started))
    sys.exit(1 if failed else 0)


main()
