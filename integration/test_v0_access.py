"""Listings of protocol v0 and v1 are shown to whom those of v2 would be: whoever was allowed, and nobody else."""
import pytest

from support import pkt
from support.access import restart_in_an_outage, visit
from support.access_upstream import CHALLENGE, AccessUpstream
from support.fault_proxy import Respond
from support.traces import objects_in, told
from support.upstream import OldUpstream

LISTING = "info/refs?service=git-upload-pack"
OLD_VERSIONS = ([], [("Git-Protocol", "version=1")])


@pytest.fixture(scope="module")
def host():
    with AccessUpstream() as upstream:
        yield upstream


@pytest.fixture(params=OLD_VERSIONS, ids=["v0", "v1"])
def get(request, tankard):
    """get(repository, headers) -> the listing, as an old client asks for it."""
    return lambda repository, headers=(): tankard.ask("GET", tankard.target(repository.path, LISTING), [*request.param, *headers])


@pytest.fixture
def tankard(run_tankard, clock):
    return run_tankard(clock=clock)


@pytest.fixture
def open_to_all(host, life, ann):
    repository = life("public", ann)
    host.make_public(repository.path)
    return repository


def shows(answer, repository):
    return answer.status == 200 and answer.whole and repository.listing.items() <= old_listing(answer.body).items()


def old_listing(body):
    """{ref: oid} of a listing in v0 or v1."""
    found = {}
    for line in pkt.read(body):
        words = line.split(b"\0")[0].decode().strip().split(" ") if isinstance(line, bytes) else []
        if len(words) == 2 and len(words[0]) == 40:
            found[words[1]] = words[0]
    return found


def is_silent(answer, repository, statuses):
    return answer.status in statuses and told(answer, [repository]) == set()


def test_who_was_allowed_sees_it_in_an_outage_and_nobody_else(tankard, faults, get, ann, bob, life):
    secret = life("secret", ann)
    assert get(secret).status == 401
    assert shows(get(secret, ann.header), secret)
    assert is_silent(get(secret, bob.header), secret, [403])
    tankard.wait_quiet()
    tankard.wait_written()
    for _ in range(2):
        tankard.switch(False)
        assert shows(get(secret, ann.header), secret)
        login = get(secret)
        assert is_silent(login, secret, [401]) and login.all("WWW-Authenticate") == [CHALLENGE]
        for stranger in (bob.header, ann.with_wrong_password()):
            answer = get(secret, stranger)
            assert is_silent(answer, secret, [503]) and int(answer.header("Retry-After")) > 0, answer
        restart_in_an_outage(tankard, faults)


def fetch(tankard, repository, headers=()):
    return tankard.ask("POST", tankard.target(repository.path, "git-upload-pack"),
                       [("Content-Type", "application/x-git-upload-pack-request"), *headers], pkt.old_fetch([repository.tip]))


def sends(answer, repository):
    pack = b"".join(line[1:] for line in pkt.read(answer.body) if isinstance(line, bytes) and line[:1] == b"\1")
    return answer.status == 200 and answer.whole and repository.is_told_in(objects_in(pack))


def test_what_was_fetched_is_sent_to_who_may_see_it_and_nobody_else(tankard, faults, get, ann, bob, life, clock):
    """An allow that is older than a minute is confirmed by a question in v0: nothing tells that the host speaks v2."""
    secret = life("secret", ann)
    get(secret, ann.header)
    for _ in range(3):
        assert sends(fetch(tankard, secret, ann.header), secret)
        tankard.wait_stored()
    for stranger, status in ((), 401), (bob.header, 403):
        answer = fetch(tankard, secret, stranger)
        assert is_silent(answer, secret, [status]) and b"PACK" not in answer.body
    clock.passes(minutes=2)
    mark = faults.mark()
    assert sends(fetch(tankard, secret, ann.header), secret)
    asked, = faults.seen(since=mark)
    assert asked.kind == "advertisement" and asked.header("Git-Protocol") is None
    tankard.switch(False)
    assert sends(fetch(tankard, secret, ann.header), secret)
    for stranger, status in ((), 401), (bob.header, 503):
        answer = fetch(tankard, secret, stranger)
        assert is_silent(answer, secret, [status]) and b"PACK" not in answer.body


def test_each_asks_with_its_own_credential_while_the_host_is_there(tankard, faults, get, ann, bob, secret):
    for person in (ann, bob):
        assert shows(get(secret, person.header), secret)
    asked = [r.header("Authorization") for r in faults.seen("advertisement")]
    assert asked == [ann.header[0][1], bob.header[0][1]]


@pytest.mark.parametrize("status", [403, 404])
def test_a_denial_ends_what_was_allowed(tankard, host, get, ann, secret, status):
    assert shows(get(secret, ann.header), secret)
    host.refuse_with(status)
    try:
        host.forbid(secret.path, ann.name)
        assert is_silent(get(secret, ann.header), secret, [status])
        host.allow(secret.path, ann.name)
        tankard.switch(False)
        assert is_silent(get(secret, ann.header), secret, [503])
    finally:
        host.refuse_with(403)


