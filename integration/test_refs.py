"""Refs are shown as the upstream has them, online and offline and after a restart: every shape, every name, every change."""

import pytest

from support import pkt
from support.processes import TIME_FACTOR

SHAPES = {}


def shape(function):
    SHAPES[function.__name__] = function
    return function


# Each makes a repository out of an empty one.

@shape
def plain(repository):
    repository.history(3)


@shape
def head_points_to_another_branch(repository):
    repository.history(3)
    repository.set_ref("refs/heads/develop", "main~1")
    repository.head("refs/heads/develop")


@shape
def head_is_unborn(repository):
    repository.history(3)
    repository.head("refs/heads/not-yet")


@shape
def nothing_at_all(repository):
    repository.head("refs/heads/trunk")


@shape
def head_is_detached(repository):
    repository.history(3)
    repository.git.check("update-ref", "--no-deref", "HEAD", repository.oid("main~1"), cwd=repository.folder)


@shape
def all_kinds_of_tags(repository):
    repository.history(5)
    repository.tag("light", "main~1")
    repository.tag("annotated", "main~2", annotated=True)
    repository.tag("of-a-tag", "annotated", annotated=True)
    repository.tag("of-a-tree", "main^{tree}", annotated=True)
    repository.tag("of-a-blob", "main:README", annotated=True)
    repository.tag("light-blob", "main:README")


@shape
def refs_outside_heads_and_tags(repository):
    repository.history(5)
    for name in ("refs/pull/1/head", "refs/changes/01/1/1", "refs/notes/commits", "refs/keep-around/x"):
        repository.set_ref(name, "main~1")


@shape
def a_symref_that_is_not_head(repository):
    repository.history(3)
    repository.git.check("symbolic-ref", "refs/heads/alias", "refs/heads/main", cwd=repository.folder)


@shape
def unusual_names(repository):
    repository.history(3)
    for name in ("per%cent", "per%2fcent", "ümläut", "日本語", "a/b/c/d/e", "dots.and-dashes_", "plus+sign", "quote'quote", "semi;colon",
                 "dollar$", "hash#", "comma,", "at@x", "paren(s)", "x" * 200):
        repository.set_ref(f"refs/heads/{name}", "main")
        repository.set_ref(f"refs/tags/t-{name}", "main~1")


@shape
def only_tags(repository):
    repository.history(2)
    repository.tag("v1", "main", annotated=True)
    repository.git.check("update-ref", "-d", "refs/heads/main", cwd=repository.folder)


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_shown_and_cloned_as_it_is(tankard, faults, git, new_repository, tmp_path, name):
    repository = new_repository()
    SHAPES[name](repository)
    direct = f"{faults.url}/{repository.path}"
    wanted = {args: git.ls_remote(direct, *args) for args in ((), ("--heads",), ("--tags",), ("--refs",))}
    git.check("clone", "--bare", direct, tmp_path / "direct")
    head = git.check("symbolic-ref", "-q", "HEAD", cwd=tmp_path / "direct") if git.run("symbolic-ref", "-q", "HEAD", cwd=tmp_path / "direct").ok else None

    def same(where):
        url = tankard.url(repository.path)
        for args, lines in wanted.items():
            assert git.ls_remote(url, *args) == lines, f"{where} {args}"
        place = tmp_path / where
        git.check("clone", "--bare", url, place)
        assert git.refs(place) == git.refs(tmp_path / "direct"), where
        if head:
            assert git.check("symbolic-ref", "HEAD", cwd=place) == head, where
        git.fsck(place)

    same("online")
    tankard.wait_quiet()
    same("online again")
    tankard.wait_quiet()
    tankard.switch(False)
    same("offline")
    tankard.restart("--offline")
    same("after a restart")


@pytest.mark.parametrize("protocol", [0, 1])
@pytest.mark.parametrize("name", ["head_points_to_another_branch", "all_kinds_of_tags", "unusual_names"])
def test_old_protocols_show_the_same(tankard, faults, git, new_repository, name, protocol):
    repository = new_repository()
    SHAPES[name](repository)
    for _ in range(2):
        assert git.ls_remote(tankard.url(repository.path), protocol=protocol) == git.ls_remote(f"{faults.url}/{repository.path}", protocol=protocol)


@pytest.mark.parametrize("path", ["deep/er/and/deep/er/still.git", "no-suffix", "with space/two words.git", "per%cent/100%.git", "ümläut/日本語.git",
                                  "plus+and&amp.git", "tilde~x.git", "dots...more.git", "CaSe.git", "(paren)'quote'.git", "semi;colon,comma.git",
                                  "at@sign.git", "hash#mark.git", "quest?ion.git"])
