"""Protocol v0 and v1: the GET is the listing. It is remembered as a listing of v2 is, and shown in an outage."""
import os
import subprocess
import threading

import pytest

from support import http, pkt
from support.fault_proxy import Edit, Gate, Hang, Respond
from support.git import ENVIRONMENT
from support.processes import wait_until
from support.upstream import OldUpstream
from test_refs import SHAPES

LISTING = "info/refs?service=git-upload-pack"
RESULT = "application/x-git-upload-pack-result"


def asked_in(protocol):
    return [("Git-Protocol", f"version={protocol}")] if protocol else []


def get(client, repository, protocol=0, headers=()):
    return client.ask("GET", client.target(repository.path, LISTING), [*asked_in(protocol), *headers])


def direct(faults, repository, protocol=0):
    """What the host itself says."""
    return http.ask(faults.port, "GET", f"/{http.quote(repository.path)}/{LISTING}", asked_in(protocol))


def post(client, repository, body, headers=()):
    return client.ask("POST", client.target(repository.path, "git-upload-pack"),
                      [("Content-Type", "application/x-git-upload-pack-request"), ("Accept", RESULT), *headers], body)


def verdicts(tankard, mark):
    return [(r["outcome"], r["reason"]) for r in tankard.requests(since=mark) if r["operation"] == "info_refs"]


def read_answer(git, folder, body):
    """(lines before the pack, the objects in it): git makes the same pack in many ways."""
    lines, pack = [], b""
    at = body.find(b"PACK") if body[8:12] == b"PACK" else len(body)
    for payload in pkt.read(body[:at]):
        if payload[:1] == b"\1":
            pack += payload[1:]
        elif payload[:1] != b"\2" and not pack:
            lines.append(payload)
    pack += body[at:]
    if not pack:
        return lines, None
    git.check("init", "-q", "--bare", folder)
    git.check("index-pack", "--stdin", cwd=folder, input=pack)
    return lines, sorted(git.check("cat-file", "--batch-all-objects", "--batch-check", cwd=folder).splitlines())


@pytest.fixture
def old_host():
    with OldUpstream() as upstream:
        yield upstream


@pytest.mark.parametrize("protocol", [0, 1])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_listing_is_the_same_online_offline_and_after_a_restart(tankard, faults, git, new_repository, shape, protocol):
    repository = new_repository()
    SHAPES[shape](repository)
    wanted = direct(faults, repository, protocol).body
    shown = git.ls_remote(f"{faults.url}/{http.quote(repository.path)}", protocol=protocol)
    mark = tankard.log_mark()
    for _ in range(2):
        assert get(tankard, repository, protocol).body == wanted
    first = "revalidated" if shape == "nothing_at_all" else "miss"   # nothing is no news
    assert [outcome for outcome, _ in verdicts(tankard, mark)] == [first, "revalidated"]
    tankard.switch(False)
    for life in ("offline", "after a restart"):
        answer = get(tankard, repository, protocol)
        assert answer.status == 200 and answer.body == wanted, life
        assert answer.header("Content-Type") == "application/x-git-upload-pack-advertisement"
        assert int(answer.header("Age")) >= 0 and answer.header("Cache-Status").startswith("tankard; hit; ttl="), answer
        assert "no-cache" in answer.header("Cache-Control"), answer
        assert git.ls_remote(tankard.url(repository.path), protocol=protocol) == shown, life
        tankard.wait_written()
        tankard.restart("--offline")


def test_v0_and_v1_are_two_answers(tankard, faults, project):
    bodies = {protocol: direct(faults, project, protocol).body for protocol in (0, 1)}
    assert bodies[0] != bodies[1] and b"version 1" in bodies[1]
    for _ in range(2):
        for protocol, body in bodies.items():
            assert get(tankard, project, protocol).body == body
        tankard.switch(False)


