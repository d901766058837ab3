"""What is known survives: an orderly restart, a restart while the upstream is away, and kill -9 in the middle of everything."""
import os
import threading

import pytest

from support import pkt
from support.fault_proxy import Gate, HoldBody
from support.gitrepo import Repository
from support.processes import port_answers, wait_until


def test_a_restart_keeps_refs_and_packs(tankard, faults, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    tankard.restart()
    mark = faults.mark()
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "d")
    assert faults.count("fetch", since=mark) == 0
    git.same_content(project.folder, tmp_path / "d")


@pytest.mark.parametrize("how", ["--offline", "killed"])
def test_a_restart_while_the_upstream_is_away(tankard, faults, git, project, tmp_path, how):
    project.head("refs/heads/release")
    url = tankard.url(project.path)
    git.check("clone", "--mirror", url, tmp_path / "c")
    tankard.wait_stored()
    listing = git.ls_remote(url)
    raw = tankard.ls_refs(project.path, "refs/heads/", "refs/tags/", "HEAD").body
    if how == "killed":
        faults.vanish()
        tankard.restart()
    else:
        tankard.restart("--offline")
    url = tankard.url(project.path)
    assert git.ls_remote(url) == listing, "symrefs, peeled tags and all"
    assert sorted(pkt.texts(tankard.ls_refs(project.path, "refs/heads/", "refs/tags/", "HEAD").body)) == sorted(pkt.texts(raw))
    git.check("clone", "--bare", url, tmp_path / "d")
    git.same_content(project.folder, tmp_path / "d")
    assert git.check("symbolic-ref", "HEAD", cwd=tmp_path / "d") == "refs/heads/release"


def test_age_goes_on_counting_over_a_restart(run_tankard, project):
    tankard = run_tankard(settings={"ls_refs.ttl": "0s"})
    tankard.ls_refs(project.path, "refs/heads/")
    tankard.wait_written()
    tankard.restart("--offline")
    answer = tankard.ls_refs(project.path, "refs/heads/")
    assert int(answer.header("Age")) >= 0 and answer.header("Warning"), answer
    before = int(answer.header("Age"))
    wait_until(lambda: int(tankard.ls_refs(project.path, "refs/heads/").header("Age")) > before, "the answer grows older", 10)


def test_a_restart_with_no_upstream_refuses_what_was_never_known(tankard, git, project):
    tankard.restart("--offline")
    assert "no cached ls-refs available" in git.fails("ls-remote", tankard.url(project.path)).err


def test_sigterm_lets_a_clone_finish_and_takes_no_new_one(tankard, faults, git, project, tmp_path):
    gate = Gate()
    faults.on(HoldBody(gate, after=1000), kind="fetch")
    clone = git.start("clone", tankard.url(project.path), tmp_path / "c")
    gate.wait_arrived()
    tankard.terminate()

    def refuses():
        try:
            return not port_answers(tankard.port) or tankard.ask("GET", "/").status == 503
        except OSError:
            return True
    wait_until(refuses, "new requests are refused")
    assert tankard.alive, "it waits for the clone"
    gate.open()
    _, error = clone.communicate(timeout=120)
    assert clone.returncode == 0, error
    git.fsck(tmp_path / "c")
    tankard.stop()


def test_sigterm_does_not_wait_for_ever(run_tankard, faults, git, project, tmp_path):
    tankard = run_tankard(settings={"timeouts.drain": "1s"})
    gate = Gate()
    faults.on(HoldBody(gate, after=1000, then="cut"), kind="fetch")
    clone = git.start("clone", tankard.url(project.path), tmp_path / "c")
    gate.wait_arrived()
    tankard.stop(timeout=15)
    _, error = clone.communicate(timeout=60)
    assert clone.returncode != 0, "a clone that was cut off must not look whole"
    assert error
    gate.open()


def test_sigterm_when_idle_ends_at_once(tankard, git, project):
    git.ls_remote(tankard.url(project.path))
    tankard.stop(timeout=5)


