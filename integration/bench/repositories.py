"""What is cloned: the same names, dates and bytes in every run; and any bare repository that is named."""
import os

from support.gitrepo import Repository, typical


class Kept(Repository):
    """A bare repository of the git host with its path below it."""

    def __init__(self, git, host, name):
        self.path = f"{name}.git"
        super().__init__(git, host.path(self.path))


class Given(Kept):
    """Somebody's own bare repository, linked into the git host and only read."""

    def __init__(self, git, host, folder):
        folder = os.path.realpath(folder)
        assert os.path.isdir(os.path.join(folder, "objects")), f"not a bare repository: {folder}"
        name = os.path.basename(folder).removesuffix(".git")
        self.git, self.folder, self.path = git, folder, f"given/{name}.git"
        os.makedirs(os.path.dirname(host.path(self.path)), exist_ok=True)
        os.symlink(folder, host.path(self.path))


def with_megabytes(git, host, name, megabytes, commits):
    """A history of text, and beside it a branch of blobs that do not compress, 8 MB to a commit."""
    repository = Kept(git, host, name).history(commits, size=2000)
    return repository.big(megabytes, branch="data") if megabytes else repository


def small(git, host):
    return with_megabytes(git, host, "small", 0, 700)


def medium(git, host):
    return with_megabytes(git, host, "medium", 32, 700)


def large(git, host):
    return with_megabytes(git, host, "large", 304, 700)


def few_refs(git, host):
    name = "few-refs.git"
    repository = typical(git, host.path(name))
    repository.path = name
    return repository


def thousand_refs(git, host):
    return Kept(git, host, "thousand-refs").many_refs(1000)
