"""What comes too late, too early or from the wrong mouth changes nothing of who may see what, and what upstream says of
tankard's own account stays between the two."""
import os
import threading

import pytest

from support import pkt
from support.access import ask_all, is_refused, is_shown, must_come_later, must_log_in, restart_in_an_outage, visit
from support.access_upstream import AccessUpstream
from support.fault_proxy import Edit, Gate, Hang, HoldBody, Respond
from support.files import HeldFile, place
from support.processes import wait_until
from support.traces import PREFIXES, told

NO_OBJECT = "1" * 40


@pytest.fixture(scope="module")
def host():
    with AccessUpstream() as upstream:
        yield upstream


@pytest.fixture
def tankard(run_tankard, clock):
    return run_tankard(clock=clock)


@pytest.fixture
def known(tankard, host, life, ann):
    """A public repository that tankard has all of, on disk."""
    known = life("public", ann)
    host.make_public(known.path)
    visit(tankard, known)
    tankard.wait_stored()
    tankard.wait_written()
    return known


def old_client(tankard, repository, headers=()):
    """What git asks that speaks protocol v0."""
    return tankard.ask("GET", tankard.target(repository.path, "info/refs?service=git-upload-pack"), headers)


def a_file_of_the_store(tankard, suffix):
    return next(name for name in tankard.files() if "/repos/" in name and name.endswith(suffix))


def is_denied(tankard, repository, person):
    """Told by upstream, and taken in."""
    return tankard.advertisement(repository.path, person.header).status == 403


def beside(ask, *arguments, **more):
    """Asks in a thread of its own: beside(...)() is the answer."""
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(*arguments, **more)))
    asking.start()

    def answer():
        asking.join()
        return answers[0]
    return answer


def held_after_it_was_given(gate):
    """Upstream answers at once, and its answer arrives when the gate opens."""
    def late(status, headers, body):
        gate.wait()
        return status, headers, body
    return Edit(late)


class TestStrangersQuestions:
    """Anybody may ask something that a host refuses. Whether a repository is public is what it says to tankard's own question."""

    @pytest.mark.parametrize("status, more", [(403, ()), (404, ()), (404, [("X-Anything", "one")])], ids=["403", "404", "404 to somebody"])
    def test_a_fetch_that_is_refused_ends_nothing_for_others(self, tankard, faults, known, status, more):
        faults.on(Respond(status), times=None, where=lambda r: "oddbot" in (r.header("User-Agent") or ""))
        assert tankard.ls_refs(known.path, *PREFIXES, headers=more).status == 200
        answer = tankard.fetch(known.path, NO_OBJECT, headers=[("User-Agent", "oddbot"), *more])
        assert answer.status == status
        assert pkt.listing(tankard.ls_refs(known.path, *PREFIXES).body) == known.listing
        restart_in_an_outage(tankard, faults)
        is_shown(tankard, known, ())

    def test_an_old_client_that_is_refused_ends_nothing_for_others(self, tankard, faults, known):
        faults.on(Respond(403), times=None, where=lambda r: "oddbot" in (r.header("User-Agent") or ""))
        assert old_client(tankard, known, [("User-Agent", "oddbot")]).status == 200, "asked in tankard's own words"
        refused = tankard.ask("POST", tankard.target(known.path, "git-upload-pack"),
                              [("User-Agent", "oddbot"), ("Content-Type", "application/x-git-upload-pack-request")], pkt.old_fetch([NO_OBJECT]))
        assert refused.status == 403
        restart_in_an_outage(tankard, faults)
        is_shown(tankard, known, ())

    def test_an_odd_question_that_a_host_cannot_answer_ends_nothing(self, tankard, faults, known):
        """JGit says ERR, with 200, to what it does not understand."""
        error = pkt.line("ERR unexpected packet line")
        faults.on(Edit(lambda status, headers, body: (200, headers, error)), times=None, kind="ls-refs", where=lambda r: b"odd-one" in r.body)
        assert not pkt.listing(tankard.ls_refs(known.path, "odd-one").body)
        restart_in_an_outage(tankard, faults)
        is_shown(tankard, known, ())

    @pytest.mark.parametrize("asks", ["a fetch", "an odd listing", "an old client"])
    def test_made_private_the_first_question_of_anybody_ends_it(self, tankard, host, faults, known, asks):
        """Also a question within the minute in which publicness needs no confirmation."""
        host.make_private(known.path)
        first = {"a fetch": lambda: tankard.fetch(known.path, NO_OBJECT), "an odd listing": lambda: tankard.ls_refs(known.path, "odd-one"),
                 "an old client": lambda: old_client(tankard, known)}[asks]()
        assert first.status == 401
        restart_in_an_outage(tankard, faults)
        must_log_in(tankard, known)

    def test_made_private_nothing_of_it_stays_on_disk(self, tankard, host, known):
        assert tankard.files(".pack")
        host.make_private(known.path)
        assert tankard.ls_refs(known.path, *PREFIXES).status == 401
        wait_until(lambda: not tankard.files(".pack"), "the objects are removed")


