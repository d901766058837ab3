"""SHA-256 repositories: stored, kept up to date, served, and there in an outage, as those of SHA-1 are."""
import os
import shutil

import pytest

from support import pkt
from support.fault_proxy import Fault, Respond
from support.gitrepo import Repository, typical
from support.scene import Scene
from support.tankard import Direct
from test_shallow_partial import FROM_HERE, STATES, TestPartial, TestShallow, same  # noqa: F401  (they are run here too)
from test_shallow_partial import project as branches_and_files
from test_upkeep import EAGER, packs, store_of, wait_kept

PROTOCOLS = (0, 1, 2)


@pytest.fixture
def project(host, git, request):
    path = f"sha256/{request.node.name[:100]}.git"
    made = typical(git, host.path(path), object_format="sha256")
    made.path = path
    assert len(made.oid("main")) == 64
    return made


@pytest.fixture(scope="module", params=STATES)
def scene(request, host, tmp_path_factory):
    """For the tests of shallow and partial clones."""
    def make(git, folder):
        return branches_and_files(git, folder, object_format="sha256")
    with Scene(host, f"sha256/{request.param}.git", tmp_path_factory.mktemp(request.param), make) as made:
        yield made.known(request.param)


def clone(git, url, folder, *how, protocol=2):
    git.check("-c", f"protocol.version={protocol}", "clone", *how, url, folder)
    git.fsck(folder)
    assert git.check("rev-parse", "--show-object-format", cwd=folder) == "sha256"


def fetch(git, folder, protocol=2):
    git.check("-c", f"protocol.version={protocol}", "fetch", "--prune", "--tags", "--force", "origin", cwd=folder)
    git.fsck(folder)


def warm(tankard, git, project, tmp_path):
    """A mirror has been cloned, and is a store."""
    clone(git, tankard.url(project.path), tmp_path / "warm", "--mirror")
    tankard.wait_stored()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_first_clone_makes_a_store(tankard, faults, git, project, tmp_path, protocol):
    url = tankard.url(project.path)
    clone(git, url, tmp_path / "first", "--mirror", protocol=protocol)
    tankard.wait_stored()
    store = store_of(tankard)
    for command in (["fsck", "--full", "--strict"], ["show-ref", "--verify", "refs/heads/main"]):
        assert "error" not in git.check("-c", "safe.directory=*", *command, cwd=store)
    assert git.check("-c", "safe.directory=*", "rev-parse", "--show-object-format", cwd=store) == "sha256"
    mark, log = faults.mark(), tankard.log_mark()
    clone(git, url, tmp_path / "second", "--mirror", protocol=protocol)
    clone(git, url, tmp_path / "single", "--single-branch", "--branch", "release", protocol=protocol)
    git.same_content(project.folder, tmp_path / "second", "refs/")
    assert faults.count("fetch", since=mark) == 0
    assert set(tankard.outcomes("fetch", since=log, count=2)) <= FROM_HERE
    assert not tankard.events("keep-failed")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_new_commit_costs_one_sync_of_what_is_new(tankard, faults, git, project, tmp_path, protocol):
    warm(tankard, git, project, tmp_path)
    for n in range(2):
        clone(git, tankard.url(project.path), tmp_path / f"old{n}")
    project.add_commit()
    project.tag("v2.0", "main", annotated=True)
    mark = faults.mark()
    for n in range(2):
        fetch(git, tmp_path / f"old{n}", protocol)
        assert git.check("rev-parse", "origin/main", "v2.0^{}", cwd=tmp_path / f"old{n}").split() == [project.oid("main")] * 2
    tankard.wait_quiet()
    asked = [r for r in faults.seen(since=mark) if r.kind == "fetch"]
    assert len(asked) == 1, asked
    assert b"object-format=sha256" in asked[0].body and b"have " in asked[0].body
    assert not tankard.events("keep-failed")