@pytest.mark.parametrize("first, then", [(2, 0), (2, 1), (0, 1), (1, 0), (0, 2), (1, 2)])
def test_what_one_version_listed_all_versions_show(tankard, git, project, first, then):
    """One ref table. A v2 client whose host was asked in v0 only is answered in v0, as by an old host."""
    known = git.ls_remote(tankard.url(project.path), protocol=first)
    tankard.switch(False)
    for _ in range(2):
        assert git.ls_remote(tankard.url(project.path), protocol=then) == known
        assert git.ls_remote(tankard.url(project.path), protocol=first) == known
        tankard.wait_written()
        tankard.restart("--offline")


def test_a_v2_clone_lists_too_little_for_an_old_client(tankard, git, project, tmp_path):
    """It asked for HEAD, branches and tags: what else there is nobody knows, and a half-known answer is never given."""
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    tankard.switch(False)
    for protocol in (0, 1):
        answer = get(tankard, project, protocol)
        assert answer.status == 200 and pkt.texts(answer.body)[0].startswith("ERR tankard: no cached ls-refs available for"), answer
        result = git.fails("-c", f"protocol.version={protocol}", "ls-remote", tankard.url(project.path))
        assert "not all refs that were asked for are known here" in result.err


@pytest.mark.parametrize("protocol", [0, 1])
def test_a_listing_that_has_moved_is_made_anew(tankard, git, project, protocol):
    """The raw answer of before is not shown any more once a v2 client was told of something newer."""
    url = tankard.url(project.path)
    git.ls_remote(url, protocol=protocol)
    new = project.add_commit()
    project.tag("newer", "main", annotated=True)
    known = git.ls_remote(url)
    assert f"{new}\trefs/heads/main" in known
    tankard.switch(False)
    assert git.ls_remote(url, protocol=protocol) == known


def test_refs_show_what_the_store_can_serve_as_in_v2(tankard, faults, git, project, tmp_path):
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    old = project.oid("main")
    faults.on(Respond(500), times=None, kind="fetch")
    project.add_commit()
    for protocol in (0, 2):
        assert f"{project.oid('main')}\trefs/heads/main" in git.ls_remote(tankard.url(project.path), protocol=protocol)
    tankard.wait_quiet()
    tankard.switch(False)
    lines = {protocol: git.ls_remote(tankard.url(project.path), protocol=protocol) for protocol in (0, 1, 2)}
    assert f"{old}\trefs/heads/main" in lines[2] and f"{old}\tHEAD" in lines[2]
    assert lines[0] == lines[1] == lines[2]


def test_an_old_client_makes_the_store_catch_up(tankard, faults, git, project, tmp_path):
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    new = project.add_commit()
    git.ls_remote(tankard.url(project.path), protocol=0)
    wait_until(lambda: faults.count("fetch", has_pack=True) == 2, "what is listed is soon servable")
    tankard.wait_quiet()
    tankard.switch(False)
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "d")
    assert git.check("rev-parse", "main", cwd=tmp_path / "d") == new


