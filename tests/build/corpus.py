# SPDX-License-Identifier: Apache-2.0
"""corpus.py - Dockerfile cases: their contexts, and what an image is written down as

A case is a folder of cases/:

    Dockerfile       and any other file is part of the context, beside the common
                     files of context.py in this folder
    context.py       makes the context instead of the common one (see Context)
    args             more arguments of build, one a line; "= DIR" is the context
                     that is named, "< FILE" what is read from standard input
    expected         the image, as record.py found it
    expected-error   or "exit STATUS" and how the last line of stderr ends
    on-purpose       why veneer makes something else than is expected here; that it
                     makes the same is then a failure

What is expected begins with lines "# ...": the first says whose result it is,
or "by hand:" and why; the others which peers made something else.

While cases are built, the common context is at http://127.0.0.1:18423/ too.

A listing has one line for each fact: "config KEY JSON", "history layer|empty
CREATED_BY", "tree PATH KIND MODE UID:GID ...". The tree is told as the difference
to one of the images that make_base.py makes, which the line "over" names.
"""
import functools
import hashlib
import http.server
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "cases")
CONTEXT_TIME = 1_500_000_000
# What has a younger time than this was made during the build, so its time is not told.
YOUNG = 1_700_000_000
NOT_CONTEXT = ("args", "expected", "expected-error", "context.py", "on-purpose")
CONFIG_KEYS = ("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir",
               "Labels", "StopSignal", "Healthcheck", "OnBuild", "Shell")


class Context:
    """What a context.py may call; all paths are relative to the context."""

    def __init__(self, root):
        self.root = root

    def names(self):
        return {name: getattr(self, name) for name in
                ("path", "file", "folder", "symlink", "hardlink", "fifo", "device", "socket",
                 "xattr", "owner", "tar", "capability")}

    def path(self, name):
        full = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        return full

    def file(self, name, content=None, mode=0o644, mtime=CONTEXT_TIME):
        full = self.path(name)
        content = name + "\n" if content is None else content
        with open(full, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(full, mode)
        os.utime(full, (mtime, mtime))

    def folder(self, name, mode=0o755, mtime=CONTEXT_TIME):
        full = self.path(name)
        os.makedirs(full, exist_ok=True)
        os.chmod(full, mode)
        os.utime(full, (mtime, mtime))

    def symlink(self, name, target, mtime=CONTEXT_TIME):
        os.symlink(target, self.path(name))
        os.utime(self.path(name), (mtime, mtime), follow_symlinks=False)

    def hardlink(self, name, old):
        os.link(self.path(old), self.path(name))

    def fifo(self, name, mode=0o644):
        os.mkfifo(self.path(name))
        os.chmod(self.path(name), mode)
        os.utime(self.path(name), (CONTEXT_TIME, CONTEXT_TIME))

    def device(self, name, major, minor, kind=stat.S_IFCHR):
        os.mknod(self.path(name), kind | 0o644, os.makedev(major, minor))

    def socket(self, name):
        os.mknod(self.path(name), stat.S_IFSOCK | 0o644)

    def xattr(self, name, key, value):
        os.setxattr(self.path(name), key, value, follow_symlinks=False)

    def capability(self, name):
        """cap_net_raw=ep, of revision 2"""
        self.xattr(name, "security.capability",
                   bytes.fromhex("0100000200200000000000000000000000000000"))

    def owner(self, name, uid, gid):
        """Before mode and time are set, since chown clears set-id bits."""
        info = os.lstat(self.path(name))
        os.chown(self.path(name), uid, gid, follow_symlinks=False)
        if not stat.S_ISLNK(info.st_mode):
            os.chmod(self.path(name), stat.S_IMODE(info.st_mode))

    def tar(self, name, entries, mode="w", mtime=CONTEXT_TIME):
        """entries: (name, type or content, {field: value}) ..."""
        full = self.path(name)
        with tarfile.open(full, mode, format=tarfile.PAX_FORMAT) as archive:
            for entry in entries:
                put_entry(archive, *entry)
        os.utime(full, (mtime, mtime))


def put_entry(archive, name, content="", fields=None):
    """content: the bytes of a file, or one of the tarfile types"""
    info = tarfile.TarInfo(name)
    info.mtime = CONTEXT_TIME
    info.mode = 0o644
    data = b""
    if content in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE,
                   tarfile.CHRTYPE, tarfile.BLKTYPE):
        info.type = content
        info.mode = 0o755 if content == tarfile.DIRTYPE else 0o644
    else:
        data = content.encode() if isinstance(content, str) else content
        info.size = len(data)
    for key, value in (fields or {}).items():
        setattr(info, key, value)
    archive.addfile(info, io.BytesIO(data))


