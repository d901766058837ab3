"""Fetches in protocol v0 and v1: from the store, the pack cache and flights as in v2, framed as the client chose."""
import pytest

from support import http, pkt
from support.fault_proxy import Gate, HoldBody, Respond
from support.processes import wait_until
from test_herds import in_background, packs
from test_v0 import get, post, read_answer

CONTENT = [("Content-Type", "application/x-git-upload-pack-request")]
BANDS = ["", "side-band", "side-band-64k"]
ACKS = ["", "multi_ack", "multi_ack_detailed", "multi_ack_detailed no-done"]


def direct(host, repository, body):
    return http.ask(host.port, "POST", f"/{http.quote(repository.path)}/git-upload-pack", CONTENT, body)


def verdict(tankard, client_post):
    """The answer, and what became of the request."""
    mark = tankard.log_mark()
    answer = client_post()
    return answer, tankard.outcomes("fetch", since=mark)[0]


def mirrored(tankard, git, project, folder):
    """A store of all that there is, and a listing of v0 that is known."""
    git.check("clone", "--mirror", tankard.url(project.path), folder)
    tankard.wait_stored()
    get(tankard, project)
    tankard.wait_quiet()


def bands_of(body):
    """(length, band) of each pkt-line in a band."""
    return [(len(p) + 4, p[0]) for p in pkt.read(body) if isinstance(p, bytes) and p[:1] in (b"\1", b"\2", b"\3")]


@pytest.mark.parametrize("protocol", [0, 1])
def test_the_first_clone_is_the_only_one_that_costs_the_host_a_pack(tankard, faults, git, project, tmp_path, protocol):
    outcomes = []
    for n in range(4):
        mark = tankard.log_mark()
        git.check("-c", f"protocol.version={protocol}", "clone", "--mirror", tankard.url(project.path), tmp_path / f"c{n}")
        git.same_content(project.folder, tmp_path / f"c{n}")
        outcomes += tankard.outcomes("fetch", since=mark)
        tankard.wait_stored()
        tankard.wait_quiet()
    assert outcomes[0] == "miss" and set(outcomes[1:]) <= {"local", "hit"} and outcomes[-1] == "hit"
    assert len(packs(faults)) == 1
    git.fsck(tmp_path / "c3")


def test_a_herd_costs_one_pack(tankard, faults, git, project, tmp_path):
    gate = Gate()
    faults.on(HoldBody(gate, after=4096), kind="fetch", times=None)
    threads = [in_background(lambda n=n: git.run("-c", "protocol.version=0", "clone", "--bare", tankard.url(project.path), tmp_path / f"c{n}", timeout=240))
               for n in range(8)]
    gate.wait_arrived(1)
    wait_until(lambda: tankard.metric("tankard_collapsed_requests_total", operation="fetch") == 7, "seven clients follow the first")
    gate.open()
    for thread, _ in threads:
        thread.join()
    assert all(result[0].ok for _, result in threads), threads
    for n in range(len(threads)):
        git.same_content(project.folder, tmp_path / f"c{n}")
    assert len(packs(faults)) == 1


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("acks", ACKS)
@pytest.mark.parametrize("bands", BANDS)
def test_every_framing_is_answered_as_the_host_does(tankard, faults, host, git, project, tmp_path, bands, acks, done):
    mirrored(tankard, git, project, tmp_path / "warm")
    words = f"{bands} {acks} ofs-delta".strip()
    haves = [project.oid("main~1"), "1" * 40]
    for needs in ((), ("deepen 2",)):
        body = pkt.old_fetch([project.oid("main")], haves, done, words, needs)
        wanted = direct(host, project, body)
        mark = faults.mark()
        for life in ("first", "again", "from the pack cache", "offline"):
            tankard.switch(life != "offline")
            answer, outcome = verdict(tankard, lambda b=body: post(tankard, project, b))
            assert (answer.status, answer.whole) == (200, True)
            assert outcome in ("local", "hit"), life
            tankard.wait_quiet()  # who comes sooner follows the answer that is being kept
            name = f"{len(needs)}-{life.replace(' ', '-')}"
            mine, theirs = (read_answer(git, tmp_path / f"{name}-{who}", b) for who, b in (("a", answer.body), ("b", wanted.body)))
            assert mine == theirs, life
            if bands == "side-band":
                assert all(size <= 1000 for size, _ in bands_of(answer.body))
        tankard.switch(True)
        assert faults.count("fetch", since=mark) == 0


