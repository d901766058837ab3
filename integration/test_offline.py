"""The upstream is gone: what was known is served, what was not is refused in words, and nothing half known is ever shown."""
import re

import pytest

from support.processes import TIME_FACTOR

AWAY = ["disabled", "refused", "killed"]


@pytest.fixture(params=AWAY)
def away(request, faults, host):
    """away(tankard) takes the upstream away: by the test switch, by a closed port, or by killing the real server."""
    killed = []

    def leave(tankard):
        if request.param == "disabled":
            tankard.switch(False)
        elif request.param == "refused":
            faults.vanish()
        else:
            host.kill()
            killed.append(True)
    yield leave
    if killed:
        host.start()


def refusal(result, repository, upstream):
    """git prints a sentence that names the repository, the upstream and the reason."""
    match = re.search(rf"no cached ls-refs available for \S*{re.escape(repository.removesuffix('.git'))}(?:\.git)?: (.*)", result.err)
    assert match, result
    assert upstream in match.group(1) and len(match.group(1)) > len(upstream), result
    assert re.search(r"\bsince\b", match.group(1)), result


def test_a_warm_cache_serves_clones_and_listings(tankard, git, project, tmp_path, away):
    url = tankard.url(project.path)
    git.check("clone", "--mirror", url, tmp_path / "warm")
    tankard.wait_stored()
    listing = git.ls_remote(url)
    away(tankard)
    assert git.ls_remote(url) == listing
    git.check("clone", "--bare", url, tmp_path / "c")
    git.same_content(project.folder, tmp_path / "c")
    git.check("clone", "--mirror", url, tmp_path / "m")
    assert git.refs(tmp_path / "m", "refs/heads", "refs/tags") == project.refs("refs/heads", "refs/tags")
    assert tankard.metric("tankard_requests_total", operation="ls_refs", outcome="stale") >= 3


def test_a_cold_cache_refuses_in_words_within_two_seconds(tankard, git, project, tmp_path, away):
    away(tankard)
    url = tankard.url(project.path)
    for command in (("ls-remote", url), ("clone", url, tmp_path / "c")):
        result = git.fails(*command)
        refusal(result, project.path, tankard.name)
        assert result.seconds < 2 * TIME_FACTOR
    assert not (tmp_path / "c").exists()
    last = tankard.wait_request(1)[-1]
    assert last["outcome"] == "error", last
    assert tankard.health()["cached_repos"] == 0


def test_old_protocols_get_a_clear_error_too(tankard, git, project, away):
    away(tankard)
    for protocol in (0, 1):
        result = git.fails("-c", f"protocol.version={protocol}", "ls-remote", tankard.url(project.path))
        assert tankard.name in result.err and result.seconds < 2 * TIME_FACTOR, result


def test_a_fetch_in_an_old_clone_works(tankard, git, project, tmp_path, away):
    git.check("clone", tankard.url(project.path), tmp_path / "old")
    tankard.wait_stored()
    new = project.add_commit()
    git.check("clone", tankard.url(project.path), tmp_path / "newer")
    tankard.wait_quiet()
    away(tankard)
    git.check("fetch", "origin", cwd=tmp_path / "old")
    assert git.check("rev-parse", "origin/main", cwd=tmp_path / "old") == new
    git.fsck(tmp_path / "old")


@pytest.mark.parametrize("how", [("--depth", "1"), ("--single-branch",), ("--filter=blob:none", "--bare"), ("--branch", "v1.0")], ids=" ".join)
def test_every_kind_of_clone_works_offline(tankard, faults, git, project, tmp_path, how):
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "warm")
    tankard.wait_stored()
    git.check("clone", *how, f"{faults.url}/{project.path}", tmp_path / "direct")
    tankard.switch(False)
    git.check("clone", *how, tankard.url(project.path), tmp_path / "c")
    assert git.refs(tmp_path / "c") == git.refs(tmp_path / "direct")
    assert git.check("rev-list", "--count", "--all", cwd=tmp_path / "c") == git.check("rev-list", "--count", "--all", cwd=tmp_path / "direct")


