"""dulwich as a git client, through Debian's python3-dulwich. Commands: see integration/README.md."""
import sys

from dulwich import porcelain
from dulwich.client import get_transport_and_path


def clone(url, folder):
    porcelain.clone(url, folder).close()


def shallow(url, folder):
    porcelain.clone(url, folder, depth=1).close()


def fetch(folder):
    porcelain.fetch(folder, "origin")


def ls_remote(url):
    client, path = get_transport_and_path(url)
    for name, oid in client.get_refs(path).items():
        print(f"{oid.decode()}\t{name.decode()}")


def push(folder, branch):
    porcelain.push(folder, "origin", f"refs/heads/{branch}:refs/heads/{branch}")


if __name__ == "__main__":
    {"clone": clone, "shallow": shallow, "fetch": fetch, "ls-remote": ls_remote, "push": push}[sys.argv[1]](*sys.argv[2:])
