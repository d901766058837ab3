"""Clone and fetch while the upstream is there: right, streamed, and no dearer for the upstream than they must be."""
import pytest

from support import http, pkt
from support.fault_proxy import Gate, HoldBody
from support.processes import wait_until


def packs(faults, since=0):
    return faults.count("fetch", since, has_pack=True)


def test_first_clone_is_whole_and_costs_the_upstream_one_pack(tankard, faults, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    assert git.check("rev-parse", "HEAD", cwd=tmp_path / "c") == project.oid("main")
    git.fsck(tmp_path / "c")
    assert [r.kind for r in faults.records] == ["advertisement", "ls-refs", "fetch"]
    tankard.wait_stored()
    assert packs(faults) == 1, "what was streamed to the client becomes the store: it is not downloaded again"
    assert [r["outcome"] for r in tankard.wait_request(3)] == ["miss", "miss", "miss"]


def test_second_clone_costs_the_upstream_no_pack(tankard, faults, git, project, tmp_path):
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "first")
    tankard.wait_stored()
    mark, log = faults.mark(), tankard.log_mark()
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "second")
    assert faults.count("fetch", since=mark) == 0
    assert faults.count("ls-refs", since=mark) == 1, "refs are asked for every time"
    assert tankard.outcomes("fetch", since=log) == ["local"]
    git.same_content(project.folder, tmp_path / "second")


def test_a_mirror_clone_has_every_ref(tankard, git, project, tmp_path):
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "m")
    assert git.refs(tmp_path / "m") == project.refs()
    git.fsck(tmp_path / "m")


def test_a_mirror_clone_after_a_plain_one_has_every_ref(tankard, git, project, tmp_path):
    """refs/pull/1/head is outside what a plain clone asks for: the store alone must not answer for it."""
    project.set_ref("refs/pull/2/head", project.add_commit("elsewhere"))
    project.delete_ref("refs/heads/elsewhere")
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "m")
    assert git.refs(tmp_path / "m") == project.refs()
    git.fsck(tmp_path / "m")


def test_an_incremental_fetch_brings_over_only_what_is_new(tankard, faults, git, new_repository, tmp_path):
    repository = new_repository().big(8).history(3, branch="main2")
    git.check("clone", tankard.url(repository.path), tmp_path / "c")
    tankard.wait_stored()
    new, mark = repository.add_commit(), faults.mark()
    git.check("fetch", "origin", cwd=tmp_path / "c")
    assert git.check("rev-parse", "origin/main", cwd=tmp_path / "c") == new
    tankard.wait_quiet()
    transfers = faults.seen("fetch", since=mark, has_pack=True)
    assert len(transfers) == 1, "exactly one pack"
    assert transfers[0].haves, "the upstream was told what is there"
    assert transfers[0].response_bytes < 100_000
    git.fsck(tmp_path / "c")


def test_one_new_commit_is_fetched_once_for_clients_with_different_haves(tankard, faults, git, project, tmp_path):
    for n in range(4):
        git.check("clone", tankard.url(project.path), tmp_path / f"c{n}")
        tankard.wait_stored()
        project.add_commit()
    new, mark = project.oid("main"), faults.mark()
    for n in range(4):
        git.check("fetch", "origin", cwd=tmp_path / f"c{n}")
        assert git.check("rev-parse", "origin/main", cwd=tmp_path / f"c{n}") == new
        git.fsck(tmp_path / f"c{n}")
    tankard.wait_quiet()
    assert packs(faults, mark) <= 1, "the last commit comes over once (or came when it was listed)"


def test_an_unchanged_repository_is_revalidated(tankard, git, project):
    url = tankard.url(project.path)
    first = git.ls_remote(url)
    mark = tankard.log_mark()
    assert git.ls_remote(url) == first
    assert tankard.outcomes("ls_refs", since=mark) == ["revalidated"]


def test_a_new_commit_is_seen_at_once(tankard, git, project):
    """max_age is 0 by default: nothing is ever answered from memory while the upstream is there."""
    url = tankard.url(project.path)
    git.ls_remote(url)
    for _ in range(3):
        new = project.add_commit()
        assert f"{new}\trefs/heads/main" in git.ls_remote(url)