# Where the files of the common context are for ADD, while cases are built.
PORT = 18423


def serve(root):
    """Starts a server of the common context, which is made in @root."""
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    run_context(os.path.join(HERE, "context.py"), root)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def list_directory(self, path):
            """Of no time, and the same for each version of Python."""
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            return io.BytesIO(b"index\n")

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", PORT), functools.partial(Quiet, directory=root))
    threading.Thread(target=server.serve_forever, daemon=True).start()


def run_context(script, root):
    names = Context(root).names()
    names.update(os=os, tarfile=tarfile, stat=stat)
    with open(script, encoding="utf-8") as source:
        exec(compile(source.read(), script, "exec"), names)


def make_context(case, root):
    """Everything is made anew, so that nothing depends on umask or checkout."""
    folder = os.path.join(CASES, case)
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root, mode=0o755)
    os.chmod(root, 0o755)
    own = os.path.join(folder, "context.py")
    run_context(own if os.path.exists(own) else os.path.join(HERE, "context.py"), root)
    for top, folders, files in os.walk(folder):
        inside = os.path.relpath(top, folder)
        for name in files:
            if inside == "." and name in NOT_CONTEXT:
                continue
            source, target = os.path.join(top, name), os.path.join(root, inside, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(source, target)
            os.chmod(target, 0o755 if os.access(source, os.X_OK) else 0o644)
            os.utime(target, (CONTEXT_TIME, CONTEXT_TIME))


class Case:
    """A case's arguments and what is expected of it."""

    def __init__(self, name):
        self.name = name
        self.folder = os.path.join(CASES, name)
        self.args = []
        self.context = "."
        self.stdin = None
        for line in self.lines("args"):
            if line.startswith("= "):
                self.context = line[2:]
            elif line.startswith("< "):
                self.stdin = line[2:]
            else:
                self.args.append(line)
        self.is_error = os.path.exists(os.path.join(self.folder, "expected-error"))

    def lines(self, name):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8") as source:
                return source.read().splitlines()
        except FileNotFoundError:
            return []

    def run(self, command, root, env=None):
        """Calls COMMAND ARGS CONTEXT in the context; returns what subprocess.run does."""
        stdin = open(os.path.join(root, self.stdin), "rb") if self.stdin else subprocess.DEVNULL
        return subprocess.run(command + self.args + [self.context], cwd=root, stdin=stdin, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                              check=False, text=True, errors="replace")


def all_cases(patterns):
    return [name for name in sorted(os.listdir(CASES))
            if not patterns or any(pattern[1:] == name if pattern.startswith("=") else pattern in name
                                   for pattern in patterns)]


def quoted(text):
    """Bare when it is a plain word."""
    if re.fullmatch(r"[A-Za-z0-9_./,:@%+=-]+", text):
        return text
    return json.dumps(text)


def content_text(data):
    if len(data) <= 100:
        try:
            text = data.decode()
            if all(c in "\n\t" or c.isprintable() for c in text):
                return json.dumps(text)
        except UnicodeDecodeError:
            pass
    return hashlib.sha256(data).hexdigest()[:16]


def entry_text(kind, mode, uid, gid, detail="", mtime=None, xattrs=None):
    words = [kind, "%04o" % mode if kind != "symlink" else "-", "%d:%d" % (uid, gid)]
    if detail:
        words.append(detail)
    if mtime is not None and kind != "dir" and mtime < YOUNG:
        words.append("@%d" % mtime)
    for key in sorted(xattrs or {}):
        words.append("%s=%s" % (key, xattrs[key].hex()))
    return " ".join(words)


KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink",
         stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket", stat.S_IFCHR: "char",
         stat.S_IFBLK: "block"}


