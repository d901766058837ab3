"""Old refs are served only when they must be, they say how old they are, and they go as soon as the upstream is back."""
import json
import threading

import pytest

from support import pkt
from support.fault_proxy import Gate, Hang, Respond, empty_listing, garbage
from support.processes import TIME_FACTOR, wait_until


def test_stale_beyond_its_ttl_is_served_warned_about_and_counted(run_tankard, git, project, tmp_path):
    tankard = run_tankard(settings={"ls_refs.ttl": "1s"})
    url = tankard.url(project.path)
    git.check("clone", url, tmp_path / "c")
    tankard.wait_stored()
    tankard.switch(False)
    wait_until(lambda: int(tankard.ls_refs(project.path, "refs/heads/").header("Age")) > 1, "the refs are older than their ttl")
    before, log = tankard.metric("tankard_ls_refs_served_stale_total"), tankard.log_mark()
    answer = tankard.ls_refs(project.path, "refs/heads/")
    assert answer.status == 200 and answer.header("Warning") == '110 tankard "Response is stale"'
    assert "ttl=-" in answer.header("Cache-Status"), "how far beyond"
    assert tankard.metric("tankard_ls_refs_served_stale_total") == before + 1
    assert (tankard.wait_request(1, since=log)[0]["outcome"], tankard.requests(since=log)[0]["reason"]) == ("stale", "stale-fallback")
    git.check("clone", url, tmp_path / "d")


def test_within_the_ttl_the_reason_is_fresh_fallback(tankard, project):
    tankard.ls_refs(project.path, "refs/heads/")
    tankard.switch(False)
    log = tankard.log_mark()
    tankard.ls_refs(project.path, "refs/heads/")
    line = tankard.wait_request(1, since=log)[0]
    assert (line["outcome"], line["reason"]) == ("stale", "fresh-fallback")