def test_max_age_answers_from_memory(run_tankard, faults, git, project):
    tankard = run_tankard(settings={"ls_refs.max_age": "1h"})
    url = tankard.url(project.path)
    first = git.ls_remote(url)
    mark, log = faults.mark(), tankard.log_mark()
    assert git.ls_remote(url) == first
    assert faults.count(since=mark) == 0
    assert tankard.outcomes("ls_refs", since=log) == ["hit"]
    assert tankard.metric("tankard_ls_refs_cache_hits_total") >= 1


def test_an_answer_from_memory_says_so(run_tankard, project):
    tankard = run_tankard(settings={"ls_refs.max_age": "1h"})
    first = tankard.ls_refs(project.path, "refs/heads/")
    again = tankard.ls_refs(project.path, "refs/heads/")
    assert again.body == first.body
    assert (again.header("Cache-Status") or "").startswith("tankard; hit")
    assert int(again.header("Age")) >= 0
    assert again.header("Content-Type") == "application/x-git-upload-pack-result"
    assert again.header("Warning") is None


@pytest.mark.parametrize("how", [("--depth", "1"), ("--depth", "3", "--no-single-branch"), ("--single-branch",), ("--filter=blob:none",),
                                 ("--filter=tree:0", "--bare"), ("--shallow-since=1112911990",), ("--branch", "v1.0"), ("--no-tags",)],
                         ids=" ".join)
@pytest.mark.parametrize("stored", [False, True], ids=["cold", "stored"])
def test_every_kind_of_clone_is_as_from_the_upstream(tankard, faults, git, project, tmp_path, how, stored):
    if stored:
        git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "warm")
        tankard.wait_stored()
    git.check("clone", *how, faults.url + "/" + project.path, tmp_path / "direct")
    git.check("clone", *how, tankard.url(project.path), tmp_path / "through")
    assert git.refs(tmp_path / "through") == git.refs(tmp_path / "direct")
    assert git.tree(tmp_path / "through") == git.tree(tmp_path / "direct")
    for place in ("direct", "through"):
        assert git.run("rev-parse", "--is-shallow-repository", cwd=tmp_path / place).ok
    shallow = [git.check("rev-parse", "--is-shallow-repository", cwd=tmp_path / place) for place in ("direct", "through")]
    assert shallow[0] == shallow[1]
    commits = [git.check("rev-list", "--count", "--all", cwd=tmp_path / place) for place in ("direct", "through")]
    assert commits[0] == commits[1]


def test_a_shallow_clone_can_be_deepened_and_made_whole(tankard, git, project, tmp_path):
    git.check("clone", "--depth", "1", tankard.url(project.path), tmp_path / "c")
    git.check("fetch", "--depth", "5", cwd=tmp_path / "c")
    assert git.check("rev-list", "--count", "origin/main", cwd=tmp_path / "c") == "5"
    git.check("fetch", "--deepen", "2", cwd=tmp_path / "c")
    assert git.check("rev-list", "--count", "origin/main", cwd=tmp_path / "c") == "7"
    git.check("fetch", "--unshallow", cwd=tmp_path / "c")
    assert git.check("rev-list", "--count", "origin/main", cwd=tmp_path / "c") == "25"
    git.fsck(tmp_path / "c")


def test_a_partial_clone_fetches_the_rest_when_it_needs_it(tankard, git, project, tmp_path):
    git.check("clone", "--filter=blob:none", "--no-checkout", tankard.url(project.path), tmp_path / "c")
    git.check("checkout", "main", cwd=tmp_path / "c")
    git.check("log", "-p", "-3", "main", cwd=tmp_path / "c")
    assert git.tree(tmp_path / "c") == git.tree(project.folder, "main")


@pytest.mark.parametrize("first", [("--depth", "1"), ("--filter=blob:none",), ("--single-branch", "--branch", "release", "--no-tags")],
                         ids=" ".join)
def test_a_partial_first_clone_poisons_nothing(tankard, git, project, tmp_path, first):
    """The answer to a shallow, filtered or narrow request does not hold everything: later clones must be whole."""
    git.check("clone", "--bare", *first, tankard.url(project.path), tmp_path / "partial")
    tankard.wait_quiet()
    for n in range(2):
        git.check("clone", "--bare", tankard.url(project.path), tmp_path / f"whole{n}")
        git.same_content(project.folder, tmp_path / f"whole{n}")
        tankard.wait_quiet()


