"""Herds: however many clients ask at one time, the upstream is asked once, and each of them is served whole.

Counts are asserted, behind a barrier in the upstream; times never are.
"""
import hashlib
import os
import socket
import threading

import pytest

from support.fault_proxy import Gate, Hang, HoldBody, Reset, Respond
from support.processes import wait_until
from support.threads import all_at_once


def packs(faults):
    return [r for r in faults.seen("fetch") if r.has_pack]


@pytest.fixture
def clone(tankard, git, tmp_path):
    def one(repository, name, *args):
        return git.run("clone", "--bare", *args, tankard.url(repository.path), tmp_path / name, timeout=240)
    return one


def in_background(job):
    """The function's thread and where its result will be."""
    result = []
    thread = threading.Thread(target=lambda: result.append(job()))
    thread.start()
    return thread, result


def are_whole(git, project, tmp_path, threads):
    """Clones c0, c1, ... that were begun in the background."""
    for n, (thread, result) in enumerate(threads):
        thread.join()
        assert result[0].ok, result[0]
        git.same_content(project.folder, tmp_path / f"c{n}")


def wait_followed(tankard, count):
    """So many requests to fetch are under way."""
    wait_until(lambda: tankard.metric("tankard_in_flight_requests") >= count, f"{count} clients wait", 60)


@pytest.mark.parametrize("before_the", [4, 10], ids=["first bytes", "first pkt-line"])
def test_an_answer_that_does_not_begin_is_waited_for_by_nobody_but_who_asked(run_tankard, faults, project, before_the):
    """Its head came; timeouts.first_byte later the others ask themselves, and who asked first has it when it comes."""
    tankard = run_tankard(settings={"timeouts.first_byte": "600ms"})
    assert tankard.ls_refs(project.path, "refs/heads/").status == 200
    gate = Gate()
    faults.on(HoldBody(gate, after=before_the), kind="fetch")
    wants = project.oid("refs/heads/main")
    first, firsts = in_background(lambda: tankard.fetch(project.path, wants))
    gate.wait_arrived()
    others = [in_background(lambda: tankard.fetch(project.path, wants)) for _ in range(3)]
    wait_until(lambda: all(answers for _, answers in others), "the others are answered, while he waits", 30)
    assert [(a.status, a.whole, b"PACK" in a.body) for _, [a] in others] == [(200, True, True)] * 3
    assert not firsts
    gate.open()
    first.join()
    assert firsts[0].status == 200 and firsts[0].whole and b"PACK" in firsts[0].body


def test_thirty_two_cold_clones_are_one_pack_request(tankard, faults, git, project, clone, tmp_path):
    project.big(8, branch="big")
    gate = Gate()
    faults.on(HoldBody(gate, after=65536), kind="fetch", times=None)
    threads = [in_background(lambda n=n: clone(project, f"c{n}")) for n in range(32)]
    gate.wait_arrived(1)
    wait_followed(tankard, 32)
    gate.open()
    for thread, result in threads:
        thread.join()
        assert result[0].ok, result[0]
    assert len(packs(faults)) == 1, faults.seen("fetch")
    outcomes = tankard.outcomes("fetch", count=32)
    assert sorted(set(outcomes)) in (["collapsed", "miss"], ["collapsed", "hit", "miss"]), outcomes  # who listed late may find it kept
    assert outcomes.count("miss") == 1 and len(outcomes) == 32
    for n in range(32):
        git.same_content(project.folder, tmp_path / f"c{n}")
    git.fsck(tmp_path / "c7")


@pytest.mark.parametrize("moment", ["before-the-first-byte", "after-it"])
def test_a_leader_that_is_killed_harms_nobody(tankard, faults, git, project, clone, tmp_path, moment):
    project.big(8, branch="big")
    gate = Gate()
    faults.on(Hang(gate) if moment == "before-the-first-byte" else HoldBody(gate, after=1 << 20), kind="fetch")
    leader = git.start("clone", "--bare", tankard.url(project.path), tmp_path / "leader")
    gate.wait_arrived(1)
    others = [in_background(lambda n=n: clone(project, f"c{n}")) for n in range(5)]
    wait_followed(tankard, 6)
    leader.kill()
    leader.wait()
    gate.open()
    are_whole(git, project, tmp_path, others)
    assert len(packs(faults)) == 1


