"""Shallow and partial clones: what git does through tankard, the store at work, is what it does with the upstream itself."""
import pytest

from support import pkt
from support.gitrepo import Repository, commit, fast_import
from support.scene import Scene
from support.tankard import Direct

STATES = ("stored", "offline")
FROM_HERE = {"local", "hit"}  # outcomes of what the upstream is not asked for


def project(git, folder, **options):
    """Branches and tags over a history with a merge, small and large files, folders, and a specification for sparse checkouts."""
    repository = Repository(git, folder, **options).history(40)
    files = {"large.bin": bytes(range(256)) * 40, "deep/er/still/leaf.txt": b"leaf\n", ".sparse": b"/deep/\n"}
    fast_import(git, folder, [
        commit("refs/heads/side", 50, files, parent=repository.oid("main~5")),
        commit("refs/heads/main", 51, {"after.txt": b"after\n", **files}, parent=repository.oid("main") + "\nmerge :50")])
    repository.set_ref("refs/heads/release", "main~12")
    repository.tag("light", "main~8")
    repository.tag("v1.0", "main~20", annotated=True)
    repository.tag("v1.1", "main~3", annotated=True)
    return repository


@pytest.fixture(scope="module", params=STATES)
def scene(request, host, tmp_path_factory):
    """A repository that is in tankard's store, with the upstream there or not. The tests leave it as it is."""
    with Scene(host, f"shallow/{request.param}.git", tmp_path_factory.mktemp(request.param), project) as made:
        yield made.known(request.param)


@pytest.fixture
def tankard(scene):
    """For the report of a test that fails."""
    return scene.tankard


def shape(git, folder):
    """All that can be told of a clone: its refs, where its history is cut off, which objects it has and which it lacks."""
    cut = folder / ".git" / "shallow"
    objects = git.check("rev-list", "--objects", "--no-object-names", "--all", "--missing=print", cwd=folder).split()
    return {"refs": git.refs(folder), "shallow": sorted(cut.read_text(encoding="ascii").split()) if cut.exists() else None,
            "objects": sorted(objects)}


def same(scene, tmp_path, *steps, check=lambda folder: None):
    """Runs the steps (the first is a clone's arguments) with tankard and with the upstream; returns the shape after the last."""
    git, shapes = scene.git, []
    for name, url in (("direct", scene.direct_url), ("through", scene.url)):
        folder = tmp_path / name
        shapes.append([])
        for number, step in enumerate(steps):
            if number == 0:
                git.check("clone", *step, url, folder)
            else:
                git.check(*step, cwd=folder)
            shapes[-1].append(shape(git, folder))
        git.fsck(folder)
        check(folder)
    assert shapes[1] == shapes[0]
    return shapes[1]


CLONE_ALL = ("--no-single-branch", "--depth")
SINCE = "--shallow-since=@1112912018"


class TestShallow:
    @pytest.mark.parametrize("steps", [
        [(*CLONE_ALL, "3")],
        [("--depth", "1", "--branch", "v1.0")],
        [("--depth", "1"), ("fetch", "--depth", "6")],
        [("--depth", "6"), ("fetch", "--depth", "2")],
        [(*CLONE_ALL, "2"), ("fetch", "--deepen", "3"), ("fetch", "--deepen", "4")],
        [(SINCE, "--no-single-branch")],
        [("--depth", "1"), ("fetch", SINCE)],
        [("--shallow-exclude=v1.0",)],
        [("--depth", "1"), ("fetch", "--shallow-exclude=release")],
        [("--shallow-exclude=v1.0", "--shallow-exclude=release", "--no-single-branch")],
        [(SINCE, "--shallow-exclude=v1.0")],
        [("--depth", "2"), ("fetch", "--unshallow")],
        [(*CLONE_ALL, "2"), ("fetch", "--unshallow", "--tags")],
        [("--depth", "2"), ("fetch", "--depth", "3", "origin", "release:refs/heads/release"), ("fetch", "--deepen", "1")],
        [("--depth", "1"), ("fetch", "origin", "side:refs/heads/side")],
        [("--depth", "1"), ("fetch", "--refetch")],
    ], ids=lambda steps: " / ".join(" ".join(s) for s in steps))
    def test_as_with_the_upstream(self, scene, tmp_path, steps):
        shapes = same(scene, tmp_path, *steps)
        assert shapes[0]["shallow"], "the clone was a shallow one"

    def test_what_selects_no_commit_is_refused_alike(self, scene, tmp_path):
        for how in ("--shallow-since=2030-01-01", "--shallow-exclude=no-such-ref"):
            for name, url in (("direct", scene.direct_url), ("through", scene.url)):
                scene.git.fails("clone", how, url, tmp_path / name)

    def test_the_store_answers(self, scene, tmp_path):
        mark, log = scene.faults.mark(), scene.tankard.log_mark()
        scene.git.check("clone", "--depth", "1", scene.url, tmp_path / "c")
        scene.git.check("fetch", "--unshallow", cwd=tmp_path / "c")
        assert scene.faults.count("fetch", since=mark) == 0
        assert set(scene.tankard.outcomes("fetch", since=log, count=2)) <= FROM_HERE


