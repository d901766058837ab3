"""Real git clients, each in a clean environment: no user or system configuration, no prompt, no credential helper."""
import os
import subprocess
import tempfile
import time

from .processes import TIME_FACTOR

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_AUTHOR_NAME": "A U Thor",
    "GIT_AUTHOR_EMAIL": "author@example.com",
    "GIT_COMMITTER_NAME": "C O Mitter",
    "GIT_COMMITTER_EMAIL": "committer@example.com",
    "GIT_AUTHOR_DATE": "1112911993 -0700",
    "GIT_COMMITTER_DATE": "1112911993 -0700",
}


class Result:
    def __init__(self, argv, code, out, err, seconds):
        self.argv, self.code, self.out, self.err, self.seconds = argv, code, out, err, seconds

    @property
    def ok(self):
        return self.code == 0

    def __repr__(self):
        return f"{' '.join(self.argv)}\n  exit {self.code} after {self.seconds:.2f} s\n  out: {self.out[-2000:]}\n  err: {self.err[-4000:]}"


class Git:
    """One user's git: its own HOME and global configuration."""

    def __init__(self, home=None, config=None):
        self._own = None
        if home is None:
            self._own = tempfile.TemporaryDirectory(prefix="tankard-home-", ignore_cleanup_errors=True)
            home = self._own.name
        self.home = str(home)
        os.makedirs(self.home, exist_ok=True)
        with open(os.path.join(self.home, ".gitconfig"), "w", encoding="utf-8") as file:
            file.write("[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n[gc]\n\tauto = 0\n")
            file.write("[protocol \"file\"]\n\tallow = always\n[pack]\n\tthreads = 1\n")
        for key, value in (config or {}).items():
            self.check("config", "--global", key, value)

    def environment(self, extra=None):
        return {**ENVIRONMENT, "HOME": self.home, "XDG_CONFIG_HOME": self.home, **(extra or {})}

    def start(self, *args, cwd=None, env=None, **popen):
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(["git", *map(str, args)], cwd=cwd, env=self.environment(env), stdin=subprocess.DEVNULL, **popen)

    def run(self, *args, cwd=None, env=None, input=None, timeout=120.0):
        """Runs git to its end, whatever that is. A time-out is a failed test: nothing here may hang."""
        argv = ["git", *map(str, args)]
        begun = time.monotonic()
        stdin = {"input": input.encode() if isinstance(input, str) else input} if input is not None else {"stdin": subprocess.DEVNULL}
        try:
            done = subprocess.run(argv, cwd=cwd, env=self.environment(env), capture_output=True, check=False,
                                  timeout=timeout * TIME_FACTOR, **stdin)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"git hangs: {argv}\n{(late.stderr or b'').decode(errors='replace')}") from late
        return Result(argv, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"),
                      time.monotonic() - begun)

    def check(self, *args, **kwargs):
        """Runs git and returns what it printed, without the last newline; fails the test where git fails."""
        result = self.run(*args, **kwargs)
        assert result.ok, result
        return result.out.rstrip("\n")

    def fails(self, *args, **kwargs):
        """Runs git, which must fail; returns the result."""
        result = self.run(*args, **kwargs)
        assert not result.ok, f"git should have failed: {result}"
        return result

    # What is compared again and again.

    def ls_remote(self, url, *args, protocol=2):
        """{ref: oid} and symrefs as ls-remote prints them, sorted lines."""
        return sorted(self.check("-c", f"protocol.version={protocol}", "ls-remote", "--symref", *args, url).splitlines())

    def refs(self, repository, *patterns):
        """{ref: oid} of a local repository."""
        out = self.check("for-each-ref", "--format=%(refname) %(objectname)", *patterns, cwd=repository)
        return dict(line.split(" ") for line in out.splitlines())

    def fsck(self, repository):
        result = self.run("fsck", "--full", "--strict", cwd=repository, timeout=300)
        assert result.ok, result
        return result

    def tree(self, repository, rev="HEAD"):
        return self.check("rev-parse", f"{rev}^{{tree}}", cwd=repository)

    def same_content(self, left, right, pattern="refs/heads refs/tags"):
        """Two repositories have the same refs, and every object of them is there and sound."""
        patterns = pattern.split()
        assert self.refs(left, *patterns) == self.refs(right, *patterns)
        self.fsck(right)
