"""The upstream breaks in the middle: clients fail cleanly, nothing broken is kept, and nothing leaks."""
import pytest

from support import http, pkt
from support.fault_proxy import Edit, EndEarly, Gate, Hang, HoldBody, Reset, Respond, Truncate, empty_listing, garbage, html
from support.processes import wait_until


def nothing_kept(tankard):
    tankard.wait_quiet()
    assert tankard.metric("tankard_store_repositories") == 0
    assert not tankard.files(".pack")
    tankard.wait_clean()


def whole_afterwards(tankard, git, repository, tmp_path):
    """The proof that nothing of a broken answer was kept: clones are whole, cold and warm, online and offline."""
    for name in ("after1", "after2"):
        git.check("clone", "--bare", tankard.url(repository.path), tmp_path / name)
        git.same_content(repository.folder, tmp_path / name)
        tankard.wait_quiet()
    tankard.wait_stored()
    tankard.switch(False)
    git.check("clone", "--bare", tankard.url(repository.path), tmp_path / "after3")
    git.same_content(repository.folder, tmp_path / "after3")


@pytest.mark.parametrize("fault", [Truncate(0), Truncate(12), Truncate(1500), Reset(1500), EndEarly(1500), EndEarly(13), Reset()],
                         ids=["cut-at-0", "cut-at-12", "cut-in-pack", "reset-in-pack", "ends-in-pack", "ends-after-section", "reset-before-head"])
def test_a_broken_first_pack_fails_the_client_and_nothing_of_it_is_kept(tankard, faults, git, project, tmp_path, fault):
    faults.on(fault, times=2, kind="fetch")  # a retry on a stale connection is allowed, and must not help
    result = git.fails("clone", tankard.url(project.path), tmp_path / "c")
    assert "fatal" in result.err or "error" in result.err
    assert not (tmp_path / "c").exists()
    nothing_kept(tankard)
    faults.clear()
    whole_afterwards(tankard, git, project, tmp_path)


def test_a_pack_with_a_flipped_bit_is_not_kept(tankard, faults, git, project, tmp_path):
    def flip(status, headers, body):
        at = len(body) * 2 // 3
        return status, headers, body[:at] + bytes([body[at] ^ 0x10]) + body[at + 1:]
    faults.on(Edit(flip), kind="fetch")
    git.fails("clone", tankard.url(project.path), tmp_path / "c")
    nothing_kept(tankard)
    whole_afterwards(tankard, git, project, tmp_path)


def test_an_error_of_the_upstreams_git_reaches_the_user_and_is_not_kept(tankard, faults, git, project, tmp_path):
    def refuse(status, headers, _):
        return status, headers, pkt.line("ERR upload-pack: the disk is on fire\n")
    faults.on(Edit(refuse), kind="fetch")
    result = git.fails("clone", tankard.url(project.path), tmp_path / "c")
    assert "the disk is on fire" in result.err
    nothing_kept(tankard)
    whole_afterwards(tankard, git, project, tmp_path)


@pytest.mark.parametrize("after", [0, 40, 900])
def test_a_broken_sync_leaves_the_store_sound(tankard, faults, git, project, tmp_path, after):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    old = project.oid("main")
    for _ in range(10):
        project.add_commit()
    faults.on(Truncate(after), times=None, kind="fetch")
    git.run("fetch", cwd=tmp_path / "c")
    tankard.wait_quiet()
    git.fsck(tmp_path / "c")
    tankard.switch(False)
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "d")
    assert git.refs(tmp_path / "d", "refs/heads/main") == {"refs/heads/main": old}
    git.fsck(tmp_path / "d")
    faults.clear()
    tankard.switch(True)

    def caught_up():
        git.check("fetch", cwd=tmp_path / "c")
        return git.check("rev-parse", "origin/main", cwd=tmp_path / "c") == project.oid("main")
    wait_until(caught_up, "the fetch after the fault brings the new commits", 30)
    git.fsck(tmp_path / "c")


@pytest.mark.parametrize("fault", [Truncate(0), Truncate(30), EndEarly(30), Reset(), Reset(30)],
                         ids=["cut-at-0", "cut-in-line", "ends-in-line", "reset-before-head", "reset-in-line"])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_a_broken_listing_is_never_kept(tankard, faults, git, project, fault, warm):
    url = tankard.url(project.path)
    direct = git.ls_remote(f"{faults.url}/{project.path}")
    if warm:
        assert git.ls_remote(url) == direct
    faults.on(fault, times=2, kind="ls-refs")
    if warm:
        assert git.ls_remote(url) == direct, "answered from memory"
    else:
        git.fails("ls-remote", url)
    faults.clear()
    wait_until(lambda: git.run("ls-remote", url).ok, "it works again", 30)
    assert git.ls_remote(url) == direct
    tankard.switch(False)
    assert git.ls_remote(url) == direct