def test_repository_paths_of_every_kind(tankard, git, new_repository, tmp_path, path):
    """Also those that need escaping in a URL, and those that look escaped and are not."""
    from support.http import quote
    repository = new_repository(path).history(2)
    url = tankard.url() + quote(path)
    git.check("clone", "--bare", url, tmp_path / "c")
    git.same_content(repository.folder, tmp_path / "c")
    tankard.wait_stored()
    tankard.switch(False)
    git.check("clone", "--bare", url, tmp_path / "d")
    git.same_content(repository.folder, tmp_path / "d")


def test_one_repository_however_its_path_is_escaped(tankard, faults, git, new_repository, tmp_path):
    repository = new_repository("esc aped/re-po.git").history(2)
    git.check("clone", "--bare", tankard.url() + "esc%20aped/re-po.git", tmp_path / "c")
    tankard.wait_stored()
    mark = faults.mark()
    git.check("clone", "--bare", tankard.url() + "%65sc%20aped/re%2dpo.git/", tmp_path / "d")
    assert faults.count("fetch", since=mark) == 0
    assert tankard.health()["cached_repos"] == 1
    assert repository.refs() == git.refs(tmp_path / "d")


def test_paths_that_differ_in_case_or_suffix_are_different_repositories(tankard, git, new_repository):
    """The kind of this upstream is generic: `foo` and `foo.git` may be two."""
    one, two, three = (new_repository(p).history(1, seed=n) for n, p in enumerate(("Same/x", "same/x", "same/x.git")))
    assert len({r.oid("main") for r in (one, two, three)}) == 3
    for _ in range(2):
        for repository in (one, two, three):
            assert f"{repository.oid('main')}\trefs/heads/main" in git.ls_remote(tankard.url(repository.path))
        tankard.switch(False)


def test_nested_repositories_are_separate(tankard, git, new_repository):
    outer, inner = new_repository("nest/one").history(1, seed=1), new_repository("nest/one/two.git").history(1, seed=2)
    for repository in (outer, inner):
        assert f"{repository.oid('main')}\trefs/heads/main" in git.ls_remote(tankard.url(repository.path))


def test_twenty_thousand_refs(tankard, faults, git, new_repository, tmp_path):
    repository = new_repository().many_refs(20_000)
    url = tankard.url(repository.path)
    direct = git.ls_remote(f"{faults.url}/{repository.path}")
    assert len(direct) > 20_000
    assert git.ls_remote(url) == direct
    assert git.ls_remote(url) == direct
    git.check("clone", "--bare", url, tmp_path / "c", timeout=300)
    assert git.refs(tmp_path / "c") == repository.refs()
    tankard.wait_stored()
    tankard.switch(False)
    assert git.ls_remote(url) == direct
    git.check("clone", "--bare", url, tmp_path / "d", timeout=300)
    assert git.refs(tmp_path / "d") == repository.refs()
    narrow = git.run("ls-remote", url, "refs/heads/many/012345")
    assert narrow.ok and len(narrow.out.splitlines()) == 1
    assert narrow.seconds < 3 * TIME_FACTOR


