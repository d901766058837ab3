"""The harness keeps its own promises: what it says it saw or broke, it saw or broke. Needs no tankard."""
import subprocess
import threading

import pytest

from support import http, pkt
from support.clock import ShiftedClock
from support.fault_proxy import Gate, HoldBody, Reset, Respond, Truncate, empty_listing, html
from support.gitrepo import typical
from support.processes import free_port, port_answers
from support.tankard import Direct
from support.traces import Life, told
from support.upstream import PASSWORD, USER


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_the_host_serves_clones(host, git, project, tmp_path, protocol):
    git.check("-c", f"protocol.version={protocol}", "clone", "--bare", f"{host.url}/{project.path}", tmp_path / "c")
    git.same_content(project.folder, tmp_path / "c")


def test_repositories_are_deterministic(git, tmp_path):
    assert typical(git, tmp_path / "a").refs() == typical(git, tmp_path / "b").refs()


def test_the_host_takes_pushes_also_chunked(host, git, project, tmp_path):
    git.check("clone", f"{host.url}/{project.path}", tmp_path / "c")
    (tmp_path / "c" / "big").write_bytes(bytes(range(256)) * 4096)
    git.check("add", "big", cwd=tmp_path / "c")
    git.check("commit", "-m", "big", cwd=tmp_path / "c")
    git.check("-c", "http.postBuffer=1024", "push", "origin", "HEAD:refs/heads/pushed", cwd=tmp_path / "c")
    assert project.oid("refs/heads/pushed") == git.check("rev-parse", "HEAD", cwd=tmp_path / "c")


def test_private_repositories_want_a_password(host, git, new_repository, tmp_path):
    private = new_repository("private/secret.git").history(3)
    assert "401" in git.fails("ls-remote", f"{host.url}/{private.path}", env={"GIT_CURL_VERBOSE": "1"}).err
    git.check("clone", f"http://{USER}:{PASSWORD}@{host.name}/{private.path}", tmp_path / "c")


def test_the_host_comes_back_on_its_port_after_a_crash(own_host, git, tmp_path):
    typical(git, own_host.path("a.git"))
    own_host.kill()
    git.fails("ls-remote", f"{own_host.url}/a.git")
    own_host.start()
    git.check("ls-remote", f"{own_host.url}/a.git")
    assert own_host.requests()[-1]["status"] == 200


def test_the_proxy_sees_what_git_asks(faults, git, project, tmp_path):
    git.check("clone", f"{faults.url}/{project.path}", tmp_path / "c")
    assert [r.kind for r in faults.records] == ["advertisement", "ls-refs", "fetch"]
    assert faults.seen("fetch")[0].has_pack and not faults.seen("fetch")[0].haves
    project.add_commit()
    mark = faults.mark()
    git.check("fetch", cwd=tmp_path / "c")
    fetches = faults.seen("fetch", since=mark)
    assert sum(r.has_pack for r in fetches) == 1 and fetches[-1].haves


def test_the_proxy_is_transparent_to_large_and_gzipped_bodies(faults, git, new_repository, tmp_path):
    repository = new_repository().many_refs(400)
    git.check("clone", "--mirror", f"{faults.url}/{repository.path}", tmp_path / "c")
    git.same_content(repository.folder, tmp_path / "c")
    assert any(r.header("Content-Encoding") == "gzip" and r.wants for r in faults.seen("fetch"))
    git.check("-c", "http.postBuffer=1000", "push", f"{faults.url}/{repository.path}", "refs/heads/chain:refs/heads/again", cwd=tmp_path / "c")


def test_faults_break_what_they_say(faults, git, project):
    url = f"{faults.url}/{project.path}"
    for fault, kind in ((Truncate(20), "ls-refs"), (Reset(), "advertisement"), (Reset(10), "ls-refs"), (html(), "advertisement"),
                        (Respond(503), "ls-refs")):
        faults.on(fault, kind=kind)
        git.fails("ls-remote", url)
    faults.on(empty_listing(), kind="ls-refs")
    assert git.ls_remote(url) == []
    assert git.ls_remote(url)


def test_a_held_body_waits_for_its_gate(faults, git, project, tmp_path):
    gate = Gate()
    faults.on(HoldBody(gate, after=100), kind="fetch")
    clone = git.start("clone", f"{faults.url}/{project.path}", tmp_path / "c")
    gate.wait_arrived()
    assert clone.poll() is None and faults.seen("fetch")[0].response_bytes == 100
    gate.open()
    _, error = clone.communicate(timeout=60)
    assert clone.returncode == 0, error
    git.same_content(tmp_path / "c", tmp_path / "c")


def test_a_vanished_proxy_refuses_and_comes_back(faults, git, project):
    faults.vanish()
    assert not port_answers(faults.port)
    git.fails("ls-remote", f"{faults.url}/{project.path}")
    faults.restore()
    git.check("ls-remote", f"{faults.url}/{project.path}")


def test_raw_requests(host, project):
    with http.Connection(host.port) as connection:
        for _ in range(2):  # keep-alive
            connection.request("POST", f"/{project.path}/git-upload-pack",
                               {"Git-Protocol": "version=2", "Content-Type": "application/x-git-upload-pack-request"}, pkt.ls_refs("refs/heads/"))
            answer = connection.answer()
            assert answer.status == 200 and answer.whole
            assert pkt.listing(answer.body) == project.refs("refs/heads")


def test_concurrent_clients(host, git, project):
    url = f"{host.url}/{project.path}"
    results = []
    threads = [threading.Thread(target=lambda: results.append(git.ls_remote(url))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20 and all(r == results[0] for r in results)


def test_free_ports_are_free():
    assert not port_answers(free_port())


def test_what_an_answer_tells_is_found_in_headers_bodies_and_packs(host, git):
    one, other = (Life(git, host.path(f"lives/{name}.git"), name) for name in ("one", "other"))
    direct = Direct(host.port)
    for life, path in ((one, "lives/one.git"), (other, "lives/other.git")):
        assert told(direct.ls_refs(path), [one, other]) == {life.mark}
        assert told(direct.advertisement(path), [one, other]) == set()
        answer = direct.fetch(path, life.tip)
        assert life.mark.encode() not in answer.body and told(answer, [one, other]) == {life.mark}, "a pack is compressed"
        answer = direct.fetch(path, life.oid("refs/heads/stable"))
        assert b"PACK" in answer.body and told(answer, [one, other]) == set(), "what both have tells nothing"
    assert told(http.Answer(301, "Moved", [("Location", f"/{one.mark}")], b"", True), [one, other]) == {one.mark}


def test_a_shifted_clock_moves_a_process_and_leaves_its_timers():
    def times(clock):
        show = "import time; print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic())"
        out = subprocess.check_output(["/usr/bin/python3", "-c", show], env=clock.environment(), text=True)
        return [float(t) for t in out.split()]
    clock = ShiftedClock()
    before = times(clock)
    clock.passes(hours=13)
    clock.wall_turned(hours=-1)
    shifted = [now - then for now, then in zip(times(clock), before)]
    assert [round(s / 3600) for s in shifted] == [12, 13, 0], shifted
