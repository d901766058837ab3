"""Every git client x everything it asks for x an upstream that is there, that is away, and tankard restarted meanwhile.

One cell is one operation of one client in one state. Its result is compared with the upstream's repository by content: all refs,
the tree of each, the files of the working tree, and `git fsck`. The evidence that the cell is what its name says: the protocol
in tankard's log, and that nothing can reach the upstream where it is away.
"""
import itertools
import shutil

import pytest

from support.clients import CLIENTS, OPERATIONS
from support.gitrepo import typical
from support.scene import Scene

STATES = {
    "online": "the upstream is there",
    "offline": "it cannot be reached; the client itself has cloned, and listed, before",
    "mirrored": "it is switched off; another client has mirrored the repository before, this one comes for the first time",
    "restarted": "as offline, and tankard was restarted meanwhile",
}

# One object for all cells of a scene: by that pytest knows that the scene is the same.
CELLS = [(scene, operation) for scene in itertools.product(CLIENTS, STATES)
         for operation in OPERATIONS if operation not in CLIENTS[scene[0]].cannot]

_numbers = itertools.count(1)


class ClientScene(Scene):
    """One client in one state: an upstream's repository that moved on since the client made its clone `old`."""

    def __init__(self, host, client, state, folder):
        super().__init__(host, f"clients/{client}-{state}.git", folder, typical)
        self.state = state
        self.client = CLIENTS[client](folder / "client-home")

    def prepare(self):
        self.must(self.client.clone(self.direct_url if self.state == "mirrored" else self.url, self.folder / "old"))
        self.project.set_ref("refs/heads/new", self.project.add_commit())
        self.project.tag("v2.0", "main", annotated=True)
        if self.state == "mirrored":
            self.mirrored()
            self.tankard.switch(False)
        elif self.state != "online":
            self.must(self.client.clone(self.url, self.folder / "warm"))
            self.must(self.client.ls_remote(self.url))  # a clone of v2 asks only for branches and tags
            self.tankard.wait_stored()
            self.faults.vanish()
        if self.state == "restarted":
            self.tankard.restart()

    @staticmethod
    def must(result):
        assert result.ok, result
        return result

    def old_clone(self, folder):
        """A copy of the clone that is behind; its origin is tankard (whose port is another after a restart)."""
        shutil.copytree(self.folder / "old", folder, symlinks=True)
        self.git.check("config", "remote.origin.url", self.url, cwd=folder)
        return folder


@pytest.fixture(scope="module")
def scene(request, host, tmp_path_factory):
    client, state = request.param
    with ClientScene(host, client, state, tmp_path_factory.mktemp(f"{client}-{state}")) as made:
        made.prepare()
        yield made


@pytest.fixture
def tankard(scene):
    """For the report of a test that fails."""
    return scene.tankard


# What must be there, taken from the upstream's repository as it is now.

def trees(git, folder, *patterns):
    """{ref: tree} of branches, tags and what is tracked."""
    lines = git.check("for-each-ref", "--format=%(refname) %(tree)%(*tree)", *patterns, cwd=folder).splitlines()
    return dict(line.split(" ") for line in lines)


def as_tracked(refs):
    """Refs of a remote as a clone of it names them."""
    return {r.replace("refs/heads/", "refs/remotes/origin/", 1): value for r, value in refs.items()}


def without_own(refs):
    """What a clone knows of its remote: not its own branches."""
    return {r: v for r, v in refs.items() if not r.startswith("refs/heads/") and r != "refs/remotes/origin/HEAD"}


def has_all_branches_and_tags(scene, folder):
    git, project = scene.git, scene.project
    assert without_own(git.refs(folder)) == as_tracked(project.refs("refs/heads", "refs/tags"))
    assert without_own(trees(git, folder)) == as_tracked(trees(git, project.folder, "refs/heads", "refs/tags"))
    git.fsck(folder)


def has_head_checked_out(scene, folder):
    assert scene.git.check("rev-parse", "HEAD", cwd=folder) == scene.project.oid("main")
    scene.git.check("diff", "--exit-code", "HEAD", "--", cwd=folder)
    assert scene.git.tree(folder) == scene.git.tree(scene.project.folder, "main")


def blobs_of(scene):
    objects = scene.git.check("rev-list", "--objects", "--no-object-names", "--branches", "--tags", cwd=scene.project.folder)
    types = scene.git.check("cat-file", "--batch-check=%(objecttype) %(objectname)", cwd=scene.project.folder, input=objects + "\n")
    return {line.split(" ")[1] for line in types.splitlines() if line.startswith("blob ")}