@pytest.mark.parametrize("bands", BANDS)
def test_a_bare_clone_makes_a_store_and_is_kept(tankard, faults, host, git, project, tmp_path, bands):
    get(tankard, project)
    body = pkt.old_fetch(sorted(set(project.refs().values())), capabilities=f"{bands} ofs-delta".strip())
    wanted = read_answer(git, tmp_path / "wanted", direct(host, project, body).body)
    outcomes = []
    for n in range(3):
        answer, outcome = verdict(tankard, lambda: post(tankard, project, body))
        outcomes.append(outcome)
        assert read_answer(git, tmp_path / f"c{n}", answer.body) == wanted
        tankard.wait_stored()
        tankard.wait_quiet()
    assert outcomes[0] == "miss" and outcomes[-1] == "hit" and len(packs(faults)) == 1
    tankard.switch(False)
    answer, outcome = verdict(tankard, lambda: post(tankard, project, body))
    assert outcome == "hit" and read_answer(git, tmp_path / "offline", answer.body) == wanted


def test_one_framing_is_never_answered_with_another(tankard, git, project, tmp_path):
    mirrored(tankard, git, project, tmp_path / "warm")
    wants, before = [project.oid("main")], tankard.metric("tankard_pack_cache_entries")
    bodies = {bands: pkt.old_fetch(wants, capabilities=f"{bands} ofs-delta no-progress".strip()) for bands in BANDS}
    for _ in range(4):
        for bands, body in bodies.items():
            answer = post(tankard, project, body).body
            sizes = bands_of(answer)[:1] if bands else []
            assert answer.startswith(b"0008NAK\nPACK") == (bands == ""), bands
            assert not sizes or (sizes[0][0] <= 1000) == (bands == "side-band"), (bands, sizes)
        assert tankard.command(project.path, pkt.fetch(wants, (), True, "ofs-delta", "no-progress")).body.startswith(b"000dpackfile\n")
    wait_until(lambda: tankard.metric("tankard_pack_cache_entries") == before + 4, "each is kept for itself")


@pytest.mark.parametrize("words, told", [("side-band-64k", True), ("side-band", True), ("", False), ("side-band-64k no-progress", False)])
def test_the_age_of_the_refs_is_told_where_there_is_a_band_for_it(tankard, git, project, tmp_path, words, told):
    mirrored(tankard, git, project, tmp_path / "warm")
    tankard.switch(False)
    get(tankard, project)
    body = pkt.old_fetch([project.oid("main")], capabilities=f"{words} ofs-delta".strip())
    outcomes = []
    for n in range(4):
        answer, outcome = verdict(tankard, lambda: post(tankard, project, body))
        outcomes.append(outcome)
        assert (b"\2tankard: " in answer.body) == told
        assert (b"unreachable for" in answer.body) == told
        lines, objects = read_answer(git, tmp_path / f"a{n}", answer.body)
        assert lines == [b"NAK\n"] and objects
    assert outcomes[-1] == "hit"


def test_git_shows_the_line(tankard, git, project, tmp_path):
    mirrored(tankard, git, project, tmp_path / "warm")
    tankard.switch(False)
    for n in range(3):
        result = git.run("-c", "protocol.version=0", "clone", "--progress", tankard.url(project.path), tmp_path / f"c{n}")
        assert result.ok and "remote: tankard:" in result.err and "refs are" in result.err, result


