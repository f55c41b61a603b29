#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""power.py OUT MOST DIRS BEFORE TRACE...: what a power loss may leave on disk.

The commands of the TRACEs (strace -xx, all strings whole) ran one after the other on the
directories DIRS (NAME=PATH, joined by commas), which were as in BEFORE/NAME when the first began.
Each legal state of the disk at each moment of each of them is written to OUT/I/N/NAME, where I is
the number of the command, from 1; OUT/I/N/when says at which call, and "ended" if the command had
come to its end, and in its second line the same word for states that differ in temporary files alone. MOST: so many at each moment, and where there are more, a sample.

What is legal: a name that came, went or was replaced is there or not until its directory was
fsynced, each for itself, in whatever order they were made; a rename is all or nothing. What was written is there,
is not, was torn, or is zeros, until the file was fsynced. Nothing else is promised, here or by POSIX.
"""

import hashlib
import itertools
import os
import random
import re
import shutil
import sys

LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+|\?)")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


class Inode:
    def __init__(self, is_dir, data=b""):
        self.is_dir = is_dir
        self.data = data  # durable; of a file
        self.writes = []  # (offset, bytes), or (length, None): not durable
        self.names = {}  # durable; of a directory
        self.now = {}  # as the running system sees it

    def content(self, writes):
        data = bytearray(self.data)
        for at, new in writes:
            if new is None:
                del data[at:]
                data.extend(bytes(at - len(data)))
            else:
                data.extend(bytes(max(0, at - len(data))))
                data[at : at + len(new)] = new
        return bytes(data)

    def variants(self):
        """What may be found of what is not durable."""
        found = [self.content(self.writes), self.data]
        if self.writes and self.writes[-1][1] is not None:
            before, (at, new) = self.writes[:-1], self.writes[-1]
            found.append(self.content(before))
            for cut in {1, len(new) // 2, len(new) - 1} - {0, len(new)}:
                found.append(self.content(before + [(at, new[:cut])]))
                found.append(self.content(before + [(at, new[:cut] + bytes(len(new) - cut))]))
            found.append(self.content(before + [(at, bytes(len(new)))]))
        return list(dict.fromkeys(found))


class Disk:
    def __init__(self, dirs, before):
        self.roots = {}
        self.above = Inode(True)  # of all of DIRS: these are not there before they are made
        self.pending = []  # (directory, {name: inode or None})
        self.dirs = dirs
        for name in dirs:
            path = os.path.join(before, name)
            if os.path.isdir(path):
                self.above.names[name] = self.above.now[name] = self.read(path)

    def read(self, path):
        if not os.path.isdir(path):
            with open(path, "rb") as f:
                return Inode(False, f.read())
        inode = Inode(True)
        for name in os.listdir(path):
            inode.names[name] = inode.now[name] = self.read(os.path.join(path, name))
        return inode

    def find(self, path):
        """(directory, name), or None: it is none of ours."""
        path = os.path.normpath(path)
        for name, root in self.dirs.items():
            if path == root:
                return self.above, name
            if path.startswith(root + "/"):
                at, rest = self.above.now[name], path[len(root) + 1 :].split("/")
                for part in rest[:-1]:
                    at = at.now[part]
                return at, rest[-1]
        return None

    def parent_of(self, path):
        return any(os.path.dirname(root) == os.path.normpath(path) for root in self.dirs.values())

    def change(self, where, names):
        self.pending.append((where, names))
        for name, inode in names.items():
            if inode is None:
                where.now.pop(name, None)
            else:
                where.now[name] = inode

    def sync_dir(self, inode):
        kept = []
        for where, names in self.pending:
            if where is not inode:
                kept.append((where, names))
                continue
            self.put(where.names, names)
        self.pending = kept

    @staticmethod
    def put(into, names):
        for name, inode in names.items():
            if inode is None:
                into.pop(name, None)
            else:
                into[name] = inode

    def subsets(self, most, rng):
        n = len(self.pending)
        if 2**n <= most:
            return list(itertools.product((False, True), repeat=n))
        rows = [tuple(i < k for i in range(n)) for k in range(n + 1)]
        rows += [tuple(i == k for i in range(n)) for k in range(n)]
        rows += [tuple(i != k for i in range(n)) for k in range(n)]
        rows += [tuple(rng.random() < 0.5 for _ in range(n)) for _ in range(most)]
        return list(dict.fromkeys(rows))

    def trees(self, most, rng):
        """The legal states as they are now: {path: content, None for a directory}."""
        found = {}
        for chosen in self.subsets(most, rng):
            entries = {}
            for (where, names), there in zip(self.pending, chosen):
                if there:
                    self.put(entries.setdefault(where, dict(where.names)), names)
            for tree in self.contents(entries):
                found[tuple(sorted(tree.items(), key=lambda x: x[0]))] = tree
        trees = list(found.values())
        return trees if len(trees) <= most else trees[:2] + rng.sample(trees[2:], most - 2)

    def contents(self, entries):
        files = {}

        def walk(inode, path):
            for name, at in entries.get(inode, inode.names).items():
                where = path + (name,)
                files[where] = at
                if at.is_dir:
                    walk(at, where)

        walk(self.above, ())
        base = {p: None if i.is_dir else i.content(i.writes) for p, i in files.items()}
        yield base
        # One file torn at a time: they do not speak of each other before they are durable.
        for path, inode in files.items():
            if not inode.is_dir and inode.writes:
                for data in inode.variants():
                    yield {**base, path: data}


class Run:
    """A process: its descriptors, and what its calls do to the disk."""

    def __init__(self, disk):
        self.disk = disk
        self.fds = {}  # number: [inode, offset, append, path]
        self.files = []

    def path(self, args, strings, index=0):
        """The index-th string, from the directory that stands before it on."""
        text = strings[index]
        if text.startswith("/"):
            return text
        before = args.split('"')[2 * index].rstrip(", ").split(", ")[-1]
        fd = self.fds.get(int(before)) if before.isdigit() else None
        return os.path.join(fd[3], text) if fd else os.path.abspath(text)

    def open(self, args, strings, ret):
        path, disk = self.path(args, strings), self.disk
        where = disk.find(path)
        if where is None:
            self.fds[ret] = [disk.above if disk.parent_of(path) else None, 0, False, path]
            return False
        at, name = where
        changed = False
        if name not in at.now:
            disk.change(at, {name: Inode(False)})
            changed = True
        inode = at.now[name]
        if "O_TRUNC" in args:
            inode.writes.append((0, None))
            changed = True
        self.fds[ret] = [inode, 0, "O_APPEND" in args, path]
        return changed

    def write(self, args, strings, ret, at=None):
        fd = self.fds.get(int(args.split(",")[0]))
        if fd is None or fd[0] is None:
            return False
        data = strings[0].encode("latin-1")[:ret]
        if at is None:
            at = len(fd[0].content(fd[0].writes)) if fd[2] else fd[1]
            fd[1] = at + len(data)
        fd[0].writes.append((at, data))
        return True

    def sync(self, args):
        fd = self.fds.get(int(args))
        if fd is None or fd[0] is None:
            return False
        if fd[0].is_dir:
            self.disk.sync_dir(fd[0])
        else:
            fd[0].data, fd[0].writes = fd[0].content(fd[0].writes), []
        return True

    def names(self, call, args, strings):
        """rename, link, unlink, mkdir, rmdir, and what ends in at."""
        disk = self.disk
        where = disk.find(self.path(args, strings))
        if call.startswith(("rename", "link")):
            to = disk.find(self.path(args, strings, 1))
            if where is None and to is None:
                return False
            assert where[0] is to[0], f"{call} from directory to directory: not in the model"
            inode = where[0].now[where[1]]
            gone = {where[1]: None} if call.startswith("rename") else {}
            disk.change(to[0], {**gone, to[1]: inode})
        elif where is None:
            return False
        elif call.startswith("mkdir"):
            disk.change(where[0], {where[1]: Inode(True)})
        else:
            disk.change(where[0], {where[1]: None})
        return True

    def call(self, name, args, ret):
        strings = []
        for text, more in STRING.findall(args):
            assert not more, "strace has cut a string"
            strings.append(bytes.fromhex(text.replace("\\x", "")).decode("latin-1"))
        if name == "openat":
            return self.open(args, strings, ret)
        if name in ("dup", "dup2", "dup3", "fcntl"):
            if name != "fcntl" or "F_DUPFD" in args:
                self.fds[ret] = self.fds.get(int(args.split(",")[0]))
            return False
        if name == "close":
            self.fds.pop(int(args), None)
            return False
        if name == "write":
            return self.write(args, strings, ret)
        if name == "pwrite64":
            return self.write(args, strings, ret, int(args.split(", ")[-1]))
        if name == "ftruncate":
            fd = self.fds.get(int(args.split(",")[0]))
            if fd is None or fd[0] is None:
                return False
            fd[0].writes.append((int(args.split(", ")[1]), None))
            return True
        if name in ("fsync", "fdatasync"):
            return self.sync(args)
        return self.names(name, args, strings)


def write_tree(tree, where, dirs):
    os.makedirs(where)
    for name in dirs:
        if (name,) in tree:
            os.mkdir(os.path.join(where, name), 0o700)
    for path, data in sorted(tree.items(), key=lambda x: len(x[0])):
        target = os.path.join(where, *path)
        if data is not None:
            with open(target, "wb") as f:
                f.write(data)
            os.chmod(target, 0o600)
        elif len(path) > 1:
            os.mkdir(target, 0o700)


def read_part(key):
    """A name for all but the temporary files, which nobody reads."""
    rest = [(path, data) for path, data in key if not path[-1].endswith(".new")]
    return hashlib.sha256(repr(rest).encode()).hexdigest()


def main():
    out, most, words, before, *traces = sys.argv[1:]
    dirs = dict(word.split("=", 1) for word in words.split(","))
    rng = random.Random(1)
    disk = Disk(dirs, before)
    for number, trace in enumerate(traces, 1):
        seen, run = {}, Run(disk)
        with open(trace, encoding="ascii") as f:
            lines = [LINE.match(line) for line in f]
        for match in lines:
            if match is None or match[3] == "?" or int(match[3]) < 0:
                continue
            if run.call(match[1], match[2], int(match[3])):
                what = match[1] + STRING.sub("...", match[2])[:60]
                for tree in disk.trees(int(most), rng):
                    seen.setdefault(tuple(sorted(tree.items(), key=lambda x: x[0])), what)
        for tree in disk.trees(int(most), rng):
            seen[tuple(sorted(tree.items(), key=lambda x: x[0]))] = "ended"
        for index, (key, what) in enumerate(seen.items()):
            where = os.path.join(out, str(number), str(index))
            shutil.rmtree(where, ignore_errors=True)
            write_tree(dict(key), where, dirs)
            with open(os.path.join(where, "when"), "w", encoding="ascii") as f:
                f.write(what + "\n" + read_part(key) + "\n")


main()
