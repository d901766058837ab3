"""Git clients of other people, all asked in the same way; each with a HOME of its own and no configuration of the machine.

    client = CLIENTS["dulwich"](home)
    client.clone(url, folder)        # the other operations: fetch, ls_remote, shallow, partial, push

What a client cannot do stands in its `cannot`, with the reason, and nobody asks it. One that is not installed fails.
"""
import os
import subprocess
import time

from .git import ENVIRONMENT, Result
from .processes import TIME_FACTOR

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = os.path.join(_ROOT, "integration", "clients")
INSTALLED = os.path.join(_ROOT, "build", "clients")  # by integration/clients/install
OPERATIONS = ("clone", "mirror", "fetch", "ls_remote", "shallow", "partial", "push")


class Client:
    """One client program. Its clones have a remote `origin` and a working tree."""
    name = None
    protocol = "v0"   # as tankard's log names what it speaks
    cannot = {}       # {operation: why}
    shows_peeled = True

    def __init__(self, home):
        self.home = str(home)
        os.makedirs(self.home, exist_ok=True)
        with open(os.path.join(self.home, ".gitconfig"), "w", encoding="utf-8") as file:
            file.write("[user]\n\tname = A U Thor\n\temail = author@example.com\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n")

    def environment(self):
        return {**ENVIRONMENT, "HOME": self.home, "XDG_CONFIG_HOME": self.home}

    def start(self, *args, cwd=None, timeout=120.0):
        """Runs a program to its end, whatever that is."""
        argv = [str(a) for a in args]
        begun = time.monotonic()
        try:
            done = subprocess.run(argv, cwd=cwd, env=self.environment(), capture_output=True, check=False, text=True, errors="replace",
                                  stdin=subprocess.DEVNULL, timeout=timeout * TIME_FACTOR)
        except FileNotFoundError as missing:
            raise AssertionError(f"{argv[0]} is not there: `deploy/test` installs the clients (client_packages of deploy/packages, "
                                 "integration/clients/install)") from missing
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{self.name} hangs: {argv}\n{(late.stderr or b'')!r}") from late
        return Result(argv, done.returncode, done.stdout, done.stderr, time.monotonic() - begun)

    def program(self, command, *args):
        """Runs one of the small programs, which share their commands."""
        raise NotImplementedError

    # Operations: each returns a Result, good or bad.

    def clone(self, url, folder):
        return self.program("clone", url, folder)

    def mirror(self, url, folder):
        """A bare clone of every ref there is."""
        return self.program("clone", "--mirror", url, folder)

    def fetch(self, folder):
        return self.program("fetch", folder)

    def ls_remote(self, url):
        """Prints `<oid>\\t<ref>` lines."""
        return self.program("ls-remote", url)

    def shallow(self, url, folder):
        """The last commit of the default branch (of all branches, where the client knows no other)."""
        return self.program("shallow", url, folder)

    def partial(self, url, folder):
        """A clone without blobs, and without a working tree."""
        return self.program("partial", url, folder)

    def push(self, folder, branch):
        return self.program("push", folder, branch)


class _Git(Client):
    version = None

    def program(self, *args):
        return self.start("git", "-c", f"protocol.version={self.version}", *args)

    def fetch(self, folder):
        return self.program("-C", folder, "fetch", "origin")

    def shallow(self, url, folder):
        return self.program("clone", "--depth", "1", url, folder)

    def partial(self, url, folder):
        return self.program("clone", "--filter=blob:none", "--no-checkout", url, folder)

    def push(self, folder, branch):
        return self.program("-C", folder, "push", "origin", f"refs/heads/{branch}")


class GitV0(_Git):
    name, protocol, version = "git-v0", "v0", 0


class GitV1(_Git):
    name, protocol, version = "git-v1", "v1", 1


class GitV2(_Git):
    name, protocol, version = "git-v2", "v2", 2


_NO_MIRROR = "a word of git's own command line; the libraries have refspecs instead"


class Libgit2(Client):
    name = "libgit2"
    cannot = {"mirror": _NO_MIRROR, "shallow": "since libgit2 1.7; Debian 12 has 1.5", "partial": "libgit2 has no filters"}

    def program(self, *args):
        return self.start("/usr/bin/python3", "-B", os.path.join(PROGRAMS, "libgit2_client.py"), *args)


class Dulwich(Client):
    name = "dulwich"
    cannot = {"mirror": _NO_MIRROR, "partial": "since dulwich 0.22.2; Debian 12 has 0.21"}

    def program(self, *args):
        return self.start("/usr/bin/python3", "-B", os.path.join(PROGRAMS, "dulwich_client.py"), *args)


class JGit(Client):
    name = "jgit"
    cannot = {"mirror": _NO_MIRROR, "shallow": "since JGit 6.3; Debian 12 has 4.11", "partial": "JGit as a client has no filters before 5.0"}
    unnamed = ("org.eclipse.jgit.lfs", "org.eclipse.jgit.http.apache", "httpclient", "httpcore", "commons-logging")

    def environment(self):
        # Java takes the home of the user from the passwd file. The options of the machine are for a start in half the time. The jars
        # are what Debian's jgit-cli needs and does not name.
        return {**super().environment(), "JGIT_CLASSPATH": ":".join(f"/usr/share/java/{jar}.jar" for jar in self.unnamed),
                "java_args": f"-Duser.home={self.home} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"}

    def program(self, *args):
        return self.start("jgit", *args)

    def fetch(self, folder):
        return self.program("--git-dir", os.path.join(folder, ".git"), "fetch", "origin")

    def push(self, folder, branch):
        return self.program("--git-dir", os.path.join(folder, ".git"), "push", "origin", f"refs/heads/{branch}")


class GoGit(Client):
    name = "go-git"
    shows_peeled = False  # what it lists are refs
    cannot = {"mirror": _NO_MIRROR, "partial": "go-git has no filters before 5.12; Debian 12 has 5.4"}

    def program(self, *args):
        return self.start(os.path.join(INSTALLED, "go-git"), *args)


class IsomorphicGit(Client):
    name = "isomorphic-git"
    cannot = {"mirror": _NO_MIRROR, "partial": "isomorphic-git has no filters"}

    def environment(self):
        return {**super().environment(), "NODE_PATH": os.path.join(INSTALLED, "isomorphic-git", "node_modules")}

    def program(self, *args):
        return self.start("node", os.path.join(PROGRAMS, "isomorphic_git", "client.js"), *args)


CLIENTS = {c.name: c for c in (GitV0, GitV1, GitV2, Libgit2, Dulwich, JGit, GoGit, IsomorphicGit)}