def test_refetch_from_a_shallow_client_as_the_first_thing_a_store_sees(tankard, faults, git, project, tmp_path):
    """--refetch sends no haves but `shallow` lines: it looks like a clone, and its pack is cut off."""
    git.check("clone", "--bare", "--depth", "1", f"{faults.url}/{project.path}", tmp_path / "shallow")
    git.check("remote", "set-url", "origin", tankard.url(project.path), cwd=tmp_path / "shallow")
    mark = faults.mark()
    git.check("fetch", "--refetch", "origin", "+refs/heads/*:refs/heads/*", cwd=tmp_path / "shallow")
    sent = faults.seen("fetch", since=mark)
    assert sent and sent[-1].shallows and not sent[-1].haves, "git did what this test is about"
    tankard.wait_quiet()
    for n in range(2):
        git.check("clone", "--bare", tankard.url(project.path), tmp_path / f"whole{n}")
        git.same_content(project.folder, tmp_path / f"whole{n}")
        tankard.wait_quiet()


def test_a_commit_can_be_fetched_by_its_name(tankard, git, project, tmp_path):
    git.check("init", tmp_path / "c")
    old = project.oid("main~4")
    git.check("fetch", tankard.url(project.path), old, cwd=tmp_path / "c")
    assert git.check("rev-parse", "FETCH_HEAD", cwd=tmp_path / "c") == old


def test_a_commit_that_does_not_exist_is_the_upstreams_refusal(tankard, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    refused = git.fails("fetch", "origin", "1" * 40, cwd=tmp_path / "c")
    assert "not our ref" in refused.err
    git.check("fetch", "origin", cwd=tmp_path / "c")


def test_the_first_clone_streams(tankard, faults, project):
    """The client has bytes of the pack in hand while the upstream has not sent all of it."""
    gate = Gate()
    faults.on(HoldBody(gate, after=1500), kind="fetch")
    tip = pkt.listing(tankard.ls_refs(project.path, "refs/heads/").body)["refs/heads/main"]
    with http.Connection(tankard.port) as client:
        client.request("POST", tankard.target(project.path, "git-upload-pack"),
                       {"Git-Protocol": "version=2", "Content-Type": "application/x-git-upload-pack-request"}, pkt.fetch([tip]))
        answer = client.head()
        assert answer.status == 200
        body, got = client.chunks(answer, "POST"), b""
        while len(got) < 1000:
            got += next(body)
        gate.wait_arrived()
        assert b"packfile\n" in got
        gate.open()
        got += b"".join(body)
        assert answer.whole and got.endswith(b"0000")


def test_a_sha256_repository_of_one_commit(tankard, git, new_repository, tmp_path):
    git.check("init", "--object-format=sha256", tmp_path / "work")
    (tmp_path / "work" / "file").write_text("sha256\n")
    git.check("add", "file", cwd=tmp_path / "work")
    git.check("commit", "-m", "one", cwd=tmp_path / "work")
    repository = new_repository(object_format="sha256")
    git.check("push", repository.folder, "HEAD:refs/heads/main", cwd=tmp_path / "work")
    for n in range(2):
        git.check("clone", tankard.url(repository.path), tmp_path / f"c{n}")
        assert git.refs(tmp_path / f"c{n}", "refs/remotes/origin/main") == {"refs/remotes/origin/main": repository.oid("main")}
        git.fsck(tmp_path / f"c{n}")


def test_an_upstream_at_the_root(run_tankard, faults, git, project, tmp_path):
    tankard = run_tankard(upstreams=[], args=["--root-upstream", faults.url])
    git.check("clone", f"http://127.0.0.1:{tankard.port}/{project.path}", tmp_path / "c")
    assert git.check("rev-parse", "HEAD", cwd=tmp_path / "c") == project.oid("main")


def test_every_request_is_one_log_line_and_one_count(tankard, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    lines = tankard.wait_request(3)
    assert [(r["operation"], r["protocol"], int(r["status"])) for r in lines] == [
        ("info_refs", "v2", 200), ("ls_refs", "v2", 200), ("fetch", "v2", 200)]
    assert all(r["upstream"] == tankard.name for r in lines)
    assert all(project.path.removesuffix(".git") in r["repo"] for r in lines)
    wait_until(lambda: tankard.metric("tankard_requests_total", upstream=tankard.name) == 3, "three requests counted")
    assert tankard.metric("tankard_requests_total", operation="fetch", protocol="v2", outcome="miss") == 1