def list_folder(root):
    """{path: text} of a mounted image."""
    found = {}
    first = {}

    def add(path):
        full = root + path
        info = os.lstat(full)
        kind = KINDS[stat.S_IFMT(info.st_mode)]
        detail = ""
        if kind == "symlink":
            detail = "-> " + quoted(os.readlink(full))
        elif kind in ("char", "block"):
            detail = "%d,%d" % (os.major(info.st_rdev), os.minor(info.st_rdev))
        elif kind == "file":
            with open(full, "rb") as source:
                detail = "%d %s" % (info.st_size, content_text(source.read()))
        xattrs = {key: os.getxattr(full, key, follow_symlinks=False)
                  for key in os.listxattr(full, follow_symlinks=False)}
        text = entry_text(kind, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, detail,
                          int(info.st_mtime), xattrs)
        if kind != "dir" and info.st_nlink > 1:
            text += " = " + quoted(first.setdefault((info.st_dev, info.st_ino), path))
        found[path] = text

    def walk(path):
        with os.scandir(root + (path or "/")) as names:
            entries = sorted(names, key=lambda entry: entry.name)
        for entry in entries:
            below = path + "/" + entry.name
            add(below)
            if entry.is_dir(follow_symlinks=False):
                walk(below)

    add("/")
    walk("")
    return linked(found)


def linked(found):
    """A file whose other names are outside of the tree is not told as a link of itself alone."""
    names = {}
    for path, text in found.items():
        if " = " in text:
            names.setdefault(text.rsplit(" = ", 1)[1], []).append(path)
    for first, paths in names.items():
        for path in paths:
            if path == json.loads(first) if first.startswith('"') else path == first:
                found[path] = found[path].rsplit(" = ", 1)[0]
    return found


def list_layers(layers):
    """{path: text} of an image's layer tars, given as file objects, base first."""
    tree = {}  # path: [kind, mode, uid, gid, detail, mtime, xattrs, inode]
    count = 0
    for layer in layers:
        new = {}
        with tarfile.open(fileobj=layer, mode="r:*") as archive:
            for member in archive:
                path = "/" + "/".join(p for p in member.name.split("/") if p not in ("", "."))
                parent, name = path.rsplit("/", 1)
                if name == ".wh..wh..opq":
                    for old in [p for p in tree if p.startswith(parent + "/") and p not in new]:
                        del tree[old]
                    continue
                if name.startswith(".wh."):
                    gone = parent + "/" + name[4:]
                    for old in [p for p in tree if p == gone or p.startswith(gone + "/")]:
                        del tree[old]
                    continue
                if not member.isdir():
                    for old in [p for p in tree if p.startswith(path + "/")]:
                        del tree[old]
                if member.islnk():
                    target = "/" + "/".join(p for p in member.linkname.split("/")
                                            if p not in ("", "."))
                    tree[path] = new[path] = tree[target]
                    continue
                detail = ""
                if member.issym():
                    kind, detail = "symlink", "-> " + quoted(member.linkname)
                elif member.isdir():
                    kind = "dir"
                elif member.isfifo():
                    kind = "fifo"
                elif member.ischr() or member.isblk():
                    kind = "char" if member.ischr() else "block"
                    detail = "%d,%d" % (member.devmajor, member.devminor)
                else:
                    kind = "file"
                    data = archive.extractfile(member).read()
                    detail = "%d %s" % (len(data), content_text(data))
                xattrs = {key[len("SCHILY.xattr."):]: value.encode("utf-8", "surrogateescape")
                          for key, value in member.pax_headers.items()
                          if key.startswith("SCHILY.xattr.")}
                count += 1
                tree[path] = new[path] = [kind, member.mode & 0o7777, member.uid, member.gid,
                                          detail, int(member.mtime), xattrs, count]
    tree.setdefault("/", ["dir", 0o755, 0, 0, "", 0, {}, 0])
    found = {}
    first = {}
    inodes = [entry[7] for entry in tree.values() if entry[0] != "dir"]
    for path in sorted(tree, key=lambda p: p.split("/")):
        entry = tree[path]
        found[path] = entry_text(*entry[:7])
        if entry[0] != "dir" and inodes.count(entry[7]) > 1:
            if entry[7] in first:
                found[path] += " = " + quoted(first[entry[7]])
            first.setdefault(entry[7], path)
    return found