class TestAfterOnlyAClone:
    """A plain clone asks for HEAD, refs/heads/ and refs/tags/: exactly that may be answered, and nothing may be hidden."""

    @pytest.fixture
    def url(self, tankard, git, project, tmp_path, away):
        self.direct = project.refs()
        git.check("clone", tankard.url(project.path), tmp_path / "clone")
        tankard.wait_stored()
        away(tankard)
        return tankard.url(project.path)

    def shown(self, git, *args):
        return dict(reversed(line.split("\t")) for line in git.check("ls-remote", *args).splitlines())

    def test_heads(self, git, url):
        assert self.shown(git, "--heads", url) == {r: o for r, o in self.direct.items() if r.startswith("refs/heads/")}

    def test_tags(self, git, url):
        shown = self.shown(git, "--tags", url)
        assert {r: o for r, o in shown.items() if not r.endswith("^{}")} == {r: o for r, o in self.direct.items() if r.startswith("refs/tags/")}
        assert {r for r in shown if r.endswith("^{}")} == {"refs/tags/v1.0^{}", "refs/tags/v1.1^{}"}

    def test_a_pattern_does_not_lie(self, git, url):
        """`ls-remote URL main` asks for no prefix: refs/x/main may exist. Shown with main, or refused; never empty."""
        result = git.run("ls-remote", url, "main")
        assert not result.ok and "no cached ls-refs available" in result.err or "refs/heads/main" in result.out, result

    def test_a_plain_one_does_not_hide_refs_it_does_not_know(self, git, url):
        result = git.fails("ls-remote", url)
        assert "no cached ls-refs available" in result.err, result

    def test_fetch_of_a_branch(self, git, url, tmp_path):
        git.check("fetch", "origin", "main", cwd=tmp_path / "clone")
        git.check("init", "--bare", tmp_path / "fresh")
        git.check("fetch", url, "topic/one", cwd=tmp_path / "fresh")
        assert git.check("rev-parse", "FETCH_HEAD", cwd=tmp_path / "fresh") == self.direct["refs/heads/topic/one"]

    def test_fetch_of_everything_the_clone_tracks(self, git, url, tmp_path):
        git.check("fetch", "--prune", "--tags", "origin", cwd=tmp_path / "clone")
        remote = git.refs(tmp_path / "clone", "refs/remotes/origin")
        assert {r for r in remote if not r.endswith("/HEAD")} == {"refs/remotes/origin/" + b for b in ("main", "release", "topic/one")}

    def test_a_mirror_update_with_prune_deletes_nothing(self, git, url, faults, project, tmp_path, host):
        git.check("clone", "--mirror", project.folder, tmp_path / "mirror")
        before = git.refs(tmp_path / "mirror")
        assert "refs/pull/1/head" in before
        git.check("remote", "set-url", "origin", url, cwd=tmp_path / "mirror")
        git.run("remote", "update", "--prune", cwd=tmp_path / "mirror")
        assert git.refs(tmp_path / "mirror") == before


def test_a_mirror_update_with_prune_after_a_full_listing_deletes_nothing(tankard, git, project, tmp_path, away):
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "mirror")
    tankard.wait_stored()
    before = git.refs(tmp_path / "mirror")
    away(tankard)
    git.run("remote", "update", "--prune", cwd=tmp_path / "mirror")
    assert git.refs(tmp_path / "mirror") == before


def test_a_listing_newer_than_what_was_fetched_shows_what_can_be_served(tankard, faults, git, project, tmp_path):
    """Offline each ref has its newest value whose objects are here: a clone of what is listed always works."""
    from support.fault_proxy import Respond
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    old = project.oid("main")
    faults.on(Respond(503), times=None, kind="fetch")
    new = project.add_commit()
    assert f"{new}\trefs/heads/main" in git.ls_remote(tankard.url(project.path), "--heads", "--tags"), "online the truth is shown"
    tankard.wait_quiet()
    faults.vanish()
    shown = git.ls_remote(tankard.url(project.path), "--heads")
    assert f"{old}\trefs/heads/main" in shown
    assert not any(new in line for line in shown)
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "d")
    assert git.refs(tmp_path / "d", "refs/heads/main") == {"refs/heads/main": old}
    git.fsck(tmp_path / "d")


def test_a_new_branch_whose_commits_never_came_over_is_shown_all_the_same(tankard, faults, git, project, tmp_path):
    """Hidden, it would be deleted by every mirror that prunes. What can be served of the rest still is."""
    from support.fault_proxy import Respond
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    faults.on(Respond(503), times=None, kind="fetch")
    new = project.add_commit("brand-new")
    git.ls_remote(tankard.url(project.path), "--heads")
    tankard.wait_quiet()
    faults.vanish()
    assert f"{new}\trefs/heads/brand-new" in git.ls_remote(tankard.url(project.path), "--heads")
    git.check("clone", "--single-branch", "--branch", "main", tankard.url(project.path), tmp_path / "d")
    refused = git.fails("clone", "--single-branch", "--branch", "brand-new", tankard.url(project.path), tmp_path / "e")
    assert "remote" in refused.err and "127.0.0.1" in refused.err


