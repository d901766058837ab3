"""Many clients at once: every one gets a whole answer, and the upstream is asked once where once is enough."""
import random
import threading

import pytest

from support.fault_proxy import Gate, Hang, HoldBody
from support.processes import TIME_FACTOR, wait_until
from support.threads import all_at_once


def test_fifty_clients_while_the_upstream_flaps(tankard, faults, git, project, tmp_path):
    """The cache is warm: no client may notice that the upstream comes and goes, each has a whole repository."""
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "warm")
    tankard.wait_stored()
    done = threading.Event()

    def flap():
        numbers = random.Random(3)
        while not done.is_set():
            faults.vanish()
            done.wait(0.05 + numbers.random() / 5)
            faults.restore()
            done.wait(0.05 + numbers.random() / 5)
    flapping = threading.Thread(target=flap)
    flapping.start()
    try:
        results = all_at_once([lambda n=n: git.run("clone", "--bare", tankard.url(project.path), tmp_path / f"c{n}", timeout=240) for n in range(50)])
    finally:
        done.set()
        flapping.join()
    failed = [r for r in results if not r.ok]
    assert not failed, f"{len(failed)} of 50 failed: {failed[0]}"
    for n in range(50):
        assert git.refs(tmp_path / f"c{n}", "refs/heads", "refs/tags") == project.refs("refs/heads", "refs/tags")
    git.fsck(tmp_path / "c0")
    git.fsck(tmp_path / "c49")
    wait_until(lambda: git.run("fetch", cwd=tmp_path / "warm").ok, "fetch works after it", 30)


def test_fifty_clients_while_the_switch_flaps_and_commits_come_in(tankard, git, project, tmp_path):
    """Who was shown a commit a moment before the switch may be told that it never came over; nobody gets anything worse."""
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "warm")
    tankard.wait_stored()
    tips, done = {project.oid("main")}, threading.Event()

    def flap():
        while not done.is_set():
            tankard.switch(False)
            tips.add(project.add_commit())
            tankard.switch(True)
            done.wait(0.1)
    flapping = threading.Thread(target=flap)
    flapping.start()
    try:
        results = all_at_once([lambda n=n: git.run("clone", "--bare", tankard.url(project.path), tmp_path / f"c{n}", timeout=240) for n in range(50)])
    finally:
        done.set()
        flapping.join()
    for n in [n for n, r in enumerate(results) if not r.ok]:
        assert "is not in the cache" in results[n].err, results[n]
        git.check("clone", "--bare", tankard.url(project.path), tmp_path / f"c{n}")  # who tries again gets it
    for n in range(50):
        assert git.refs(tmp_path / f"c{n}", "refs/heads/main")["refs/heads/main"] in tips
    for n in range(0, 50, 7):
        git.fsck(tmp_path / f"c{n}")


def test_cold_clones_while_the_upstream_flaps_are_whole_or_fail(tankard, faults, git, project, tmp_path):
    done = threading.Event()

    def flap():
        numbers = random.Random(4)
        while not done.is_set():
            faults.vanish()
            done.wait(numbers.random() / 10)
            faults.restore()
            done.wait(0.1 + numbers.random() / 5)
    flapping = threading.Thread(target=flap)
    flapping.start()
    try:
        results = all_at_once([lambda n=n: git.run("clone", "--bare", tankard.url(project.path), tmp_path / f"c{n}", timeout=240) for n in range(20)])
    finally:
        done.set()
        flapping.join()
    for n, result in enumerate(results):
        if result.ok:
            git.same_content(project.folder, tmp_path / f"c{n}")
        else:
            assert not (tmp_path / f"c{n}").exists()
    tankard.wait_quiet()
    wait_until(lambda: git.run("ls-remote", tankard.url(project.path)).ok, "it works after it", 30)
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "after")
    git.same_content(project.folder, tmp_path / "after")


def test_sixteen_cold_clones_of_one_repository(tankard, git, project, tmp_path):
    all_at_once([lambda n=n: git.check("clone", "--bare", tankard.url(project.path), tmp_path / f"c{n}") for n in range(16)])
    for n in range(16):
        git.same_content(project.folder, tmp_path / f"c{n}")
    tankard.wait_stored()
    assert tankard.metric("tankard_store_repositories") == 1


def test_cold_clones_of_many_repositories(tankard, git, new_repository, tmp_path):
    repositories = [new_repository().history(5, seed=n) for n in range(12)]
    all_at_once([lambda n=n, r=r: git.check("clone", "--bare", tankard.url(r.path), tmp_path / f"c{n}") for n, r in enumerate(repositories)])
    for n, repository in enumerate(repositories):
        git.same_content(repository.folder, tmp_path / f"c{n}")
    tankard.wait_stored(12)


