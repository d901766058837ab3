"""Pushes go through unharmed and unseen, and whoever lists afterwards sees what was written."""
import os
import stat
import subprocess
import threading

import pytest

from support import http, pkt
from support.fault_proxy import Edit, Fault, Gate, Hang, Respond
from support.gitrepo import Repository
from support.memory import Memory
from support.processes import wait_until
from support.raw_server import RawServer
from support.upstream import PASSWORD, USER

RESULT = "application/x-git-receive-pack-result"
REQUEST = ("Content-Type", "application/x-git-receive-pack-request")
CAPABILITIES = b"\0 report-status side-band-64k agent=git/integration"


def commands(*updates):
    """The head of a push: (before, after, name) each; None is no value."""
    out = b""
    for before, after, name in updates:
        out += pkt.line(f"{before or '0' * 40} {after or '0' * 40} {name}".encode() + (CAPABILITIES if not out else b""))
    return out + pkt.FLUSH


@pytest.fixture
def work(git, host, project, tmp_path):
    """A clone that knows nothing of tankard yet."""
    git.check("clone", f"{host.url}/{project.path}", tmp_path / "w")
    return tmp_path / "w"


def commit(git, work, size=10):
    (work / "file").write_bytes(os.urandom(size))
    git.check("add", "file", cwd=work)
    git.check("commit", "-m", "pushed", cwd=work)
    return git.check("rev-parse", "HEAD", cwd=work)


def hook(project, name, script):
    path = os.path.join(project.folder, "hooks", name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + script)
    os.chmod(path, 0o755)
    assert os.stat(path).st_mode & stat.S_IXUSR


def heads(answer):
    return pkt.listing(answer.body)


class TestReadYourWrites:
    @pytest.fixture
    def tankard(self, run_tankard):
        return run_tankard(settings={"ls_refs.max_age": "1h", "refresh.write_debounce": "0s"})

    def outcome(self, tankard, project, *prefixes):
        mark = tankard.log_mark()
        answer = tankard.ls_refs(project.path, *(prefixes or ("refs/heads/",)))
        return tankard.wait_request(1, since=mark, operation="ls_refs")[-1]["outcome"], heads(answer)

    def test_nothing_is_answered_from_memory_while_a_push_is_under_way(self, tankard, faults, git, project, work):
        assert self.outcome(tankard, project)[0] == "miss" and self.outcome(tankard, project)[0] == "hit"
        gate = Gate()
        faults.on(Hang(gate), kind="push")
        new = commit(git, work)
        pushing = git.start("push", tankard.url(project.path), "main", cwd=work)
        gate.wait_arrived()
        for n in (1, 2):
            mark = faults.mark()
            assert heads(tankard.ls_refs(project.path, "refs/heads/"))["refs/heads/main"] != new
            assert faults.count("ls-refs", since=mark) == 1, f"asked {n}"
        gate.open()
        assert pushing.wait(60) == 0
        assert self.outcome(tankard, project) == ("miss", project.refs("refs/heads")) and project.oid("main") == new
        assert self.outcome(tankard, project)[0] == "hit"

    @pytest.mark.parametrize("known", [True, False])
    def test_an_answer_to_a_question_from_before_the_end_is_not_kept(self, tankard, faults, git, project, work, known):
        """Also where nothing was known of the repository when the push came."""
        if known:
            tankard.ls_refs(project.path, "refs/tags/")
        late, pushed = Gate(), Gate()

        class Late(Fault):
            def answer(self, handler, record):
                status, reason, headers, body = handler.fetch_whole(record)
                late.wait()
                handler.send_whole(record, status, reason, [h for h in headers if h[0].lower() == "content-type"], body)
        faults.on(Late(), kind="ls-refs")
        faults.on(Hang(pushed), kind="push")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(heads(tankard.ls_refs(project.path, "refs/heads/"))))
        new = commit(git, work)
        pushing = git.start("push", tankard.url(project.path), "main", cwd=work)
        pushed.wait_arrived()
        asking.start()          # while the push is under way, so that it is not the beginning which makes it old
        late.wait_arrived()
        pushed.open()
        assert pushing.wait(60) == 0
        tankard.wait_request(operation="push", status=200)
        late.open()
        asking.join()
        assert answers[0]["refs/heads/main"] != new, "it is answered as it came"
        assert self.outcome(tankard, project)[1]["refs/heads/main"] == new

    def test_a_push_that_upstream_refuses_makes_nothing_old(self, tankard, faults, git, project):
        self.outcome(tankard, project)
        for status in (401, 403, 404, 413):
            faults.on(Respond(status, {}, b"no\n"), kind="push")
            body = commands((project.oid("main"), None, "refs/heads/main"))
            answer = tankard.ask("POST", tankard.target(project.path, "git-receive-pack"), [REQUEST], body)
            assert answer.status == status
            assert self.outcome(tankard, project)[0] == "hit"

    def test_a_probe_makes_nothing_old(self, tankard, faults, git, project):
        self.outcome(tankard, project)
        assert tankard.ask("POST", tankard.target(project.path, "git-receive-pack"), [REQUEST], b"0000").status == 200
        assert faults.count("push") == 1 and self.outcome(tankard, project)[0] == "hit"

    def test_of_everybody_where_refs_differ_by_who_asks(self, run_tankard, faults, git, host, project, work):
        tankard = run_tankard(settings={"ls_refs.max_age": "1h", f"upstream.{faults.name}.auth.scope": "user"})
        ann, bob = [("Cookie", "who=ann")], [("Cookie", "who=bob")]
        for who in (ann, bob):
            tankard.ls_refs(project.path, "refs/heads/", headers=who)
        new = commit(git, work)
        git.check("-c", "http.extraHeader=Cookie: who=ann", "push", tankard.url(project.path), "main", cwd=work)
        for who in (ann, bob):
            assert heads(tankard.ls_refs(project.path, "refs/heads/", headers=who))["refs/heads/main"] == new


