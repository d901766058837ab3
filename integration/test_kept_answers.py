"""Kept answers are found by everything that shapes an answer, and by nothing else (the table of ARCHITECTURE.md, "Kept answers").

Each row: a request whose answer is kept, and one that differs in a single part. The second must get the upstream's answer
to itself, object by object.
"""
import os
import subprocess
import tempfile

import pytest

from support import pkt
from support.fault_proxy import Edit
from support.processes import wait_until
from support.tankard import Direct
from support.traces import pack_of


def ask(tankard, repository, wants, haves=(), args=(), done=True):
    return tankard.command(repository.path, pkt.fetch(wants, haves, done, *args))


def content(answer, base=None):
    """What a client gets: the lines before the pack, and the objects of the pack. `base`: has what a thin pack leaves out."""
    assert answer.status == 200 and answer.whole, answer
    head = answer.body.split(b"packfile\n")[0]
    pack = pack_of(answer.body)
    assert pack, answer
    with tempfile.TemporaryDirectory(prefix="tankard-pack-") as folder:
        env = {"PATH": "/usr/bin:/bin", "HOME": folder, "GIT_DIR": folder, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", "init", "-q", "--bare", folder], env=env, check=True, capture_output=True)
        if base:
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = os.path.join(base, "objects")
        subprocess.run(["git", "index-pack", "--stdin", "--fix-thin"], input=pack, env=env, check=True, capture_output=True)
        env.pop("GIT_ALTERNATE_OBJECT_DIRECTORIES", None)
        listed = subprocess.run(["git", "cat-file", "--batch-all-objects", "--batch-check"], env=env, check=True, capture_output=True)
    return head, set(listed.stdout.splitlines())


@pytest.fixture
def direct(host):
    return Direct(host.port)


@pytest.fixture
def row(tankard, git, project, direct):
    """row(first, second): both as keyword arguments of ask(); checks that the first is kept and the second not mistaken for it."""
    git.ls_remote(tankard.url(project.path))

    def check(first, second):
        for _ in range(3):
            answer = ask(tankard, project, **first)
            tankard.log_mark()
            assert content(answer, project.folder) == content(ask(direct, project, **first), project.folder)
        wait_until(lambda: tankard.metric("tankard_pack_cache_entries") == 1, "the first is kept")
        mark = tankard.log_mark()
        ask(tankard, project, **first)
        assert tankard.outcomes("fetch", since=mark) == ["hit"]
        mark = tankard.log_mark()
        answer = ask(tankard, project, **second)
        assert tankard.outcomes("fetch", since=mark) != ["hit"]
        assert content(answer, project.folder) == content(ask(direct, project, **second), project.folder)
        return answer
    return check


def history(project):
    return project.git.check("rev-list", "--first-parent", "main", cwd=project.folder).split()


def test_wants(row, project):
    row({"wants": [project.oid("main")]}, {"wants": [project.oid("main"), project.oid("v1.0")]})


def test_haves(row, project):
    main = history(project)
    row({"wants": main[:1], "haves": main[5:6]}, {"wants": main[:1], "haves": main[2:3]})


def test_depth(row, project):
    main = history(project)
    row({"wants": main[:1], "args": ["deepen 1"]}, {"wants": main[:1], "args": ["deepen 2"]})


def test_depth_or_none(row, project):
    main = history(project)
    row({"wants": main[:1], "args": ["deepen 1"]}, {"wants": main[:1]})


def test_deepen_since(row, project):
    main = history(project)
    dates = [int(project.git.check("log", "-1", "--format=%ct", oid, cwd=project.folder)) for oid in main]
    row({"wants": main[:1], "args": [f"deepen-since {dates[2]}"]}, {"wants": main[:1], "args": [f"deepen-since {dates[4]}"]})


def test_what_the_client_is_shallow_at(row, project):
    main = history(project)
    first = {"wants": main[:1], "haves": main[1:2], "args": [f"shallow {main[1]}", "deepen 3"]}
    row(first, {**first, "args": [f"shallow {main[1]}", f"shallow {main[2]}", "deepen 3"]})


def test_refetch_from_a_shallow_client(row, project):
    """Without its haves a shallow client asks like a clone, but for its shallow lines."""
    main = history(project)
    row({"wants": main[:1]}, {"wants": main[:1], "args": [f"shallow {main[2]}"]})


def test_filter(row, project):
    main = history(project)
    row({"wants": main[:1], "args": ["filter blob:none"]}, {"wants": main[:1], "args": ["filter tree:0"]})


def test_filter_or_none(row, project):
    main = history(project)
    row({"wants": main[:1], "args": ["filter blob:none"]}, {"wants": main[:1]})


def test_thin_pack(row, project, git, tmp_path):
    """A client that does not ask for a thin pack cannot complete one."""
    main = history(project)
    first = {"wants": main[:1], "haves": main[1:2], "args": ["thin-pack"]}
    answer = row(first, {**first, "args": []})
    git.check("init", "-q", "--bare", tmp_path / "empty")
    indexed = subprocess.run(["git", "index-pack", "--stdin"], input=pack_of(answer.body), cwd=tmp_path / "empty",
                             env=git.environment(), capture_output=True, check=False)
    assert indexed.returncode == 0, indexed.stderr


def test_include_tag_after_a_new_tag(tankard, project, direct, row):
    """The answer to include-tag depends on the tags that there are. What is sent before a new one came over is not kept."""
    main = history(project)
    first = {"wants": main[:1], "args": ["include-tag"]}
    row(first, {"wants": main[:1]})
    before = content(ask(tankard, project, **first))
    project.tag("v9", main[0], annotated=True)
    tankard.ls_refs(project.path)
    wanted = content(ask(direct, project, **first))
    assert wanted != before
    wait_until(lambda: content(ask(tankard, project, **first)) == wanted, "the tag is sent along")


def test_negotiation_rounds_without_a_pack_are_not_kept(tankard, faults, git, project):
    git.ls_remote(tankard.url(project.path))
    main = history(project)
    for n in range(3):
        answer = ask(tankard, project, main[:1], ["1" * 40], done=False)
        assert b"acknowledgments" in answer.body and b"PACK" not in answer.body
        assert faults.count("fetch") == n + 1
    tankard.wait_quiet()
    assert tankard.metric("tankard_pack_cache_entries") == 0


def test_what_upstream_refuses_is_not_kept(tankard, faults, git, project):
    git.ls_remote(tankard.url(project.path))
    for n in range(3):
        answer = ask(tankard, project, history(project)[:1], args=["filter no-such-filter"])
        assert b"PACK" not in answer.body
        assert faults.count("fetch") == n + 1
    assert tankard.metric("tankard_pack_cache_entries") == 0


def test_a_pack_that_came_damaged_is_not_kept(tankard, faults, git, project):
    """It is framed well, so only its own checksum tells; the client says so too, and who asks next gets the upstream's again."""
    def flip(status, headers, body):
        middle = body.index(b"PACK") + 40
        return status, headers, body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1:]

    git.ls_remote(tankard.url(project.path))
    faults.on(Edit(flip), times=2, kind="fetch", path=project.path)
    for _ in range(2):   # what is asked for twice is kept
        answer = ask(tankard, project, history(project)[:1])
        assert answer.whole and b"PACK" in answer.body
        tankard.wait_quiet()
    assert any("damaged" in event["cause"] for event in tankard.wait_event("keep-failed")), tankard.events("keep-failed")
    assert tankard.metric("tankard_pack_cache_entries") == 0
    sound = ask(tankard, project, history(project)[:1])
    assert content(sound) and faults.count("fetch") == 3