class TestRateLimits:
    """A 403 that says in its body that it is a rate limit is no denial, whoever met it."""

    @pytest.mark.parametrize("asks, who", [("a fetch", "nobody"), ("a fetch", "ann"), ("an old client", "ann")])
    def test_it_takes_nothing_from_anybody(self, tankard, faults, ann, known, secret, who, asks):
        visit(tankard, secret, ann)
        repository, headers = (known, ()) if who == "nobody" else (secret, ann.header)
        faults.on(Respond(403, {"Content-Type": "text/plain"}, b"You have exceeded a secondary rate limit. Please wait."), times=None)
        mark = faults.mark()
        if asks == "a fetch":
            tankard.fetch(repository.path, NO_OBJECT, headers=headers)
        else:
            old_client(tankard, repository, headers)
        assert faults.seen(since=mark)
        restart_in_an_outage(tankard, faults)
        is_shown(tankard, repository, headers)

    def test_one_that_is_too_long_to_be_read_takes_nothing_when_a_sync_meets_it(self, tankard, faults, ann, secret):
        visit(tankard, secret, ann)
        tankard.wait_stored()
        tankard.wait_quiet()
        secret.add_commit()
        faults.on(Respond(403, {"Content-Type": "text/plain"}, b"You have exceeded. " * 5000), times=None, kind="fetch")
        assert tankard.ls_refs(secret.path, *PREFIXES, headers=ann.header).status == 200
        (failed,) = tankard.wait_event("keep-failed")
        assert "403" in failed["cause"]
        tankard.switch(False)
        assert tankard.advertisement(secret.path, ann.header).status == 200


