"""Memory shows to anybody only what upstream shows to anybody: not what it stopped showing, not what it shows to some."""
import pytest

from support import pkt
from support.fault_proxy import Respond

SOMEBODY = [("Authorization", "Basic eDp5")]


def refused(answer):
    """Whatever the form of the refusal: no ref of the repository is in it."""
    return not pkt.listing(answer.body)


@pytest.fixture
def warm(tankard, git, project, tmp_path):
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "warm")
    tankard.wait_stored()
    return project


def err_of_gitolite(record_type):
    body = pkt.line("ERR FATAL: R any group/project DENIED by fallthru\n")
    return Respond(200, {"Content-Type": f"application/x-git-upload-pack-{record_type}"}, body)


@pytest.mark.parametrize("kind", ["advertisement", "ls-refs"])
def test_a_host_that_says_no_inside_a_200_says_no(tankard, faults, git, warm, kind):
    faults.on(err_of_gitolite("advertisement" if kind == "advertisement" else "result"), times=None, kind=kind)
    ask = (lambda: tankard.advertisement(warm.path)) if kind == "advertisement" else (lambda: tankard.ls_refs(warm.path, "refs/heads/"))
    answer = ask()
    assert b"DENIED by fallthru" in answer.body and refused(answer)
    assert "DENIED by fallthru" in git.fails("ls-remote", tankard.url(warm.path)).err
    tankard.switch(False)
    assert refused(tankard.ls_refs(warm.path, "refs/heads/")), "and what it showed before is not public any more"
    assert refused(tankard.command(warm.path, pkt.fetch([warm.oid("main")])))


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_outage_shows_nothing_that_was_denied_before_it(tankard, faults, warm, status):
    faults.on(Respond(status), times=1, kind="advertisement")
    assert tankard.advertisement(warm.path).status == status
    tankard.switch(False)
    assert refused(tankard.ls_refs(warm.path, "refs/heads/"))
    assert b"PACK" not in tankard.command(warm.path, pkt.fetch([warm.oid("main")])).body


def test_a_repository_that_is_public_again_begins_a_new_life(tankard, faults, git, warm, tmp_path):
    faults.on(Respond(403), times=1, kind="advertisement")
    assert tankard.advertisement(warm.path).status == 403
    mark = faults.mark()
    git.check("clone", tankard.url(warm.path), tmp_path / "again")
    assert len(faults.seen("fetch", since=mark)) == 1, "nothing of the former life is served"


def test_public_never_holds_for_what_was_remembered_before(run_tankard, faults, git, project, tmp_path):
    tankard = run_tankard()
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    tankard.wait_written()
    tankard.restart("--set", f"upstream.{tankard.name}.public=never", "--offline")
    assert refused(tankard.ls_refs(project.path, "refs/heads/"))
    assert b"PACK" not in tankard.command(project.path, pkt.fetch([project.oid("main")])).body
    assert b"version 2" not in tankard.advertisement(project.path).body


def test_what_a_credential_was_shown_is_kept_for_it_alone(tankard, faults, project):
    assert pkt.listing(tankard.ls_refs(project.path, "refs/heads/", headers=SOMEBODY).body)
    tankard.switch(False)
    assert not refused(tankard.ls_refs(project.path, "refs/heads/", headers=SOMEBODY))
    assert refused(tankard.ls_refs(project.path, "refs/heads/", headers=[("Authorization", "Basic eDp6")]))
    assert refused(tankard.ls_refs(project.path, "refs/heads/"))


def test_an_odd_request_of_a_stranger_speaks_for_nobody_else(tankard, faults, warm):
    """A User-Agent that a firewall refuses, a HEAD that a host answers with 404: the next client asks for itself."""
    def blocks_bots(record):
        return "badbot" in (record.header("User-Agent") or "")
    faults.on(Respond(403), times=None, where=blocks_bots)
    assert tankard.advertisement(warm.path, [("User-Agent", "badbot")]).status == 200, "asked in tankard's own words"
    assert not refused(tankard.ls_refs(warm.path, "refs/heads/", headers=[("User-Agent", "badbot")]))
    faults.on(Respond(404), times=1)
    assert tankard.ask("HEAD", tankard.target(warm.path, "info/refs?service=git-upload-pack")).status == 404
    assert tankard.advertisement(warm.path).status == 200
    tankard.switch(False)
    assert not refused(tankard.ls_refs(warm.path, "refs/heads/"))


def test_strangers_pushes_do_not_fill_or_freeze_the_cache(tankard, faults, warm):
    entries = tankard.health()["cached_repos"]
    faults.on(Respond(401, {"WWW-Authenticate": 'Basic realm="x"'}), times=None, where=lambda r: r.target.endswith("git-receive-pack"))
    for number in range(5):
        assert tankard.ask("POST", tankard.target(f"nobody/{number}.git", "git-receive-pack"), body=b"0000").status == 401
    assert tankard.ask("POST", tankard.target(warm.path, "git-receive-pack"), body=b"0000").status == 401
    assert tankard.health()["cached_repos"] == entries
    tankard.switch(False)
    assert not refused(tankard.ls_refs(warm.path, "refs/heads/"))


def test_challenges_that_log_in_a_connection_are_not_passed_on(tankard, faults, project):
    offered = [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", 'Basic realm="git"'), ("WWW-Authenticate", "NTLM")]
    faults.on(Respond(401, offered), times=None)
    answer = tankard.ask("GET", tankard.target(project.path, "info/refs?service=git-receive-pack"))
    assert answer.status == 401 and answer.all("WWW-Authenticate") == ['Basic realm="git"']


class TestOddQuestions:
    def test_many_prefixes_do_not_make_a_listing_forgotten(self, tankard, warm):
        odd = [f"refs/x{n}/" for n in range(100)]
        assert pkt.listing(tankard.ls_refs(warm.path, *odd).body) == {}
        tankard.switch(False)
        assert pkt.listing(tankard.ls_refs(warm.path, "refs/heads/").body) == warm.refs("refs/heads")

    def test_an_old_client_that_asks_for_much_gets_all_of_it(self, tankard, project):
        """git before 2.31 does not say `unborn`: its answer is made from a wider one."""
        short = [p for n in range(12) for p in (f"b{n}", f"refs/b{n}", f"refs/tags/b{n}", f"refs/heads/b{n}", f"refs/remotes/b{n}",
                                                f"refs/remotes/b{n}/HEAD")]
        body = pkt.ls_refs(*short, "refs/heads/", unborn=False, peel=False)
        assert pkt.listing(tankard.command(project.path, body).body) == project.refs("refs/heads")


def test_tags_that_came_with_a_branch_are_served_offline(tankard, git, new_repository, tmp_path):
    repository = new_repository().history(5)
    repository.tag("v1", "main", annotated=True)
    git.check("clone", "--single-branch", "--no-tags", tankard.url(repository.path), tmp_path / "c")
    tankard.wait_stored()
    git.check("ls-remote", tankard.url(repository.path))
    git.check("clone", "--single-branch", tankard.url(repository.path), tmp_path / "d")
    tankard.wait_quiet()
    tankard.wait_metric("tankard_syncs_running", lambda running: running == 0)
    tankard.switch(False)
    git.check("fetch", "--tags", "origin", cwd=tmp_path / "c")
    assert git.check("rev-parse", "v1^{commit}", cwd=tmp_path / "c") == repository.oid("main")
