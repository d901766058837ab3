"""A listing from memory that was given before is given again without work: only while nothing of what it says has changed."""
import itertools
import os

import pytest

from support import pkt
from support.fault_proxy import Gate, HoldBody, Respond
from support.processes import wait_until

PREFIXES = ("HEAD", "refs/heads/", "refs/tags/")
ASKED = 40


def shown(tankard, path, *prefixes):
    answer = tankard.ls_refs(path, *(prefixes or PREFIXES))
    assert answer.status == 200, answer
    return pkt.listing(answer.body)


def warm(tankard, git, repository, folder):
    git.check("clone", "--mirror", tankard.url(repository.path), folder)
    tankard.wait_stored()
    tankard.wait_quiet()


def jobs(tankard):
    return tankard.metric("tankard_blocking_jobs_total")


@pytest.mark.parametrize("when", ["fresh", "outage"])
def test_a_question_that_was_asked_before_costs_no_work(run_tankard, faults, git, project, tmp_path, when):
    tankard = run_tankard(settings={"ls_refs.max_age": "10m" if when == "fresh" else "0s"})
    warm(tankard, git, project, tmp_path / "warm")
    if when == "outage":
        faults.vanish()
    for _ in range(2):
        first = tankard.ls_refs(project.path, *PREFIXES)
    before, mark, log = jobs(tankard), faults.mark(), tankard.log_mark()
    for _ in range(ASKED):
        answer = tankard.ls_refs(project.path, *PREFIXES)
        assert answer.status == 200 and answer.body == first.body
        assert int(answer.header("Age")) >= 0
        assert answer.header("Cache-Status").startswith("tankard; hit; ttl="), answer
    assert jobs(tankard) - before < ASKED / 2, "none but those of other work, and of the look itself"
    assert faults.count("ls-refs", since=mark) == 0
    assert tankard.outcomes("ls_refs", since=log, count=ASKED) == ["hit" if when == "fresh" else "stale"] * ASKED
    assert tankard.metric("tankard_ls_refs_ready_bytes") >= 0


@pytest.mark.parametrize("when", ["fresh", "outage"])
@pytest.mark.parametrize("protocol", [0, 1])
def test_a_listing_of_v0_that_was_given_before_costs_no_work_either(run_tankard, faults, git, project, tmp_path, when, protocol):
    tankard = run_tankard(settings={"ls_refs.max_age": "10m" if when == "fresh" else "0s"})
    warm(tankard, git, project, tmp_path / "warm")
    version = [("Git-Protocol", f"version={protocol}")] if protocol else []

    def listed():
        return tankard.ask("GET", tankard.target(project.path, "info/refs?service=git-upload-pack"), version)
    listed()
    if when == "outage":
        faults.vanish()
    for _ in range(2):
        first = listed()
    before, log = jobs(tankard), tankard.log_mark()
    for _ in range(ASKED):
        answer = listed()
        assert answer.status == 200 and answer.body == first.body and int(answer.header("Age")) >= 0
    assert jobs(tankard) - before < ASKED / 2, "none but those of other work, and of the look itself"
    assert tankard.outcomes("info_refs", since=log, count=ASKED) == ["hit" if when == "fresh" else "stale"] * ASKED


def test_every_question_gets_its_own_answer(tankard, git, project, tmp_path):
    """The same as upstream gave each, whatever was asked and kept before."""
    variants = [dict(zip(("peel", "symrefs", "unborn"), on)) for on in itertools.product((True, False), repeat=3)]
    prefixes = [PREFIXES, ("refs/heads/",), ("refs/tags/",), ("refs/tags/v1",), ("HEAD",), ("refs/heads/main", "refs/heads/no"), ("refs/none/",), ()]
    bodies = [pkt.ls_refs(*p, **v) for v in variants for p in prefixes]
    warm(tankard, git, project, tmp_path / "warm")
    truth = [tankard.command(project.path, body).body for body in bodies]
    assert len(set(truth)) > 15
    tankard.switch(False)
    for _ in range(3):
        assert [tankard.command(project.path, body).body for body in bodies] == truth
    others = [body.replace(b"agent=git/integration", b"agent=git/intEgration") for body in bodies]
    assert [tankard.command(project.path, body).body for body in others] == truth


def behind(tankard, faults, git, project, folder):
    """Online a new commit was listed, and its objects did not come: (old, new)."""
    warm(tankard, git, project, folder)
    old = project.oid("main")
    faults.on(Respond(503), times=None, kind="fetch")
    new = project.add_commit()
    assert shown(tankard, project.path)["refs/heads/main"] == new
    tankard.wait_quiet()
    tankard.switch(False)
    for _ in range(3):
        assert shown(tankard, project.path)["refs/heads/main"] == old
    return old, new