class TestLaggingReplica:
    """Upstream answers the listing from before the push: it is passed on, and does not become what is known."""

    @pytest.fixture
    def tankard(self, run_tankard):
        return run_tankard(settings={"refresh.write_debounce": "0s"})

    def lag(self, faults, old):
        faults.on(Edit(lambda status, headers, body: (status, headers, old)), times=None, kind="ls-refs")

    def offline(self, tankard, faults, project):
        faults.clear()
        tankard.switch(False)
        return heads(tankard.ls_refs(project.path, "refs/heads/"))

    def test_old_refs_do_not_come_back(self, tankard, faults, git, project, work):
        old = tankard.ls_refs(project.path, "refs/heads/").body
        new = commit(git, work)
        git.check("push", tankard.url(project.path), "main", "HEAD:refs/heads/created", ":topic/one", "+HEAD~3:release", cwd=work)
        now = project.refs("refs/heads")
        assert heads(tankard.ls_refs(project.path, "refs/heads/")) == now
        self.lag(faults, old)
        answer = tankard.ls_refs(project.path, "refs/heads/")
        assert heads(answer) == heads(http_answer(old)) != now, "what upstream says is not hidden"
        tankard.wait_event("listing-lags")
        assert self.offline(tankard, faults, project) == now and now["refs/heads/main"] == new

    @pytest.mark.parametrize("protocol", [0, 1])
    def test_a_listing_of_v0_may_lag_too(self, tankard, faults, git, project, work, protocol):
        version = [("Git-Protocol", f"version={protocol}")] if protocol else []
        target = tankard.target(project.path, "info/refs?service=git-upload-pack")
        old = tankard.ask("GET", target, version).body
        new = commit(git, work)
        git.check("push", tankard.url(project.path), "main", cwd=work)
        assert f"{new} refs/heads/main".encode() in tankard.ask("GET", target, version).body
        faults.on(Edit(lambda status, headers, body: (status, headers, old)), times=None, kind="advertisement")
        assert tankard.ask("GET", target, version).body == old, "what upstream says is not hidden"
        tankard.wait_event("listing-lags")
        faults.clear()
        tankard.switch(False)
        assert f"{new} refs/heads/main".encode() in tankard.ask("GET", target, version).body

    @pytest.mark.parametrize("refspecs", [["HEAD:main"], ["HEAD:refs/heads/created"], [":topic/one"], ["+HEAD~5:main"]],
                             ids=["moved", "created", "deleted", "forced"])
    def test_whatever_was_pushed(self, tankard, faults, git, project, work, refspecs):
        old = tankard.ls_refs(project.path, "refs/heads/").body
        commit(git, work)
        git.check("push", tankard.url(project.path), *refspecs, cwd=work)
        tankard.ls_refs(project.path, "refs/heads/")
        self.lag(faults, old)
        tankard.ls_refs(project.path, "refs/heads/")
        assert self.offline(tankard, faults, project) == project.refs("refs/heads") != heads(http_answer(old))

    def test_what_the_upstream_did_not_take_is_not_waited_for(self, tankard, faults, git, project, work):
        """A ref that a hook refused stays as it is listed; what others push meanwhile is believed."""
        hook(project, "update", 'test "$1" = refs/heads/main\n')
        before = tankard.ls_refs(project.path, "refs/heads/").body
        commit(git, work)
        git.fails("push", tankard.url(project.path), "main", "HEAD:refs/heads/refused", "+HEAD~5:release", cwd=work)
        project.add_commit("topic/one")
        project.rewrite("main")
        now = project.refs("refs/heads")
        assert heads(tankard.ls_refs(project.path, "refs/heads/")) == now != heads(http_answer(before))
        assert not tankard.events("listing-lags")
        assert self.offline(tankard, faults, project) == now


