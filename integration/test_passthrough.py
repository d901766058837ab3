"""What tankard does not answer itself goes to the upstream and back as it is: invisible while the upstream is well."""
import base64
import gzip
import json
import os
import urllib.parse

import pytest

from support import http, pkt
from support.fault_proxy import Edit, Respond
from support.upstream import PASSWORD, USER

BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def content_of(cache_dir):
    """Every byte below the cache directory, file names included."""
    found = b""
    for base, folders, files in os.walk(cache_dir):
        found += "\n".join(folders + files).encode()
        for name in files:
            with open(os.path.join(base, name), "rb") as file:
                found += file.read()
    return found


class TestPush:
    @pytest.fixture
    def work(self, tankard, git, project, tmp_path):
        git.check("clone", tankard.url(project.path), tmp_path / "w")
        return tmp_path / "w"

    def commit(self, git, work, size=10):
        (work / "file").write_bytes(os.urandom(size))
        git.check("add", "file", cwd=work)
        git.check("commit", "-m", "pushed", cwd=work)
        return git.check("rev-parse", "HEAD", cwd=work)

    def test_costs_the_upstream_one_get_and_one_post(self, tankard, faults, git, project, work):
        tankard.wait_stored()
        new, mark = self.commit(git, work), faults.mark()
        git.check("push", "origin", "main", cwd=work)
        tankard.wait_quiet()
        assert [r.kind for r in faults.seen(since=mark)] == ["push-advertisement", "push"]
        assert project.oid("main") == new
        assert [r["outcome"] for r in tankard.wait_request(1, operation="push")][-1] == "bypass"

    def test_of_a_large_pack_is_streamed_in_chunks(self, tankard, faults, git, project, work):
        """Above http.postBuffer git probes with a flush-pkt first and then sends chunked."""
        new, mark = self.commit(git, work, 3 << 20), faults.mark()
        git.check("-c", "http.postBuffer=65536", "push", "origin", "main", cwd=work)
        assert project.oid("main") == new
        pushes = faults.seen("push", since=mark)
        assert [r.body == b"0000" for r in pushes] == [True, False]
        assert len(pushes[1].body) > 3 << 20

    @pytest.mark.parametrize("protocol", [0, 1, 2])
    def test_in_every_protocol(self, git, project, work, protocol):
        new = self.commit(git, work)
        git.check("-c", f"protocol.version={protocol}", "push", "origin", f"HEAD:refs/heads/p{protocol}", cwd=work)
        assert project.oid(f"refs/heads/p{protocol}") == new

    def test_options_tags_deletions_and_force(self, git, project, work):
        self.commit(git, work)
        git.check("tag", "-a", "-m", "t", "v9", cwd=work)
        git.check("push", "--follow-tags", "origin", "main", ":topic/one", "+HEAD~3:refs/heads/release", cwd=work)
        assert project.oid("refs/tags/v9") and not project.oid("refs/heads/topic/one")
        assert project.oid("refs/heads/release") == git.check("rev-parse", "HEAD~3", cwd=work)

    def test_refused_by_a_hook_shows_what_the_hook_said(self, git, project, work):
        hook = os.path.join(project.folder, "hooks", "pre-receive")
        os.makedirs(os.path.dirname(hook), exist_ok=True)
        with open(hook, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\necho 'not on a Friday, ümläut'\nexit 1\n")
        os.chmod(hook, 0o755)
        self.commit(git, work)
        result = git.fails("push", "origin", "main", cwd=work)
        assert "remote: not on a Friday, ümläut" in result.err

    def test_refused_by_the_upstream_is_relayed(self, faults, git, project, work):
        faults.on(Respond(403, {"Content-Type": "text/plain; charset=utf-8"}, b"this repository is archived\n"), times=None, kind="push-advertisement")
        self.commit(git, work)
        result = git.fails("push", "origin", "main", cwd=work)
        assert "403" in result.err and "remote: this repository is archived" in result.err

    def test_the_401_that_opens_a_push_takes_the_repository_from_nobody(self, tankard, faults, git, project, work, tmp_path):
        tankard.wait_stored()
        faults.on(Respond(401, {"WWW-Authenticate": 'Basic realm="x"'}), times=None, kind="push-advertisement")
        self.commit(git, work)
        git.fails("push", "origin", "main", cwd=work)
        tankard.switch(False)
        git.check("clone", tankard.url(project.path), tmp_path / "still-there")


@pytest.mark.parametrize("protocol", [0, 1])
class TestOldProtocols:
    def test_clone_and_fetch(self, tankard, git, project, tmp_path, protocol):
        old = ("-c", f"protocol.version={protocol}")
        git.check(*old, "clone", "--bare", tankard.url(project.path), tmp_path / "c")
        git.same_content(project.folder, tmp_path / "c")
        new = project.add_commit()
        git.check(*old, "fetch", "origin", "+refs/*:refs/*", cwd=tmp_path / "c")
        assert git.check("rev-parse", "main", cwd=tmp_path / "c") == new
        assert all(r["protocol"] == f"v{protocol}" for r in tankard.requests() if r["operation"] == "info_refs")

    def test_shallow(self, tankard, git, project, tmp_path, protocol):
        git.check("-c", f"protocol.version={protocol}", "clone", "--depth", "2", tankard.url(project.path), tmp_path / "c")
        git.check("-c", f"protocol.version={protocol}", "fetch", "--unshallow", cwd=tmp_path / "c")
        git.fsck(tmp_path / "c")

    def test_beside_the_new_one(self, tankard, git, project, tmp_path, protocol):
        git.check("clone", "--bare", tankard.url(project.path), tmp_path / "a")
        git.check("-c", f"protocol.version={protocol}", "clone", "--bare", tankard.url(project.path), tmp_path / "b")
        git.same_content(tmp_path / "a", tmp_path / "b")


def test_an_old_upstream_that_knows_no_version_2(tankard, faults, git, project, tmp_path):
    """It answers a v2 client in v0; git goes on in v0, through tankard as without it."""
    def without_v2(record):
        record.headers = [(n, v) for n, v in record.headers if n.lower() != "git-protocol"]
        return True
    from support.fault_proxy import Fault

    class Old(Fault):
        def answer(self, handler, record):
            without_v2(record)
            handler.forward(record)
    faults.on(Old(), times=None)
    for name in ("a", "b"):
        git.check("clone", "--bare", tankard.url(project.path), tmp_path / name)
        git.same_content(project.folder, tmp_path / name)


class TestLfs:
    """A stub of an LFS server stands at the upstream's info/lfs."""

    BATCH = {"operation": "download", "objects": [{"oid": "a" * 64, "size": 3}]}

    def test_a_batch_request_goes_there_and_back_as_it_is(self, tankard, faults, project):
        reply = json.dumps({"transfer": "basic", "objects": [{"oid": "a" * 64, "size": 3, "actions": {"download": {"href": "https://cdn/x"}}}]}).encode()
        faults.on(Respond(200, {"Content-Type": "application/vnd.git-lfs+json"}, reply), kind="lfs")
        body = json.dumps(self.BATCH).encode()
        answer = tankard.ask("POST", tankard.target(project.path, "info/lfs/objects/batch"),
                             {"Content-Type": "application/vnd.git-lfs+json", "Accept": "application/vnd.git-lfs+json", "Authorization": BASIC}, body)
        assert (answer.status, answer.body, answer.header("Content-Type")) == (200, reply, "application/vnd.git-lfs+json")
        seen = faults.seen("lfs")[0]
        assert (seen.method, seen.path, seen.body) == ("POST", f"/{project.path}/info/lfs/objects/batch", body)
        assert seen.header("Authorization") == BASIC and seen.header("Content-Type") == "application/vnd.git-lfs+json"

    @pytest.mark.parametrize("method, rest", [("GET", "info/lfs/locks?path=a%2Fb&limit=1"), ("POST", "info/lfs/locks/verify"), ("PUT", "info/lfs/objects/x")])
    def test_every_method_and_query(self, tankard, faults, project, method, rest):
        faults.on(Respond(404, {"Content-Type": "application/vnd.git-lfs+json"}, b'{"message":"no locks"}'), kind="lfs")
        answer = tankard.ask(method, tankard.target(project.path, rest), {}, b"{}" if method != "GET" else None)
        assert answer.status == 404 and answer.json == {"message": "no locks"}
        assert faults.seen("lfs")[0].target == f"/{project.path}/{rest}"


class TestDumbProtocol:
    @pytest.mark.parametrize("rest", ["HEAD", "info/refs", "objects/info/packs"])
    def test_files_are_passed_through(self, tankard, host, git, project, rest):
        git.check("update-server-info", cwd=project.folder)
        direct = http.ask(host.port, "GET", f"/{project.path}/{rest}")
        for _ in range(2):
            answer = tankard.ask("GET", tankard.target(project.path, rest))
            assert (answer.status, answer.body, answer.header("Content-Type")) == (200, direct.body, direct.header("Content-Type"))

    def test_a_dumb_clone(self, tankard, git, project, tmp_path):
        git.check("update-server-info", cwd=project.folder)
        git.check("clone", "--bare", tankard.url(project.path), tmp_path / "c", env={"GIT_SMART_HTTP": "0"})
        git.fsck(tmp_path / "c")
        assert {r["operation"] for r in tankard.requests()} == {"dumb"}

    def test_a_head_request_has_no_body(self, tankard, project):
        with http.Connection(tankard.port) as connection:
            for method in ("HEAD", "GET"):
                connection.request(method, tankard.target(project.path, "HEAD"))
                answer = connection.answer(method)
                assert answer.status == 200 and bool(answer.body) == (method == "GET")


class TestRedirects:
    def test_a_location_inside_the_upstream_is_moved_under_the_mount(self, tankard, faults, git, project, tmp_path):
        moved = f"{faults.url}/{project.path}/info/refs?service=git-upload-pack"
        faults.on(Respond(301, {"Location": moved}), times=None, path=r"^/old\.git/")
        answer = tankard.advertisement("old.git")
        assert answer.status == 301
        target = urllib.parse.urlsplit(answer.header("Location"))
        assert target.path == f"{tankard.mount()}/{project.path}/info/refs" and target.netloc in ("", f"127.0.0.1:{tankard.port}")
        result = git.run("clone", tankard.url("old.git"), tmp_path / "c")
        assert result.ok and "redirecting to" in result.err, result
        assert git.check("rev-parse", "HEAD", cwd=tmp_path / "c") == project.oid("main")

    def test_a_relative_location(self, tankard, faults, git, project):
        faults.on(Respond(302, {"Location": f"/{project.path}/info/refs?service=git-upload-pack"}), times=None, path=r"^/rel\.git/")
        assert git.ls_remote(tankard.url("rel.git")) == git.ls_remote(tankard.url(project.path))

    @pytest.mark.parametrize("location", ["https://sso.example.com/login?return=x", "http://127.0.0.1:1/elsewhere/info/refs?service=git-upload-pack"])
    def test_any_other_location_is_left_alone(self, tankard, faults, project, location):
        faults.on(Respond(302, {"Location": location}), times=None)
        answer = tankard.advertisement(project.path)
        assert answer.status == 302 and answer.header("Location") == location


class TestHeaders:
    def test_end_to_end_headers_go_both_ways_and_hop_by_hop_ones_do_not(self, tankard, faults, project):
        def answer_headers(status, headers, body):
            return status, headers + [("X-Upstream", "yes"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], body
        faults.on(Edit(answer_headers), times=None)
        answer = tankard.ask("GET", tankard.target(project.path, "HEAD"),
                             [("X-Custom", "one"), ("Cookie", "c=3"), ("User-Agent", "git/9"), ("TE", "trailers"), ("Proxy-Authorization", "x"),
                              ("X-Hop", "y"), ("Connection", "X-Hop, keep-alive"), ("Accept-Language", "de")])
        seen = faults.seen("other")[0]
        assert seen.header("X-Custom") == "one" and seen.header("Cookie") == "c=3" and seen.header("User-Agent") == "git/9"
        assert seen.header("Accept-Language") == "de"
        for name in ("TE", "Proxy-Authorization", "X-Hop"):
            assert seen.header(name) is None, name
        assert seen.header("Host") == faults.name
        assert answer.header("X-Upstream") == "yes" and answer.all("Set-Cookie") == ["a=1", "b=2"]

    def test_nothing_compresses_what_passes(self, tankard, faults, project):
        tankard.ask("GET", tankard.target(project.path, "info/refs?service=git-upload-pack"), {"Accept-Encoding": "gzip, deflate, br"})
        assert faults.records[0].header("Accept-Encoding") == "identity"

    def test_a_request_id_is_passed_on_or_made(self, tankard, faults, project):
        tankard.advertisement(project.path, [("X-Request-Id", "from-the-client")])
        tankard.advertisement(project.path)
        first, second = (r.header("X-Request-Id") for r in faults.seen("advertisement"))
        assert first == "from-the-client" and second

    def test_cookies_are_never_replayed_to_another_client(self, tankard, faults, project):
        def cookie(status, headers, body):
            return status, headers + [("Set-Cookie", "session=secret")], body
        faults.on(Edit(cookie), times=None)
        tankard.ls_refs(project.path, "refs/heads/")
        tankard.advertisement(project.path)
        tankard.switch(False)
        for answer in (tankard.ls_refs(project.path, "refs/heads/"), tankard.advertisement(project.path)):
            assert answer.status == 200 and answer.header("Set-Cookie") is None


class TestRequestBodies:
    def test_gzip(self, tankard, project):
        """git compresses requests above 1 KiB."""
        body = gzip.compress(pkt.ls_refs("refs/heads/"))
        answer = tankard.command(project.path, body, [("Content-Encoding", "gzip")])
        assert pkt.listing(answer.body) == project.refs("refs/heads")

    def test_chunked_in_tiny_pieces(self, tankard, project):
        body = pkt.ls_refs("refs/heads/")
        chunked = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        answer = tankard.command(project.path, chunked, [("Transfer-Encoding", "chunked")])
        assert pkt.listing(answer.body) == project.refs("refs/heads")

    def test_expect_100_continue(self, tankard, project):
        body = pkt.ls_refs("refs/heads/")
        with http.Connection(tankard.port) as connection:
            connection.request("POST", tankard.target(project.path, "git-upload-pack"),
                               [("Git-Protocol", "version=2"), ("Content-Type", "application/x-git-upload-pack-request"),
                                ("Expect", "100-continue"), ("Content-Length", str(len(body)))])
            assert connection.head().status == 100, "asked before the body"
            connection.send(body)
            assert pkt.listing(connection.answer().body) == project.refs("refs/heads")

    def test_the_probe_of_a_large_request(self, tankard, project):
        """A body above http.postBuffer is announced by a lone flush-pkt, to see whether authentication is wanted."""
        assert tankard.command(project.path, b"0000").status == 200

    def test_a_fetch_with_thousands_of_wants(self, tankard, faults, git, new_repository, tmp_path):
        repository = new_repository().many_refs(3000)
        git.check("clone", "--mirror", tankard.url(repository.path), tmp_path / "c")
        assert git.refs(tmp_path / "c") == repository.refs()
        assert len(faults.seen("fetch", has_pack=True)[0].wants) >= 3000

    def test_many_requests_on_one_connection(self, tankard, project):
        with http.Connection(tankard.port) as connection:
            for n in range(30):
                if n % 3:
                    connection.request("GET", tankard.target(project.path, "info/refs?service=git-upload-pack"), {"Git-Protocol": "version=2"})
                else:
                    connection.request("POST", tankard.target(project.path, "git-upload-pack"),
                                       {"Git-Protocol": "version=2", "Content-Type": "application/x-git-upload-pack-request"}, pkt.ls_refs("refs/heads/"))
                assert connection.answer().status == 200


class TestPrivateRepositories:
    """The client's own credential goes upstream with every listing; what is kept is shown to whom upstream allowed it."""

    @pytest.fixture
    def secret(self, host, git):
        from support.gitrepo import Repository
        repository = Repository(git, host.path("private/secret.git"))
        if not repository.oid("main"):
            repository.history(4, seed=99)
        repository.path = "private/secret.git"
        return repository

    def with_password(self, tankard, repository):
        return tankard.url(repository.path, userinfo=f"{USER}:{urllib.parse.quote(PASSWORD)}")

    def test_the_401_and_its_challenge_are_relayed(self, tankard, host, secret):
        direct = http.ask(host.port, "GET", f"/{secret.path}/info/refs?service=git-upload-pack")
        answer = tankard.advertisement(secret.path)
        assert answer.status == 401 and answer.header("WWW-Authenticate") == direct.header("WWW-Authenticate") == 'Basic realm="Private repositories"'
        assert answer.body == direct.body

    def test_the_right_credential_works_online(self, tankard, git, secret, tmp_path):
        for n in range(2):
            git.check("clone", "--bare", self.with_password(tankard, secret), tmp_path / f"c{n}")
            git.same_content(secret.folder, tmp_path / f"c{n}")

    def test_a_wrong_credential_does_not(self, tankard, git, secret):
        git.ls_remote(self.with_password(tankard, secret))
        wrong = tankard.url(secret.path, userinfo=f"{USER}:wrong")
        assert "Authentication failed" in git.fails("ls-remote", wrong).err
        git.fails("ls-remote", tankard.url(secret.path))

    def test_it_is_kept_for_those_whom_upstream_allowed_it(self, tankard, faults, git, secret, tmp_path):
        git.check("clone", "--mirror", self.with_password(tankard, secret), tmp_path / "c")
        tankard.wait_stored()
        mark = faults.mark()
        git.check("clone", "--mirror", self.with_password(tankard, secret), tmp_path / "again")
        assert faults.count("ls-refs", since=mark) == 1 and faults.count("fetch", since=mark) == 0
        tankard.switch(False)
        git.check("clone", "--mirror", self.with_password(tankard, secret), tmp_path / "offline")
        git.same_content(secret.folder, tmp_path / "offline")
        wrong = [("Authorization", "Basic eDp5")]
        for url in (tankard.url(secret.path), tankard.url(secret.path, userinfo=f"{USER}:wrong")):
            git.fails("ls-remote", url)
            git.fails("clone", url, tmp_path / "refused")
        for headers, status in ((wrong, 503), ([], 401)):
            answer = tankard.ls_refs(secret.path, headers=headers)
            assert answer.status == status and secret.oid("main").encode() not in answer.body
            answer = tankard.command(secret.path, pkt.fetch([secret.oid("main")]), headers=headers)
            assert answer.status == status and b"PACK" not in answer.body

    def test_no_credential_is_on_disk_or_in_the_log(self, tankard, git, secret, tmp_path):
        git.check("clone", "--mirror", self.with_password(tankard, secret), tmp_path / "c")
        git.fails("ls-remote", tankard.url(secret.path, userinfo="token-as-user-name:x-oauth-basic"))
        tankard.wait_quiet()
        tankard.stop()
        kept = content_of(tankard.cache_dir)
        assert secret.oid("main").encode() in kept
        for trace in (PASSWORD, BASIC.split()[1], "token-as-user-name"):
            assert trace.encode() not in kept, trace
            assert trace not in tankard.output(), trace

    def test_a_credential_makes_no_repository_public(self, tankard, project):
        """Public is learned only from an answer to a request without any credential."""
        answer = tankard.ls_refs(project.path, headers=[("Authorization", BASIC)])
        assert answer.status == 200
        assert tankard.ls_refs(project.path, headers=[("Cookie", "session=1")]).status == 200
        assert tankard.ls_refs(project.path, headers=[("PRIVATE-TOKEN", "t")]).status == 200
        tankard.switch(False)
        assert project.oid("main").encode() not in tankard.ls_refs(project.path).body
        assert project.oid("main").encode() not in tankard.ls_refs(project.path, headers=[("Cookie", "session=2")]).body
        assert project.oid("main").encode() in tankard.ls_refs(project.path, headers=[("Cookie", "session=1")]).body

    def test_a_repository_that_turned_private_is_no_longer_served(self, tankard, faults, git, project, tmp_path):
        git.check("clone", tankard.url(project.path), tmp_path / "c")
        tankard.wait_stored()
        faults.on(Respond(401, {"WWW-Authenticate": 'Basic realm="now private"'}), times=None)
        git.fails("ls-remote", tankard.url(project.path))
        tankard.switch(False)
        assert project.oid("main").encode() not in tankard.ls_refs(project.path, "refs/heads/").body
        git.fails("clone", tankard.url(project.path), tmp_path / "d")

    def test_a_public_repository_asked_for_with_a_credential_still_works(self, tankard, git, project, tmp_path):
        git.check("clone", tankard.url(project.path), tmp_path / "c")
        tankard.wait_stored()
        for _ in range(2):
            answer = tankard.ls_refs(project.path, "refs/heads/", headers=[("Authorization", BASIC)])
            assert pkt.listing(answer.body) == project.refs("refs/heads")

    def test_public_never_keeps_nothing(self, run_tankard, faults, git, project, tmp_path):
        config = tmp_path / "tankard.toml"
        config.write_text(f'[upstream.host]\nurl = "{faults.url}"\npublic = "never"\n')
        tankard = run_tankard(upstreams=[], args=["--config", str(config)])
        url = f"http://127.0.0.1:{tankard.port}/{faults.name}/{project.path}"
        git.check("clone", url, tmp_path / "c")
        tankard.wait_quiet()
        assert tankard.health()["cached_repos"] == 0 and tankard.metric("tankard_store_repositories") == 0


def test_a_private_and_a_public_repository_beside_each_other_do_not_mix(tankard, host, git, project, tmp_path):
    from support.gitrepo import Repository
    secret = Repository(git, host.path("private/beside.git")).history(2, seed=5)
    url = tankard.url("private/beside.git", userinfo=f"{USER}:{urllib.parse.quote(PASSWORD)}")
    git.check("clone", url, tmp_path / "s")
    git.check("clone", tankard.url(project.path), tmp_path / "p")
    tankard.wait_stored()
    answer = tankard.command(project.path, pkt.fetch([secret.oid("main")]))
    assert b"PACK" not in answer.body