class TestChanges:
    """The upstream changes; an old clone fetches, a new one is made, and both again with the upstream gone."""

    @pytest.fixture
    def both(self, tankard, git, project, tmp_path):
        url = tankard.url(project.path)
        git.check("clone", url, tmp_path / "old")
        tankard.wait_stored()

        def check():
            for where in ("online", "offline"):
                if where == "offline":
                    tankard.wait_quiet()
                    tankard.switch(False)
                git.check("fetch", "--prune", "origin", cwd=tmp_path / "old")
                branches = {r.removeprefix("refs/heads/"): o for r, o in project.refs("refs/heads").items()}
                seen = {r.removeprefix("refs/remotes/origin/"): o for r, o in git.refs(tmp_path / "old", "refs/remotes/origin").items()}
                seen.pop("HEAD", None)
                assert seen == branches, where
                git.fsck(tmp_path / "old")
                git.check("clone", "--bare", url, tmp_path / f"new-{where}")
                git.same_content(project.folder, tmp_path / f"new-{where}")
        return check

    def test_a_branch_is_deleted(self, project, both):
        project.delete_ref("refs/heads/topic/one")
        both()

    def test_a_branch_is_added(self, project, both):
        project.add_commit("added")
        both()

    def test_a_force_push(self, project, both):
        project.rewrite("topic/one")
        both()

    def test_a_force_push_of_everything(self, project, both):
        for branch in ("main", "release", "topic/one"):
            project.rewrite(branch)
        both()

    def test_a_branch_goes_back(self, project, both):
        project.set_ref("refs/heads/main", "main~6")
        both()

    def test_a_becomes_a_slash_b(self, project, both):
        project.set_ref("refs/heads/a", "main")
        both_ways = project.refs()["refs/heads/a"]
        project.delete_ref("refs/heads/a")
        project.set_ref("refs/heads/a/b", both_ways)
        both()

    def test_a_slash_b_becomes_a_in_steps_that_clients_see(self, tankard, git, project, tmp_path, both):
        project.set_ref("refs/heads/a/b", "main~1")
        git.check("fetch", "origin", cwd=tmp_path / "old")
        tankard.wait_quiet()
        project.delete_ref("refs/heads/a/b")
        project.add_commit("a")
        both()

    def test_a_tag_moves_and_another_goes(self, tankard, git, project, tmp_path):
        git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "m")
        tankard.wait_stored()
        project.tag("v1.0", "main", annotated=True)
        project.delete_ref("refs/tags/light")
        git.check("remote", "update", "--prune", cwd=tmp_path / "m")
        assert git.refs(tmp_path / "m") == project.refs()
        tankard.wait_quiet()
        tankard.switch(False)
        git.check("clone", "--bare", tankard.url(project.path), tmp_path / "n")
        git.same_content(project.folder, tmp_path / "n")

    def test_head_moves_to_another_branch(self, tankard, git, project, tmp_path, both):
        project.head("refs/heads/release")
        both()
        assert git.check("symbolic-ref", "HEAD", cwd=tmp_path / "new-offline") == "refs/heads/release"

    def test_a_tip_that_was_just_replaced_can_still_be_fetched(self, tankard, git, project, tmp_path):
        """A force-push between a client's listing and its fetch: the tip it was shown is served."""
        git.check("clone", tankard.url(project.path), tmp_path / "c")
        tankard.wait_stored()
        shown = pkt.listing(tankard.ls_refs(project.path, "refs/heads/").body)["refs/heads/main"]
        project.rewrite("main")
        tankard.ls_refs(project.path, "refs/heads/")
        tankard.wait_quiet()
        answer = tankard.command(project.path, pkt.fetch([shown]))
        assert b"packfile\n" in answer.body and b"PACK" in answer.body, answer


def test_a_client_that_asks_for_less_gets_less(tankard, project):
    """peel, symrefs and unborn are asked upstream for the table, and taken away again for a client that did not ask."""
    for _ in range(2):
        full = tankard.command(project.path, pkt.ls_refs("refs/tags/", "HEAD")).body
        bare = tankard.command(project.path, pkt.ls_refs("refs/tags/", "HEAD", peel=False, symrefs=False, unborn=False)).body
        assert b"peeled:" in full and b"symref-target:" in full
        assert b"peeled:" not in bare and b"symref-target:" not in bare
        assert pkt.listing(full) == pkt.listing(bare)
        tankard.switch(False)


def test_prefixes_are_answered_exactly(tankard, git, project):
    everything = project.refs()
    git.ls_remote(tankard.url(project.path))
    tankard.switch(False)
    for prefix in ("refs/heads/", "refs/heads/t", "refs/heads/main", "refs/tags/v1", "refs/pull/", "refs/nothing/", "refs/"):
        shown = pkt.listing(tankard.ls_refs(project.path, prefix).body)
        assert shown == {r: o for r, o in everything.items() if r.startswith(prefix)}, prefix


def test_a_name_that_no_git_would_take_is_not_remembered(tankard, faults, git, project):
    """A hostile or broken upstream lists `refs/heads/../../x`: the client gets what it gets, the store never makes such a file."""
    from support.fault_proxy import Edit

    def add(status, headers, body):
        bad = pkt.line(f"{project.oid('main')} refs/heads/../../../evil\n")
        return status, headers, bad + body
    faults.on(Edit(add), times=None, kind="ls-refs")
    git.run("ls-remote", tankard.url(project.path))
    tankard.ls_refs(project.path)
    tankard.switch(False)
    offline = pkt.listing(tankard.ls_refs(project.path, "refs/heads/").body)
    assert not any(".." in name for name in offline)
    assert "refs/heads/main" in offline