def http_answer(body):
    return http.Answer(200, "", [], body, True)


class TestDebounce:
    """After a push tankard waits with what it would fetch of its own accord; nobody else waits."""

    def pushed(self, tankard, git, host, project, tmp_path):
        git.check("clone", tankard.url(project.path), tmp_path / "c")
        tankard.wait_stored()
        commit(git, tmp_path / "c")
        git.check("push", "origin", "main", cwd=tmp_path / "c")

    def test_a_sync_waits_for_the_pause(self, run_tankard, faults, git, host, project, tmp_path):
        tankard = run_tankard(settings={"refresh.write_debounce": "1s"})
        self.pushed(tankard, git, host, project, tmp_path)
        mark = faults.mark()
        tankard.ls_refs(project.path, "refs/heads/")
        wait_until(lambda: faults.count("fetch", since=mark, has_pack=True) == 1, "the sync after the pause")
        tankard.wait_quiet()
        tankard.switch(False)
        assert heads(tankard.ls_refs(project.path, "refs/heads/"))["refs/heads/main"] == project.oid("main")

    def test_a_client_does_not_wait(self, run_tankard, faults, git, host, project, tmp_path):
        tankard = run_tankard(settings={"refresh.write_debounce": "1h"})
        self.pushed(tankard, git, host, project, tmp_path)
        mark = faults.mark()
        git.check("clone", "--bare", tankard.url(project.path), tmp_path / "d")
        git.same_content(project.folder, tmp_path / "d")
        tankard.wait_quiet()
        assert faults.count("fetch", since=mark) == 1, "the client's, and none beside it"


class TestUntouched:
    """A server that writes down what came, byte for byte."""

    @pytest.fixture
    def seen(self, run_tankard):
        got = []

        def serve(peer):
            while (request := peer.head()):
                got.append((*request, *peer.body(request[2])))
                peer.answer(200, [("Content-Type", RESULT)], b"0000")
        with RawServer(serve) as server:
            got_tankard = run_tankard(server)
            yield got_tankard, got

    @pytest.mark.parametrize("extra", [[], [("Content-Encoding", "gzip")], [("Expect", "100-continue")], [("Git-Protocol", "version=1")]])
    @pytest.mark.parametrize("chunked", [False, True])
    def test_whatever_the_body_is(self, seen, extra, chunked):
        import gzip
        tankard, got = seen
        body = commands((None, "1" * 40, "refs/heads/x")) + os.urandom(100_000)
        if ("Content-Encoding", "gzip") in extra:
            body = gzip.compress(body)
        sent = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:7], body[7:60_000], body[60_000:])) + b"0\r\n\r\n" if chunked else body
        framing = [("Transfer-Encoding", "chunked")] if chunked else []
        answer = tankard.ask("POST", tankard.target("a.git", "git-receive-pack"),
                             [REQUEST, ("Authorization", "Basic Zm9vOmJhcg=="), *framing, *extra], sent)
        assert (answer.status, answer.body) == (200, b"0000")
        (method, target, headers, came, whole), = got
        assert (method, target, came, whole) == ("POST", "/a.git/git-receive-pack", body, True)
        assert headers["authorization"] == "Basic Zm9vOmJhcg==" and headers["content-type"] == REQUEST[1]
        assert ("transfer-encoding" in headers) == chunked
        for name, value in extra:
            assert headers.get(name.lower()) == value

    def test_the_probe(self, seen):
        tankard, got = seen
        assert tankard.ask("POST", tankard.target("a.git", "git-receive-pack"), [REQUEST], b"0000").status == 200
        assert [came for *_, came, _ in got] == [b"0000"]


