"""Bad input: a clear status, one log line, nothing stored, no crash; and the next request is answered as ever."""
import gzip
import os
import zlib

import pytest

from support import http, pkt
from support.processes import TIME_FACTOR, wait_until

POST = [("Git-Protocol", "version=2"), ("Content-Type", "application/x-git-upload-pack-request")]


@pytest.fixture
def refused(tankard, faults, project):
    """refused(send, statuses) sends something bad on a connection and checks all that must hold after it."""
    def check(send, statuses, logged=True, quiet=True):
        log, mark = tankard.log_mark(), faults.mark()
        with http.Connection(tankard.port) as connection:
            send(connection)
            answer = connection.answer()
        assert answer.status in ([statuses] if isinstance(statuses, int) else statuses), answer
        assert tankard.alive
        if logged:
            lines = tankard.wait_request(1, since=log)
            assert len(lines) == 1 and int(lines[0]["status"]) == answer.status, lines
            assert lines[0]["outcome"] in ("refused", "error"), lines
        if quiet:
            assert faults.count(since=mark) == 0, faults.seen(since=mark)
        assert tankard.health()["cached_repos"] == 0
        assert not tankard.leftovers() and not tankard.snapshots()
        assert tankard.advertisement(project.path).status == 200, "the next request is answered"
        return answer
    return check


def upload_pack(tankard, project, body, headers=()):
    return lambda c: c.request("POST", tankard.target(project.path, "git-upload-pack"), POST + list(headers), body)


class TestPktLines:
    @pytest.mark.parametrize("body", [
        b"zzzz", b"0003", b"000", b"0", b"fff1" + b"x" * 65517, b"ffff" + b"x" * 65531, b"0014command=ls-refs", b"\x00\x00\x00\x00", b"-001", b"+004", b" 004",
        b"0x10aaaaaaaaaaaa", b"0014command=ls-refs\n0001001fref-prefix", b"0014command=ls-refs\n0001", b"0014command=ls-refs\n",
    ], ids=lambda b: repr(b[:24]))
    def test_malformed(self, tankard, project, refused, body):
        answer = refused(upload_pack(tankard, project, body), (200, 400))
        assert answer.status == 400 or answer.body.startswith(b"00") and b"ERR " in answer.body

    @pytest.mark.parametrize("body", [
        pkt.lines("command=make-coffee", pkt.DELIM, pkt.FLUSH), pkt.lines("command=", pkt.FLUSH), pkt.lines("no command at all", pkt.FLUSH),
    ], ids=["unknown", "empty", "none"])
    def test_commands_that_are_none(self, tankard, project, body):
        """An unknown command is the upstream's to refuse (it may know more than tankard); its words come through."""
        log = tankard.log_mark()
        answer = tankard.command(project.path, body)
        assert answer.status in (200, 400, 403, 500), answer
        assert answer.status != 200 or b"ERR" in answer.body or answer.body == b"", answer
        assert len(tankard.wait_request(1, since=log)) == 1
        assert tankard.health()["cached_repos"] == 0

    @pytest.mark.parametrize("body", [
        pkt.lines("command=ls-refs", "object-format=sha1", pkt.DELIM, "ref-prefix " + "x" * 60_000, pkt.FLUSH),
        pkt.lines("command=ls-refs", "object-format=sha1", pkt.DELIM, *[f"ref-prefix refs/{n}/" for n in range(70_000)], pkt.FLUSH),
        pkt.lines("command=ls-refs", *["agent=x"] * 5000, pkt.DELIM, "peel", pkt.FLUSH),
        pkt.lines("command=fetch", pkt.DELIM, "want nonsense", "done", pkt.FLUSH),
        pkt.lines("command=fetch", pkt.DELIM, "want " + "0" * 40, "deepen -1", "done", pkt.FLUSH),
        pkt.lines("command=fetch", pkt.DELIM, "want " + "f" * 40, "filter blob:limit=99999999999999999999", "done", pkt.FLUSH),
    ], ids=["long-prefix", "many-prefixes", "many-capabilities", "want-nonsense", "negative-depth", "huge-filter"])
    def test_odd_but_well_formed_requests_end_in_a_clear_answer(self, tankard, project, body):
        answer = tankard.command(project.path, body)
        assert answer.status in (200, 400, 413), answer
        assert tankard.advertisement(project.path).status == 200