def test_the_next_fetch_after_the_switch_sees_a_new_commit(tankard, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    tankard.switch(False)
    new = project.add_commit()
    git.check("fetch", cwd=tmp_path / "c")
    assert git.check("rev-parse", "origin/main", cwd=tmp_path / "c") != new
    tankard.switch(True)
    git.check("fetch", cwd=tmp_path / "c")
    assert git.check("rev-parse", "origin/main", cwd=tmp_path / "c") == new
    assert tankard.metric("tankard_upstream_available", upstream=tankard.name) == 1


def test_recovery_of_an_upstream_that_was_down(tankard, faults, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    faults.vanish()
    for _ in range(12):  # enough failures to open any breaker
        git.check("ls-remote", "--heads", tankard.url(project.path))
    new = project.add_commit()
    faults.restore()

    def seen():
        git.check("fetch", cwd=tmp_path / "c")
        return git.check("rev-parse", "origin/main", cwd=tmp_path / "c") == new
    wait_until(seen, "the new commit is seen", 30, interval=0.2)
    assert tankard.metric("tankard_upstream_available", upstream=tankard.name) == 1
    git.fsck(tmp_path / "c")


def test_a_cold_repository_works_as_soon_as_the_upstream_does(tankard, faults, git, project, tmp_path):
    faults.vanish()
    git.fails("clone", tankard.url(project.path), tmp_path / "c")
    faults.restore()
    wait_until(lambda: git.run("ls-remote", tankard.url(project.path)).ok, "the repository is reachable", 30, interval=0.2)
    git.check("clone", tankard.url(project.path), tmp_path / "c")


def test_a_slow_upstream_is_not_waited_for_longer_than_patience(run_tankard, faults, git, project):
    tankard = run_tankard(settings={"ls_refs.patience": "300ms"})
    url = tankard.url(project.path)
    listing = git.ls_remote(url)
    new = project.add_commit()
    gate = Gate()
    faults.on(Hang(gate), kind="ls-refs")
    log = tankard.log_mark()
    assert git.ls_remote(url) == listing, "what is known, for now"
    line = tankard.wait_request(1, since=log, operation="ls_refs")[0]
    assert (line["outcome"], line["reason"]) == ("stale", "patience")
    gate.open()

    def known():
        return f"{new}\trefs/heads/main" in git.ls_remote(url)
    wait_until(known, "the flight that went on brings the news, or the next one does")


def test_without_anything_to_serve_a_slow_upstream_is_waited_for(run_tankard, faults, git, project):
    tankard = run_tankard(settings={"ls_refs.patience": "100ms"})
    gate = Gate()
    faults.on(Hang(gate), kind="advertisement")
    result = []
    waiting = threading.Thread(target=lambda: result.append(git.run("ls-remote", tankard.url(project.path))))
    waiting.start()
    gate.wait_arrived()
    wait_until(lambda: tankard.metric("tankard_in_flight_requests") >= 1, "the client waits")
    assert not result
    gate.open()
    waiting.join()
    assert result[0].ok, result


def test_an_upstream_that_never_answers_is_given_up(run_tankard, faults, git, project):
    tankard = run_tankard(settings={"timeouts.first_byte": "300ms"})
    gate = Gate()
    faults.on(Hang(gate), times=None, kind=("advertisement", "ls-refs"))
    result = git.fails("ls-remote", tankard.url(project.path))
    assert result.seconds < 5 * TIME_FACTOR and "no cached ls-refs available" in result.err, result
    gate.open()


def test_once_the_breaker_is_open_nobody_waits_for_the_upstream(run_tankard, faults, project):
    tankard = run_tankard(settings={"timeouts.first_byte": "500ms", "ls_refs.patience": "10s"})
    tankard.advertisement(project.path)
    tankard.ls_refs(project.path, "refs/heads/")
    gate = Gate()
    faults.on(Hang(gate), times=None)

    def quick():
        mark = faults.mark()
        assert tankard.ls_refs(project.path, "refs/heads/").status == 200
        return faults.count("ls-refs", since=mark) == 0
    wait_until(quick, "an answer without asking the upstream", 30, interval=0)
    line = tankard.wait_request(1, outcome="stale")[-1]
    assert line["reason"] in ("fresh-fallback", "breaker-open", "timeout"), line
    gate.open()


def test_a_push_is_seen_by_the_next_fetch_even_where_refs_are_kept_for_an_hour(run_tankard, git, project, tmp_path):
    tankard = run_tankard(settings={"ls_refs.max_age": "1h"})
    for name in ("writer", "reader"):
        git.check("clone", tankard.url(project.path), tmp_path / name)
    git.check("commit", "--allow-empty", "-m", "pushed", cwd=tmp_path / "writer")
    git.check("push", "origin", "main", cwd=tmp_path / "writer")
    git.check("fetch", cwd=tmp_path / "reader")
    assert git.check("rev-parse", "origin/main", cwd=tmp_path / "reader") == project.oid("main")


def test_a_slow_listing_begun_before_a_push_does_not_bring_the_old_refs_back(run_tankard, faults, git, project, tmp_path):
    tankard = run_tankard(settings={"ls_refs.max_age": "1h"})
    git.check("clone", tankard.url(project.path), tmp_path / "w")
    tankard.wait_stored()
    old = project.oid("main")

    def frozen(status, headers, body):
        slow.wait()
        return status, headers, body
    from support.fault_proxy import Edit
    slow = Gate()
    # A namespace that is not known yet has to be asked for, whatever the age of the others.
    faults.on(Edit(frozen), kind="ls-refs", where=lambda r: "ref-prefix refs/odd/" in r.args)
    asking = threading.Thread(target=lambda: tankard.ls_refs(project.path, "refs/heads/", "refs/tags/", "refs/odd/"))
    asking.start()
    slow.wait_arrived()
    git.check("commit", "--allow-empty", "-m", "pushed", cwd=tmp_path / "w")
    git.check("tag", "pushed", cwd=tmp_path / "w")
    git.check("push", "origin", "main", "pushed", cwd=tmp_path / "w")
    slow.open()
    asking.join()
    now = pkt.listing(tankard.ls_refs(project.path, "refs/heads/", "refs/tags/").body)
    assert now["refs/heads/main"] == project.oid("main") != old
    assert now["refs/tags/pushed"] == project.oid("main")


class TestSuspiciousListings:
    """A listing that is suddenly empty, or lost most of its refs, is relayed but does not become the offline answer."""

    @pytest.fixture
    def known(self, tankard, git, project, tmp_path):
        git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "m")
        tankard.wait_stored()
        return git.ls_remote(tankard.url(project.path))

    def test_an_empty_one(self, tankard, faults, git, project, tmp_path, known):
        faults.on(empty_listing(), kind="ls-refs")
        assert git.ls_remote(tankard.url(project.path)) == [], "relayed as it was"
        tankard.switch(False)
        assert git.ls_remote(tankard.url(project.path)) == known
        git.check("clone", "--bare", tankard.url(project.path), tmp_path / "c")
        git.same_content(project.folder, tmp_path / "c")

    def test_one_that_lost_more_than_half(self, tankard, git, project, known):
        keep = project.oid("main")
        for ref in list(project.refs()):
            if ref != "refs/heads/main":
                project.delete_ref(ref)
        assert [line for line in git.ls_remote(tankard.url(project.path)) if "refs/" in line and "HEAD" not in line] == [f"{keep}\trefs/heads/main"]
        tankard.switch(False)
        assert git.ls_remote(tankard.url(project.path)) == known

    def test_after_a_restart_too(self, tankard, faults, git, project, known):
        faults.on(empty_listing(), kind="ls-refs")
        git.ls_remote(tankard.url(project.path))
        tankard.restart("--offline")
        assert git.ls_remote(tankard.url(project.path)) == known


@pytest.mark.parametrize("fault, reason", [
    (Respond(500, body=b"oops"), "server-error"), (Respond(502), "server-error"), (Respond(503), "server-error"), (Respond(504), "server-error"),
    (Respond(429, {"Retry-After": "60"}), "rate-limited"), (Respond(403, {"Retry-After": "60"}), "rate-limited"),
    (Respond(403, {"X-RateLimit-Remaining": "0"}), "rate-limited"),
    (Respond(403, {"Content-Type": "text/plain"}, b"You have exceeded a secondary rate limit"), "rate-limited"),
    (Respond(200, {"Content-Type": "text/html"}, b"<html>sign in</html>"), "not-git"), (garbage(), "not-git"),
], ids=lambda v: v if isinstance(v, str) else f"{v.status}" if isinstance(v, Respond) else "garbage")
def test_what_counts_as_an_outage_is_answered_from_memory(tankard, faults, git, project, tmp_path, fault, reason):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    log = tankard.log_mark()
    faults.on(fault, times=None)
    listing = git.ls_remote(tankard.url(project.path), "--heads")
    assert f"{project.oid('main')}\trefs/heads/main" in listing
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "d")
    git.same_content(project.folder, tmp_path / "d")
    assert set(tankard.outcomes("ls_refs", since=log, count=2)) == {"stale"}
    said = json.dumps(tankard.events(since=log)) + json.dumps(tankard.health())
    assert reason in said, "the cause stands in the log or in the health report, by its word"