class TestStreams:
    def test_both_ways_at_once(self, run_tankard):
        """Each side hears the other before it has said all itself."""
        def serve(peer):
            peer.head()
            assert peer.chunk() == b"first"
            peer.send(f"HTTP/1.1 200 OK\r\nContent-Type: {RESULT}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nheard\r\n".encode())
            assert peer.chunk() == b"second" and peer.chunk() == b""
            peer.send(b"4\r\n0000\r\n0\r\n\r\n")
        with RawServer(serve) as server:
            tankard = run_tankard(server)
            with http.Connection(tankard.port) as client:
                client.request("POST", tankard.target("a.git", "git-receive-pack"), [REQUEST, ("Transfer-Encoding", "chunked")])
                client.send(b"5\r\nfirst\r\n")
                answer = client.head()
                parts = client.chunks(answer)
                assert next(parts) == b"heard"
                client.send(b"6\r\nsecond\r\n0\r\n\r\n")
                assert b"".join(parts) == b"0000" and answer.whole

    def test_100_mb_in_bounded_memory(self, run_tankard, host, git, project, work):
        for n in range(10):
            (work / f"blob-{n}").write_bytes(os.urandom(10 << 20))
        git.check("add", ".", cwd=work)
        git.check("commit", "-m", "large", cwd=work)
        tankard = run_tankard(host)
        url = f"http://127.0.0.1:{tankard.port}/{host.name}/{project.path}"
        git.check("ls-remote", url)
        with Memory(tankard) as memory:
            git.check("push", url, "main", cwd=work, timeout=300)
        memory.bounded()
        assert project.oid("main") == git.check("rev-parse", "HEAD", cwd=work)
        assert any(r["bytes_in"] > 100 << 20 for r in tankard.requests(operation="push", status=200))

    def test_an_upstream_that_does_not_read_holds_the_client_back(self, run_tankard):
        gate = Gate()

        def serve(peer):
            _, _, headers = peer.head()
            gate.wait()
            peer.body(headers)
            peer.answer(200, [("Content-Type", RESULT)], b"0000")
        with RawServer(serve) as server:
            tankard = run_tankard(server)
            with Memory(tankard) as memory:
                with http.Connection(tankard.port, timeout=120) as client:
                    size = 200 << 20
                    client.request("POST", tankard.target("a.git", "git-receive-pack"), [REQUEST, ("Content-Length", str(size))])
                    sent = [0]

                    def send():
                        piece = bytes(1 << 20)
                        while sent[0] < size:
                            client.send(piece)
                            sent[0] += len(piece)
                    sending = threading.Thread(target=send)
                    sending.start()
                    looks = []

                    def stalled():
                        looks.append(sent[0])
                        return len(looks) > 20 and looks[-1] == looks[-20] > 0
                    wait_until(stalled, "the flow stops", 60, interval=0.05)
                    assert sent[0] < size
                    gate.open()
                    assert client.answer().status == 200
                    sending.join()
            memory.bounded()