class TestTargets:
    @pytest.mark.parametrize("rest", [
        "../x.git/info/refs?service=git-upload-pack", "a/../x.git/info/refs?service=git-upload-pack", "./x.git/info/refs?service=git-upload-pack",
        "%2e%2e/x.git/info/refs?service=git-upload-pack", "a/%2E%2e/x.git/info/refs?service=git-upload-pack",
        "a%2fb.git/info/refs?service=git-upload-pack", "a%5cb.git/info/refs?service=git-upload-pack", "a\\b.git/info/refs?service=git-upload-pack",
        "a//b.git/info/refs?service=git-upload-pack", "a%00.git/info/refs?service=git-upload-pack", "a%0a.git/info/refs?service=git-upload-pack",
        "a%zz.git/info/refs?service=git-upload-pack", "a%.git/info/refs?service=git-upload-pack", "a%7f.git/info/refs?service=git-upload-pack",
        "x" * 256 + ".git/info/refs?service=git-upload-pack", "y/" * 2100 + "z.git/info/refs?service=git-upload-pack",
        "%2e/x.git/info/refs?service=git-upload-pack",
    ])
    def test_tricks_in_the_path(self, tankard, refused, rest):
        refused(lambda c: c.request("GET", f"{tankard.mount()}/{rest}"), (400, 404, 414))

    @pytest.mark.parametrize("target", ["/", "/nowhere", "/nowhere/x.git/info/refs?service=git-upload-pack", "/github.com/x/y/info/refs?service=git-upload-pack",
                                        "/127.0.0.1:1/x.git/info/refs?service=git-upload-pack", "/favicon.ico", "/metrics", "/healthz"])
    def test_what_is_not_configured_is_not_there(self, refused, target):
        refused(lambda c: c.request("GET", target), 404)

    @pytest.mark.parametrize("rest", ["x.git", "x.git/", "x.git/config", "x.git/git-upload-archive", "x.git/info/refs?service=git-upload-archive",
                                      "info/refs?service=git-upload-pack", "x.git/info/refs?service=git-upload-pack&service=git-receive-pack"])
    def test_what_is_no_git_request_is_not_there(self, tankard, refused, rest):
        refused(lambda c: c.request("GET", f"{tankard.mount()}/{rest}"), (400, 404))

    @pytest.mark.parametrize("target", ["http://127.0.0.1/x", "http://example.com/x.git/info/refs?service=git-upload-pack", "*", "example.com:443", "x"])
    def test_only_origin_form(self, refused, target):
        refused(lambda c: c.request("GET", target), (400, 404, 405))

    def test_connect_is_no_method_of_ours(self, refused):
        refused(lambda c: c.request("CONNECT", "example.com:443"), (400, 404, 405, 501))

    @pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "OPTIONS", "BREW", "PUT"])
    def test_methods(self, tankard, project, refused, method):
        refused(lambda c: c.request(method, tankard.target(project.path, "git-upload-pack")), (400, 404, 405, 501))


