"""Repositories whose every part can be recognised, and what of them an answer tells.

    life = Life(git, host.path("team/one.git"), "one-first")
    told(answer, [life, another])  ->  the lives of which a ref name, an oid or a content is in the answer, in a pack too
"""
import hashlib
import os
import subprocess
import tempfile

from . import pkt
from .gitrepo import Repository, commit, fast_import

PREFIXES = ("HEAD", "refs/heads/", "refs/tags/")   # what a clone asks for

_SHARED = {"LICENSE": b"What every repository has may be seen in every answer.\n"}
_pack_contents = {}   # sha256 of a pack -> the objects in it


class Life(Repository):
    """One life of a repository: names of branches, messages, paths and contents bear its mark. `old` was the tip of main
    and was pushed away by `begin_again`. The branch `stable` is the same in all lives that share it: what is told by it is no secret."""

    def __init__(self, git, folder, mark, shares_a_branch=True):
        super().__init__(git, folder)
        self.mark, self.old = f"Quince-{mark}-Medlar", None
        self.known = set()   # the oids of everything that was ever in it, but of what all share
        message = "shared by all" if shares_a_branch else f"of {self.mark} alone"
        fast_import(git, folder, [commit("refs/heads/stable", 1, _SHARED, message=message)])
        self._write("first")
        self._look()
        self.begun_with = self.tip

    def _write(self, part):
        name = f"{self.mark}-{part}"
        fast_import(self.git, self.folder, [
            commit("refs/heads/main", 2, {f"{name}.txt": f"content of {name}\n".encode() * 3}, message=f"begin {name}"),
            commit("refs/heads/main", 3, {"news.txt": f"more of {name}\n".encode()}, message=f"go on with {name}"),
            commit(f"refs/heads/topic/{name}", 4, {"topic.txt": f"topic of {name}\n".encode()}, message=f"try {name}")])
        self.tag(f"tag-{name}", "main", annotated=True)

    def begin_again(self):
        """main is pushed away by a history that shares nothing with it; the former objects stay."""
        self.old = self.tip
        for ref in ("refs/heads/main", *self.refs("refs/heads/topic/"), *self.refs("refs/tags/")):
            self.delete_ref(ref)
        self._write("second")
        self._look()

    def _look(self):
        self.tip = self.oid("refs/heads/main")
        self.listing = {"HEAD": self.tip, **self.refs("refs/heads/", "refs/tags/")}   # as a clone's ls-refs shows them
        everything = self.git.check("cat-file", "--batch-all-objects", "--batch-check=%(objectname)", cwd=self.folder).split()
        shared = self.git.check("rev-list", "--objects", "refs/heads/stable", cwd=self.folder).splitlines()
        self.known |= set(everything) - {line.split(" ")[0] for line in shared}

    def tips(self):
        """What a clone wants."""
        return sorted(set(self.listing.values()))

    def is_told_in(self, data):
        return self.mark.encode() in data or any(oid.encode() in data for oid in self.known)


def pack_of(body):
    """The pack in a protocol v2 answer to a fetch, or None."""
    parts, section = [], None
    for payload in pkt.read(body):
        if payload == b"packfile\n":
            section = "packfile"
        elif section and isinstance(payload, bytes) and payload[:1] == b"\x01":
            parts.append(payload[1:])
    return b"".join(parts) if parts else None


def objects_in(pack):
    """Every object of a pack as `git cat-file --batch` prints it (oid, kind, content); real git unpacks it."""
    digest = hashlib.sha256(pack).digest()
    if digest not in _pack_contents:
        with tempfile.TemporaryDirectory(prefix="tankard-pack-") as folder:
            env = {"PATH": "/usr/bin:/bin", "HOME": folder, "GIT_DIR": folder, "GIT_CONFIG_NOSYSTEM": "1"}
            for name in ("objects/pack", "refs"):
                os.makedirs(os.path.join(folder, name))
            with open(os.path.join(folder, "HEAD"), "w", encoding="ascii") as head:
                head.write("ref: refs/heads/main\n")
            subprocess.run(["git", "index-pack", "--stdin"], input=pack, env=env, check=True, capture_output=True)
            listed = subprocess.run(["git", "cat-file", "--batch-all-objects", "--batch"], env=env, check=True, capture_output=True)
        _pack_contents[digest] = listed.stdout
    return _pack_contents[digest]


def told(answer, lives, but=()):
    """Names (`mark`) of the lives of which anything is in this answer. `but`: oids that the client itself named."""
    text = repr(answer.headers).encode() + answer.body
    pack = pack_of(answer.body)
    if pack:
        text += objects_in(pack)
    for oid in but:
        text = text.replace(oid.encode(), b"")
    return {life.mark for life in lives if life.is_told_in(text)}