def test_an_upstream_that_fails_before_the_first_byte_gets_a_next_leader(tankard, faults, git, project, clone, tmp_path):
    gate = Gate()
    faults.on(Hang(gate, then=Respond(403, body=b"not you\n")), kind="fetch")
    threads = [in_background(lambda n=n: clone(project, f"c{n}")) for n in range(6)]
    gate.wait_arrived(1)
    wait_followed(tankard, 6)
    gate.open()
    results = [(thread.join(), result[0])[1] for thread, result in threads]
    assert sum(not r.ok for r in results) == 1, "only who was told no is told no"
    assert len(packs(faults)) == 1, "the next of them led, for all others"
    for n, result in enumerate(results):
        if result.ok:
            git.same_content(project.folder, tmp_path / f"c{n}")


def test_an_upstream_that_breaks_off_midway_breaks_all_who_followed(tankard, faults, git, project, clone, tmp_path):
    project.big(8, branch="big")
    gate = Gate()
    faults.on(HoldBody(gate, after=1 << 20, then="reset"), kind="fetch")
    threads = [in_background(lambda n=n: clone(project, f"c{n}")) for n in range(6)]
    gate.wait_arrived(1)
    wait_followed(tankard, 6)
    gate.open()
    results = [(thread.join(), result[0])[1] for thread, result in threads]
    assert not all(r.ok for r in results), "who had a part of it is broken off"
    for n, result in enumerate(results):
        if result.ok:  # had nothing of it yet, and was led anew
            git.same_content(project.folder, tmp_path / f"c{n}")
        else:
            assert not (tmp_path / f"c{n}").exists(), "a broken pack must not look whole"
    assert clone(project, "after").ok
    git.same_content(project.folder, tmp_path / "after")


def leave_in_the_middle(tankard, faults, git, project, tmp_path):
    """Three clients come, and go when the upstream has sent a MiB; then it goes on."""
    gate = Gate()
    faults.on(HoldBody(gate, after=1 << 20), kind="fetch")
    clients = [git.start("clone", "--bare", tankard.url(project.path), tmp_path / f"c{n}") for n in range(3)]
    gate.wait_arrived(1)
    wait_followed(tankard, 3)
    for client in clients:
        client.kill()
        client.wait()
    gate.open()
    tankard.wait_quiet()
    wait_until(lambda: tankard.metric("tankard_spools") == 0, "the spool is gone")


def test_when_all_clients_have_gone_a_long_transfer_stops(tankard, faults, git, project, tmp_path):
    project.big(120, branch="big")
    leave_in_the_middle(tankard, faults, git, project, tmp_path)
    assert not faults.seen("fetch")[0].finished, "nobody wants the rest: the upstream need not send it"
    assert git.run("clone", "--bare", tankard.url(project.path), tmp_path / "after").ok
    git.same_content(project.folder, tmp_path / "after")


def test_when_all_clients_have_gone_the_little_that_is_left_is_taken_in(tankard, faults, git, project, clone, tmp_path):
    project.big(8, branch="big")
    leave_in_the_middle(tankard, faults, git, project, tmp_path)
    tankard.wait_stored()
    assert clone(project, "after").ok
    git.same_content(project.folder, tmp_path / "after")
    assert len(packs(faults)) == 1


def test_a_follower_at_a_trickle_holds_nobody(tankard, faults, git, project, clone, tmp_path):
    project.big(8, branch="big")
    git.ls_remote(tankard.url(project.path))
    body = faults_body_of_a_clone(faults, git, tankard, project, tmp_path)
    gate = Gate()
    faults.on(HoldBody(gate, after=65536), kind="fetch")
    slow = slow_client(tankard, project, body)
    gate.wait_arrived(1)
    fast = [in_background(lambda n=n: clone(project, f"c{n}")) for n in range(31)]
    wait_followed(tankard, 32)
    slow.recv(1024)
    gate.open()
    are_whole(git, project, tmp_path, fast)
    assert len(packs(faults)) == 1
    read_to_the_end(slow)


