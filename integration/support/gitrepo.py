"""Deterministic repositories: the same names, dates and bytes in every run, made with `git fast-import`."""
import os
import random
import subprocess

_DATE = 1112911993


def _ident(n):
    return f"C O Mitter <committer@example.com> {_DATE + n} +0000"


def fast_import(git, repository, stream):
    """Feeds an iterable of bytes into fast-import."""
    process = subprocess.Popen(["git", "-c", "core.compression=1", "-c", "fastimport.unpackLimit=0", "fast-import", "--quiet", "--force"],
                               cwd=repository, env=git.environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    for part in stream:
        process.stdin.write(part)
    process.stdin.close()
    error = process.stderr.read().decode(errors="replace")
    assert process.wait() == 0, error


def blob(data):
    return b"data %d\n%s\n" % (len(data), data)


def commit(ref, n, files, parent=None, message=None):
    """One commit in fast-import's language; files: {path: bytes}."""
    text = (message or f"commit {n}").encode()
    out = f"commit {ref}\nmark :{n}\ncommitter {_ident(n)}\n".encode() + blob(text)
    if parent is not None:
        out += f"from {parent}\n".encode()
    for path, data in files.items():
        out += f"M 100644 inline {path}\n".encode() + blob(data)
    return out


class Repository:
    """A bare repository of the upstream and the ways to change it behind everyone's back."""

    def __init__(self, git, folder, head="main", object_format="sha1"):
        self.git, self.folder = git, str(folder)
        os.makedirs(self.folder, exist_ok=True)
        git.check("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", f"--initial-branch={head}", self.folder)

    def history(self, commits=20, branch="main", seed=1, size=200):
        """A line of commits that change a handful of files."""
        numbers = random.Random(seed)

        def stream():
            for n in range(1, commits + 1):
                text = "".join(f"line {numbers.randrange(1_000_000)}\n" for _ in range(size // 10))
                yield commit(f"refs/heads/{branch}", n, {f"dir{n % 5}/file{n % 7}.txt": text.encode(), "README": f"{n}\n".encode()})
        fast_import(self.git, self.folder, stream())
        return self

    def big(self, megabytes, branch="main", seed=7):
        """Blobs that do not compress: the pack is as large as said."""
        numbers = random.Random(seed)
        per_commit = 8

        def stream():
            for n in range(1, megabytes // per_commit + 1):
                files = {f"blob-{n}-{part}.bin": numbers.randbytes(1 << 20) for part in range(per_commit)}
                yield commit(f"refs/heads/{branch}", n, files)
        fast_import(self.git, self.folder, stream())
        return self

    def add_commit(self, branch="main", content=None, path="news.txt", n=[1000]):
        """One more commit on a branch (made where it does not exist). Returns its oid."""
        n[0] += 1
        parent = self.oid(f"refs/heads/{branch}")
        files = {path: content if content is not None else f"news {n[0]}\n".encode()}
        fast_import(self.git, self.folder, [commit(f"refs/heads/{branch}", n[0], files, parent)])
        return self.oid(f"refs/heads/{branch}")

    def rewrite(self, branch="main", n=[5000]):
        """A force-push: the branch becomes a new history that shares nothing with the old tip. Returns its oid."""
        n[0] += 1
        self.git.check("update-ref", "-d", f"refs/heads/{branch}", cwd=self.folder)
        fast_import(self.git, self.folder, [commit(f"refs/heads/{branch}", n[0], {"other": f"rewritten {n[0]}\n".encode()})])
        return self.oid(f"refs/heads/{branch}")

    def many_refs(self, count, prefix="refs/heads/many/"):
        """`count` refs that all differ (each its own commit)."""
        def stream():
            for n in range(1, count + 1):
                yield commit("refs/heads/chain", n, {"counter": f"{n}\n".encode()})
            for n in range(1, count + 1):
                yield f"reset {prefix}{n:06d}\nfrom :{n}\n\n".encode()
        fast_import(self.git, self.folder, stream())
        self.git.check("pack-refs", "--all", cwd=self.folder)
        return self

    def oid(self, rev):
        result = self.git.run("rev-parse", "--verify", "--quiet", rev, cwd=self.folder)
        return result.out.strip() or None

    def set_ref(self, ref, rev="HEAD"):
        self.git.check("update-ref", ref, self.oid(rev), cwd=self.folder)

    def delete_ref(self, ref):
        self.git.check("update-ref", "-d", ref, cwd=self.folder)

    def tag(self, name, rev="HEAD", annotated=False):
        if annotated:
            self.git.check("tag", "-f", "-a", "-m", f"tag {name}", name, rev, cwd=self.folder)
        else:
            self.git.check("tag", "-f", name, rev, cwd=self.folder)

    def head(self, ref):
        """Points HEAD to a branch (which may be unborn)."""
        self.git.check("symbolic-ref", "HEAD", ref, cwd=self.folder)

    def refs(self, *patterns):
        return self.git.refs(self.folder, *patterns)

    def pack_bytes(self):
        folder = os.path.join(self.folder, "objects", "pack")
        return sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder) if f.endswith(".pack"))


def typical(git, folder, **options):
    """What a normal project looks like: history, branches, both kinds of tags, a pull ref outside heads and tags."""
    repository = Repository(git, folder, **options).history(25)
    repository.set_ref("refs/heads/topic/one", "main~3")
    repository.set_ref("refs/heads/release", "main~10")
    repository.tag("light", "main~5")
    repository.tag("v1.0", "main~8", annotated=True)
    repository.tag("v1.1", "main~2", annotated=True)
    repository.set_ref("refs/pull/1/head", "main~4")
    return repository