def test_grace_ends(tankard, faults, clock, get, ann, secret):
    assert shows(get(secret, ann.header), secret)
    tankard.switch(False)
    clock.passes(hours=11)
    assert shows(get(secret, ann.header), secret)
    clock.passes(hours=2)
    assert is_silent(get(secret, ann.header), secret, [503])


def test_what_was_listed_to_a_credential_is_not_public(tankard, get, ann, secret):
    assert shows(get(secret, ann.header), secret)
    tankard.switch(False)
    assert is_silent(get(secret), secret, [401])


def test_public_is_shown_to_everybody_and_learned_from_a_listing_without_credential(tankard, get, bob, open_to_all):
    assert shows(get(open_to_all), open_to_all)
    tankard.switch(False)
    assert shows(get(open_to_all), open_to_all)
    assert shows(get(open_to_all, bob.header), open_to_all)


def test_made_private_it_is_public_no_more(tankard, host, get, ann, open_to_all):
    assert shows(get(open_to_all), open_to_all)
    host.make_private(open_to_all.path)
    assert get(open_to_all).status == 401
    tankard.switch(False)
    assert is_silent(get(open_to_all), open_to_all, [401])
    assert is_silent(get(open_to_all, ann.header), open_to_all, [503])


def test_public_never_is_never(run_tankard, faults, get, open_to_all, tankard):
    assert shows(get(open_to_all), open_to_all)
    tankard.wait_written()
    tankard.restart("--set", f"upstream.{tankard.name}.public=never")
    assert shows(get(open_to_all), open_to_all), "the host says so itself"
    tankard.switch(False)
    assert not shows(get(open_to_all), open_to_all) and not old_listing(get(open_to_all).body)


def test_a_v2_client_and_an_old_one_share_what_each_was_allowed(tankard, get, ann, bob, secret):
    visit(tankard, secret, ann)
    assert shows(get(secret, bob.header), secret)
    tankard.switch(False)
    assert shows(get(secret, bob.header), secret)
    assert shows(get(secret, ann.header), secret), "allowed by its own fetch, listed by another's question"


def test_an_err_inside_a_200_is_a_denial(tankard, faults, get, ann, secret):
    assert shows(get(secret, ann.header), secret)
    no = Respond(200, {"Content-Type": "application/x-git-upload-pack-advertisement"}, pkt.line("ERR FATAL: R any DENIED by fallthru\n"))
    faults.on(no, times=1, kind="advertisement")
    assert b"DENIED" in get(secret, ann.header).body
    tankard.switch(False)
    assert is_silent(get(secret, ann.header), secret, [503])


def test_a_404_is_remembered_for_who_was_told_it(tankard, faults, get, ann, bob, secret):
    faults.on(Respond(404), times=1, kind="advertisement")
    for _ in range(2):
        assert get(secret, ann.header).status == 404
    assert faults.count("advertisement") == 1
    assert shows(get(secret, bob.header), secret)


def test_another_users_tables_with_auth_scope_user(run_tankard, faults, ann, bob, secret):
    tankard = run_tankard(settings={f"upstream.{faults.name}.auth.scope": "user"})

    def listing(person):
        return tankard.ask("GET", tankard.target(secret.path, LISTING), person.header)
    assert shows(listing(ann), secret)
    tankard.switch(False)
    assert shows(listing(ann), secret)
    assert is_silent(listing(bob), secret, [503])


class TestOldHost:
    """tankard's own questions are put to a host without v2 so that it understands them."""

    @pytest.fixture
    def scene(self, run_tankard, git):
        from support.traces import Life
        with OldUpstream() as upstream:
            repository = Life(git, upstream.path("old.git"), "old")
            repository.path = "old.git"
            from support.fault_proxy import FaultProxy
            with FaultProxy(upstream.port) as faults:
                yield run_tankard(upstreams=faults), faults, repository

    def test_a_stranger_who_is_refused_ends_nothing_for_others(self, scene):
        tankard, faults, repository = scene
        get = tankard.ask("GET", tankard.target(repository.path, LISTING), [("Git-Protocol", "version=2")])
        assert shows(get, repository)
        faults.on(Respond(403), times=1, kind="fetch")
        body = pkt.old_fetch([repository.tip])
        refused = tankard.ask("POST", tankard.target(repository.path, "git-upload-pack"),
                              [("Content-Type", "application/x-git-upload-pack-request")], body)
        assert refused.status == 403
        assert faults.count("ls-refs") == 0, "it would not understand"
        tankard.switch(False)
        assert shows(tankard.ask("GET", tankard.target(repository.path, LISTING)), repository)

    def test_a_v2_question_to_it_is_answered_by_it(self, scene):
        """Whoever sends one all the same: nothing of the listing is lost by it, and nothing is made up."""
        tankard, faults, repository = scene
        tankard.ask("GET", tankard.target(repository.path, LISTING), [("Git-Protocol", "version=2")])
        answer = tankard.ls_refs(repository.path, "HEAD")
        assert told(answer, [repository]) == set() or pkt.listing(answer.body)["HEAD"] == repository.tip
        tankard.switch(False)
        assert shows(tankard.ask("GET", tankard.target(repository.path, LISTING)), repository)