class TestHeads:
    @pytest.mark.parametrize("extra", [
        [("Content-Length", "5"), ("Content-Length", "6")], [("Content-Length", "-1")], [("Content-Length", "1x")], [("Content-Length", "99999999999999999999")],
        [("Content-Length", "5"), ("Transfer-Encoding", "chunked")], [("Transfer-Encoding", "chunked, identity")], [("Transfer-Encoding", "gzip")],
        [("Host", "a"), ("Host", "b")], [("Authorization", "Basic YTpi"), ("Authorization", "Basic Yzpk")],
        [("Git-Protocol", "version=2"), ("Git-Protocol", "version=1")],
    ], ids=lambda e: "+".join(f"{n}:{v}"[:30] for n, v in e))
    def test_ambiguous_ones(self, tankard, project, refused, extra):
        def send(connection):
            head = [("Content-Type", "application/x-git-upload-pack-request"), *extra]
            if not any(n == "Git-Protocol" for n, _ in extra):
                head.append(("Git-Protocol", "version=2"))
            if not any(n == "Host" for n, _ in extra):
                head.insert(0, ("Host", "x"))
            text = f"POST {tankard.target(project.path, 'git-upload-pack')} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in head) + "\r\n"
            connection.send(text.encode())
        refused(send, (400, 411, 413, 501))

    def test_no_host(self, tankard, project, refused):
        refused(lambda c: c.send(f"GET {tankard.target(project.path, 'HEAD')} HTTP/1.1\r\n\r\n".encode()), 400)

    @pytest.mark.parametrize("bytes_", [b"\r\n\r\n\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 60 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                                        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nNo colon here\r\n\r\n",
                                        b"GET / HTTP/1.1\r\n Folded: x\r\n\r\n", b"\xff" * 100 + b"\r\n\r\n"],
                             ids=["tls", "short", "version", "nul", "no-colon", "folded", "binary"])
    def test_what_is_no_http(self, tankard, project, bytes_):
        log = tankard.log_mark()
        with http.Connection(tankard.port) as connection:
            connection.send(bytes_)
            try:
                assert connection.answer().status in (400, 404, 505)
            except ConnectionError:
                pass  # closed without an answer is clear enough for what is no HTTP
        assert len(tankard.requests(since=log)) <= 1
        assert tankard.advertisement(project.path).status == 200

    def test_a_head_that_is_too_large(self, tankard, refused):
        def send(connection):
            connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n")
            try:
                for n in range(3000):
                    connection.send(b"X-Header-%d: %s\r\n" % (n, b"v" * 60))
            except OSError:
                pass  # it is allowed to stop listening
        try:
            refused(send, 431)
        except ConnectionError:
            pytest.fail("closed without saying why")

    def test_a_header_that_never_ends_costs_a_bounded_time(self, run_tankard, project):
        tankard = run_tankard(settings={"limits.header": "1s"})
        with http.Connection(tankard.port) as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            answer = connection.answer()
            assert answer.status == 408
            assert connection.is_closed()
        assert len(tankard.wait_request(1)) == 1
        assert tankard.advertisement(project.path).status == 200