def test_another_repository_with_the_same_objects(tankard, faults, git, project, new_repository):
    """Who may see one may not see the other."""
    fork = new_repository()
    git.check("push", "-q", "--mirror", fork.folder, cwd=project.folder)
    for repository in (project, fork):
        git.ls_remote(tankard.url(repository.path))
        for _ in range(2):
            ask(tankard, repository, history(project)[:1])
    assert [r.path for r in faults.seen("fetch") if not r.haves] == [f"/{project.path}/git-upload-pack", f"/{fork.path}/git-upload-pack"]


def test_another_life(tankard, faults, git, project):
    want = history(project)[:1]
    git.ls_remote(tankard.url(project.path))
    for _ in range(2):
        ask(tankard, project, want)
    wait_until(lambda: tankard.metric("tankard_pack_cache_entries") == 1, "it is kept")
    gone = tankard.admin("DELETE", f"/api/v1/repositories/{tankard.name.replace(':', '%3A')}/{project.path}", token=tankard.token())
    assert gone.status in (200, 202, 204), gone
    git.ls_remote(tankard.url(project.path))
    ask(tankard, project, want)
    assert len([r for r in faults.seen("fetch") if not r.haves]) == 2
    wait_until(lambda: tankard.metric("tankard_pack_cache_entries") == 1, "the former life's answer is gone")


def test_a_client_of_another_framing_gets_its_own(tankard, git, project, tmp_path):
    """v0 and v2 frame the same pack differently."""
    git.check("clone", "-q", "--bare", tankard.url(project.path), tmp_path / "v2")
    git.check("-c", "protocol.version=0", "clone", "-q", "--bare", tankard.url(project.path), tmp_path / "v0")
    git.same_content(tmp_path / "v2", tmp_path / "v0")


class TestAnotherUser:
    @pytest.fixture(scope="class")
    def host(self):
        from support.access_upstream import AccessUpstream
        with AccessUpstream() as upstream:
            yield upstream

    @pytest.mark.parametrize("away", [False, True], ids=["online", "outage"])
    def test_a_kept_answer_is_for_those_who_may_see_the_repository(self, tankard, faults, life, ann, bob, away):
        secret = life("private", ann)
        want = [next(iter(secret.tips()))]
        allowed, stranger = [("Authorization", f"Basic {ann.base64}")], [("Authorization", f"Basic {bob.base64}")]
        assert tankard.ls_refs(secret.path, headers=allowed).status == 200
        for _ in range(2):
            assert b"PACK" in tankard.fetch(secret.path, *want, headers=allowed).body
        wait_until(lambda: tankard.metric("tankard_pack_cache_entries") == 1, "it is kept")
        if away:
            faults.vanish()
        for headers in (stranger, []):
            answer = tankard.fetch(secret.path, *want, headers=headers)
            assert b"PACK" not in answer.body and not secret.is_told_in(answer.body), answer