def test_a_tip_that_comes_into_the_store_in_the_outage_is_shown_at_once(tankard, faults, git, project, tmp_path):
    warm(tankard, git, project, tmp_path / "warm")
    old, new, gate = project.oid("main"), project.add_commit(), Gate()
    faults.on(HoldBody(gate), kind="fetch")
    assert shown(tankard, project.path)["refs/heads/main"] == new
    gate.wait_arrived()
    tankard.switch(False)
    for _ in range(3):
        assert shown(tankard, project.path)["refs/heads/main"] == old
    gate.open()
    wait_until(lambda: shown(tankard, project.path)["refs/heads/main"] == new, "what came is shown")
    for _ in range(3):
        assert shown(tankard, project.path)["refs/heads/main"] == new


def test_after_an_eviction_the_store_does_not_speak_any_more(run_tankard, faults, own_host, git, project, tmp_path):
    from support.gitrepo import Repository
    others = [Repository(git, own_host.path(f"other-{n}.git")).history(3) for n in range(3)]
    for repository in (project, *others):
        repository.add_commit(content=os.urandom(400_000), path="noise")
    tankard = run_tankard(upstreams=[faults.url, own_host.url],
                          settings={"allow_shared_authority": "true", "cache.max_bytes": "1900000", "packs.max_entry_bytes": "0", "upkeep.enabled": "false"})
    _, new = behind(tankard, faults, git, project, tmp_path / "warm")
    for n in range(3):
        git.check("clone", "--bare", tankard.url(f"other-{n}.git", upstream=own_host), tmp_path / f"other-{n}")
        tankard.wait_stored(min(n + 2, 3))
    tankard.wait_metric("tankard_store_evictions_total", lambda n: n == 1)
    wait_until(lambda: tankard.events("store-evicted"), "it is told")
    assert tankard.events("store-evicted")[0]["repo"].endswith(project.path)
    counted = tankard.metric("tankard_not_mirrored_refs_total")
    for _ in range(3):
        assert shown(tankard, project.path)["refs/heads/main"] == new, "as it was listed last"
    assert tankard.metric("tankard_not_mirrored_refs_total") >= counted + 3 * len(project.refs("refs/heads", "refs/tags"))


def test_a_purged_repository_is_known_to_nobody(tankard, git, project, tmp_path):
    warm(tankard, git, project, tmp_path / "warm")
    tankard.switch(False)
    for _ in range(2):
        assert shown(tankard, project.path)
    answer = tankard.admin("DELETE", f"/api/v1/repositories/{tankard.name}/{project.path}", token=tankard.token())
    assert answer.status in (200, 202, 204), answer
    assert b"no cached ls-refs available" in tankard.ls_refs(project.path, *PREFIXES).body


def test_another_life_of_a_repository_is_not_shown_as_the_former(tankard, git, project, tmp_path):
    warm(tankard, git, project, tmp_path / "warm")
    former = project.refs("refs/heads")
    tankard.switch(False)
    for _ in range(2):
        assert shown(tankard, project.path)["refs/heads/main"] == former["refs/heads/main"]
    answer = tankard.admin("DELETE", f"/api/v1/repositories/{tankard.name}/{project.path}", token=tankard.token())
    assert answer.status in (200, 202, 204), answer
    project.rewrite()
    tankard.switch(True)
    warm(tankard, git, project, tmp_path / "again")
    tankard.switch(False)
    for _ in range(2):
        assert shown(tankard, project.path)["refs/heads/main"] == project.oid("main") != former["refs/heads/main"]


def test_a_push_makes_what_was_fresh_old(run_tankard, git, project, tmp_path):
    tankard = run_tankard(settings={"ls_refs.max_age": "10m"})
    warm(tankard, git, project, tmp_path / "warm")
    for _ in range(3):
        assert shown(tankard, project.path)["refs/heads/main"] == project.oid("main")
    git.check("clone", tankard.url(project.path), tmp_path / "work")
    git.check("commit", "--allow-empty", "-m", "pushed", cwd=tmp_path / "work")
    git.check("push", "origin", "main", cwd=tmp_path / "work")
    new = git.check("rev-parse", "HEAD", cwd=tmp_path / "work")
    for _ in range(3):
        assert shown(tankard, project.path)["refs/heads/main"] == new