class TestOnline:
    def test_those_who_wait_share_an_answer(self, tankard, faults, project):
        gate = Gate()
        faults.on(Hang(gate), kind="advertisement")
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(get(tankard, project))) for _ in range(6)]
        threads[0].start()
        gate.wait_arrived()
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: tankard.metric("tankard_in_flight_requests") == 6, "six clients wait")
        gate.open()
        for thread in threads:
            thread.join()
        assert len({a.body for a in answers}) == 1 and answers[0].status == 200
        assert faults.count("advertisement") == 2, "one under way, one waiting"

    def test_the_host_is_asked_in_the_version_of_the_client(self, tankard, faults, project):
        for protocol in (0, 1, 2):
            get(tankard, project, protocol)
        assert [r.header("Git-Protocol") for r in faults.seen("advertisement")] == [None, "version=1", "version=2"]

    def test_max_age_spares_the_host(self, run_tankard, faults, project):
        tankard = run_tankard(settings={"ls_refs.max_age": "60s"})
        mark = tankard.log_mark()
        bodies = {get(tankard, project).body for _ in range(3)}
        assert len(bodies) == 1 and faults.count("advertisement") == 1
        assert verdicts(tankard, mark) == [("miss", "none"), ("hit", "fresh"), ("hit", "fresh")]

    def test_a_push_ends_what_was_fresh(self, run_tankard, faults, git, project, tmp_path):
        tankard = run_tankard(settings={"ls_refs.max_age": "600s"})
        url = tankard.url(project.path)
        git.check("-c", "protocol.version=0", "clone", url, tmp_path / "c")
        git.check("commit", "--allow-empty", "-m", "mine", cwd=tmp_path / "c")
        git.check("push", "origin", "HEAD:refs/heads/main", cwd=tmp_path / "c")
        assert f"{project.oid('main')}\trefs/heads/main" in git.ls_remote(url, protocol=0)

    def test_session_ids_are_not_shown_and_whatever_is_new_is(self, tankard, faults, project):
        def invent(status, headers, body):
            return status, headers, body.replace(b"multi_ack ", b"session-id=x1 brand-new=2 ", 1)
        same = len("session-id=x1 brand-new=2 ") - len("multi_ack ")

        def grow(status, headers, body):
            status, headers, body = invent(status, headers, body)
            at = body.index(b"0000") + 4
            return status, headers, body[:at] + b"%04x" % (int(body[at:at + 4], 16) + same) + body[at + 4:]
        faults.on(Edit(grow), times=None, kind="advertisement")
        online = pkt.old_capabilities(get(tankard, project).body)
        assert "brand-new=2" in online and not any(c.startswith("session-id") for c in online)
        tankard.switch(False)
        offline = pkt.old_capabilities(get(tankard, project).body)
        assert offline == [c for c in online if c != "brand-new=2"]

    @pytest.mark.parametrize("status", [403, 404, 410, 500, 503])
    def test_what_the_host_says_instead_is_relayed(self, tankard, faults, project, status):
        faults.on(Respond(status, {"Content-Type": "text/plain", "X-Host": "yes"}, b"the host says no\n"), kind="advertisement")
        answer = get(tankard, project)
        assert (answer.status, answer.body, answer.header("X-Host")) == (status, b"the host says no\n", "yes")

    def test_an_outage_that_shows_when_asked_is_answered_from_memory(self, tankard, faults, project):
        before = get(tankard, project).body
        faults.on(Respond(503, {"Content-Type": "text/plain"}, b"away\n"), kind="advertisement")
        assert get(tankard, project).body == before

    def test_patience_ends_with_what_is_known(self, run_tankard, faults, project):
        tankard = run_tankard(settings={"ls_refs.patience": "200ms"})
        before = get(tankard, project).body
        gate = Gate()
        faults.on(Hang(gate), kind="advertisement")
        mark = tankard.log_mark()
        assert get(tankard, project).body == before
        gate.open()
        assert verdicts(tankard, mark) == [("stale", "patience")]

    def test_a_listing_that_lost_its_refs_is_not_believed_at_once(self, tankard, faults, git, project):
        url = tankard.url(project.path)
        known = git.ls_remote(url, protocol=0)

        def lost(status, headers, body):
            return status, headers, body[:body.index(b"0000") + 4] + pkt.line(b"0" * 40 + b" capabilities^{}\0side-band-64k") + pkt.FLUSH
        faults.on(Edit(lost), times=None, kind="advertisement")
        assert git.ls_remote(url, protocol=0) == [], "the client is told what the host says"
        tankard.switch(False)
        assert git.ls_remote(url, protocol=0) == known


class TestWithoutMemory:
    def test_an_unknown_repository_is_an_error_with_its_name(self, tankard, git, project):
        tankard.switch(False)
        for protocol in (0, 1):
            result = git.fails("-c", f"protocol.version={protocol}", "ls-remote", tankard.url(project.path))
            assert f"no cached ls-refs available for {project.path}" in result.err and tankard.name in result.err

    def test_offline_mode_off_is_a_502(self, run_tankard, project):
        tankard = run_tankard(settings={"offline_mode": "false"})
        assert get(tankard, project).status == 200
        tankard.switch(False)
        assert get(tankard, project).status == 502