def test_a_listing_without_a_store_is_shown_and_a_clone_is_refused(tankard, git, project, tmp_path, away):
    listing = git.ls_remote(tankard.url(project.path))
    away(tankard)
    assert git.ls_remote(tankard.url(project.path)) == listing
    result = git.fails("clone", tankard.url(project.path), tmp_path / "c")
    assert tankard.name in result.err, result
    assert result.seconds < 2 * TIME_FACTOR


def test_a_stale_clone_says_so(tankard, git, project, tmp_path, away):
    git.check("clone", tankard.url(project.path), tmp_path / "warm")
    tankard.wait_stored()
    away(tankard)
    result = git.run("clone", "--progress", tankard.url(project.path), tmp_path / "c")  # without it git asks for silence
    assert result.ok and re.search(r"remote: tankard: 127\.0\.0\.1\S* unreachable for .*, refs are .* old", result.err), result


def test_stale_answers_carry_the_headers_of_a_cache(tankard, project, away):
    assert tankard.advertisement(project.path).header("Warning") is None
    assert tankard.ls_refs(project.path, "refs/heads/").header("Warning") is None
    away(tankard)
    for answer in (tankard.advertisement(project.path), tankard.ls_refs(project.path, "refs/heads/")):
        assert answer.status == 200, answer
        assert int(answer.header("Age")) >= 0
        assert re.match(r"tankard; hit; .*detail=", answer.header("Cache-Status")), answer
        assert answer.header("Warning") is None, "within ls_refs.ttl nothing is warned of (beyond it: test_stale_and_recovery)"


def test_offline_mode_off_gives_an_honest_gateway_error(run_tankard, faults, git, project, tmp_path):
    tankard = run_tankard(settings={"offline_mode": "false"})
    git.check("clone", tankard.url(project.path), tmp_path / "warm")
    tankard.wait_stored()
    faults.vanish()
    answer = tankard.advertisement(project.path)
    assert answer.status in (502, 504), answer
    assert tankard.name in answer.text
    git.fails("ls-remote", tankard.url(project.path))


def test_a_push_while_the_upstream_is_away_fails_clearly(tankard, git, project, tmp_path, away):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    away(tankard)
    git.check("commit", "--allow-empty", "-m", "local", cwd=tmp_path / "c")
    result = git.fails("push", "origin", "main", cwd=tmp_path / "c")
    assert result.seconds < 5 * TIME_FACTOR
    assert project.oid("main") != git.check("rev-parse", "HEAD", cwd=tmp_path / "c")


def test_a_repository_that_upstream_said_is_not_there_is_not_made_up_offline(tankard, git, tmp_path, away):
    git.fails("ls-remote", tankard.url("no/such.git"))
    away(tankard)
    git.fails("ls-remote", tankard.url("no/such.git"))
    assert tankard.health()["cached_repos"] == 0


def test_only_the_upstream_that_is_away_is_served_from_memory(run_tankard, faults, own_host, git, project, tmp_path):
    from support.gitrepo import typical
    other = typical(git, own_host.path("other.git"))
    tankard = run_tankard(upstreams=[faults.url, own_host.url], settings={"allow_shared_authority": "true"})
    git.ls_remote(tankard.url(project.path))
    tankard.switch(False)
    mark = tankard.log_mark()
    assert git.ls_remote(tankard.url("other.git", upstream=own_host))
    new = other.add_commit()
    assert f"{new}\trefs/heads/main" in git.ls_remote(tankard.url("other.git", upstream=own_host))
    git.ls_remote(tankard.url(project.path))
    assert tankard.outcomes("ls_refs", since=mark, count=3)[-1] == "stale"


def test_a_request_so_large_that_git_probes_first_works_offline(tankard, git, new_repository, tmp_path):
    """Above http.postBuffer git sends a lone flush-pkt to see whether it is let in, and then its request in chunks."""
    repository = new_repository().many_refs(2000)
    git.check("clone", "--bare", tankard.url(repository.path), tmp_path / "warm")
    tankard.wait_stored()
    tankard.switch(False)
    git.check("-c", "http.postBuffer=65536", "clone", "--bare", tankard.url(repository.path), tmp_path / "c")
    assert git.refs(tmp_path / "c") == repository.refs()