class TestBodies:
    def test_a_gzip_bomb(self, run_tankard, faults, project):
        tankard = run_tankard(settings={"limits.body_bytes": "1MiB"})
        line = pkt.line("ref-prefix refs/heads/" + "x" * 900 + "\n")
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        body = packer.compress(pkt.lines("command=ls-refs", pkt.DELIM))
        for _ in range(20_000):
            body += packer.compress(line * 10)
        body += packer.compress(pkt.FLUSH) + packer.flush()
        assert len(body) < 1 << 20
        before = tankard.memory()["VmRSS"]
        answer = tankard.command(project.path, body, [("Content-Encoding", "gzip")])
        assert answer.status == 413, answer
        assert faults.count() == 0
        assert tankard.memory()["VmRSS"] - before < 64 << 20
        assert tankard.wait_request(1)[0]["reason"] == "too-large"
        assert tankard.advertisement(project.path).status == 200

    def test_a_bomb_within_a_large_limit_is_bounded_too(self, tankard, project):
        body = gzip.compress(b"\0" * (200 << 20), 9)
        answer = tankard.command(project.path, body, [("Content-Encoding", "gzip")])
        assert answer.status in (400, 413), answer

    @pytest.mark.parametrize("body", [b"no gzip at all", gzip.compress(pkt.ls_refs("refs/heads/"))[:-4], gzip.compress(pkt.ls_refs())[:20]],
                             ids=["plain", "no-trailer", "cut"])
    def test_broken_gzip(self, tankard, project, refused, body):
        refused(upload_pack(tankard, project, body, [("Content-Encoding", "gzip")]), 400)

    @pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "deflate"])
    def test_encodings_git_does_not_use(self, tankard, project, refused, encoding):
        refused(upload_pack(tankard, project, b"whatever", [("Content-Encoding", encoding)]), (400, 415))

    @pytest.mark.parametrize("chunks", [b"zz\r\n", b"-5\r\nhello\r\n", b"5\r\nhelloworld\r\n0\r\n\r\n", b"fffffffffffffffffffff\r\n"],
                             ids=["no-number", "negative", "longer-than-said", "overflow"])
    def test_broken_chunks(self, tankard, project, refused, chunks):
        def send(connection):
            connection.request("POST", tankard.target(project.path, "git-upload-pack"), [*POST, ("Transfer-Encoding", "chunked")], chunks)
        refused(send, (400, 413))

    def test_a_body_that_is_too_large(self, run_tankard, faults, project):
        tankard = run_tankard(settings={"limits.body_bytes": "64KiB"})
        body = pkt.lines("command=fetch", pkt.DELIM, *[f"want {n:040x}" for n in range(3000)], pkt.FLUSH)
        answer = tankard.command(project.path, body)
        assert answer.status == 413 and faults.count() == 0
        assert tankard.advertisement(project.path).status == 200

    def test_a_body_that_never_ends_costs_a_bounded_time(self, run_tankard, faults, project):
        tankard = run_tankard(settings={"limits.body": "1s"})
        with http.Connection(tankard.port) as connection:
            connection.request("POST", tankard.target(project.path, "git-upload-pack"), [*POST, ("Transfer-Encoding", "chunked")], b"4\r\n0014\r\n")
            answer = connection.answer()
            assert answer.status == 408, answer
        assert len(tankard.wait_request(1)) == 1 and faults.count() == 0
        assert tankard.advertisement(project.path).status == 200

    def test_a_body_that_is_cut_off(self, tankard, faults, project):
        with http.Connection(tankard.port) as connection:
            connection.request("POST", tankard.target(project.path, "git-upload-pack"), [*POST, ("Content-Length", "1000")], b"0014command=ls-refs\n")
        line = tankard.wait_request(1)[0]
        assert line["reason"] in ("client-gone", "malformed"), line
        assert faults.count() == 0

    def test_many_slow_clients_do_not_stop_the_others(self, tankard, project):
        slow = []
        for n in range(200):
            connection = http.Connection(tankard.port)
            connection.send(b"POST /x HTTP/1.1\r\nHost: x\r\n" if n % 2 else b"G")
            slow.append(connection)
        for _ in range(10):
            assert tankard.advertisement(project.path).status == 200
        for connection in slow:
            connection.close()
        wait_until(lambda: tankard.metric("tankard_in_flight_requests") == 0, "nothing stays in flight")

    def test_random_bytes(self, tankard, project):
        """A little fuzz on the wire; the parsers have fuzzers of their own."""
        import random
        numbers = random.Random(11)
        good = pkt.ls_refs("refs/heads/", "refs/tags/")
        for _ in range(150):
            body = bytearray(good)
            for _ in range(numbers.randrange(1, 6)):
                body[numbers.randrange(len(body))] = numbers.randrange(256)
            answer = tankard.command(project.path, bytes(body))
            assert answer.status in (200, 400, 403, 413, 500), answer
        assert tankard.alive and tankard.advertisement(project.path).status == 200


def test_a_repository_that_is_not_allowed(run_tankard, faults, git, project, tmp_path):
    config = tmp_path / "tankard.toml"
    config.write_text(f'[upstream.host]\nurl = "{faults.url}"\nallow = ["public/*"]\n')
    tankard = run_tankard(upstreams=[], args=["--config", str(config)])
    answer = http.ask(tankard.port, "GET", f"/{faults.name}/{project.path}/info/refs?service=git-upload-pack")
    assert answer.status in (403, 404) and faults.count() == 0
    assert tankard.wait_request(1)[0]["reason"] == "not-allowed"
    git.fails("clone", f"http://127.0.0.1:{tankard.port}/{faults.name}/{project.path}", tmp_path / "c")


def test_a_log_line_cannot_be_forged(tankard, project):
    tankard.ask("GET", f"{tankard.mount()}/x%22,%22event%22:%22forged/info/refs?service=git-upload-pack")
    tankard.ask("GET", "/x", [("User-Agent", 'a"} {"event":"forged')])
    assert not tankard.events("forged")
    assert TIME_FACTOR > 0 and os.path.isdir(tankard.cache_dir)
