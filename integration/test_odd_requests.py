"""Well-formed pkt-lines that ask for nonsense: tankard answers as `git http-backend` does, with the upstream there and without.

Asked directly, git is the oracle: what it serves is served with the same objects, and what it refuses is refused. What tankard refuses
beside that is marked, line by line.
"""
import pytest

from support import pkt
from support.gitrepo import typical
from support.scene import Scene
from support.tankard import Direct
from support.traces import objects_in, pack_of


STATES = ("online", "offline")


class OddScene(Scene):
    """A repository with a hidden ref, and a commit that no ref reaches; mirrored by tankard once, and left as it is."""

    def __init__(self, host, path, folder):
        super().__init__(host, path, folder, typical)
        self.direct = Direct(host.port)
        self.git.check("config", "uploadpack.hideRefs", "refs/hidden", cwd=self.project.folder)
        tree = self.project.oid("main^{tree}")
        self.hidden = self.git.check("commit-tree", "-m", "hidden", tree, cwd=self.project.folder)
        self.stray = self.git.check("commit-tree", "-m", "stray", tree, cwd=self.project.folder)
        self.project.set_ref("refs/hidden/one", self.hidden)

        named = {"main": "main", "blob": "main:README", "tree": "main^{tree}", "tag": "v1.0", "old": "main~9", "pull": "refs/pull/1/head"}
        self.oids = {**{n: self.project.oid(rev) for n, rev in named.items()}, "hidden": self.hidden, "stray": self.stray,
                     "nothing": "1" * 40, "zero": "0" * 40, "long": "1" * 64}  # what the requests below name


@pytest.fixture(scope="module", params=STATES)
def scene(request, host, tmp_path_factory):
    with OddScene(host, f"odd/{request.param}.git", tmp_path_factory.mktemp(request.param)) as made:
        yield made.known(request.param)


@pytest.fixture
def tankard(scene):
    """For the report of a test that fails."""
    return scene.tankard


def meaning(answer):
    """What a client makes of an answer: ("served", shallow-info, objects) or ("refused", the words, if any)."""
    lines = pkt.texts(answer.body)
    error = next((t for t in lines if t.startswith("ERR ")), "")
    broken = any(isinstance(p, bytes) and p[:1] == b"\x03" for p in pkt.read(answer.body))
    if answer.status != 200 or error or broken or not answer.whole or not answer.body.endswith(pkt.FLUSH):
        return "refused", error.removeprefix("ERR ")
    pack = pack_of(answer.body)
    before = lines[:lines.index("packfile")] if pack else lines
    return "served", sorted(t for t in before if " " in t), objects_in(pack) if pack else b""


def body_of(scene, lines, capabilities=("object-format=sha1",)):
    lines = [line.format(**scene.oids) for line in lines]
    return pkt.lines("command=fetch", *capabilities, pkt.DELIM, "no-progress", *lines, pkt.FLUSH)


AS_UPSTREAM = "as upstream"
NEEDS_UPSTREAM = "needs upstream"  # served while it is there, refused in words while it is away: nothing here can know
STRICTER = "stricter"              # refused in words: git takes it because of how C reads numbers, and no client sends it


def compare(scene, body, what=AS_UPSTREAM):
    """Asks the upstream and tankard, and compares."""
    direct = meaning(scene.direct.command(scene.path, body))
    log = scene.tankard.log_mark()
    through = meaning(scene.tankard.command(scene.path, body))
    assert len(scene.tankard.wait_request(1, since=log)) == 1 and scene.tankard.alive
    if what == STRICTER or what == NEEDS_UPSTREAM and scene.state == "offline":
        assert direct[0] == "served" and through[0] == "refused" and through[1].startswith("tankard: "), (direct, through)
    elif direct[0] == "served":
        assert through == direct
    elif scene.state == "online" and not through[1].startswith("tankard: "):
        assert through == direct, "the upstream's own words"
    else:
        assert through[0] == "refused" and (through[1] or not direct[1]), "a refusal says no less than the upstream would"


FILTERS = ["nonsense", "", " ", "blob", "blob:", "blob:all", "blob:none ", " blob:none", "BLOB:NONE", "blob:limit", "blob:limit=", "blob:limit=-1", "blob:limit=1x",
           "blob:limit=0", "blob:limit=1k", "blob:limit=0x10", "blob:limit=1T", "blob:limit=99999999999999999999", "tree", "tree:", "tree:-1", "tree:x", "tree:1",
           "tree:0x1", "tree:99999999999999999999", "object:type=", "object:type=nonsense", "object:type=blob", "object:type=tag", "combine:", "combine:+", "combine:blob:none",
           "combine:blob:none+", "combine:blob:none+tree:1", "combine:blob%3Anone+tree:1", "combine:blob:none+nonsense", "combine:combine:blob:none+tree:1",
           "combine:blob:none+%", "sparse:oid=", "sparse:oid=nowhere", "sparse:oid={blob}", "sparse:oid={nothing}", "sparse:path=x", "auto", "x" * 2000]


@pytest.mark.parametrize("spec", FILTERS, ids=lambda s: repr(s[:40]))
def test_filters(scene, spec):
    compare(scene, body_of(scene, ["want {main}", f"filter {spec}", "done"]))


@pytest.mark.parametrize("lines", [["filter blob:none", "filter blob:none"], ["filter blob:none", "filter tree:1"], ["filter"], ["filter=blob:none"]], ids=" / ".join)
def test_filter_lines_that_do_not_fit_together(scene, lines):
    compare(scene, body_of(scene, ["want {main}", *lines, "done"]))


