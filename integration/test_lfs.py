"""git-lfs, unchanged, through tankard: what goes to the host's own paths passes through as a stream, and is not kept."""
import base64
import hashlib
import os

import pytest

from support.lfs_server import LfsServer
from support.memory import Memory
from support.upstream import PASSWORD, USER


@pytest.fixture
def lfs(faults):
    with LfsServer() as server:
        faults.on(server.serves(faults), times=None, kind="lfs")
        yield server


@pytest.fixture
def git(git):
    git.check("lfs", "install", "--skip-repo")
    return git


def tracked(git, folder, name="large.bin", data=None):
    data = os.urandom(300_000) if data is None else data
    git.check("lfs", "track", "*.bin", cwd=folder)
    (folder / name).write_bytes(data)
    git.check("add", ".gitattributes", name, cwd=folder)
    git.check("commit", "-m", f"add {name}", cwd=folder)
    return data


class TestObjects:
    def test_pushed_and_cloned_while_the_host_keeps_them_elsewhere(self, tankard, faults, lfs, git, project, tmp_path):
        """The places that a batch names are the client's to go to, as the host said them."""
        git.check("clone", tankard.url(project.path), tmp_path / "w")
        data = tracked(git, tmp_path / "w")
        git.check("push", "origin", "main", cwd=tmp_path / "w")
        assert lfs.objects == {hashlib.sha256(data).hexdigest(): data}
        assert faults.count("lfs", method="POST") >= 2 and faults.count("lfs", method="PUT") == 0, "objects went to where they are kept"
        assert lfs.count("PUT", "/objects/") == 1
        git.check("clone", tankard.url(project.path), tmp_path / "c")
        assert (tmp_path / "c" / "large.bin").read_bytes() == data
        assert tankard.requests(operation="lfs") and all(r["outcome"] == "bypass" for r in tankard.requests(operation="lfs"))

    @pytest.mark.parametrize("folder", ["info/lfs/objects", "gitlab-lfs/objects"])
    def test_through_tankard_where_the_client_rewrites_what_the_host_says(self, tankard, faults, lfs, git, project, tmp_path, folder):
        """With lfs.transfer.enableHrefRewrite `insteadOf` counts for objects too, and they come by the host's own paths."""
        lfs.href, lfs.folder = "", folder
        git.check("config", "--global", f"url.http://127.0.0.1:{tankard.port}/{faults.name}/.insteadOf", f"{faults.url}/")
        git.check("config", "--global", "lfs.transfer.enableHrefRewrite", "true")
        if folder != "info/lfs/objects":
            faults.on(lfs.serves(faults), times=None, path="/gitlab-lfs/")
        url = f"{faults.url}/{project.path}"
        git.check("clone", url, tmp_path / "w")
        data = tracked(git, tmp_path / "w")
        git.check("push", "origin", "main", cwd=tmp_path / "w")
        git.check("clone", url, tmp_path / "c")
        assert (tmp_path / "c" / "large.bin").read_bytes() == data
        moved = [r for r in tankard.requests(operation="lfs") if r["bytes_in"] == len(data) or r["bytes_out"] == len(data)]
        assert len(moved) == 2, "one up and one down, both through tankard"
        assert all(r.header("X-Object-Key") == lfs.key for r in faults.seen() if f"/{folder}/" in r.path and "batch" not in r.path)

    def test_are_not_kept(self, tankard, faults, lfs, git, project, tmp_path):
        lfs.href = ""
        data = os.urandom(1000)
        oid = hashlib.sha256(data).hexdigest()
        lfs.objects[oid] = data
        target = tankard.target(project.path, f"info/lfs/objects/{oid}")
        for _ in range(2):
            assert tankard.ask("GET", target, [("X-Object-Key", lfs.key)]).body == data
        assert lfs.count("GET", oid) == 2
        assert tankard.ask("GET", target).status == 403, "and nobody gets what another one was given"
        for path in tankard.files():
            with open(path, "rb") as file:
                assert data not in file.read()

    def test_that_are_large_cost_no_memory(self, run_tankard, lfs, project):
        tankard = run_tankard(lfs)
        data = os.urandom(100 << 20)
        target = tankard.target(project.path, f"info/lfs/objects/{hashlib.sha256(data).hexdigest()}")
        assert tankard.ask("GET", target, [("X-Object-Key", lfs.key)]).status == 404
        with Memory(tankard) as memory:
            assert tankard.ask("PUT", target, [("X-Object-Key", lfs.key)], data, timeout=120).status == 200
            assert tankard.ask("GET", target, [("X-Object-Key", lfs.key)], timeout=120).body == data
        memory.bounded()

    def test_are_refused_while_the_upstream_is_away(self, tankard, faults, lfs, git, project, tmp_path):
        git.check("clone", tankard.url(project.path), tmp_path / "w")
        tracked(git, tmp_path / "w")
        git.check("push", "origin", "main", cwd=tmp_path / "w")
        tankard.switch(False)
        answer = tankard.ask("POST", tankard.target(project.path, "info/lfs/objects/batch"), [], b"{}")
        assert answer.status == 502 and "is disabled in tankard" in answer.text


class TestCredentials:
    def test_a_helper_is_asked_for_tankard_and_keeps_what_it_knows(self, tankard, faults, lfs, git, project, tmp_path):
        lfs.credential = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        store = tmp_path / "store"
        kept = f"http://{USER}:{PASSWORD}@127.0.0.1%3a{tankard.port}\n"
        store.write_text(kept)
        git.check("config", "--global", "credential.helper", f"store --file={store}")
        git.check("clone", tankard.url(project.path), tmp_path / "w")
        data = tracked(git, tmp_path / "w")
        git.check("push", "origin", "main", cwd=tmp_path / "w")
        git.check("clone", tankard.url(project.path), tmp_path / "c")
        assert (tmp_path / "c" / "large.bin").read_bytes() == data
        assert store.read_text() == kept

    def test_a_refusal_is_relayed_with_its_challenge(self, tankard, lfs, project):
        lfs.credential = "Basic x"
        answer = tankard.ask("POST", tankard.target(project.path, "info/lfs/objects/batch"), [], b"{}")
        assert answer.status == 401 and answer.header("LFS-Authenticate") == 'Basic realm="lfs"' and answer.json["message"] == "who are you"


def test_locks(tankard, lfs, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "w")
    tracked(git, tmp_path / "w")
    git.check("push", "origin", "main", cwd=tmp_path / "w")
    git.check("lfs", "lock", "large.bin", cwd=tmp_path / "w")
    assert list(lfs.locks) == ["large.bin"]
    assert "large.bin" in git.check("lfs", "locks", cwd=tmp_path / "w")