def slow_client(tankard, project, body):
    """Has asked, and reads nothing by itself. The kernel's buffers hold less than the pack."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    slow.connect(("127.0.0.1", tankard.port))
    head = (f"POST {tankard.target(project.path, 'git-upload-pack')} HTTP/1.1\r\nHost: t\r\nGit-Protocol: version=2\r\n"
            f"Content-Type: application/x-git-upload-pack-request\r\nContent-Length: {len(body)}\r\n\r\n")
    slow.sendall(head.encode() + body)
    return slow


def read_to_the_end(slow):
    with slow:
        got = bytearray()
        while not got.endswith(b"0\r\n\r\n"):
            part = slow.recv(65536)
            assert part, "the slow one is served to the end too"
            got += part


@pytest.fixture
def stalled(tankard, faults, git, project, tmp_path):
    """A first clone whose client has read little, when the upstream has sent it all."""
    project.big(32, branch="big")
    git.ls_remote(tankard.url(project.path))
    body = faults_body_of_a_clone(faults, git, tankard, project, tmp_path)
    client = slow_client(tankard, project, body)
    client.recv(1024)
    wait_until(lambda: tankard.metric("tankard_upstream_requests_total", operation="fetch", result="ok") == 1, "the upstream has sent it all", 60)
    yield client
    client.close()


def test_who_asks_the_same_while_a_slow_client_receives_it_follows_the_same_answer(tankard, faults, git, project, clone, tmp_path, stalled):
    """Without waiting for a store to be made of it."""
    assert clone(project, "same").ok
    assert tankard.outcomes("fetch", count=2) == ["error", "collapsed"]   # the first one's upstream had been cut
    git.same_content(project.folder, tmp_path / "same")
    assert len(packs(faults)) == 1
    read_to_the_end(stalled)


def test_what_a_slow_client_still_receives_others_have_in_an_outage(tankard, faults, git, project, clone, tmp_path, stalled):
    """Something else of it: the store is made when it is asked for."""
    faults.vanish()
    assert clone(project, "main", "--single-branch", "--branch", "main").ok
    assert git.check("rev-parse", "main", cwd=tmp_path / "main") == project.oid("refs/heads/main")
    assert len(packs(faults)) == 1
    read_to_the_end(stalled)


def faults_body_of_a_clone(faults, git, tankard, project, tmp_path):
    """The request that `git clone` makes of this repository; nothing of it is kept: the upstream's answer is cut."""
    faults.on(Reset(), kind="fetch", times=None)
    git.fails("clone", "--bare", tankard.url(project.path), tmp_path / "probe")
    faults.clear()
    body = faults.seen("fetch")[-1].body
    tankard.wait_quiet()
    return body


def test_the_second_clone_costs_the_upstream_nothing_before_there_is_a_store(tankard, faults, git, project, clone, tmp_path):
    assert clone(project, "a").ok
    assert clone(project, "b").ok
    git.same_content(project.folder, tmp_path / "b")
    assert len(packs(faults)) == 1


def test_a_kept_answer_is_sent_with_its_length_and_outlives_a_restart(tankard, faults, git, project, clone, tmp_path):
    assert clone(project, "a").ok
    tankard.wait_stored()
    wait_until(lambda: tankard.metric("tankard_pack_cache_entries") == 1, "the answer is kept")
    tankard.restart()
    body = faults.seen("fetch")[0].body
    git.ls_remote(tankard.url(project.path))
    answers = [tankard.command(project.path, body) for _ in range(2)]
    assert all(a.status == 200 and int(a.header("Content-Length")) == len(a.body) for a in answers)
    assert hashlib.sha256(answers[0].body).digest() == hashlib.sha256(answers[1].body).digest()
    assert clone(project, "b").ok
    git.same_content(project.folder, tmp_path / "b")
    assert tankard.outcomes("fetch", count=4)[1:] == ["hit"] * 3
    assert len(packs(faults)) == 1