class TestTooLate:
    """Answers that cross each other, and clients who wait while others are told no."""

    @pytest.mark.parametrize("refused", ["bob", "nobody"])
    def test_who_is_refused_while_he_waits_is_not_given_what_another_one_brings(self, tankard, host, faults, ann, bob, known, secret, refused):
        repository, headers, status = (secret, bob.header, 403) if refused == "bob" else (known, (), 401)
        for one in (ann.header, headers):
            for answer in ask_all(tankard, repository, one):
                assert answer.status == 200, answer
            tankard.wait_quiet()
        old, new = repository.tip, repository.add_commit(content=repository.mark.encode())
        broken = Gate()
        faults.on(Hang(broken, then=Respond(500)), kind="fetch")
        for one in (ann.header, headers):
            assert tankard.ls_refs(repository.path, *PREFIXES, headers=one).status == 200
        broken.wait_arrived()   # the first attempt to bring the new commit; the two join in the second one
        mark = faults.mark()
        his = beside(tankard.fetch, repository.path, new, headers=headers)
        tankard.wait_metric("tankard_in_flight_requests", lambda n: n >= 1)
        assert told(tankard.fetch(repository.path, old, headers=headers), [repository], but=[old])   # came later, by the same way
        hers = beside(tankard.fetch, repository.path, new, headers=ann.header)
        tankard.wait_metric("tankard_in_flight_requests", lambda n: n >= 2)
        host.forbid(repository.path, bob.name)
        host.make_private(repository.path)
        broken.open()
        answer = his()
        assert answer.status == status and b"PACK" not in answer.body and not told(answer, [repository], but=[new]), answer
        answer = hers()
        assert answer.status == 200 and told(answer, [repository], but=[new]), answer
        first = faults.seen("fetch", since=mark)[0]
        assert first.status == status, "he was asked about before she was"

    def test_a_yes_that_another_one_s_overtakes_is_a_yes(self, tankard, faults, ann, bob, secret):
        gate = Gate()
        faults.on(Hang(gate), kind="ls-refs", where=lambda r: r.header("Authorization") == bob.header[0][1])
        his = beside(tankard.ls_refs, secret.path, *PREFIXES, headers=bob.header)
        gate.wait_arrived()
        assert tankard.ls_refs(secret.path, *PREFIXES, headers=ann.header).status == 200
        gate.open()
        assert pkt.listing(his().body) == secret.listing
        visit(tankard, secret, ann)
        tankard.wait_stored()
        tankard.switch(False)
        is_shown(tankard, secret, bob.header)

    def test_a_no_to_what_is_not_known_yet_outlives_the_yes_before_it(self, tankard, host, faults, ann, secret):
        gate = Gate()
        faults.on(held_after_it_was_given(gate), kind="ls-refs")
        hers = beside(tankard.ls_refs, secret.path, *PREFIXES, headers=ann.header)
        gate.wait_arrived()
        host.forbid(secret.path, ann.name)
        assert tankard.advertisement(secret.path, ann.header).status == 403
        gate.open()
        assert pkt.listing(hers().body) == secret.listing, "upstream said so when it was asked"
        tankard.switch(False)
        must_come_later(tankard, secret, ann.header)

    @pytest.mark.parametrize("when", ["upstream is slow", "upstream is away"])
    def test_who_is_refused_while_his_listing_is_made_is_not_given_it(self, run_tankard, host, faults, ann, bob, secret, when):
        """A listing out of memory that shows what the store can serve waits for the store to be opened."""
        tankard = run_tankard(settings={"ls_refs.patience": "2s"})
        for one in (ann, bob):
            visit(tankard, secret, one)
        tankard.wait_stored()
        tankard.wait_written()
        tankard.restart()
        held = HeldFile(a_file_of_the_store(tankard, ".idx"))
        slow = Gate()
        if when == "upstream is slow":
            faults.on(Hang(slow, then=Respond(500)), kind="ls-refs")
        else:
            faults.on(Respond(500), kind="ls-refs")
        his = beside(tankard.ls_refs, secret.path, *PREFIXES, headers=bob.header)
        held.wait_read(tankard)
        host.forbid(secret.path, bob.name)
        assert is_denied(tankard, secret, bob)
        held.let_go()
        answer = his()
        slow.open()
        assert answer.status == (403 if when == "upstream is slow" else 503) and not told(answer, [secret]), answer

    def test_who_is_refused_before_the_first_byte_of_a_spool_is_not_given_it(self, tankard, host, faults, ann, bob, secret):
        for one in (ann, bob):
            assert tankard.ls_refs(secret.path, *PREFIXES, headers=one.header).status == 200
        gate = Gate()
        faults.on(HoldBody(gate, after=10), kind="fetch")   # it has begun, and no pkt-line of it is whole
        hers = beside(tankard.fetch, secret.path, secret.tip, headers=ann.header)
        gate.wait_arrived()
        his = beside(tankard.fetch, secret.path, secret.tip, headers=bob.header)
        tankard.wait_metric("tankard_in_flight_requests", lambda n: n >= 2)
        host.forbid(secret.path, bob.name)
        assert is_denied(tankard, secret, bob)
        gate.open()
        answer = his()
        assert answer.status == 403 and not told(answer, [secret], but=[secret.tip]), answer
        assert told(hers(), [secret], but=[secret.tip])

    @pytest.mark.parametrize("how", ["to be shared", "for himself"])
    def test_who_is_refused_while_git_packs_for_him_is_not_given_it(self, tankard, host, ann, bob, secret, how):
        visit(tankard, secret, ann)
        tankard.wait_stored()
        assert tankard.ls_refs(secret.path, *PREFIXES, headers=bob.header).status == 200
        held = HeldFile(a_file_of_the_store(tankard, "/config"))
        wants = [secret.tip]
        his = beside(tankard.command, secret.path, pkt.fetch(wants, (), True, *([] if how == "to be shared" else ["deepen 1"])), bob.header)
        held.wait_read(tankard)
        host.forbid(secret.path, bob.name)
        assert is_denied(tankard, secret, bob)
        held.let_go()
        answer = his()
        assert answer.status == 403 and not told(answer, [secret], but=wants), answer

    def test_who_asks_for_what_is_public_pushes_nobody_out_of_memory(self, run_tankard, host, life, ann, secret):
        tankard = run_tankard(settings={"auth.max_decisions": "2"})
        public = life("public")
        host.make_public(public.path)
        visit(tankard, public)
        visit(tankard, secret, ann)
        for n in range(6):
            assert tankard.ls_refs(public.path, *PREFIXES, headers=[("X-Anything", str(n))]).status == 200
        tankard.switch(False)
        is_shown(tankard, secret, ann.header)


