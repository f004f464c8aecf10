#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""record.py - what the peers make of the Dockerfile cases (called by record.sh)

    record.py run [CASE...]               let every peer build; results go to RESULTS
    record.py show [CASE...]              which peers agree with what is expected
    record.py write [--from PEER] [--by-hand REASON] [--text TEXT] [--no-history 1] CASE...
                                          make the expected file of a peer's result

A case is named by any part of its name, and by "=NAME" exactly. --text is the end of an
error's message that counts, where a peer's has parts that are its own; --no-history is
for a peer whose history is its own. --by-hand takes a peer's result as the
draft of what is then edited; such a file is never written over by a later write.

The environment says where the peers are:

    RESULTS     folder of results, WORK for contexts (seen by all of them)
    DOCKERS     "VERSION=HOST=COMMAND;..."  the socket of dockerd, the client of that version
    BUILDAHS    "VERSION=COMMAND;..."       a command that buildah's arguments follow;
                                            @CWD@ in a command is the folder of the call
    ONLY        names of peers to run, all without
    MISSING     set: only those cases that a peer has no result of
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
import corpus  # noqa: E402 - no __pycache__ among the sources

RESULTS = os.environ.get("RESULTS", "build/peer-results")
WORK = os.environ.get("WORK", "build/peer-work")
# BuildKit panics, and takes dockerd with it.
DEADLY = ("stage-only-arg",)
# What comes before a message, in the order in which it is peeled off.
PREFIXES = [
    r"Error: ", r"ERROR: ", r"time=\"[^\"]*\" level=\w+ msg=", r"failed to build: ",
    r"Error response from daemon: ", r"error: ", r"failed to solve: ", r"rpc error: code = \w+ desc = ",
    r"failed to solve with frontend dockerfile\.v0: ", r"failed to create LLB definition: ",
    r"failed to build LLB: ", r"failed to read dockerfile: ", r"building at STEP \"[^\"]*\": ",
]


def here(command, folder):
    return [word.replace("@CWD@", folder) for word in command]