def test_a_damaged_kept_answer_is_dropped_and_the_request_answered(tankard, git, project, clone, tmp_path):
    assert clone(project, "a").ok
    tankard.wait_stored()
    wait_until(lambda: tankard.metric("tankard_pack_cache_entries") == 1, "the answer is kept")
    tankard.stop()
    folder = os.path.join(tankard.cache_dir, "packs", "v1")
    entry, = os.listdir(folder)
    with open(os.path.join(folder, entry), "r+b") as file:
        file.seek(os.path.getsize(file.name) // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    tankard.start()
    mark = tankard.log_mark()
    assert clone(project, "b").ok
    git.same_content(project.folder, tmp_path / "b")
    git.fsck(tmp_path / "b")
    assert tankard.outcomes("fetch", since=mark) == ["local"]


def test_a_hundred_fetches_with_different_haves_are_one_upstream_fetch(tankard, faults, git, project, tmp_path):
    commits = [project.add_commit() for _ in range(20)]
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "warm")
    tankard.wait_stored()
    for n in range(100):
        git.check("clone", "-q", "--bare", "--shared", tmp_path / "warm", tmp_path / f"c{n}")
        git.check("update-ref", "refs/heads/main", commits[n % 20], cwd=tmp_path / f"c{n}")
        git.check("remote", "set-url", "origin", tankard.url(project.path), cwd=tmp_path / f"c{n}")
    before = len(packs(faults))
    tip = project.add_commit()
    all_at_once([lambda n=n: git.check("fetch", "-q", "origin", "+refs/heads/main:refs/heads/main", cwd=tmp_path / f"c{n}") for n in range(100)])
    assert len(packs(faults)) == before + 1
    for n in range(100):
        assert git.refs(tmp_path / f"c{n}", "refs/heads/main") == {"refs/heads/main": tip}


def test_a_bogus_want_poisons_nobody(tankard, faults, git, project, clone, tmp_path):
    """One asks for what is not there, at the same time as others ask for what is."""
    gate = Gate()
    faults.on(Hang(gate), kind="fetch", times=None)
    git.ls_remote(tankard.url(project.path))
    bogus = in_background(lambda: tankard.fetch(project.path, "f" * 40))
    threads = [in_background(lambda n=n: clone(project, f"c{n}")) for n in range(4)]
    gate.wait_arrived(2)
    wait_followed(tankard, 5)
    gate.open()
    bogus[0].join()
    are_whole(git, project, tmp_path, threads)
    assert b"PACK" not in bogus[1][0].body


def test_a_force_push_between_listing_and_fetch(tankard, faults, git, project, tmp_path):
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "warm")
    tankard.wait_stored()
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "c")
    old = project.add_commit()
    assert f"{old}\trefs/heads/main" in git.ls_remote(tankard.url(project.path))
    new = project.rewrite()
    # Who saw the old one a moment ago may still get it, as from the upstream itself; and whoever asks now gets the new one.
    answer = tankard.fetch(project.path, old)
    assert answer.status == 200 and b"PACK" in answer.body
    git.check("fetch", "-q", tankard.url(project.path), "+refs/heads/main:refs/heads/main", cwd=tmp_path / "c")
    assert git.refs(tmp_path / "c", "refs/heads/main") == {"refs/heads/main": new}
    git.fsck(tmp_path / "c")


@pytest.mark.parametrize("args", [("--depth", "1"), ("--single-branch",), ("--filter=blob:none",)], ids=["shallow", "single-branch", "partial"])
def test_other_shapes_are_shared_too_and_never_mixed_up(tankard, host, faults, git, project, clone, tmp_path, args):
    """The same shape is one request upstream; another shape is another answer."""
    gate = Gate()
    faults.on(HoldBody(gate, after=64), kind="fetch", times=None)
    threads = [in_background(lambda n=n: clone(project, f"c{n}", *args)) for n in range(8)]
    threads.append(in_background(lambda: clone(project, "full")))
    gate.wait_arrived(2)
    wait_followed(tankard, 9)
    gate.open()
    for thread, result in threads:
        thread.join()
        assert result[0].ok, result[0]
    assert len(packs(faults)) == 2
    git.same_content(project.folder, tmp_path / "full")
    git.fsck(tmp_path / "full")
    git.check("clone", "--bare", *args, f"{host.url}/{project.path}", tmp_path / "direct")
    for n in range(8):
        assert git.check("rev-list", "--all", "--objects", "--missing=print", cwd=tmp_path / f"c{n}") == \
            git.check("rev-list", "--all", "--objects", "--missing=print", cwd=tmp_path / "direct")


def test_progress_of_the_upstream_reaches_those_who_wait(tankard, git, project, tmp_path):
    project.big(8, branch="big")
    result = git.run("clone", "--bare", "--progress", tankard.url(project.path), tmp_path / "c")
    assert result.ok and "remote: " in result.err, result