# The operations

def clone(scene, folder):
    scene.must(scene.client.clone(scene.url, folder))
    has_all_branches_and_tags(scene, folder)
    has_head_checked_out(scene, folder)


def mirror(scene, folder):
    scene.must(scene.client.mirror(scene.url, folder))
    assert scene.git.refs(folder) == scene.project.refs()
    assert trees(scene.git, folder) == trees(scene.git, scene.project.folder)
    scene.git.fsck(folder)


def fetch(scene, folder):
    scene.old_clone(folder)
    new = scene.project.oid("main")
    assert not scene.git.run("cat-file", "-e", new, cwd=folder).ok, "there is something to fetch"
    scene.must(scene.client.fetch(folder))
    has_all_branches_and_tags(scene, folder)


def ls_remote(scene, _):
    listed = sorted(scene.must(scene.client.ls_remote(scene.url)).out.splitlines())
    there = scene.git.check("ls-remote", scene.project.folder).splitlines()
    assert listed == sorted(line for line in there if scene.client.shows_peeled or not line.endswith("^{}"))


def shallow(scene, folder):
    scene.must(scene.client.shallow(scene.url, folder))
    git, project = scene.git, scene.project
    refs, there = without_own(git.refs(folder)), as_tracked(project.refs())
    assert refs and refs == {r: there.get(r) for r in refs}
    has_head_checked_out(scene, folder)
    # No commit has a parent, so the tips are all there is.
    tips = {git.check("rev-parse", f"{r}^{{commit}}", cwd=folder) for r in refs}
    assert set(git.check("rev-list", "--all", cwd=folder).split()) == tips
    assert tips <= set((folder / ".git" / "shallow").read_text(encoding="ascii").split())
    git.fsck(folder)


def partial(scene, folder):
    """A clone without blobs. v2 fetches them when they are needed; of v0 and v1 this upstream refuses wants it did not advertise."""
    scene.must(scene.client.partial(scene.url, folder))
    git = scene.git
    has_all_branches_and_tags(scene, folder)
    listed = git.check("rev-list", "--objects", "--all", "--missing=print", cwd=folder).split("\n")
    assert {line[1:] for line in listed if line.startswith("?")} == blobs_of(scene)
    if scene.client.protocol == "v2":
        git.check("checkout", "main", cwd=folder)
        has_head_checked_out(scene, folder)
        git.check("log", "-p", "--all", cwd=folder)
        git.fsck(folder)


def push(scene, folder):
    git, branch = scene.git, f"pushed-{next(_numbers)}"
    scene.old_clone(folder)
    before = scene.project.refs()
    commit = git.check("commit-tree", "-p", "HEAD", "-m", branch, "HEAD^{tree}", cwd=folder)
    git.check("update-ref", f"refs/heads/{branch}", commit, cwd=folder)
    pushed = scene.client.push(folder, branch)
    if scene.state != "online":
        assert not pushed.ok, "only the upstream can take a push"
        assert scene.project.refs() == before
        return
    assert pushed.ok, pushed
    assert scene.project.refs() == {**before, f"refs/heads/{branch}": commit}
    git.fsck(scene.project.folder)
    assert f"{commit}\trefs/heads/{branch}" in scene.client.ls_remote(scene.url).out.splitlines(), "own writes are read"


@pytest.mark.parametrize("scene, operation", CELLS, indirect=["scene"], scope="module",
                         ids=[f"{client}-{state}-{operation}" for (client, state), operation in CELLS])
def test_cell(scene, operation, tmp_path, tankard):
    mark = tankard.log_mark()
    globals()[operation](scene, tmp_path / "here")
    spoken = {r["protocol"] for r in tankard.wait_request(1, since=mark) if r["operation"] in ("info_refs", "ls_refs", "fetch")}
    assert spoken <= {scene.client.protocol} and (spoken or operation == "push"), spoken


def test_the_table_is_whole():
    """A cell is left out only with a reason, and git leaves none out."""
    assert all(reason for client in CLIENTS.values() for reason in client.cannot.values())
    assert all(set(client.cannot) < set(OPERATIONS) for client in CLIENTS.values())
    assert not any(CLIENTS[name].cannot for name in ("git-v0", "git-v1", "git-v2"))