class TestPartial:
    @pytest.mark.parametrize("how", [
        ["--filter=blob:none"], ["--filter=blob:limit=100"], ["--filter=blob:limit=1k"], ["--filter=tree:0"], ["--filter=tree:2"],
        ["--filter=object:type=commit"], ["--filter=blob:none", "--filter=tree:3"], ["--filter=combine:blob:limit=100+tree:2"],
        ["--filter=blob:none", "--depth", "2"], ["--filter=tree:0", "--single-branch", "--no-tags"], ["--filter=sparse:oid=main:.sparse"],
    ], ids=" ".join)
    def test_as_with_the_upstream(self, scene, tmp_path, how):
        shapes = same(scene, tmp_path, ("--no-checkout", *how))
        assert any(o.startswith("?") for o in shapes[0]["objects"]), "something was left out"

    @pytest.mark.parametrize("how", ["blob:none", "blob:limit=100", "tree:0", "combine:blob:none+tree:1"])
    def test_what_is_missing_comes_at_checkout(self, scene, tmp_path, how):
        def whole(folder):
            scene.git.check("diff", "--exit-code", "HEAD", "--", cwd=folder)
            assert scene.git.tree(folder) == scene.git.tree(scene.project.folder, "main")
        same(scene, tmp_path, ("--no-checkout", f"--filter={how}"), ("checkout", "main"), ("checkout", "v1.0"), ("checkout", "main"), check=whole)

    def test_a_filtered_clone_that_fetches_more(self, scene, tmp_path):
        same(scene, tmp_path, ("--filter=blob:none", "--depth", "2"), ("fetch", "--deepen", "5"), ("fetch", "--unshallow"), ("log", "-p", "--all"))
        same(scene, tmp_path / "again", ("--filter=tree:0", "--no-checkout"), ("fetch", "--refetch", "--filter=blob:none"), ("log", "-p", "-5", "main"))

    def test_hundreds_of_small_fetches_are_answered_by_the_store(self, scene, tmp_path):
        """`git log -p`, `git blame` and builds ask for one blob after the other; the upstream is asked for none of them."""
        git, folder = scene.git, tmp_path / "c"
        git.check("clone", "--filter=blob:none", "--no-checkout", scene.url, folder)
        lacks = [o[1:] for o in shape(git, folder)["objects"] if o.startswith("?")]
        assert len(lacks) > 75
        mark, log = scene.faults.mark(), scene.tankard.log_mark()
        git.check("cat-file", "--batch", cwd=folder, input="\n".join(lacks) + "\n")
        assert not any(o.startswith("?") for o in shape(git, folder)["objects"])
        git.fsck(folder)
        outcomes = scene.tankard.outcomes("fetch", since=log, count=len(lacks))
        assert len(outcomes) == len(lacks) and set(outcomes) <= FROM_HERE, "each was a request of its own"
        assert scene.faults.count("fetch", since=mark) == 0

    def test_what_no_tip_reaches_is_not_handed_out(self, scene, tmp_path):
        """A blob that exists, but only in a commit that no ref leads to. (test_odd_requests: the upstream decides while it is there)"""
        git, mirror = scene.git, tmp_path / "mirror"
        git.check("clone", "--mirror", scene.project.folder, mirror)
        stray = git.check("hash-object", "-w", "--stdin", cwd=mirror, input="stray\n")
        answer = scene.tankard.command(scene.path, pkt.fetch([stray]))
        assert b"ERR " in answer.body and b"PACK" not in answer.body


class TestServerOptions:
    """What they mean only the upstream knows: it is told while it is there, and without it nothing is made up."""

    def test_the_upstream_is_told(self, scene, tmp_path):
        if scene.state == "offline":
            for command in (("ls-remote",), ("clone",)):
                refused = scene.git.fails(*command, "--server-option=hello", scene.url, cwd=tmp_path)
                assert "tankard: " in refused.err and scene.path.removesuffix(".git") in refused.err, refused
            return
        git, option, mark = scene.git, "--server-option=hello", scene.faults.mark()
        assert git.check("ls-remote", option, scene.url) == git.check("ls-remote", scene.direct_url)
        same(scene, tmp_path, (option, "--depth", "2"), ("fetch", option, "--unshallow"))
        told = [r for r in scene.faults.seen(since=mark) if "server-option=hello" in r.args]
        assert {r.kind for r in told} == {"ls-refs", "fetch"}
        assert len([r for r in told if r.kind == "fetch"]) == scene.faults.count("fetch", since=mark), "no fetch goes without"


class TestAnUpstreamThatForbidsFilters:
    @pytest.fixture(params=STATES)
    def strict(self, request, host, faults, run_tankard, git, tmp_path):
        path = f"strict/{request.param}.git"
        made = project(git, host.path(path))
        git.check("config", "uploadpack.allowFilter", "false", cwd=made.folder)
        tankard = run_tankard()
        git.check("clone", "--mirror", tankard.url(path), tmp_path / "mirror")
        tankard.wait_stored()
        if request.param == "offline":
            faults.vanish()
        made.path, made.tankard, made.direct = path, tankard, Direct(host.port)
        return made

    def test_it_is_not_offered(self, strict):
        for client in (strict.direct, strict.tankard):
            words = next(t for t in pkt.texts(client.advertisement(strict.path).body) if t.startswith("fetch"))
            assert "shallow" in words and "filter" not in words

    def test_git_clones_the_whole(self, strict, git, tmp_path):
        said = git.run("clone", "--bare", "--filter=blob:none", strict.tankard.url(strict.path), tmp_path / "c")
        assert said.ok and "filtering not recognized by server" in said.err, said
        git.same_content(strict.folder, tmp_path / "c")

    def test_who_asks_all_the_same_is_refused(self, strict):
        body = pkt.fetch([strict.oid("main")], (), True, "filter blob:none")
        for client in (strict.direct, strict.tankard):
            answer = client.command(strict.path, body)
            assert b"PACK" not in answer.body, answer