class TestTroubleOnDisk:
    """A no holds over a restart also where the disk was in trouble when it came."""

    @pytest.mark.parametrize("who, asks", [
        ("ann", "ls-refs"), ("nobody", "advertisement"), ("nobody", "ls-refs")])
    def test_what_could_not_be_read_when_it_was_denied_is_given_up(self, tankard, host, faults, ann, known, secret, tmp_path, who, asks):
        if who == "ann":
            before = set(tankard.snapshots())
            visit(tankard, secret, ann)
            tankard.wait_stored(2)
            tankard.wait_written()
            [file] = set(tankard.snapshots()) - before
            repository, headers = secret, ann.header
        else:
            [file] = tankard.snapshots()
            repository, headers = known, ()
        tankard.restart()
        knot, real = tmp_path / "knot", tmp_path / "real"
        os.rename(file, real)
        os.symlink(knot, knot)   # whoever opens it fails: ELOOP stands for EMFILE, EACCES, ENOMEM
        os.symlink(knot, file)
        host.make_private(repository.path)
        host.forbid(repository.path, ann.name)
        ask = tankard.advertisement if asks == "advertisement" else tankard.ls_refs
        assert ask(repository.path, headers=headers).status == (403 if who == "ann" else 401)
        os.rename(real, knot)    # it could be read again, if it were there
        restart_in_an_outage(tankard, faults)
        must_come_later(tankard, repository, headers) if who == "ann" else must_log_in(tankard, repository)

    def test_what_could_not_be_written_when_it_was_made_private_is_given_up(self, tankard, host, faults, known):
        [file] = tankard.snapshots()
        in_the_way = file.removesuffix(".snapshot") + ".tankard-tmp"
        os.mkdir(in_the_way)     # stands for a full disk
        host.make_private(known.path)
        assert tankard.ls_refs(known.path, *PREFIXES).status == 401
        tankard.kill()
        os.rmdir(in_the_way)
        restart_in_an_outage(tankard, faults)
        must_log_in(tankard, known)