@pytest.mark.parametrize("kind", ["advertisement", "ls-refs"])
def test_the_same_question_is_asked_once_for_those_who_wait(tankard, faults, git, project, kind):
    """One flight under way, one waiting: six clients cost the upstream two questions at most."""
    gate = Gate()
    faults.on(Hang(gate), kind=kind)
    url = tankard.url(project.path)
    results = []
    first = threading.Thread(target=lambda: results.append(git.ls_remote(url)))
    first.start()
    gate.wait_arrived()
    others = [threading.Thread(target=lambda: results.append(git.ls_remote(url))) for _ in range(5)]
    for thread in others:
        thread.start()
    operation = {"advertisement": "info_refs", "ls-refs": "ls_refs"}[kind]
    advertised = 6 if kind == "ls-refs" else 0
    wait_until(lambda: tankard.metrics().sum("tankard_requests_total", operation="info_refs") >= advertised, "who waits has come so far")
    wait_until(lambda: tankard.metric("tankard_in_flight_requests") == 6, "six clients wait")
    gate.open()
    for thread in [first, *others]:
        thread.join()
    assert len(results) == 6 and all(r == results[0] for r in results)
    assert faults.count(kind) <= 2
    assert tankard.metric("tankard_collapsed_requests_total", operation=operation) >= 4


def test_an_answer_is_never_older_than_its_question(tankard, faults, git, project):
    """Who asks while an older question is under way does not get that one's answer."""
    from support.fault_proxy import Edit
    git.ls_remote(tankard.url(project.path))
    gate = Gate()

    def held(status, headers, body):  # the upstream has answered; the answer is on its way
        gate.wait()
        return status, headers, body
    faults.on(Edit(held), kind="ls-refs")
    first = threading.Thread(target=lambda: tankard.ls_refs(project.path))
    first.start()
    gate.wait_arrived()
    new = project.add_commit()
    results = []
    second = threading.Thread(target=lambda: results.append(tankard.ls_refs(project.path)))
    second.start()
    wait_until(lambda: tankard.metric("tankard_in_flight_requests") == 2 or results, "the second waits, or was answered on its own")
    gate.open()
    first.join()
    second.join()
    assert new.encode() in results[0].body


def test_twenty_clients_fetch_one_new_commit(tankard, faults, git, project, tmp_path):
    for n in range(20):
        git.check("clone", "--bare", tankard.url(project.path) if n == 0 else project.folder, tmp_path / f"c{n}")
        git.check("remote", "set-url", "origin", tankard.url(project.path), cwd=tmp_path / f"c{n}")
    tankard.wait_stored()
    new, mark = project.add_commit(), faults.mark()
    all_at_once([lambda n=n: git.check("fetch", "origin", "main", cwd=tmp_path / f"c{n}") for n in range(20)])
    for n in range(20):
        assert git.check("rev-parse", "FETCH_HEAD", cwd=tmp_path / f"c{n}") == new
    tankard.wait_quiet()
    assert faults.count("fetch", since=mark, has_pack=True) == 1


def test_a_slow_cold_clone_holds_up_nobody_else(tankard, faults, git, project, new_repository, tmp_path):
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "warm")
    tankard.wait_stored()
    slow = new_repository().history(3)
    gate = Gate()
    faults.on(HoldBody(gate, after=300), kind="fetch")
    clone = git.start("clone", "--bare", tankard.url(slow.path), tmp_path / "slow")
    gate.wait_arrived()
    for n in range(5):
        result = git.run("clone", "--bare", tankard.url(project.path), tmp_path / f"c{n}")
        assert result.ok and result.seconds < 5 * TIME_FACTOR
    git.ls_remote(tankard.url(slow.path))
    gate.open()
    _, error = clone.communicate(timeout=60)
    assert clone.returncode == 0, error


def test_a_listing_while_a_sync_is_under_way(tankard, faults, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    gate = Gate()
    project.add_commit()
    faults.on(HoldBody(gate, after=50), kind="fetch")
    fetch = git.start("fetch", cwd=tmp_path / "c")
    gate.wait_arrived()
    newest = project.add_commit()
    assert f"{newest}\trefs/heads/main" in git.ls_remote(tankard.url(project.path))
    gate.open()
    fetch.communicate(timeout=60)
    git.check("fetch", cwd=tmp_path / "c")
    assert git.check("rev-parse", "origin/main", cwd=tmp_path / "c") == newest
