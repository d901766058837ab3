"""libgit2 as a git client, through Debian's python3-pygit2. Commands: see integration/README.md."""
import sys

import pygit2


def clone(url, folder):
    pygit2.clone_repository(url, folder)


def fetch(folder):
    pygit2.Repository(folder).remotes["origin"].fetch()


def ls_remote(url):
    """pygit2 lists the refs of a remote only, and a remote belongs to a repository."""
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        remote = pygit2.init_repository(folder, bare=True).remotes.create("origin", url)
        for head in remote.ls_remotes():
            print(f"{head['oid']}\t{head['name']}")


def push(folder, branch):
    class Said(pygit2.RemoteCallbacks):
        def push_update_reference(self, refname, message):
            if message is not None:
                raise SystemExit(f"{refname}: {message}")
    pygit2.Repository(folder).remotes["origin"].push([f"refs/heads/{branch}"], callbacks=Said())


if __name__ == "__main__":
    {"clone": clone, "fetch": fetch, "ls-remote": ls_remote, "push": push}[sys.argv[1]](*sys.argv[2:])