class TestCapabilities:
    def could(self, tankard):
        """What upload-pack offers on the one store there is."""
        store, = {os.path.dirname(f) for f in tankard.files("HEAD")}
        env = {**ENVIRONMENT, "HOME": "/nonexistent", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
        out = subprocess.run(["git", "upload-pack", "--http-backend-info-refs", store], env=env, capture_output=True, check=True).stdout
        return set(pkt.old_capabilities(out))

    @staticmethod
    def without_values(words):
        return {w for w in words if not w.startswith(("agent=", "symref="))}

    @pytest.mark.parametrize("first", [0, 2])
    def test_offline_they_are_what_the_store_honours_of_what_the_host_offered(self, tankard, faults, git, project, tmp_path, first):
        git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "c")
        tankard.wait_stored()
        git.ls_remote(tankard.url(project.path), protocol=first)
        offered = self.without_values(pkt.old_capabilities(direct(faults, project).body))
        could = self.without_values(self.could(tankard))
        tankard.switch(False)
        shown = pkt.old_capabilities(get(tankard, project).body)
        assert self.without_values(shown) == offered & could and len(offered & could) >= 14
        assert "symref=HEAD:refs/heads/main" in shown

    def test_what_the_host_forbids_stays_forbidden(self, own_host, run_tankard, git):
        from support.gitrepo import typical
        own_host.configure("[uploadpack]\n\tallowFilter = false\n")
        repository = typical(git, own_host.path("p.git"))
        repository.path = "p.git"
        tankard = run_tankard(upstreams=own_host)
        for protocol in (0, 2):
            git.ls_remote(tankard.url("p.git"), protocol=protocol)
        tankard.switch(False)
        assert "filter" not in pkt.old_capabilities(get(tankard, repository).body)


class TestOldHost:
    """It answers every client in v0."""

    @pytest.fixture
    def scene(self, old_host, run_tankard, git):
        from support.gitrepo import typical
        repository = typical(git, old_host.path("group/old.git"))
        repository.path = "group/old.git"
        return run_tankard(upstreams=old_host), repository

    @pytest.mark.parametrize("protocol", [0, 1, 2])
    def test_every_client_clones_fetches_and_lists(self, scene, git, tmp_path, protocol):
        tankard, repository = scene
        version = ("-c", f"protocol.version={protocol}")
        url = tankard.url(repository.path)
        git.check(*version, "clone", "--mirror", url, tmp_path / "c")
        git.same_content(repository.folder, tmp_path / "c")
        new = repository.add_commit()
        git.check(*version, "fetch", "origin", cwd=tmp_path / "c")
        assert git.check("rev-parse", "main", cwd=tmp_path / "c") == new
        known = git.ls_remote(url, protocol=protocol)
        tankard.wait_stored()
        tankard.wait_quiet()
        tankard.switch(False)
        for _ in range(2):
            for other in (0, 1, 2):
                assert git.ls_remote(tankard.url(repository.path), protocol=other) == known
            tankard.wait_written()
            tankard.restart("--offline")

    def test_a_v2_client_is_told_the_same_bytes_offline(self, scene, old_host):
        tankard, repository = scene
        online = get(tankard, repository, 2)
        assert online.body == http.ask(old_host.port, "GET", f"/{repository.path}/{LISTING}", asked_in(2)).body
        assert b"version 2" not in online.body
        mark = tankard.log_mark()
        assert get(tankard, repository, 2).body == online.body
        tankard.switch(False)
        assert get(tankard, repository, 2).body == online.body
        assert [o for o, _ in verdicts(tankard, mark)] == ["revalidated", "stale"]

    def test_it_learns_v2_and_is_asked_in_v2(self, run_tankard, faults, git, project):
        tankard = run_tankard()
        unlearned = threading.Event()

        class Old(Edit):
            def answer(self, handler, record):
                if not unlearned.is_set():
                    record.headers = [(n, v) for n, v in record.headers if n.lower() != "git-protocol"]
                handler.forward(record)
        faults.on(Old(None), times=None)
        url = tankard.url(project.path)
        known = git.ls_remote(url)
        assert b"version 2" not in get(tankard, project, 2).body
        unlearned.set()
        assert b"version 2" in get(tankard, project, 2).body
        assert git.ls_remote(url) == known
        tankard.switch(False)
        assert b"version 2" in get(tankard, project, 2).body
        assert git.ls_remote(url) == git.ls_remote(url, protocol=0) == known

    def test_the_store_catches_up_in_v0(self, tankard, faults, git, project, tmp_path):
        """tankard's own fetch is put as the host understands it."""
        git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "c")
        tankard.wait_stored()

        class Old(Edit):
            def answer(self, handler, record):
                record.headers = [(n, v) for n, v in record.headers if n.lower() != "git-protocol"]
                handler.forward(record)
        faults.on(Old(None), times=None)
        assert b"version 2" not in get(tankard, project, 2).body
        new = project.add_commit()
        mark = faults.mark()
        git.ls_remote(tankard.url(project.path))
        wait_until(lambda: faults.count("fetch", since=mark, has_pack=True) == 1, "what is listed is soon servable")
        fetch = faults.seen("fetch", since=mark)[0]
        assert fetch.command is None and fetch.header("Git-Protocol") is None and new in fetch.wants and fetch.haves
        tankard.wait_quiet()
        tankard.switch(False)
        assert f"{new}\trefs/heads/main" in git.ls_remote(tankard.url(project.path)), "the newest value that the store can serve"

    def test_its_outage_names_it(self, scene, git):
        tankard, repository = scene
        tankard.switch(False)
        for protocol in (0, 1, 2):
            assert "no cached ls-refs" in git.fails("-c", f"protocol.version={protocol}", "ls-remote", tankard.url(repository.path)).err