class TestPurge:
    def purge(self, tankard, repository):
        return tankard.admin("DELETE", f"/api/v1/repositories/{tankard.name}/{repository.path}", token=tankard.token())

    def names_refs(self, tankard, repository):
        for name in tankard.snapshots():
            with open(name, "rb") as file:
                yield repository.mark.encode() in file.read()

    def test_what_was_purged_is_shown_to_nobody_and_not_on_disk(self, tankard, faults, ann, secret):
        visit(tankard, secret, ann)
        tankard.wait_stored()
        tankard.wait_written()
        assert any(self.names_refs(tankard, secret))
        answer = self.purge(tankard, secret)
        assert answer.status == 200 and answer.json == {"purged": True, "was_known": True}
        assert not tankard.files(".pack") and not any(self.names_refs(tankard, secret))
        for begins_outage in (lambda: tankard.switch(False), lambda: restart_in_an_outage(tankard, faults)):
            begins_outage()
            must_come_later(tankard, secret, ann.header)

    def test_what_cannot_be_found_by_its_name_is_not_said_to_be_purged(self, run_tankard, faults, ann, secret):
        tankard = run_tankard(settings={f"upstream.{faults.name}.auth.scope": "user"})
        visit(tankard, secret, ann)
        answer = self.purge(tankard, secret)
        assert answer.status == 409 and "auth.scope" in answer.json["error"], answer


# What upstream may tell of tankard's own account, beside what was asked.
OF_THE_ACCOUNT = [("Set-Cookie", "_session=of-corp-bot"), ("X-OAuth-Scopes", "admin:org, repo of corp-bot"), ("X-Account", "corp-bot")]
QUESTIONS = {
    "advertisement": lambda tankard, repository: tankard.advertisement(repository.path),
    "listing": lambda tankard, repository: tankard.ls_refs(repository.path, *PREFIXES),
    "fetch": lambda tankard, repository: tankard.fetch(repository.path, repository.tip),
    "old client": old_client,
    "dumb client": lambda tankard, repository: tankard.ask("GET", tankard.target(repository.path, "HEAD")),
}


def tells_of_the_account(answer):
    return b"corp-bot" in repr(answer.headers).encode() + answer.body or any(answer.header(name) for name, _ in OF_THE_ACCOUNT)


@pytest.fixture
def as_ann(service, clock, ann, tmp_path):
    """A tankard in service mode that asks upstream with ann's name; everybody is admitted."""
    own = {"user": ann.name, "secret_file": place(tmp_path / "own", ann.password + "\n")}
    return service(credential=own, clock=clock, networks="127.0.0.0/8")