DEPTHS = [["deepen 0"], ["deepen -1"], ["deepen x"], ["deepen"], ["deepen "], ["deepen 1x"], ["deepen 1 2"], ["deepen 2"], ["deepen 2147483647"], ["deepen 2147483648"],
          ["deepen 4294967297"], ["deepen 99999999999999999999"], ["deepen 2", "deepen 3"], ["deepen 2", "deepen-since 1112911999"], ["deepen 2", "deepen-not refs/heads/release"],
          ["deepen-since 1112912000"], ["deepen-since 9999999999"], ["deepen-since 0"], ["deepen-since -1"], ["deepen-since x"], ["deepen-since 99999999999999999999"],
          ["deepen-not refs/heads/release"], ["deepen-not release"], ["deepen-not refs/heads/nowhere"], ["deepen-not nowhere"], ["deepen-not "], ["deepen-not"],
          ["deepen-not {old}"], ["deepen-not {nothing}"], ["deepen-not refs/hidden/one"], ["deepen-not v1.0"], ["deepen-not ../config"], ["deepen-not HEAD"], ["deepen-not main"],
          ["deepen-since 1112912000", "deepen-not refs/heads/release"], ["deepen-not refs/heads/release", "deepen-not refs/tags/v1.0"],
          ["deepen-relative"], ["deepen 2", "deepen-relative"], ["deepen 2", "deepen-relative", "shallow {old}"], ["deepen-relative x", "deepen 1"],
          ["shallow {nothing}"], ["shallow {blob}"], ["shallow {zero}"], ["shallow x"], ["shallow"], ["shallow {main}"], ["shallow {old}", "deepen 2"], ["shallow {stray}"]]


@pytest.mark.parametrize("lines", DEPTHS, ids=" / ".join)
def test_depths(scene, lines):
    odd = {("deepen 4294967297",): STRICTER, ("deepen-since 0",): STRICTER, ("deepen-not refs/hidden/one",): NEEDS_UPSTREAM}
    compare(scene, body_of(scene, ["want {main}", *lines, "done"]), odd.get(tuple(lines), AS_UPSTREAM))


WANTS = [(["want {nothing}"], AS_UPSTREAM), (["want {zero}"], AS_UPSTREAM), (["want {main}", "want {nothing}"], AS_UPSTREAM), (["want {main}", "want {main}"], AS_UPSTREAM),
         (["want x"], AS_UPSTREAM), (["want"], AS_UPSTREAM), (["want "], AS_UPSTREAM), (["want {long}"], AS_UPSTREAM), (["want {main}0"], STRICTER),
         (["want {main} and more"], STRICTER), ([], AS_UPSTREAM), (["want {blob}"], AS_UPSTREAM), (["want {tree}"], AS_UPSTREAM), (["want {tag}"], AS_UPSTREAM),
         (["want {old}"], AS_UPSTREAM), (["want {pull}", "want {blob}"], AS_UPSTREAM), (["want {main}", "have {main}"], AS_UPSTREAM),
         (["want {main}", "have {nothing}"], AS_UPSTREAM), (["want {main}", "have x"], AS_UPSTREAM), (["want {main}", "have {zero}"], AS_UPSTREAM),
         (["want {main}", "have {old}", "have {old}"], AS_UPSTREAM), (["want {main}", "have {blob}"], AS_UPSTREAM), (["want-ref refs/heads/main"], AS_UPSTREAM),
         (["want {main}", "make-coffee"], AS_UPSTREAM), (["want {main}", "sideband-all"], AS_UPSTREAM), (["want {main}", "packfile-uris https"], NEEDS_UPSTREAM),
         (["want {main}", "want {stray}"], NEEDS_UPSTREAM), (["want {stray}"], NEEDS_UPSTREAM), (["want {hidden}"], NEEDS_UPSTREAM)]


@pytest.mark.parametrize("lines, what", WANTS, ids=lambda v: " / ".join(v) or "none" if isinstance(v, list) else "")
def test_wants(scene, lines, what):
    """git's upload-pack of v2 serves any object there is; without the upstream only what it is known to show is served."""
    compare(scene, body_of(scene, [*lines, "done"]), what)


@pytest.mark.parametrize("capabilities", [["object-format=sha256"], ["object-format=nonsense"], ["object-format="], []], ids=lambda c: c[0] if c else "none")
def test_object_formats(scene, capabilities):
    compare(scene, body_of(scene, ["want {main}", "done"], capabilities))


def test_nothing_of_all_that_is_kept(scene, tmp_path):
    """Whatever was asked, the next clone is whole, and shows nothing that the upstream does not."""
    for lines in (["want {hidden}"], ["want {main}", "filter blob:none"], ["want {main}", "deepen 1"], ["want {stray}"]):
        scene.tankard.command(scene.path, body_of(scene, [*lines, "done"]))
    scene.git.check("clone", "--mirror", scene.url, tmp_path / "c")
    assert scene.git.refs(tmp_path / "c") == {ref: oid for ref, oid in scene.project.refs().items() if not ref.startswith("refs/hidden/")}
    scene.git.fsck(tmp_path / "c")
    for oid in (scene.stray, scene.hidden):
        assert not scene.git.run("cat-file", "-e", oid, cwd=tmp_path / "c").ok