class Docker:
    def __init__(self, version, host, client, buildkit):
        self.name = "docker %s %s" % (version, "buildkit" if buildkit else "classic")
        self.buildkit = buildkit
        self.client = client.split()
        self.env = {**os.environ, "DOCKER_HOST": host, "DOCKER_BUILDKIT": "1" if buildkit else "0"}

    def build(self, case, root, tag):
        network = "none" if not self.buildkit else "host"
        words = here(self.client, root) + ["build", "--network=" + network, "-t", tag]
        words += ["--progress=plain"] if self.buildkit else ["--no-cache", "--force-rm"]
        return case.run(words, root, self.env)

    def save(self, tag, path):
        client = here(self.client, WORK)
        subprocess.run(client + ["save", "-o", path, tag], env=self.env, check=True)
        subprocess.run(client + ["rmi", "-f", tag], env=self.env, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Buildah:
    def __init__(self, version, command):
        self.name = "buildah " + version
        self.command = command.split()

    def build(self, case, root, tag):
        words = ["bud", "--isolation=chroot", "--format=docker", "--layers=false",
                 "--identity-label=false", "--network=host", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--pull=never", "-t", tag]
        return case.run(here(self.command, root) + words, root)

    def save(self, tag, path):
        command = here(self.command, WORK)
        subprocess.run(command + ["push", "-q", tag, "docker-archive:%s:%s" % (path, tag)],
                       check=True, stdout=subprocess.DEVNULL)
        subprocess.run(command + ["rmi", "-f", tag], check=True, stdout=subprocess.DEVNULL)


def peers():
    found = []
    for word in filter(None, os.environ.get("DOCKERS", "").split(";")):
        version, host, client = word.split("=", 2)
        found += [Docker(version, host, client, True), Docker(version, host, client, False)]
    for word in filter(None, os.environ.get("BUILDAHS", "").split(";")):
        version, command = word.split("=", 1)
        found.append(Buildah(version, command))
    only = os.environ.get("ONLY")
    return [peer for peer in found if not only or any(o in peer.name for o in only.split(","))]


def message(output):
    """The last line that says something, without what the tool puts before it."""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("---")]
    text = lines[-1].strip() if lines else ""
    while True:
        for prefix in PREFIXES:
            match = re.match(prefix, text)
            if match:
                text = text[match.end():]
                break
        else:
            return text[-300:]


def result_path(peer, name):
    return os.path.join(RESULTS, name, peer.replace(" ", "-"))


def run_one(peer, name, bases):
    case = corpus.Case(name)
    slot = os.path.join(WORK, peer.name.replace(" ", "-"))
    # BuildKit takes a file of the same size and time for the one that it has seen in the folder
    # of this name, or in ".".
    root = os.path.join(slot, "%s-%d" % (name, time.time_ns()))
    corpus.make_context(name, root)
    if case.context != "-":
        case.context = os.path.join(root, case.context)
    os.makedirs(os.path.dirname(result_path(peer.name, name)), exist_ok=True)
    tag = "case-%s:1" % peer.name.replace(" ", "-")
    done = peer.build(case, root, tag)
    result = {"status": done.returncode, "output": done.stdout}
    if re.search("annot connect to the Docker daemon|cannot open /proc", done.stdout):
        raise RuntimeError("the daemon is gone")
    if done.returncode:
        result["message"] = message(done.stdout)
    else:
        archive = os.path.join(slot, "image.tar")
        if os.path.exists(archive):
            os.unlink(archive)
        peer.save(tag, archive)
        for config, tree in corpus.read_archive(archive).values():
            result["lines"] = corpus.render(config, tree, bases)
        os.unlink(archive)
    shutil.rmtree(root)
    with open(result_path(peer.name, name), "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)


def read_bases():
    images = corpus.read_archive(os.environ["BASES"])
    return {"nothing": {}, "bare": images["bare:latest"][1], "base": images["base:latest"][1]}


def run(names):
    bases = read_bases()
    corpus.serve(os.path.join(WORK, "web"))

    def all_of(peer):
        for name in names:
            if name in DEADLY:
                continue
            if os.environ.get("MISSING") and os.path.exists(result_path(peer.name, name)):
                continue
            try:
                run_one(peer, name, bases)
            except Exception as error:  # one case must not end the others
                print("%s: %s: %s" % (peer.name, name, error))

    with ThreadPoolExecutor(len(peers())) as pool:
        list(pool.map(all_of, peers()))


def results(name):
    """{peer: result}, the newest peers first"""
    folder = os.path.join(RESULTS, name)
    found = {}
    if os.path.isdir(folder):
        for file in sorted(os.listdir(folder), key=lambda f: (f.split("-")[0] != "docker", f.endswith("classic"),
                                                              [-int(n) for n in re.findall(r"\d+", f)])):
            with open(os.path.join(folder, file), encoding="utf-8") as source:
                result = json.load(source)
            if "lines" in result:
                result["lines"] = [corpus.current_history(line) for line in result["lines"] if not line.endswith(" []")]
            found[file.replace("-", " ")] = result
    return found


def same(first, second):
    """Two results are alike: both fail, or the images are the same but for history."""
    if first["status"] or second["status"]:
        return bool(first["status"]) == bool(second["status"])
    return corpus.without_history(first["lines"]) == corpus.without_history(second["lines"])


def expected(name):
    case = corpus.Case(name)
    if case.is_error:
        lines = corpus.facts(case.lines("expected-error"))
        return {"status": int(lines[0].split()[1]), "message": lines[1] if len(lines) > 1 else ""}
    lines = corpus.facts(case.lines("expected"))
    return {"status": 0, "lines": lines} if lines else None


def show(names):
    for name in names:
        found = results(name)
        wanted = expected(name) or (next(iter(found.values())) if found else None)
        if not wanted:
            continue
        by = {}
        print("== %s%s" % (name, "" if expected(name) else " (nothing expected yet)"))
        if wanted["status"]:
            print("   fails: " + wanted["message"])
            for peer, result in found.items():
                text = result.get("message", "SUCCEEDS")
                if not text.endswith(wanted["message"]):
                    print("   %s: %s" % (peer, text))
            continue
        for peer, result in found.items():
            if same(result, wanted):
                by.setdefault("", []).append(peer)
            elif result["status"]:
                by.setdefault("   fails: " + result["message"], []).append(peer)
            else:
                lines = corpus.difference(corpus.without_history(wanted["lines"]), result["lines"])
                by.setdefault("\n".join("   " + l for l in lines), []).append(peer)
        if os.environ.get("VERBOSE"):
            print("\n".join("   | " + line for line in wanted["lines"]))
        for text, who in by.items():
            print("   %s %s" % ("as" if not text else "not", ", ".join(who)))
            if text:
                print(text)


def write_one(name, source, reason, text, plain):
    found = results(name)
    case = corpus.Case(name)
    for file in ("expected", "expected-error"):
        if any(line.startswith("# by hand") for line in case.lines(file)):
            print("%s: by hand, left as it is" % name)
            return
    candidates = [peer for peer in found if not source or source in peer]
    if not candidates:
        print("%s: no such result" % name)
        return
    peer = candidates[0]
    result = found[peer]
    head = ["# by hand: " + reason if reason else "# " + peer]
    alike = [p for p in found if p != peer and same(found[p], result)]
    other = [p for p in found if p != peer and not same(found[p], result)]
    if not reason:
        head += ["# also: " + ", ".join(alike)] if alike else []
        head += ["# not: " + ", ".join(other)] if other else []
    if result["status"]:
        body, file = ["exit 1", result["message"] if text is None else text], "expected-error"
    else:
        body, file = result["lines"], "expected"
        if "buildkit" not in peer or plain:
            body = corpus.without_history(body)
    for old in ("expected", "expected-error"):
        if old != file and os.path.exists(os.path.join(case.folder, old)):
            os.unlink(os.path.join(case.folder, old))
    with open(os.path.join(case.folder, file), "w", encoding="utf-8") as out:
        out.write("\n".join(head + body) + "\n")


def main():
    args = sys.argv[1:]
    if not args:
        corpus.die("run, show or write")
    what, args = args[0], args[1:]
    options = {}
    while args and args[0] in ("--from", "--by-hand", "--text", "--no-history"):
        options[args[0]] = args[1]
        args = args[2:]
    names = corpus.all_cases(args)
    if what == "run":
        run(names)
    elif what == "show":
        show(names)
    elif what == "write":
        if not args:
            corpus.die("which cases? (\"\" is all)")
        for name in names:
            write_one(name, options.get("--from"), options.get("--by-hand"),
                      options.get("--text"), "--no-history" in options)
    else:
        corpus.die("run, show or write, not " + what)


main()