def test_what_happens_to_refs_is_followed(tankard, faults, git, project, tmp_path):
    """Forced, set back, made of what is there, deleted: some of it needs no pack, none of it another clone."""
    warm(tankard, git, project, tmp_path)
    project.rewrite("topic/one")
    project.set_ref("refs/heads/main", "main~4")
    project.set_ref("refs/heads/other", "main~1")
    project.delete_ref("refs/heads/release")
    mark = faults.mark()
    fetch(git, tmp_path / "warm")
    tankard.wait_quiet()
    git.same_content(project.folder, tmp_path / "warm", "refs/")
    assert faults.count("fetch", since=mark) == 1
    faults.vanish()
    clone(git, tankard.url(project.path), tmp_path / "offline", "--mirror")
    git.same_content(project.folder, tmp_path / "offline", "refs/")


@pytest.fixture(params=["offline", "offline after a restart"])
def cut_off(request, tankard, faults):
    def cut():
        tankard.wait_written()
        faults.vanish()
        if request.param != "offline":
            tankard.restart()
    return cut


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_outage(tankard, git, project, tmp_path, cut_off, protocol):
    warm(tankard, git, project, tmp_path)
    for n, how in enumerate(((), ("--depth", "2"))):
        clone(git, tankard.url(project.path), tmp_path / f"old{n}", *how)
    project.add_commit()
    clone(git, tankard.url(project.path), tmp_path / "newest", "--mirror", protocol=protocol)
    listing = git.ls_remote(tankard.url(project.path), protocol=protocol)
    tankard.wait_quiet()
    cut_off()

    url = tankard.url(project.path)
    assert git.ls_remote(url, protocol=protocol) == listing
    clone(git, url, tmp_path / "mirror", "--mirror", protocol=protocol)
    git.same_content(project.folder, tmp_path / "mirror", "refs/")
    for n in range(2):
        git.check("remote", "set-url", "origin", url, cwd=tmp_path / f"old{n}")
        fetch(git, tmp_path / f"old{n}", protocol)
        assert git.check("rev-parse", "origin/main", cwd=tmp_path / f"old{n}") == project.oid("main")
    clone(git, url, tmp_path / "shallow", "--depth", "3", protocol=protocol)
    assert git.check("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "3"
    clone(git, url, tmp_path / "partial", "--filter=blob:none", "--no-checkout", protocol=protocol)
    git.check("checkout", "main", cwd=tmp_path / "partial")
    assert git.tree(tmp_path / "partial") == git.tree(project.folder, "main")
    assert set(tankard.outcomes("fetch")) <= FROM_HERE | {"miss"}


def test_what_was_never_fetched_is_refused_in_words(tankard, faults, git, project, tmp_path):
    git.ls_remote(tankard.url(project.path))
    faults.vanish()
    refused = git.fails("clone", tankard.url(project.path), tmp_path / "c")
    assert f"of {project.path} is not in the cache" in refused.err, refused


def test_a_host_that_knows_no_version_2(tankard, faults, git, project, tmp_path):
    """Its clients speak v0, and so does the sync, which says the format."""
    class Old(Fault):
        def answer(self, handler, record):
            record.headers = [(n, v) for n, v in record.headers if n.lower() != "git-protocol"]
            handler.forward(record)
    faults.on(Old(), times=None)
    warm(tankard, git, project, tmp_path)
    project.add_commit()
    mark = faults.mark()
    fetch(git, tmp_path / "warm")
    tankard.wait_quiet()
    (asked,) = [r for r in faults.seen(since=mark) if r.kind == "fetch"]
    assert b"object-format=sha256" in asked.body and b"command=" not in asked.body
    faults.vanish()
    clone(git, tankard.url(project.path), tmp_path / "offline", "--mirror")
    git.same_content(project.folder, tmp_path / "offline", "refs/")


def test_an_empty_repository(tankard, faults, git, host, tmp_path):
    """Online and offline a clone has the format that one of the upstream has (v0 tells it of nothing that has no refs)."""
    Repository(git, host.path("sha256/empty.git"), object_format="sha256")

    def format_of(url, folder, protocol):
        git.check("-c", f"protocol.version={protocol}", "clone", url, tmp_path / f"{folder}-{protocol}")
        return git.check("rev-parse", "--show-object-format", cwd=tmp_path / f"{folder}-{protocol}")
    direct = [format_of(f"{host.url}/sha256/empty.git", "direct", protocol) for protocol in PROTOCOLS]
    for state in ("online", "offline"):
        assert [format_of(tankard.url("sha256/empty.git"), state, protocol) for protocol in PROTOCOLS] == direct
        tankard.switch(False)


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_listing_asked_for_in_the_other_format_harms_nobody(tankard, faults, host, git, tmp_path, object_format):
    """git hangs up on it. That tells nothing of the host, and from memory nothing is made up."""
    path = f"other/{object_format}.git"
    typical(git, host.path(path), object_format=object_format)
    other = pkt.ls_refs("refs/heads/", object_format={"sha1": "sha256", "sha256": "sha1"}[object_format])
    listing = git.ls_remote(tankard.url(path))
    for _ in range(10):
        through, direct = (client.command(path, other) for client in (tankard, Direct(host.port)))
        assert (through.status, through.body) == (direct.status, direct.body)
    log = tankard.log_mark()
    assert git.ls_remote(tankard.url(path)) == listing
    assert tankard.outcomes("ls_refs", since=log) == ["revalidated"]
    faults.vanish()
    assert b"ERR tankard: no cached ls-refs available" in tankard.command(path, other).body
    assert git.ls_remote(tankard.url(path)) == listing


def test_questions_of_tankards_own_are_asked_in_its_format(tankard, faults, git, project, tmp_path):
    """An anonymous client is refused what he asks: whether all are, tankard asks in words that the upstream answers."""
    url = tankard.url(project.path)
    git.ls_remote(url)
    faults.on(Respond(403), kind="fetch", times=1)
    mark = faults.mark()
    git.fails("clone", url, tmp_path / "refused")
    own = [r for r in faults.seen(since=mark) if r.kind == "ls-refs"][-1]
    assert b"object-format=sha256" in own.body and b"tankard/" in own.body, own
    log = tankard.log_mark()
    clone(git, url, tmp_path / "c", "--mirror")
    assert set(tankard.outcomes("ls_refs", since=log)) <= {"miss", "revalidated"}, "the repository does not count as away"
    tankard.wait_stored()
    faults.vanish()
    clone(git, tankard.url(project.path), tmp_path / "offline", "--mirror")


class TestReachability:
    """What a store has and what it may give are two questions: a tip's history decides, not the objects that are there."""

    def ask(self, client, path, oid):
        return client.command(path, pkt.fetch([oid]))

    def test_offline_only_what_is_reachable_is_given(self, tankard, faults, git, project, tmp_path):
        old = project.oid("main~7")
        project.rewrite("gone")
        gone = project.oid("gone")
        warm(tankard, git, project, tmp_path)
        project.delete_ref("refs/heads/gone")
        fetch(git, tmp_path / "warm")
        tankard.wait_quiet()
        faults.vanish()
        for rev in ("main~7", "main~7^{tree}", "main:README"):
            assert b"PACK" in self.ask(tankard, project.path, project.oid(rev)).body, rev
        assert b"PACK" in self.ask(tankard, project.path, old).body
        for oid in (git.check("rev-parse", f"{gone}^{{tree}}", cwd=project.folder), "5" * 64):
            answer = self.ask(tankard, project.path, oid).body
            assert b"ERR " in answer and b"PACK" not in answer, answer

    def test_online_they_are_answered_by_the_store(self, tankard, faults, git, project, tmp_path):
        warm(tankard, git, project, tmp_path)
        mark = faults.mark()
        for rev in ("main~7", "main~7^{tree}", "main:README"):
            assert b"PACK" in self.ask(tankard, project.path, project.oid(rev)).body, rev
        assert faults.count("fetch", since=mark) == 0
        assert tankard.metric("tankard_children") == 0


def test_who_asks_in_another_format_is_answered_as_by_the_upstream(tankard, host, git, project, tmp_path):
    warm(tankard, git, project, tmp_path)
    for want in (project.oid("main"), project.oid("main")[:40]):
        for words in (["object-format=sha1"], ["object-format=sha256"], []):
            body = pkt.lines("command=fetch", "agent=git/integration", *words, pkt.DELIM, f"want {want}", "done", pkt.FLUSH)
            through, direct = (client.command(project.path, body) for client in (tankard, Direct(host.port)))
            assert (b"PACK" in through.body) == (b"PACK" in direct.body), (words, want, through, direct)


def test_upkeep_keeps_it_in_shape(run_tankard, faults, git, project, tmp_path):
    tankard = run_tankard(settings=EAGER)
    warm(tankard, git, project, tmp_path)
    for n in range(3):
        project.add_commit(content=os.urandom(2000))
        fetch(git, tmp_path / "warm")
    tankard.wait_metric("tankard_store_upkeep_runs_total", lambda n: n >= 1, result="ok")
    wait_kept(tankard)
    store = store_of(tankard)
    assert os.path.exists(os.path.join(store, "objects/info/commit-graph"))
    for command in (["commit-graph", "verify"], ["fsck", "--full"], ["rev-list", "--test-bitmap", "main"]):
        git.check("-c", "safe.directory=*", *command, cwd=store)
    assert tankard.metric("tankard_store_upkeep_runs_total", result="failed") == 0
    faults.vanish()
    clone(git, tankard.url(project.path), tmp_path / "after", "--mirror")
    git.same_content(project.folder, tmp_path / "after", "refs/")


def test_killed_it_starts_with_what_it_has(tankard, faults, git, project, tmp_path):
    warm(tankard, git, project, tmp_path)
    project.add_commit()
    fetch(git, tmp_path / "warm")
    tankard.wait_quiet()
    tankard.wait_written()
    tankard.kill()
    faults.vanish()
    tankard.start()
    clone(git, tankard.url(project.path), tmp_path / "after", "--mirror")
    git.same_content(project.folder, tmp_path / "after", "refs/")
    assert tankard.metric("tankard_store_repositories") == 1


def test_a_store_that_is_damaged_is_made_anew(tankard, git, project, tmp_path):
    warm(tankard, git, project, tmp_path)
    tankard.stop()
    (pack,) = packs(tankard)
    os.chmod(pack, 0o600)
    os.truncate(pack, os.path.getsize(pack) - 1)
    tankard.start()
    clone(git, tankard.url(project.path), tmp_path / "again", "--bare", "--single-branch", "--branch", "release")
    clone(git, tankard.url(project.path), tmp_path / "mirror", "--mirror")
    tankard.wait_stored()
    git.same_content(project.folder, tmp_path / "mirror", "refs/")
    git.check("-c", "safe.directory=*", "fsck", "--full", cwd=store_of(tankard))


@pytest.mark.parametrize("formats", [("sha1", "sha256"), ("sha256", "sha1")], ids="to".join)
def test_a_repository_that_is_made_anew_in_the_other_format(tankard, faults, host, git, tmp_path, formats):
    """A new life: nothing of the former one is shown, offered or given any more."""
    path, former = f"anew/{formats[0]}.git", None
    for n, object_format in enumerate(formats):
        shutil.rmtree(host.path(path), ignore_errors=True)
        project = typical(git, host.path(path), object_format=object_format)
        for again in range(2):
            folder = tmp_path / f"{object_format}-{again}"
            git.check("clone", "--mirror", tankard.url(path), folder)
            git.same_content(project.folder, folder, "refs/")
            tankard.wait_stored()
        tankard.wait_metric("tankard_store_repositories", lambda stores: stores == 1)
        store = store_of(tankard)
        assert store != former
        assert git.check("-c", "safe.directory=*", "rev-parse", "--show-object-format", cwd=store) == object_format
        former = store
    tankard.wait_written()
    faults.vanish()
    tankard.restart()
    for protocol in PROTOCOLS:
        git.check("-c", f"protocol.version={protocol}", "clone", "--mirror", tankard.url(path), tmp_path / f"offline{protocol}")
        git.same_content(project.folder, tmp_path / f"offline{protocol}", "refs/")