def read_archive(path):
    """{tag: (config, {path: text})} of a docker-archive."""
    found = {}
    with tarfile.open(path) as archive:
        for image in json.load(archive.extractfile("manifest.json")):
            config = json.load(archive.extractfile(image["Config"]))
            tree = list_layers([archive.extractfile(layer) for layer in image["Layers"]])
            for tag in image["RepoTags"] or [""]:
                found[tag] = (config, tree)
    return found


def plain_config(config):
    """The part that is compared, {key: value}; @config is an image's document."""
    found = {}
    for key in CONFIG_KEYS:
        value = (config.get("config") or {}).get(key)
        if isinstance(value, dict) and key == "Labels":
            value = {k: v for k, v in value.items() if not k.startswith("io.buildah.")}
        if not value:
            continue
        found[key] = sorted(value) if key in ("ExposedPorts", "Volumes") else value
    if config.get("author"):
        found["author"] = config["author"]
    return found


def without_old_links(tree, base):
    """A layer cannot say that a new name is a link to a file of the base."""
    groups = {}
    for path, text in tree.items():
        if " = " in text:
            groups.setdefault(text.rsplit(" = ", 1)[1], []).append(path)
    tree = dict(tree)
    for first, paths in groups.items():
        first = json.loads(first) if first.startswith('"') else first
        if any(path in base for path in paths + [first]):
            for path in paths:
                tree[path] = tree[path].rsplit(" = ", 1)[0]
    return tree


def render(config, tree, bases):
    """The lines of a listing; bases: {name: tree} of which the nearest is taken."""
    lines = ["config %s %s" % (key, json.dumps(value, sort_keys=True))
             for key, value in sorted(plain_config(config).items())]
    for entry in config.get("history") or []:
        lines.append("history %s %s" % ("empty" if entry.get("empty_layer") else "layer",
                                        json.dumps(entry.get("created_by", ""))))
    lines = [current_history(line) for line in lines]
    found = []
    for name, base in bases.items():
        plain = without_old_links(tree, base)
        changed = [p for p in plain if plain[p] != base.get(p)] + [p for p in base if p not in tree]
        found.append((len(changed), name, plain, changed))
    _, name, plain, changed = min(found, key=lambda entry: entry[0])
    lines.append("over " + name)
    for path in sorted(changed, key=lambda p: p.split("/")):
        lines.append("tree %s %s" % (quoted(path), plain.get(path, "gone")))
    return lines


def current_history(line):
    """What BuildKit's versions write in different ways, in one way."""
    if not line.startswith("history empty "):
        return line
    text = json.loads(line.split(" ", 2)[2])
    # Older: the ports as a map.
    if text.startswith("EXPOSE map["):
        text = text.replace("EXPOSE map[", "EXPOSE [").replace(":{}", "")
    # Older: what an ARG is by default; now: what it is.
    if text.startswith("ARG "):
        text = re.sub(r"=.*", "", text)
    # Older: the fields without their names, the last as a character.
    old = re.fullmatch(r'HEALTHCHECK &\{\[(.*)\] "(.*)" "(.*)" "(.*)" "(.*)" \'\\x(..)\'\}', text)
    if old:
        test = " ".join(json.loads(word) for word in re.findall(r'"(?:[^"\\]|\\.)*"', old[1]))
        text = ("HEALTHCHECK {Test:[%s] Interval:%s Timeout:%s StartPeriod:%s StartInterval:%s "
                "Retries:%d}" % (test, old[2], old[3], old[4], old[5], int(old[6], 16)))
    return "history empty " + json.dumps(text)


def facts(lines):
    return [line for line in lines if line and not line.startswith("#")]


def without_history(lines):
    return [line for line in lines if not line.startswith("history ")]


def difference(wanted, got):
    """Lines "- ..." and "+ ..."; history counts only where it is expected."""
    if not any(line.startswith("history ") for line in wanted):
        got = without_history(got)
    # BuildKit tells nothing of ONBUILD, the classic builder does.
    if not any(line.startswith('history empty "ONBUILD') for line in wanted):
        got = [line for line in got if not line.startswith('history empty "ONBUILD')]
    if wanted == got:
        return []
    return (["- " + line for line in wanted if line not in got] +
            ["+ " + line for line in got if line not in wanted]) or ["~ the order differs"]


def die(text):
    print("%s: %s" % (os.path.basename(sys.argv[0]), text), file=sys.stderr)
    sys.exit(1)