class TestCut:
    def test_upstream_sees_the_cut_and_nothing_changes_here(self, run_tankard):
        ended = []
        listing = pkt.lines("1" * 40 + " refs/heads/main", pkt.FLUSH)

        def serve(peer):
            while (request := peer.head()):
                body, whole = peer.body(request[2])
                if request[1].endswith("git-receive-pack"):
                    ended.append(whole)
                    return
                peer.answer(200, [("Content-Type", "application/x-git-upload-pack-result")], listing)
        with RawServer(serve) as server:
            tankard = run_tankard(server, settings={"ls_refs.max_age": "1h"})
            assert tankard.ls_refs("a.git").status == 200
            for framing in (("Transfer-Encoding", "chunked"), ("Content-Length", "100000")):
                with http.Connection(tankard.port) as client:
                    client.request("POST", tankard.target("a.git", "git-receive-pack"), [REQUEST, framing])
                    part = commands(("1" * 40, "2" * 40, "refs/heads/main")) + b"PACK"
                    client.send(b"%x\r\n%s\r\n" % (len(part), part) if framing[1] == "chunked" else part)
            wait_until(lambda: len(ended) == 2, "upstream sees the end of both")
            assert ended == [False, False], "what was cut must not look whole"
            mark = tankard.log_mark()
            assert tankard.ls_refs("a.git").body == listing
            assert tankard.wait_request(1, since=mark, operation="ls_refs")[-1]["outcome"] == "hit"

    def test_a_real_host_keeps_what_it_had(self, run_tankard, host, git, project, work):
        tankard = run_tankard(host)
        before = project.refs()
        commit(git, work)
        pack = subprocess.run(["git", "pack-objects", "--stdout", "--all"], cwd=work, env=git.environment(), input=b"", capture_output=True, check=True).stdout
        body = commands((project.oid("main"), git.check("rev-parse", "HEAD", cwd=work), "refs/heads/main")) + pack
        target = f"/{host.name}/{project.path}/git-receive-pack"
        with http.Connection(tankard.port) as client:
            client.request("POST", target, [REQUEST, ("Content-Length", str(len(body)))])
            client.send(body[:-1])
        tankard.wait_quiet()
        wait_until(lambda: [r for r in host.requests() if r["uri"] == f"/{project.path}/git-receive-pack"], "the host gave it up")
        assert project.refs() == before
        answer = tankard.ask("POST", target, [REQUEST], body)
        assert answer.status == 200 and b"ok refs/heads/main" in answer.body, "the last byte was all that lacked"