class TestRequests:
    """What an old client posts is the host's to answer while it is there, good or bad, and as the host answers it."""

    def test_bodies_cut_anywhere_are_answered_as_git_does(self, tankard, host, project):
        body = pkt.old_fetch([project.oid("main")], [project.oid("main~1")], done=False, capabilities="multi_ack side-band-64k")
        body += pkt.lines("done")
        direct_to = f"/{http.quote(project.path)}/git-upload-pack"
        for cut in range(0, len(body) + 1, 3):
            part = body[:cut]
            wanted = http.ask(host.port, "POST", direct_to, [("Content-Type", "application/x-git-upload-pack-request")], part)
            answer = post(tankard, project, part)
            assert (answer.status, answer.body, answer.whole) == (wanted.status, wanted.body, wanted.whole), f"cut at {cut}: {answer} {wanted}"
        assert tankard.alive

    def test_bodies_cut_anywhere_offline_are_no_crash(self, tankard, project):
        get(tankard, project)
        tankard.switch(False)
        body = pkt.old_fetch([project.oid("main")], [project.oid("main~1")])
        for cut in range(1, len(body) + 1):
            answer = post(tankard, project, body[:cut])
            assert answer.whole and answer.status in (200, 502, 504) and b"PACK" not in answer.body, (cut, answer)
            if answer.status == 200 and answer.body:
                assert pkt.texts(answer.body)[0].startswith("ERR tankard: "), (cut, answer)
        assert tankard.alive

    @pytest.mark.parametrize("needs, capabilities", [
        (["deepen 1"], "side-band-64k shallow"), (["deepen-since 1"], "side-band"), (["deepen-not refs/heads/none"], "side-band-64k"),
        (["deepen-not none"], "side-band-64k deepen-not"), (["filter blob:none"], "filter side-band-64k"),
        (["filter blob:none"], "side-band-64k"), (["filter no:sense"], "filter side-band-64k"), (["nonsense"], "side-band"), ([], ""),
        ([], "side-band new-thing")])
    def test_every_need_is_passed_on(self, tankard, host, git, project, tmp_path, needs, capabilities):
        body = pkt.old_fetch([project.oid("main")], capabilities=capabilities and f"{capabilities} no-progress", needs=needs)
        wanted = http.ask(host.port, "POST", f"/{http.quote(project.path)}/git-upload-pack",
                          [("Content-Type", "application/x-git-upload-pack-request")], body)
        answer = post(tankard, project, body)
        assert (answer.status, answer.whole) == (wanted.status, wanted.whole)
        assert read_answer(git, tmp_path / "a", answer.body) == read_answer(git, tmp_path / "b", wanted.body)

    def test_a_want_that_was_never_advertised(self, tankard, project):
        answer = post(tankard, project, pkt.old_fetch(["1" * 40]))
        assert "not our ref" in pkt.texts(answer.body)[0]