def test_an_html_page_is_relayed_and_not_kept(tankard, faults, git, project):
    """A captive portal answers 200 to everything. git must see what it would see without tankard."""
    faults.on(html(), times=None)
    result = git.fails("ls-remote", tankard.url(project.path))
    direct = git.fails("ls-remote", f"{faults.url}/{project.path}")
    assert ("not valid" in result.err) == ("not valid" in direct.err), (result, direct)
    answer = tankard.advertisement(project.path)
    assert answer.status == 200 and answer.header("Content-Type") == "text/html; charset=utf-8" and b"Please sign in" in answer.body
    assert tankard.health()["cached_repos"] == 0
    faults.clear()
    wait_until(lambda: git.run("ls-remote", tankard.url(project.path)).ok, "it works without the portal", 30)


def test_garbage_in_place_of_pkt_lines_is_not_kept(tankard, faults, git, project):
    faults.on(garbage(), times=None, kind=("advertisement", "ls-refs"))
    git.fails("ls-remote", tankard.url(project.path))
    assert tankard.health()["cached_repos"] == 0
    faults.clear()
    wait_until(lambda: git.run("ls-remote", tankard.url(project.path)).ok, "it works again", 30)


def test_an_empty_listing_of_an_unknown_repository_is_relayed(tankard, faults, git, project):
    faults.on(empty_listing(), kind="ls-refs")
    assert git.ls_remote(tankard.url(project.path)) == []
    assert git.ls_remote(tankard.url(project.path)) != []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_a_refusal_of_a_healthy_upstream_is_relayed_unchanged(tankard, faults, git, project, status, warm):
    if warm:
        git.ls_remote(tankard.url(project.path))
    body = f"refused with {status}: ümläut\n".encode()
    headers = {"Content-Type": "text/plain; charset=utf-8", "X-Reason": "because", "Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="the upstream\'s realm"'
    faults.on(Respond(status, headers, body), times=None)
    for answer in (tankard.advertisement(project.path), tankard.ls_refs(project.path, "refs/heads/")):
        assert answer.status == status
        assert answer.body == body
        for name, value in headers.items():
            assert answer.header(name) == value, name
        assert answer.header("Age") is None
    line = tankard.wait_request(1, status=status)[-1]
    assert line["outcome"] == "denied"
    error = git.fails("ls-remote", tankard.url(project.path)).err
    if status in (403, 410):
        assert str(status) in error, error
    if status == 404:
        assert "not found" in error


def test_a_repository_that_was_deleted_is_not_served_from_memory_while_upstream_says_so(tankard, faults, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    faults.on(Respond(404, body=b"not found\n"), times=None)
    git.fails("ls-remote", tankard.url(project.path))
    git.fails("clone", tankard.url(project.path), tmp_path / "d")


def test_a_404_is_remembered_for_a_moment_and_for_its_credential_alone(tankard, faults, project):
    faults.on(Respond(404, body=b"not found\n"), times=None)
    assert tankard.advertisement(project.path).status == 404
    mark = faults.mark()
    assert tankard.advertisement(project.path).status == 404
    assert faults.count(since=mark) == 0, "a client that asks in a loop does not eat the upstream's quota"
    assert tankard.advertisement(project.path, [("Authorization", "Basic eDp5")]).status == 404
    assert faults.count(since=mark) == 1, "another credential may see what nobody else does"


class TestAClientThatGoesAway:
    """No orphan children, no leaked file, no request that stays in flight."""

    @pytest.fixture
    def baseline(self, tankard, git, project):
        git.ls_remote(tankard.url(project.path))
        tankard.wait_quiet()
        return self.cache_files(tankard)

    @staticmethod
    def cache_files(tankard):
        """Without what stores and kept answers that are in use keep open, each file once: the little that a client left of a clone makes one."""
        files = [f for f in tankard.open_files() if tankard.cache_dir in f or f.startswith("pipe:") or "pidfd" in f]
        kept = {f for f in files if "/repos/" in f or "/packs/v1/" in f}
        return sorted([f for f in files if f not in kept] + [f for f in kept for _ in range(files.count(f) - 1)])

    def settled(self, tankard, baseline):
        tankard.wait_quiet()
        wait_until(lambda: not tankard.children(), lambda: f"no children: {tankard.children()}")
        wait_until(lambda: len(self.cache_files(tankard)) <= len(baseline), lambda: f"open files: {self.cache_files(tankard)}, before {baseline}")

    def begin(self, tankard, repository, read):
        tip = pkt.listing(tankard.ls_refs(repository.path, "refs/heads/main").body)["refs/heads/main"]
        client = http.Connection(tankard.port, receive_buffer=8192)
        client.request("POST", tankard.target(repository.path, "git-upload-pack"),
                       {"Git-Protocol": "version=2", "Content-Type": "application/x-git-upload-pack-request"}, pkt.fetch([tip]))
        assert client.head().status == 200
        while len(client.rest) < read:
            client.rest += client.socket.recv(4096)
        return client

    def test_in_the_middle_of_a_first_clone(self, tankard, faults, git, new_repository, tmp_path, baseline):
        repository = new_repository().big(8)
        gate = Gate()
        faults.on(HoldBody(gate, after=200_000), kind="fetch")
        client = self.begin(tankard, repository, 50_000)
        gate.wait_arrived()
        client.close()
        gate.open()
        self.settled(tankard, baseline)
        git.check("clone", "--bare", tankard.url(repository.path), tmp_path / "c")
        git.same_content(repository.folder, tmp_path / "c")

    def test_in_the_middle_of_a_clone_from_the_store(self, tankard, git, new_repository, tmp_path, baseline):
        repository = new_repository().big(16)
        git.check("clone", "--bare", tankard.url(repository.path), tmp_path / "c")
        tankard.wait_stored()
        git.check("clone", "--bare", tankard.url(repository.path), tmp_path / "d")
        tankard.wait_quiet()
        baseline = self.cache_files(tankard)  # with what a store that is in use keeps open
        for _ in range(5):
            self.begin(tankard, repository, 20_000).close()
        self.settled(tankard, baseline)

    def test_while_it_waits_for_a_listing(self, tankard, faults, project, git, baseline):
        gate = Gate()
        faults.on(Hang(gate), times=3, kind="ls-refs")
        for _ in range(3):
            client = http.Connection(tankard.port)
            client.request("POST", tankard.target(project.path, "git-upload-pack"),
                           {"Git-Protocol": "version=2", "Content-Type": "application/x-git-upload-pack-request"}, pkt.ls_refs("refs/x/"))
            gate.wait_arrived(1)
            client.close()
        gate.open()
        self.settled(tankard, baseline)
        git.check("ls-remote", tankard.url(project.path))

    def test_in_the_middle_of_a_push(self, tankard, project, git, baseline):
        client = http.Connection(tankard.port)
        client.send((f"POST {tankard.target(project.path, 'git-receive-pack')} HTTP/1.1\r\nHost: x\r\n"
                     "Content-Type: application/x-git-receive-pack-request\r\nContent-Length: 100000\r\n\r\n").encode() + b"0" * 5000)
        client.close()
        self.settled(tankard, baseline)
        git.check("ls-remote", tankard.url(project.path))

    def test_real_git_killed_in_the_middle(self, tankard, faults, git, new_repository, tmp_path, baseline):
        repository = new_repository().big(8)
        gate = Gate()
        faults.on(HoldBody(gate, after=100_000), kind="fetch")
        clone = git.start("clone", "--bare", tankard.url(repository.path), tmp_path / "c", start_new_session=True)
        gate.wait_arrived()
        from support.processes import kill_session
        kill_session(clone.pid)
        clone.communicate()
        gate.open()
        self.settled(tankard, baseline)
        git.check("clone", "--bare", tankard.url(repository.path), tmp_path / "d")
        git.same_content(repository.folder, tmp_path / "d")


def test_the_cache_directory_becoming_unwritable_costs_no_client_a_clone(tankard, git, project, new_repository, tmp_path):
    """Where nothing can be kept, answers are streamed through. (Root may write everywhere: a file in the way serves as well.)"""
    import os
    import shutil
    staging = [os.path.join(base, "staging") for base, names, _ in os.walk(tankard.cache_dir) if "staging" in names]
    assert staging
    for folder in staging:
        shutil.rmtree(folder)
        with open(folder, "w", encoding="ascii"):
            pass
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "c")
    git.same_content(project.folder, tmp_path / "c")
    for folder in staging:
        os.unlink(folder)
        os.mkdir(folder)
    other = new_repository().history(3)
    git.check("clone", "--bare", tankard.url(other.path), tmp_path / "d")
    tankard.wait_stored()