class TestShortAnswers:
    """An answer without a pack is a right one, and never kept."""

    def test_acknowledgments_alone(self, tankard, host, git, project, tmp_path):
        mirrored(tankard, git, project, tmp_path / "warm")
        kept = tankard.metric("tankard_pack_cache_entries")
        body = pkt.old_fetch([project.oid("main")], ["1" * 40], done=False)
        for _ in range(3):
            answer, outcome = verdict(tankard, lambda: post(tankard, project, body))
            assert answer.body == direct(host, project, body).body == b"0008NAK\n" and outcome == "local"
        assert tankard.metric("tankard_pack_cache_entries") == kept

    @pytest.mark.parametrize("needs", [["deepen 1"], []])
    def test_a_client_that_asks_what_is_shallow(self, tankard, host, git, project, tmp_path, needs):
        mirrored(tankard, git, project, tmp_path / "warm")
        body = pkt.lines(f"want {project.oid('main')} side-band-64k multi_ack_detailed", *needs, pkt.FLUSH)
        wanted, kept = direct(host, project, body), tankard.metric("tankard_pack_cache_entries")
        assert bool(wanted.body) == bool(needs)
        for enabled in (True, True, True, False):
            tankard.switch(enabled)
            answer, outcome = verdict(tankard, lambda: post(tankard, project, body))
            assert (answer.status, answer.body, answer.whole, outcome) == (200, wanted.body, True, "local")
        assert tankard.metric("tankard_pack_cache_entries") == kept


def test_a_child_that_answers_before_it_has_read_all_is_not_waited_for(tankard, host, git, project, tmp_path):
    """Each have is acknowledged as it is read: more than two pipes hold, in both directions."""
    mirrored(tankard, git, project, tmp_path / "warm")
    body = pkt.old_fetch([project.oid("main")], [project.oid("main~1")] * 20000, done=False, capabilities="multi_ack_detailed side-band-64k")
    wanted = direct(host, project, body).body
    assert len(wanted) > 1 << 20
    for enabled in (True, False):
        tankard.switch(enabled)
        answer, outcome = verdict(tankard, lambda: post(tankard, project, body))
        assert answer.body == wanted and outcome == "local"
    assert tankard.metric("tankard_children") == 0


class TestWhatNoListingShows:
    """In v0 the host may refuse such a want, so it is asked; away, what is reachable from what was listed is there."""

    @pytest.fixture
    def body(self, tankard, git, project, tmp_path):
        mirrored(tankard, git, project, tmp_path / "warm")
        listed = set(project.refs().values())
        want = next(oid for oid in git.check("rev-list", "main", cwd=project.folder).split() if oid not in listed)
        return pkt.old_fetch([want], capabilities="side-band-64k ofs-delta no-progress")

    def test_is_the_hosts_to_give(self, tankard, faults, host, git, project, tmp_path, body):
        mark = faults.mark()
        wanted = read_answer(git, tmp_path / "wanted", direct(host, project, body).body)
        answer, outcome = verdict(tankard, lambda: post(tankard, project, body))
        assert read_answer(git, tmp_path / "a", answer.body) == wanted
        assert outcome == "bypass" and faults.count("fetch", since=mark) == 1

    def test_is_there_in_an_outage(self, tankard, faults, host, git, project, tmp_path, body):
        wanted = read_answer(git, tmp_path / "wanted", direct(host, project, body).body)
        tankard.switch(False)
        answer, outcome = verdict(tankard, lambda: post(tankard, project, body))
        assert read_answer(git, tmp_path / "a", answer.body) == wanted and outcome == "local"

    def test_is_the_hosts_to_refuse(self, tankard, faults, project, body):
        refused = pkt.line(b"ERR upload-pack: not our ref")
        faults.on(Respond(200, {"Content-Type": "application/x-git-upload-pack-result"}, refused), kind="fetch")
        answer, outcome = verdict(tankard, lambda: post(tankard, project, body))
        assert answer.body == refused and outcome == "bypass"