@pytest.mark.parametrize("moment", [3, 11, 23])
def test_kill_9_during_writes_keeps_every_entry_that_was_acknowledged(run_tankard, faults, git, host, tmp_path, moment):
    """An entry is acknowledged once its file has its name. Writers go on; tankard is killed; every such entry is there."""
    tankard = run_tankard()
    paths = [f"many-{moment}/r{n}.git" for n in range(60)]
    repositories = [Repository(git, host.path(p)).history(1, seed=n) for n, p in enumerate(paths)]
    acknowledged = paths[:20]
    for path in acknowledged:
        assert tankard.ls_refs(path).status == 200
    tankard.wait_written()
    stop = threading.Event()

    def write(part):
        while not stop.is_set():
            for n in range(part, len(paths), 4):
                repositories[n].set_ref(f"refs/heads/b{os.urandom(4).hex()}", "main")
                try:
                    tankard.ls_refs(paths[n])
                except (OSError, ConnectionError):
                    return
    writers = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for writer in writers:
        writer.start()
    try:
        wait_until(lambda: len(tankard.snapshots()) >= len(acknowledged) + moment, "more entries are written")
        tankard.kill()
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    on_disk = len(tankard.snapshots())
    tankard.start("--offline")
    for path in acknowledged:
        assert pkt.listing(tankard.ls_refs(path).body), f"{path} was acknowledged and is gone"
    answered = [p for p in paths if pkt.listing(tankard.ls_refs(p).body)]
    assert len(answered) == on_disk, f"every file of a finished write is an entry: {len(answered)} of {on_disk}"
    assert tankard.metric("tankard_quarantined_total") == 0
    assert tankard.health()["cached_repos"] == on_disk


@pytest.mark.parametrize("after", [600, 40_000])
def test_kill_9_during_a_first_clone_leaves_nothing_half(run_tankard, faults, git, new_repository, tmp_path, after):
    tankard = run_tankard()
    repository = new_repository().history(200, size=2000)
    gate = Gate()
    faults.on(HoldBody(gate, after=after, then="cut"), kind="fetch")
    clone = git.start("clone", tankard.url(repository.path), tmp_path / "c")
    gate.wait_arrived()
    tankard.kill()
    gate.open()
    clone.communicate(timeout=60)
    assert clone.returncode != 0
    tankard.start()
    assert not tankard.leftovers(), "a start removes what a crash left behind"
    assert tankard.metric("tankard_store_repositories") == 0
    git.check("clone", "--bare", tankard.url(repository.path), tmp_path / "d")
    git.same_content(repository.folder, tmp_path / "d")


def test_kill_9_during_a_sync_leaves_the_store_as_it_was(run_tankard, faults, git, project, tmp_path):
    tankard = run_tankard()
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    tankard.wait_written()
    old, gate = project.oid("main"), Gate()
    faults.on(HoldBody(gate, after=60, then="cut"), times=None, kind="fetch")
    for _ in range(10):
        project.add_commit()
    fetch = git.start("fetch", cwd=tmp_path / "c")
    gate.wait_arrived()
    tankard.kill()
    gate.open()
    fetch.communicate(timeout=60)
    tankard.start("--offline")
    assert not tankard.leftovers()
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "d")
    assert git.refs(tmp_path / "d", "refs/heads/main") == {"refs/heads/main": old}
    git.fsck(tmp_path / "d")
    faults.clear()
    tankard.restart()
    git.check("remote", "set-url", "origin", tankard.url(project.path), cwd=tmp_path / "c")
    git.check("fetch", cwd=tmp_path / "c")
    assert git.check("rev-parse", "origin/main", cwd=tmp_path / "c") == project.oid("main")


def test_stale_git_locks_and_temporary_packs_are_removed_at_start(tankard, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    tankard.wait_written()
    packs = os.path.dirname(tankard.files(".pack")[0])
    store = os.path.dirname(os.path.dirname(packs))
    tankard.kill()
    for path in (os.path.join(store, "packed-refs.lock"), os.path.join(packs, "tmp_pack_abcdef"), os.path.join(packs, "multi-pack-index.lock")):
        with open(path, "w", encoding="ascii"):
            pass
    tankard.start()
    assert not [f for f in tankard.files() if f.endswith(".lock") and store in f or "tmp_pack_" in f]
    tankard.switch(False)
    git.check("clone", tankard.url(project.path), tmp_path / "d")