class TestEarlyAnswers:
    """An upstream that answers before it has read, and hangs up: the client gets to read the answer."""

    CASES = [(401, [("WWW-Authenticate", 'Basic realm="x"')], b"who are you\n"), (413, [("Content-Type", "text/plain")], b"too large\n" * 1000)]

    @pytest.mark.parametrize("status, headers, body", CASES, ids=["401", "413"])
    @pytest.mark.parametrize("chunked", [False, True])
    @pytest.mark.parametrize("reads", [0, 100_000])
    def test_reach_a_client_that_is_still_sending(self, run_tankard, status, headers, body, chunked, reads):
        closed = Gate()

        def serve(peer):
            peer.head()
            peer.exactly(reads)
            peer.answer(status, [*headers, ("Connection", "close")], body)
            peer.socket.shutdown(1)
            while peer.file.read(65536):
                pass
            closed.wait()
        with RawServer(serve) as server:
            tankard = run_tankard(server)
            size = 64 << 20
            with http.Connection(tankard.port, timeout=60) as client:
                framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(size))
                client.request("POST", tankard.target("a.git", "git-receive-pack"), [REQUEST, framing])
                piece = bytes(1 << 16)
                try:
                    for _ in range(size // len(piece)):
                        client.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                except OSError:
                    pass  # it may be cut off while it sends, but what was answered before is there
                answer = client.answer()
                assert (answer.status, answer.body, answer.whole) == (status, body, True)
                assert client.is_closed()
            closed.wait_arrived()   # upstream's side is closed too
            closed.open()
            assert len(tankard.wait_request(1, operation="push", status=status)) == 1

    def test_git_is_told(self, run_tankard, host, git, project, work):
        def serve(peer):
            while (request := peer.head()):
                method, target, headers = request
                if method == "POST" and "chunked" in headers.get("transfer-encoding", ""):
                    peer.exactly(10_000)
                    peer.answer(413, [("Connection", "close")], b"")
                    return
                body, _ = peer.body(headers)
                answer = http.ask(host.port, method, target, [(n, v) for n, v in headers.items() if n not in ("host", "content-length")], body or None)
                peer.answer(answer.status, [(n, v) for n, v in answer.headers if n.lower() == "content-type"], answer.body)
        with RawServer(serve) as server:
            tankard = run_tankard(server)
            commit(git, work, 8 << 20)
            result = git.fails("-c", "http.postBuffer=65536", "push", tankard.url(project.path), "main", cwd=work)
            assert "HTTP 413" in result.err, result

    def test_a_push_is_never_sent_twice(self, run_tankard):
        """Not even where the connection that was kept for it proves dead."""
        pushes = []

        def serve(peer):
            while (request := peer.head()):
                body, whole = peer.body(request[2])
                if request[0] == "POST":
                    pushes.append(body)
                    return
                peer.answer(200, [("Content-Type", "application/x-git-receive-pack-advertisement")], b"0000")
        with RawServer(serve) as server:
            tankard = run_tankard(server)
            assert tankard.push_advertisement("a.git").status == 200
            answer = tankard.ask("POST", tankard.target("a.git", "git-receive-pack"), [REQUEST], commands((None, "1" * 40, "refs/heads/x")))
            assert answer.status == 502
            tankard.wait_quiet()
            assert len(pushes) == 1


class TestWhatReceivePackCan:
    def test_atomic(self, tankard, git, project, work):
        hook(project, "update", 'test "$1" != refs/heads/refused\n')
        before = project.refs()
        commit(git, work)
        result = git.fails("push", "--atomic", tankard.url(project.path), "main", "HEAD:refs/heads/refused", cwd=work)
        assert "atomic" in result.err and project.refs() == before
        git.fails("push", tankard.url(project.path), "main", "HEAD:refs/heads/refused", cwd=work)
        assert project.oid("main") == git.check("rev-parse", "HEAD", cwd=work)

    def test_push_options(self, tankard, git, project, work, tmp_path):
        git.check("config", "receive.advertisePushOptions", "true", cwd=project.folder)
        hook(project, "post-receive", 'echo "got $GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0 $GIT_PUSH_OPTION_1"\n')
        commit(git, work)
        result = git.run("push", "-o", "ci.skip", "-o", "title=Ümlaut", tankard.url(project.path), "main", cwd=work)
        assert result.ok and "remote: got 2 ci.skip title=Ümlaut" in result.err, result

    def test_signed(self, tankard, git, project, work, tmp_path):
        key = tmp_path / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pusher", "-f", str(key)], check=True)
        allowed = tmp_path / "allowed"
        allowed.write_text("committer@example.com " + (tmp_path / "key.pub").read_text())
        git.check("config", "receive.certNonceSeed", "seed", cwd=project.folder)
        git.check("config", "gpg.ssh.allowedSignersFile", str(allowed), cwd=project.folder)
        hook(project, "post-receive", 'echo "certificate $GIT_PUSH_CERT_STATUS $GIT_PUSH_CERT_NONCE_STATUS"\n')
        new = commit(git, work)
        result = git.run("-c", "gpg.format=ssh", "-c", f"user.signingKey={key}", "push", "--signed", tankard.url(project.path), "main", cwd=work)
        assert result.ok and "remote: certificate G OK" in result.err, result
        assert project.oid("main") == new

    def test_of_a_shallow_clone(self, tankard, git, project, tmp_path):
        git.check("clone", "--depth", "2", tankard.url(project.path), tmp_path / "s")
        new = commit(git, tmp_path / "s")
        git.check("push", "origin", "main", cwd=tmp_path / "s")
        assert project.oid("main") == new
        git.fsck(project.folder)

    def test_large_to_a_private_repository(self, tankard, host, git, tmp_path):
        """The probe is what the host asks for the password; the pack is sent once, when it is known to be right."""
        repository = Repository(git, host.path("private/pushed.git")).history(2, seed=11)
        store = tmp_path / "store"
        store.write_text(f"http://{USER}:{PASSWORD}@127.0.0.1%3a{tankard.port}\n")
        git.check("config", "--global", "credential.helper", f"store --file={store}")
        git.check("clone", tankard.url("private/pushed.git"), tmp_path / "p")
        new, mark = commit(git, tmp_path / "p", 4 << 20), tankard.log_mark()
        git.check("-c", "http.postBuffer=64k", "push", "origin", "main", cwd=tmp_path / "p")
        assert repository.oid("main") == new
        posts = [r for r in tankard.requests(since=mark, operation="push") if r["bytes_in"]]
        assert [r["status"] for r in posts if r["bytes_in"] > 4 << 20] == [200] and all(r["bytes_in"] == 4 for r in posts[:-1])
        assert PASSWORD in store.read_text()

    def test_hundreds_of_refs(self, tankard, git, project, work):
        commit(git, work)
        for n in range(300):
            git.check("update-ref", f"refs/heads/many/{n:03}", "HEAD", cwd=work)
        git.check("push", tankard.url(project.path), "refs/heads/many/*:refs/heads/many/*", cwd=work)
        assert len(project.refs("refs/heads/many")) == 300
        assert heads(tankard.ls_refs(project.path, "refs/heads/")) == project.refs("refs/heads")


class TestRefused:
    """git shows why, at whichever step it comes."""

    def turned_off(self, run_tankard, faults):
        return run_tankard(settings={f"upstream.{faults.name}.push": "false"})

    def test_where_pushes_are_turned_off(self, run_tankard, faults, git, project, work):
        tankard = self.turned_off(run_tankard, faults)
        commit(git, work)
        result = git.fails("push", tankard.url(project.path), "main", cwd=work)
        assert f"remote: tankard: pushes to {faults.url} are turned off here" in result.err, result
        assert faults.count() == 0
        line = tankard.wait_request(1, operation="push")[-1]
        assert (line["outcome"], line["reason"], line["status"]) == ("refused", "push", 403)

    @pytest.mark.parametrize("capabilities", [b"\0 report-status", b"\0 report-status-v2 side-band-64k"])
    def test_at_the_post(self, run_tankard, faults, project, capabilities):
        tankard = self.turned_off(run_tankard, faults)
        body = pkt.line(f"{'0' * 40} {'1' * 40} refs/heads/x".encode() + capabilities) + pkt.FLUSH + b"PACK"
        answer = tankard.ask("POST", tankard.target(project.path, "git-receive-pack"), [REQUEST], body)
        assert answer.status == 200 and answer.header("Content-Type") == RESULT
        assert b"unpack tankard: pushes to" in answer.body and b"ng refs/heads/x" in answer.body
        plain = tankard.ask("POST", tankard.target(project.path, "git-receive-pack"), [REQUEST], b"nonsense")
        assert plain.status == 403 and "turned off" in plain.text
        assert faults.count() == 0

    def switched_off_between(self, tankard, faults):
        """The upstream goes away when the listing was answered and before the push comes."""
        class Between(Fault):
            def answer(self, handler, record):
                status, reason, headers, body = handler.fetch_whole(record)
                tankard.switch(False)
                handler.send_whole(record, status, reason, [h for h in headers if h[0].lower() == "content-type"], body)
        faults.on(Between(), kind="push-advertisement")

    @pytest.mark.parametrize("size, buffer", [(100, "1m"), (100_000, "1m"), (8 << 20, "64k")], ids=["small", "middling", "chunked"])
    def test_where_the_upstream_went_away_before_the_post(self, tankard, faults, git, project, work, size, buffer):
        self.switched_off_between(tankard, faults)
        before = project.refs()
        commit(git, work, size)
        result = git.fails("-c", f"http.postBuffer={buffer}", "push", tankard.url(project.path), "main", cwd=work)
        assert f"tankard: {project.path} cannot be reached: {faults.url} is disabled" in result.err, result
        assert faults.count("push") == 0 and project.refs() == before

    @pytest.mark.parametrize("how", ["disabled", "refused", "open"])
    def test_while_the_upstream_is_away(self, tankard, faults, git, project, work, how):
        if how == "disabled":
            tankard.switch(False)
        else:
            faults.vanish()
        if how == "open":
            wait_until(lambda: tankard.ls_refs(project.path).status and tankard.metric("tankard_upstream_available") == 0, "the breaker opens")
        commit(git, work)
        result = git.fails("push", tankard.url(project.path), "main", cwd=work)
        assert f"remote: tankard: {project.path} cannot be reached: {faults.url} is" in result.err, result