class TestWhatGitInventsNext:
    """In v2: offered while the host is there, answered by it, and not offered when it is away."""

    @pytest.fixture
    def scene(self, own_host, run_tankard, git):
        from support.gitrepo import typical
        own_host.configure("[uploadpack]\n\tallowRefInWant = true\n\tallowSidebandAll = true\n\tadvertiseBundleURIs = true\n"
                           "[transfer]\n\tadvertiseObjectInfo = true\n")
        repository = typical(git, own_host.path("p.git"))
        repository.path = "p.git"
        return run_tankard(upstreams=own_host), repository

    def test_what_is_upstreams_only_is_not_offered_offline(self, scene, git):
        tankard, repository = scene
        git.ls_remote(tankard.url("p.git"))
        online = pkt.texts(tankard.advertisement("p.git").body)
        fetch = next(t for t in online if t.startswith("fetch="))
        assert "object-info" in online and {"ref-in-want", "sideband-all"} <= set(fetch[6:].split())
        tankard.switch(False)
        offline = pkt.texts(tankard.advertisement("p.git").body)
        fetch = next(t for t in offline if t.startswith("fetch="))
        assert "object-info" not in offline and not {"ref-in-want", "sideband-all"} & set(fetch[6:].split())

    def test_a_fetch_of_a_ref_by_its_name_works(self, scene, own_host, git, tmp_path):
        tankard, repository = scene
        git.check("clone", tankard.url("p.git"), tmp_path / "c")
        new = repository.add_commit()
        mark = tankard.log_mark()
        git.check("fetch", "origin", "main", cwd=tmp_path / "c")
        assert git.check("rev-parse", "FETCH_HEAD", cwd=tmp_path / "c") == new
        assert any(r["outcome"] == "bypass" for r in tankard.requests(since=mark, operation="fetch"))

    @pytest.mark.parametrize("name", ["object-info", "want-ref", "sideband-all", "packfile-uris", "unheard-of", "unheard-of command"])
    def test_the_hosts_own_answer_comes_through(self, scene, own_host, git, tmp_path, name):
        tankard, repository = scene
        main = repository.oid("main")
        fetch = ["command=fetch", "object-format=sha1", pkt.DELIM, "ofs-delta", "no-progress"]
        body = pkt.lines(*{
            "object-info": ["command=object-info", "object-format=sha1", pkt.DELIM, "size", f"oid {main}"],
            "want-ref": [*fetch, "want-ref refs/heads/main", "done"],
            "sideband-all": [*fetch, "sideband-all", f"want {main}", "done"],
            "packfile-uris": [*fetch, "packfile-uris https", f"want {main}", "done"],
            "unheard-of": [*fetch, "unheard-of", f"want {main}", "done"],
            "unheard-of command": ["command=unheard-of", "object-format=sha1", pkt.DELIM, "x"]}[name], pkt.FLUSH)
        tankard.advertisement("p.git")
        wanted = http.ask(own_host.port, "POST", "/p.git/git-upload-pack",
                          [("Git-Protocol", "version=2"), ("Content-Type", "application/x-git-upload-pack-request")], body)
        answer = tankard.command("p.git", body)
        assert (answer.status, answer.whole) == (wanted.status, wanted.whole)
        if name in ("want-ref", "packfile-uris"):
            assert read_answer(git, tmp_path / "a", answer.body) == read_answer(git, tmp_path / "b", wanted.body)
        elif name == "sideband-all":
            assert b"PACK" in answer.body and b"PACK" in wanted.body, "every line in a band"
        else:
            assert answer.body == wanted.body
        if name in ("object-info", "want-ref", "sideband-all"):
            assert answer.body and not pkt.texts(answer.body)[0].startswith("ERR"), answer