class TestTankardsOwnAccount:
    """In service mode upstream talks to tankard about tankard's account; clients are told of the repository, and no more."""

    @pytest.fixture
    def tankard(self, as_ann):
        return as_ann

    def ask_each(self, tankard, clock, faults, repository):
        """Every answer, each of them given after upstream was asked."""
        for asks, ask in QUESTIONS.items():
            clock.passes(minutes=20)   # nothing of what upstream said before holds it back
            mark = faults.mark()
            answer = ask(tankard, repository)
            assert faults.seen(since=mark), f"upstream is asked for the {asks}"
            assert not tells_of_the_account(answer), (asks, answer)
            yield answer

    def test_no_session_and_no_header_of_the_account_reaches_a_client(self, tankard, clock, faults, secret):
        faults.on(Edit(lambda status, headers, body: (status, [*headers, *OF_THE_ACCOUNT], body)), times=None)
        for answer in self.ask_each(tankard, clock, faults, secret):
            assert answer.status == 200 and answer.header("Content-Type"), answer

    @pytest.mark.parametrize("status, said, more", [
        (403, b"corp-bot may not see this", []), (404, b"there is nothing for corp-bot", []),
        (403, b"API rate limit exceeded for user ID 4711 (corp-bot)", [("Retry-After", "60")]),
        (429, b"too many requests of corp-bot", [("Retry-After", "60")])], ids=["403", "404", "403 limited", "429"])
    def test_what_upstream_says_when_it_refuses_reaches_no_client(self, tankard, clock, faults, secret, status, said, more):
        faults.on(Respond(status, [*more, *OF_THE_ACCOUNT, ("WWW-Authenticate", 'Basic realm="corp-bot"')], said), times=None)
        for answer in self.ask_each(tankard, clock, faults, secret):
            assert answer.status not in (401, 403) and not told(answer, [secret], but=secret.tips()), answer
            assert b"tankard: " in answer.body and answer.header("WWW-Authenticate") is None, answer

    @pytest.mark.parametrize("asks", ["fetch", "old client", "dumb client"])
    def test_what_upstream_says_when_it_is_unwell_reaches_no_client(self, tankard, faults, secret, asks):
        faults.on(Respond(500, OF_THE_ACCOUNT, b"the session of corp-bot is broken"), times=None)
        answer = QUESTIONS[asks](tankard, secret)
        assert faults.seen() and b"tankard: " in answer.body and not tells_of_the_account(answer), answer

    def test_where_upstream_sends_tankard_no_client_is_sent(self, tankard, clock, faults, secret):
        faults.on(Respond(302, [("Location", "/login?as=corp-bot"), *OF_THE_ACCOUNT], b"See /login?as=corp-bot"), times=None)
        for answer in self.ask_each(tankard, clock, faults, secret):
            assert answer.status == 404 and answer.header("Location") is None, answer

    @pytest.mark.parametrize("asks", ["advertisement", "listing", "fetch"])
    def test_a_no_inside_a_200_is_tankards_no(self, tankard, faults, secret, asks):
        kind = "advertisement" if asks == "advertisement" else "result"
        service = pkt.line("# service=git-upload-pack\n") + pkt.FLUSH if asks == "advertisement" else b""
        faults.on(Respond(200, [("Content-Type", f"application/x-git-upload-pack-{kind}"), *OF_THE_ACCOUNT],
                          service + pkt.line("ERR DENIED to corp-bot: token id 4711")), times=None)
        answer = QUESTIONS[asks](tankard, secret)
        assert faults.seen() and not tells_of_the_account(answer), answer

    def test_a_403_counts_a_quarter_of_an_hour(self, tankard, host, clock, ann, secret):
        visit(tankard, secret)
        tankard.wait_stored()
        host.forbid(secret.path, ann.name)
        clock.passes(minutes=14)
        is_shown(tankard, secret, ())
        clock.passes(minutes=2)
        is_refused(tankard, secret, (), [200, 502, 503])

    def test_a_401_counts_as_long_as_an_outage(self, tankard, clock, ann, secret):
        visit(tankard, secret)
        tankard.wait_stored()
        ann.password_expires()
        clock.passes(hours=11, minutes=58)
        is_shown(tankard, secret, ())
        clock.passes(minutes=3)
        is_refused(tankard, secret, (), [200, 502, 503])


@pytest.mark.parametrize("mode", ["service", "anonymous"])
def test_a_token_in_the_query_goes_nowhere(request, run_tankard, faults, secret, mode):
    """Hosts take ?private_token=, and would answer to whom it belongs."""
    in_anonymous_mode = {f"upstream.{faults.name}.auth.mode": "anonymous"}
    tankard = request.getfixturevalue("as_ann") if mode == "service" else run_tankard(settings=in_anonymous_mode)
    for rest in ("info/refs?service=git-upload-pack&private_token=Hagebutte", "info/refs?private_token=Hagebutte&service=git-upload-pack",
                 "HEAD?private_token=Hagebutte"):
        answer = tankard.ask("GET", tankard.target(secret.path, rest), [("Git-Protocol", "version=2")])
        assert answer.status == 400 and b"Hagebutte" not in answer.body, answer
    answer = tankard.ask("POST", tankard.target(secret.path, "git-upload-pack?private_token=Hagebutte"),
                         [("Git-Protocol", "version=2"), ("Content-Type", "application/x-git-upload-pack-request")], pkt.ls_refs(*PREFIXES))
    assert answer.status == 400 and b"Hagebutte" not in answer.body, answer
    assert not faults.records
    tankard.stop()
    assert "Hagebutte" not in tankard.output()
