"""Private stays private, online and offline: who was allowed goes on seeing it, and nobody else ever does."""
import gzip
import itertools
import os
import re
import shutil
import sqlite3
import tempfile
import threading

import pytest

from support import http, pkt
from support.access import ask_all, is_refused, is_shown, must_come_later, must_log_in, restart_in_an_outage, visit
from support.access_upstream import CHALLENGE, AccessUpstream
from support.fault_proxy import Edit, EndEarly, Gate, Hang, HoldBody, Reset, Respond, Truncate
from support.people import CredentialHelper
from support.processes import wait_until
from support.tankard import Tankard
from support.traces import PREFIXES, Life, told
from support.upstream import Upstream

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def host():
    with AccessUpstream() as upstream:
        yield upstream


@pytest.fixture(autouse=True)
def _refuses_with_403(host):
    host.refuse_with(403)


@pytest.fixture
def tankard(run_tankard, clock):
    return run_tankard(clock=clock)


def test_what_is_ready_for_one_is_given_to_nobody_else(tankard, clock, host, ann, bob, person, secret):
    """A listing is made once in an outage and given again: to whom upstream allowed it, for as long as that counts."""
    for one in (ann, bob):
        visit(tankard, secret, one)
    tankard.wait_quiet()
    host.forbid(secret.path, bob.name)
    assert tankard.ls_refs(secret.path, *PREFIXES, headers=bob.header).status == 403
    tankard.switch(False)
    for _ in range(3):
        is_shown(tankard, secret, ann.header)
        for stranger in (bob, person("eve")):
            must_come_later(tankard, secret, stranger.header)
        must_log_in(tankard, secret)
    clock.passes(hours=13)
    for _ in range(2):
        must_come_later(tankard, secret, ann.header)


class TestCredentialHelper:
    """git's own store of passwords: asked once for each command, and never made to forget anything by an outage."""

    @pytest.fixture
    def helper(self, git, tankard, ann):
        helper = CredentialHelper(git)
        helper.knows(ann, tankard.url())
        return helper

    def test_it_is_asked_once_by_each_command_online_and_in_an_outage(self, tankard, git, secret, tmp_path, helper):
        for name in ("online", "again"):
            git.check("clone", tankard.url(secret.path), tmp_path / name)
            assert helper.asked() == ["get", "store"]
        tankard.wait_quiet()
        tankard.switch(False)
        git.check("clone", "--bare", tankard.url(secret.path), tmp_path / "offline")
        git.same_content(secret.folder, tmp_path / "offline")
        assert helper.asked() == ["get", "store"]
        git.check("fetch", "origin", cwd=tmp_path / "again")
        assert helper.asked() == ["get", "store"]

    @pytest.mark.parametrize("why", ["never seen", "unknown repository", "past grace"])
    def test_an_outage_never_makes_git_forget_a_password(self, tankard, clock, git, ann, secret, life, helper, why):
        visit(tankard, life("known", ann), ann)
        if why == "past grace":
            visit(tankard, secret, ann)
            clock.passes(hours=13)
        tankard.switch(False)
        path = "team/no-such-repository.git" if why == "unknown repository" else secret.path
        result = git.fails("ls-remote", tankard.url(path))
        assert "503" in result.err, result
        assert helper.asked() == ["get"] and ann.password in helper.passwords()
        tankard.switch(True)
        git.check("ls-remote", tankard.url(secret.path))
        assert helper.asked() == ["get", "store"]

    def test_a_password_that_the_host_itself_refuses_is_forgotten(self, tankard, git, ann, secret, helper):
        git.check("ls-remote", tankard.url(secret.path))
        ann.password_expires()
        helper.asked()
        git.fails("ls-remote", tankard.url(secret.path))
        assert helper.asked() == ["get", "erase"] and ann.password not in helper.passwords()

    def test_a_push_in_an_outage_forgets_nothing(self, tankard, git, secret, ann, tmp_path, helper):
        git.check("clone", tankard.url(secret.path), tmp_path / "c")
        git.check("commit", "--allow-empty", "-m", "for later", cwd=tmp_path / "c")
        tankard.wait_quiet()
        helper.asked()
        tankard.switch(False)
        git.fails("push", "origin", "main", cwd=tmp_path / "c")
        assert "erase" not in helper.asked() and ann.password in helper.passwords()


class TestFiveUsers:
    """Five see a repository, and one of them is taken off it in the middle."""

    @pytest.fixture
    def five(self, person):
        return [person(name) for name in ("ada", "ben", "cleo", "dan", "eve")]

    @pytest.mark.parametrize("asks", ["advertisement", "ls-refs", "fetch"])
    @pytest.mark.parametrize("how", ["403", "404", "expired"])
    def test_the_one_who_was_revoked_gets_nothing_and_the_others_go_on(self, tankard, host, faults, clock, life, five, how, asks):
        team = life("team", *five)
        for one in five:
            visit(tankard, team, one)
        *four, fifth = five
        if how == "expired":
            fifth.password_expires()
        else:
            host.refuse_with(int(how))
            host.forbid(team.path, fifth.name)
        status = 401 if how == "expired" else int(how)
        clock.passes(minutes=2)   # long enough ago that upstream is asked about each
        first = {"advertisement": lambda: tankard.advertisement(team.path, fifth.header),
                 "ls-refs": lambda: tankard.ls_refs(team.path, *PREFIXES, headers=fifth.header),
                 "fetch": lambda: tankard.fetch(team.path, *team.tips(), headers=fifth.header)}[asks]()
        clock.passes(seconds=10)   # a 404 is remembered for a moment
        status = 401 if how == "expired" else int(how)
        assert first.status == status and not told(first, [team], but=team.tips()), first
        is_refused(tankard, team, fifth.header, [status])
        for one in four:
            is_shown(tankard, team, one.header)
        clock.passes(seconds=10)
        for begins_outage in (lambda: tankard.switch(False), lambda: restart_in_an_outage(tankard, faults)):
            begins_outage()
            for one in four:
                is_shown(tankard, team, one.header)
            must_come_later(tankard, team, fifth.header)

    def test_who_is_taken_back_is_shown_it_again(self, tankard, host, clock, life, five):
        team = life("team", *five)
        visit(tankard, team, five[0])
        host.forbid(team.path, five[0].name)
        assert tankard.advertisement(team.path, five[0].header).status == 403
        host.allow(team.path, five[0].name)
        clock.passes(minutes=1)
        visit(tankard, team, five[0])
        tankard.switch(False)
        is_shown(tankard, team, five[0].header)


class TestOneTransfer:
    """Authorization is each one's own; the pack comes from upstream once."""

    def test_two_clones_and_two_users_cost_upstream_one_pack(self, tankard, faults, git, ann, bob, secret, tmp_path):
        for n, one in enumerate((ann, ann, bob)):
            git.check("clone", "--bare", tankard.url(secret.path, userinfo=one.userinfo), tmp_path / f"c{n}")
            git.same_content(secret.folder, tmp_path / f"c{n}")
            tankard.wait_quiet()
        assert faults.count("fetch", has_pack=True) == 1
        assert len(faults.seen("fetch")) == 1
        asked_by = [r.header("Authorization") for r in faults.seen("ls-refs") if r.header("Authorization")]
        assert set(asked_by) == {one.header[0][1] for one in (ann, bob)}, "and each was asked about in his own name"

    def test_after_a_minute_a_fetch_asks_first_and_asks_little(self, tankard, clock, faults, ann, bob, secret):
        visit(tankard, secret, ann)
        visit(tankard, secret, bob)
        mark = faults.mark()
        assert told(tankard.fetch(secret.path, secret.tip, headers=ann.header), [secret])
        assert faults.count(since=mark) == 0, "upstream said yes a moment ago"
        clock.passes(seconds=61)
        assert told(tankard.fetch(secret.path, secret.tip, headers=ann.header), [secret])
        asked = faults.seen(since=mark)
        assert [(r.kind, r.header("Authorization")) for r in asked] == [("ls-refs", ann.header[0][1])]
        assert "ref-prefix HEAD" in asked[0].args and sum(a.startswith("ref-prefix") for a in asked[0].args) == 1

    def test_an_answer_to_one_does_not_make_another_one_s_younger(self, tankard, clock, faults, host, ann, bob, secret):
        visit(tankard, secret, bob)
        clock.passes(seconds=61)
        visit(tankard, secret, ann)
        host.forbid(secret.path, bob.name)
        answer = tankard.fetch(secret.path, secret.tip, headers=bob.header)
        assert answer.status == 403 and not told(answer, [secret], but=[secret.tip])

    def test_who_may_not_see_it_has_his_fetch_streamed_to_the_upstream_which_refuses(self, tankard, faults, person, ann, secret):
        visit(tankard, secret, ann)
        eve = person("eve")
        mark = faults.mark()
        answer = tankard.fetch(secret.path, secret.tip, headers=eve.header)
        assert answer.status == 403 and answer.text == "The host says no.\n"
        fetches = faults.seen("fetch", since=mark)
        assert [(r.wants, r.header("Authorization"), r.status) for r in fetches] == [([secret.tip], eve.header[0][1], 403)]

    def test_a_new_commit_is_fetched_with_the_credential_of_who_asks_for_it(self, tankard, faults, git, ann, bob, secret, tmp_path):
        visit(tankard, secret, ann)
        git.check("clone", tankard.url(secret.path, userinfo=bob.userinfo), tmp_path / "bobs")
        new = secret.add_commit()
        mark = faults.mark()
        git.check("fetch", "origin", cwd=tmp_path / "bobs")
        assert git.check("rev-parse", "origin/main", cwd=tmp_path / "bobs") == new
        tankard.wait_quiet()
        assert {r.header("Authorization") for r in faults.seen("fetch", since=mark)} == {bob.header[0][1]}
        mark = faults.mark()
        assert b"PACK" in tankard.fetch(secret.path, new, headers=ann.header).body
        tankard.wait_quiet()
        assert faults.count("fetch", since=mark) == 0, "in the store since"
        assert {r.header("Authorization") for r in faults.seen(since=mark)} <= {ann.header[0][1]}

    def test_nothing_is_asked_of_a_private_repository_in_nobody_s_name(self, tankard, faults, clock, ann, bob, secret):
        """No background work with a credential that was lent for one request, and none without."""
        visit(tankard, secret, ann)
        secret.add_commit()
        clock.passes(minutes=20)
        visit_of_bob = tankard.ls_refs(secret.path, *PREFIXES, headers=bob.header)
        assert visit_of_bob.status == 200
        tankard.wait_quiet()
        asked = [r for r in faults.records if r.header("Authorization") not in (ann.header[0][1], bob.header[0][1])]
        assert [(r.kind, r.status) for r in asked] == [("advertisement", 401)], "only what ann asked first, as git does"


class TestAtTheSameTime:
    @pytest.mark.parametrize("kind", ["advertisement", "ls-refs", "fetch"])
    @pytest.mark.parametrize("refusal", [403, 404])
    def test_who_may_not_see_it_never_shares_the_answer_of_one_who_may(self, tankard, host, faults, person, ann, secret, kind, refusal):
        host.refuse_with(refusal)
        eve = person("eve")
        ask = {"advertisement": lambda h: tankard.advertisement(secret.path, h), "ls-refs": lambda h: tankard.ls_refs(secret.path, *PREFIXES, headers=h),
               "fetch": lambda h: tankard.fetch(secret.path, *secret.tips(), headers=h)}[kind]
        if kind == "fetch":
            assert tankard.ls_refs(secret.path, *PREFIXES, headers=ann.header).status == 200
        gate = Gate()
        faults.on(Hang(gate), kind=kind, where=lambda r: r.header("Authorization") == ann.header[0][1])
        answers = {}
        asking = threading.Thread(target=lambda: answers.update(ann=ask(ann.header)))
        asking.start()
        gate.wait_arrived()
        for headers, status in ((eve.header, refusal), ((), 401), (ann.with_wrong_password(), 401)):
            answer = ask(headers)
            assert answer.status == status and not told(answer, [secret], but=secret.tips()), answer
        gate.open()
        asking.join()
        assert answers["ann"].status == 200, answers
        if kind != "advertisement":
            assert told(answers["ann"], [secret])

    @pytest.mark.parametrize("kind", ["advertisement", "ls-refs"])
    def test_who_may_see_it_never_shares_the_refusal_of_one_who_may_not(self, tankard, faults, person, ann, secret, kind):
        eve = person("eve")
        ask = (lambda h: tankard.advertisement(secret.path, h)) if kind == "advertisement" else (lambda h: tankard.ls_refs(secret.path, headers=h))
        gate = Gate()
        faults.on(Hang(gate), kind=kind, where=lambda r: r.header("Authorization") == eve.header[0][1])
        answers = {}
        asking = threading.Thread(target=lambda: answers.update(eve=ask(eve.header)))
        asking.start()
        gate.wait_arrived()
        assert ask(ann.header).status == 200
        gate.open()
        asking.join()
        assert answers["eve"].status == 403

    def test_a_yes_that_was_asked_for_before_a_no_and_comes_after_it_counts_for_nothing(self, tankard, faults, host, ann, secret):
        visit(tankard, secret, ann)
        gate = Gate()

        def late(status, headers, body):
            gate.wait()
            return status, headers, body
        faults.on(Edit(late), kind="ls-refs")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(tankard.ls_refs(secret.path, *PREFIXES, headers=ann.header)))
        asking.start()
        gate.wait_arrived()
        host.forbid(secret.path, ann.name)
        assert tankard.advertisement(secret.path, ann.header).status == 403
        gate.open()
        asking.join()
        assert pkt.listing(answers[0].body) == secret.listing, "upstream said so when it was asked"
        tankard.switch(False)
        must_come_later(tankard, secret, ann.header)

    def test_eight_clients_of_one_credential_ask_once(self, tankard, faults, ann, secret):
        gate = Gate()
        faults.on(Hang(gate), kind="ls-refs")
        answers = []
        ask = lambda: answers.append(tankard.ls_refs(secret.path, *PREFIXES, headers=ann.header))
        clients = [threading.Thread(target=ask) for _ in range(8)]
        clients[0].start()
        gate.wait_arrived()
        for client in clients[1:]:
            client.start()
        tankard.wait_metric("tankard_in_flight_requests", lambda n: n >= 8)
        gate.open()
        for client in clients:
            client.join()
        assert [pkt.listing(a.body) for a in answers] == [secret.listing] * 8
        assert faults.count("ls-refs") <= 2, "one was under way, and one more for all who came after it was sent"

    def test_eight_clones_with_one_credential(self, tankard, faults, git, ann, secret, tmp_path):
        visit(tankard, secret, ann)
        mark = faults.mark()
        clones = [git.start("clone", "--bare", tankard.url(secret.path, userinfo=ann.userinfo), tmp_path / f"c{n}") for n in range(8)]
        for n, clone in enumerate(clones):
            _, error = clone.communicate()
            assert clone.returncode == 0, error
            git.same_content(secret.folder, tmp_path / f"c{n}")
        assert faults.count("fetch", since=mark) == 0


class TestWhatIsNoYes:
    """Only a whole listing, shown to that very credential, allows it anything."""

    @pytest.fixture
    def eve(self, person, host, secret):
        """Somebody whom the host lets in, to be shown something odd."""
        eve = person("eve")
        host.allow(secret.path, eve.name)
        return eve

    def of(self, who):
        return lambda record: record.header("Authorization") == who.header[0][1]

    @pytest.mark.parametrize("odd", [pkt.FLUSH, pkt.line("ERR FATAL: R any team/repo DENIED by fallthru\n"), b"<html>Sign in</html>"],
                             ids=["empty", "ERR", "html"])
    def test_a_200_that_shows_nothing(self, tankard, faults, ann, eve, secret, odd):
        visit(tankard, secret, ann)
        kind = "text/html" if b"html" in odd else "application/x-git-upload-pack-result"
        faults.on(Respond(200, {"Content-Type": kind}, odd), times=None, kind=("ls-refs", "fetch"), where=self.of(eve))
        for _ in range(2):
            assert tankard.advertisement(secret.path, eve.header).status == 200
            assert not told(tankard.ls_refs(secret.path, *PREFIXES, headers=eve.header), [secret])
            answer = tankard.fetch(secret.path, secret.tip, headers=eve.header)
            assert not told(answer, [secret], but=[secret.tip]), answer
        tankard.wait_quiet()
        tankard.switch(False)
        must_come_later(tankard, secret, eve.header)
        is_shown(tankard, secret, ann.header)

    def test_an_advertisement_alone(self, tankard, faults, ann, eve, secret):
        """Many hosts show what they can do to everybody, and say no to what is asked then."""
        visit(tankard, secret, ann)
        faults.on(Respond(403), times=None, kind=("ls-refs", "fetch"), where=self.of(eve))
        assert tankard.advertisement(secret.path, eve.header).status == 200
        answer = tankard.fetch(secret.path, secret.tip, headers=eve.header)
        assert answer.status == 403 and not told(answer, [secret], but=[secret.tip])
        tankard.switch(False)
        must_come_later(tankard, secret, eve.header)

    @pytest.mark.parametrize("fault", [Truncate(0), Truncate(60), EndEarly(60), Reset()], ids=["cut-at-0", "cut", "ends-early", "reset"])
    def test_a_listing_that_breaks(self, tankard, faults, ann, eve, secret, fault):
        visit(tankard, secret, ann)
        faults.on(fault, times=None, kind="ls-refs", where=self.of(eve))
        tankard.ls_refs(secret.path, *PREFIXES, headers=eve.header)
        answer = tankard.fetch(secret.path, secret.tip, headers=ann.header)
        assert answer.status == 200
        faults.on(Respond(403), times=None, where=self.of(eve))
        answer = tankard.fetch(secret.path, secret.tip, headers=eve.header)
        assert answer.status == 403 and not told(answer, [secret], but=[secret.tip]), answer
        faults.clear()
        tankard.switch(False)
        must_come_later(tankard, secret, eve.header)

    def test_another_request_on_the_same_connection(self, tankard, ann, eve, secret):
        visit(tankard, secret, ann)
        tankard.switch(False)
        target = tankard.target(secret.path, "info/refs?service=git-upload-pack")
        with http.Connection(tankard.port) as connection:
            for headers, status in ((ann.header, 200), ((), 401), (ann.header, 200), (eve.header, 503), ((), 401), (eve.header, 503)):
                connection.request("GET", target, [("Git-Protocol", "version=2"), *headers])
                assert connection.answer().status == status

    def test_a_token_in_the_query(self, tankard, host, faults, life):
        """GitLab takes ?private_token=; whatever comes of it is not what everybody is shown."""
        known = life("by-query")
        host.make_public(known.path)
        faults.on(Respond(401, {"WWW-Authenticate": CHALLENGE}), times=None, path=re.escape(known.path), where=lambda r: "private_token" not in r.query)
        for rest in ("info/refs?service=git-upload-pack&private_token=Hagebutte", "info/refs?private_token=Hagebutte&service=git-upload-pack"):
            tankard.ask("GET", tankard.target(known.path, rest), [("Git-Protocol", "version=2")])
        body = pkt.ls_refs(*PREFIXES)
        tankard.ask("POST", tankard.target(known.path, "git-upload-pack?private_token=Hagebutte"),
                    [("Git-Protocol", "version=2"), ("Content-Type", "application/x-git-upload-pack-request")], body)
        tankard.wait_quiet()
        tankard.switch(False)
        for answer in ask_all(tankard, known):
            assert not told(answer, [known], but=known.tips()) and "version 2" not in pkt.texts(answer.body), answer
        tankard.stop()
        assert "Hagebutte" not in tankard.output()


class TestGrace:
    """How long an allow counts while nobody can be asked: auth.offline_grace when the host is away, little otherwise."""

    def test_twelve_hours_and_not_longer(self, tankard, clock, ann, secret):
        visit(tankard, secret, ann)
        tankard.switch(False)
        clock.passes(hours=11, minutes=58)
        is_shown(tankard, secret, ann.header)
        clock.passes(minutes=3)
        must_come_later(tankard, secret, ann.header)

    def test_an_outage_that_shows_itself_only_now(self, tankard, faults, clock, ann, secret):
        """The poller must have seen it too before an old allow counts: whoever asks waits for that, and for no longer."""
        visit(tankard, secret, ann)
        faults.vanish()
        clock.passes(hours=2)
        is_shown(tankard, secret, ann.header)

    def test_only_upstream_s_own_yes_makes_it_longer(self, tankard, clock, ann, bob, secret):
        visit(tankard, secret, ann)
        visit(tankard, secret, bob)
        tankard.switch(False)
        clock.passes(hours=7)
        is_shown(tankard, secret, bob.header)
        tankard.switch(True)
        assert tankard.ls_refs(secret.path, *PREFIXES, headers=ann.header).status == 200
        tankard.switch(False)
        clock.passes(hours=6)
        is_shown(tankard, secret, ann.header)
        must_come_later(tankard, secret, bob.header)

    def test_no_grace_is_nobody(self, run_tankard, ann, secret):
        tankard = run_tankard(settings={"auth.offline_grace": "0s"})
        visit(tankard, secret, ann)
        is_shown(tankard, secret, ann.header)
        tankard.switch(False)
        must_come_later(tankard, secret, ann.header)

    @pytest.mark.parametrize("grace, shown, hidden", [("12h", 14, 16), ("5m", 4, 6)])
    @pytest.mark.parametrize("fault", [Respond(503), Respond(429, {"Retry-After": "3600"})], ids=["5xx", "rate-limit"])
    def test_a_repository_alone_or_a_rate_limit_is_a_quarter_of_an_hour_at_most(self, run_tankard, faults, clock, ann, secret, life, fault, grace, shown, hidden):
        tankard = run_tankard(clock=clock, settings={"auth.offline_grace": grace})
        visit(tankard, secret, ann)
        faults.on(fault, times=None, path=re.escape(secret.path))
        clock.passes(minutes=shown)
        is_shown(tankard, secret, ann.header)
        clock.passes(minutes=hidden - shown)
        is_refused(tankard, secret, ann.header, [503, 429])

    def test_an_upstream_that_answers_slowly_is_a_quarter_of_an_hour_at_most(self, run_tankard, faults, clock, ann, secret):
        tankard = run_tankard(clock=clock, settings={"ls_refs.patience": "200ms", "timeouts.first_byte": "600ms"})
        visit(tankard, secret, ann)
        gate = Gate()
        faults.on(Hang(gate), times=None)
        clock.passes(minutes=14)
        is_shown(tankard, secret, ann.header)
        clock.passes(minutes=2)
        is_refused(tankard, secret, ann.header, [503, 504])
        gate.open()

    def test_what_is_not_remembered_any_more_is_no_decision(self, run_tankard, life, person):
        tankard = run_tankard(settings={"auth.max_decisions": "2"})
        three = [person(name) for name in ("ada", "ben", "cleo")]
        team = life("team", *three)
        for one in three:
            visit(tankard, team, one)
        tankard.switch(False)
        must_come_later(tankard, team, three[0].header)
        is_shown(tankard, team, three[2].header)


class TestPublic:
    @pytest.fixture
    def known(self, tankard, host, life, ann):
        known = life("public", ann)
        host.make_public(known.path)
        visit(tankard, known)
        return known

    def test_what_a_credential_is_refused_ends_it_for_nobody_else(self, tankard, faults, clock, ann, known):
        """GitHub answers 401 to a wrong credential, also where none is needed."""
        for status in (401, 403, 404, 410):
            faults.on(Respond(status, {"WWW-Authenticate": CHALLENGE}), where=lambda r: r.header("Authorization"))
            assert tankard.advertisement(known.path, ann.with_wrong_password()).status == status
            clock.passes(seconds=10)   # a 404 is remembered for a moment
        tankard.switch(False)
        is_shown(tankard, known, ())
        is_shown(tankard, known, ann.with_wrong_password())

    def test_the_401_that_opens_a_push_ends_nothing(self, tankard, git, faults, ann, known, secret, tmp_path):
        visit(tankard, secret, ann)
        for repository in (known, secret):
            assert tankard.push_advertisement(repository.path).status == 401
            assert tankard.push_advertisement(repository.path, ann.with_wrong_password()).status == 401
            assert tankard.ask("POST", tankard.target(repository.path, "git-receive-pack"), body=b"0000").status == 401
        git.check("clone", tankard.url(secret.path, userinfo=ann.userinfo), tmp_path / "c")
        git.check("commit", "--allow-empty", "-m", "pushed", cwd=tmp_path / "c")
        git.check("push", "origin", "HEAD:refs/heads/pushed", cwd=tmp_path / "c")
        tankard.switch(False)
        is_shown(tankard, known, ())
        assert told(tankard.ls_refs(secret.path, *PREFIXES, headers=ann.header), [secret])

    def test_a_push_in_an_outage_is_told_so(self, tankard, ann, known, secret):
        visit(tankard, secret, ann)
        tankard.switch(False)
        for repository in (known, secret):
            for headers in ((), ann.header, ann.with_wrong_password()):
                answer = tankard.push_advertisement(repository.path, headers)
                assert answer.status in (502, 503) and "tankard" in answer.text and not told(answer, [known, secret]), answer
                # The probe before a large push is let in, so that git sends the push itself, and hears the sentence.
                answer = tankard.ask("POST", tankard.target(repository.path, "git-receive-pack"), headers, b"0000")
                assert answer.status in (200, 502, 503) and not told(answer, [known, secret]), answer
                assert answer.status != 200 or not answer.body, answer

    def test_a_401_to_nobody_ends_it_and_touches_nobody_s_allow(self, tankard, host, ann, bob, secret):
        visit(tankard, secret, ann)
        assert tankard.advertisement(secret.path).status == 401
        assert tankard.ls_refs(secret.path).status == 401
        tankard.switch(False)
        is_shown(tankard, secret, ann.header)
        must_log_in(tankard, secret)
        must_come_later(tankard, secret, bob.header)

    @pytest.mark.parametrize("asks", ["advertisement", "ls-refs", "fetch"])
    def test_made_private_nothing_of_it_is_shown_to_anybody_without_upstream_s_word(self, tankard, host, faults, clock, ann, bob, known, asks):
        host.make_private(known.path)
        clock.passes(seconds=61)
        first = {"advertisement": lambda: tankard.advertisement(known.path), "ls-refs": lambda: tankard.ls_refs(known.path),
                 "fetch": lambda: tankard.fetch(known.path, known.tip)}[asks]()
        assert first.status == 401 and not told(first, [known], but=[known.tip])
        mark = faults.mark()
        visit(tankard, known, ann)
        assert faults.count("fetch", since=mark, has_pack=True) == 1, "nothing of the former life is served"
        is_refused(tankard, known, (), [401])
        is_refused(tankard, known, bob.header, [403])
        tankard.switch(False)
        is_shown(tankard, known, ann.header)
        must_log_in(tankard, known)
        must_come_later(tankard, known, bob.header)

    @pytest.mark.parametrize("protocol", [0, 1])
    def test_made_private_and_only_old_clients_were_told(self, tankard, host, git, known, protocol):
        host.make_private(known.path)
        git.fails("-c", f"protocol.version={protocol}", "ls-remote", tankard.url(known.path))
        tankard.switch(False)
        is_refused(tankard, known, (), [200, 401])

    def test_made_private_and_public_again_begins_anew_each_time(self, tankard, host, faults, ann, known):
        for n in range(2):
            host.make_private(known.path)
            assert tankard.advertisement(known.path).status == 401
            mark = faults.mark()
            visit(tankard, known, ann)
            assert faults.count("fetch", since=mark, has_pack=True) == 1
            host.make_public(known.path)
            mark = faults.mark()
            visit(tankard, known)
            assert faults.count("fetch", since=mark, has_pack=True) == 1

    def test_what_a_credential_is_shown_besides_never_gets_into_what_all_are_shown(self, tankard, faults, ann, known):
        """A host that shows its members more refs of a public repository than it shows to everybody."""
        more = pkt.line(f"{known.tip} refs/heads/only-for-members\n")
        faults.on(Edit(lambda status, headers, body: (status, headers, body.replace(pkt.FLUSH, more + pkt.FLUSH))), times=None,
                  kind="ls-refs", where=lambda r: r.header("Authorization"))
        assert b"only-for-members" in tankard.ls_refs(known.path, *PREFIXES, headers=ann.header).body
        assert b"only-for-members" not in tankard.ls_refs(known.path, *PREFIXES).body
        tankard.wait_quiet()
        tankard.switch(False)
        assert b"only-for-members" not in tankard.ls_refs(known.path, *PREFIXES).body
        is_shown(tankard, known, ())

    def test_in_a_repository_outage_it_counts_a_quarter_of_an_hour_and_in_a_host_outage_for_ever(self, tankard, faults, clock, known):
        faults.on(Respond(503), times=None, path=re.escape(known.path))
        clock.passes(minutes=14)
        is_shown(tankard, known, ())
        clock.passes(minutes=2)
        is_refused(tankard, known, (), [200, 401, 503])
        tankard.switch(False)
        clock.passes(hours=1000)
        is_shown(tankard, known, ())


@pytest.mark.parametrize("shares", [False, True], ids=["unrelated", "shares-a-branch"])
class TestNewLives:
    """A name whose repository is gone: what was below it is nobody's any more, whatever comes there next. What comes next
    may be unrelated, or a fork that has a branch in common with what was there."""

    @pytest.fixture
    def new_life(self, host, git, shares):
        def make(former, *people):
            shutil.rmtree(former.folder, ignore_errors=True)
            made = Life(git, host.path(former.path), f"anew-{next(_numbers)}", shares)
            made.path = former.path
            host.allow(made.path, *(p.name for p in people))
            return made
        return make

    def never_again(self, tankard, former, now, *headers_of_all):
        for headers in headers_of_all:
            for oid in former.tips():
                if oid not in now.tips():
                    answer = tankard.fetch(former.path, oid, headers=headers)
                    assert not told(answer, [former], but=[oid]) and b"PACK" not in answer.body, answer

    @pytest.mark.parametrize("whose", ["the same owner's", "another owner's"])
    def test_deleted_and_created_again(self, tankard, host, new_life, clock, ann, bob, person, secret, whose):
        owner = person("newcomer") if whose == "another owner's" else ann
        host.refuse_with(404)
        visit(tankard, secret, ann)
        visit(tankard, secret, bob)
        host.delete(secret.path)
        assert tankard.advertisement(secret.path, ann.header).status == 404
        now = new_life(secret, owner)
        clock.passes(minutes=1)
        self.never_again(tankard, secret, now, owner.header, bob.header, ())
        visit(tankard, now, owner)
        self.never_again(tankard, secret, now, owner.header, bob.header, ann.header, ())
        tankard.switch(False)
        self.never_again(tankard, secret, now, owner.header, bob.header, ann.header, ())

    def test_after_one_visit_the_new_life_is_shown_in_an_outage(self, tankard, host, new_life, clock, ann, secret):
        host.refuse_with(404)
        visit(tankard, secret, ann)
        host.delete(secret.path)
        assert tankard.advertisement(secret.path, ann.header).status == 404
        now = new_life(secret, ann)
        clock.passes(minutes=1)
        visit(tankard, now, ann)
        tankard.switch(False)
        is_shown(tankard, now, ann.header)

    def test_the_outage_that_comes_before_the_new_objects_shows_none_of_the_old(self, tankard, host, faults, new_life, clock, ann, person, secret):
        """Offline a ref shows its newest value that is here: not one of the former life."""
        newcomer = person("newcomer")
        host.refuse_with(404)
        visit(tankard, secret, ann)
        host.delete(secret.path)
        assert tankard.advertisement(secret.path, ann.header).status == 404
        now = new_life(secret, newcomer)
        clock.passes(minutes=1)
        faults.on(Respond(503), times=None, kind="fetch")
        assert pkt.listing(tankard.ls_refs(now.path, *PREFIXES, headers=newcomer.header).body) == now.listing
        tankard.wait_quiet()
        tankard.switch(False)
        for answer in ask_all(tankard, now, newcomer.header):
            assert not told(answer, [secret]), answer
        self.never_again(tankard, secret, now, newcomer.header)

    def test_who_saw_the_former_one_is_shown_nothing_of_the_new_one(self, tankard, host, new_life, clock, ann, bob, person, secret):
        """bob has not asked since; ann was told that it is gone."""
        newcomer = person("newcomer")
        host.refuse_with(404)
        visit(tankard, secret, bob)
        visit(tankard, secret, ann)
        host.delete(secret.path)
        assert tankard.advertisement(secret.path, ann.header).status == 404
        now = new_life(secret, newcomer)
        clock.passes(minutes=1)
        visit(tankard, now, newcomer)
        tankard.switch(False)
        for answer in ask_all(tankard, now, bob.header):
            assert not told(answer, [now], but=now.tips()), answer

    def test_created_again_before_anybody_asked(self, tankard, host, new_life, ann, person, secret):
        """No 404 tells tankard that the name stands for another repository now."""
        newcomer = person("newcomer")
        visit(tankard, secret, ann)
        host.delete(secret.path)
        now = new_life(secret, newcomer)
        visit(tankard, now, newcomer)
        self.never_again(tankard, secret, now, newcomer.header)
        tankard.switch(False)
        self.never_again(tankard, secret, now, newcomer.header)

    def test_renamed_and_the_name_given_to_another_repository(self, tankard, host, git, new_life, clock, ann, person, secret):
        newcomer = person("newcomer")
        visit(tankard, secret, ann)
        host.rename(secret.path, secret.path.replace("repo", "moved"))
        answer = tankard.advertisement(secret.path, ann.header)
        moved_to = tankard.target(secret.path.replace("repo", "moved"), "info/refs?service=git-upload-pack")
        assert answer.status == 301 and answer.header("Location").endswith(moved_to), answer
        git.check("ls-remote", tankard.url(secret.path, userinfo=ann.userinfo))
        shutil.rmtree(os.path.join(host.rights, secret.path))
        now = new_life(secret, newcomer)
        clock.passes(minutes=2)
        is_refused(tankard, secret, ann.header, [403], [now])
        visit(tankard, now, newcomer)
        self.never_again(tankard, secret, now, newcomer.header, ann.header, ())
        tankard.switch(False)
        must_come_later(tankard, secret, ann.header, [now])
        self.never_again(tankard, secret, now, newcomer.header, ann.header, ())


class TestNobodyIsTold:
    """What is said in an outage tells neither names of repositories nor of people."""

    def test_the_challenge_is_what_upstream_last_asked_nobody_with_and_survives_a_restart(self, tankard, faults, ann, secret):
        visit(tankard, secret, ann)
        offered = ['Basic realm="New realm", charset="UTF-8"', 'Bearer realm="https://host.example/token"']
        faults.on(Respond(401, [("WWW-Authenticate", line) for line in (*offered, "Negotiate")]), kind="advertisement")
        assert tankard.advertisement(secret.path).status == 401
        faults.on(Respond(401, {"WWW-Authenticate": 'Basic realm="For ann"'}), kind="advertisement")
        assert tankard.advertisement(secret.path, ann.with_wrong_password()).status == 401
        restart_in_an_outage(tankard, faults)
        must_log_in(tankard, secret, offered)
        for path in ("team/never-heard-of-it.git", "elsewhere"):
            answer = tankard.advertisement(path)
            assert answer.status == 401 and answer.all("WWW-Authenticate") == offered, answer

    def test_a_host_that_never_asked_anybody_to_log_in(self, run_tankard, git, ann):
        with Upstream() as plain:
            tankard = run_tankard(upstreams=plain)
            git.fails("ls-remote", tankard.url("another.git"))
            plain.kill()
            result = git.fails("ls-remote", tankard.url("none.git"))
            assert "no cached ls-refs available for none.git" in result.err, result
            answer = tankard.advertisement("none.git", ann.header)
            assert answer.status == 503 and answer.header("WWW-Authenticate") is None, answer

    def test_no_request_with_a_credential_is_answered_401_in_an_outage(self, tankard, ann, bob, secret):
        """Also not what memory never answers: other protocols, probes, LFS, the dumb protocol."""
        visit(tankard, secret, ann)
        assert tankard.advertisement(secret.path).status == 401
        tankard.switch(False)
        for headers in (ann.header, bob.header, ann.with_wrong_password()):
            for version in ([], [("Git-Protocol", "version=1")]):
                answer = tankard.ask("GET", tankard.target(secret.path, "info/refs?service=git-upload-pack"), [*version, *headers])
                assert answer.status != 401 and not told(answer, [secret]), answer
            for method, rest, body in (("POST", "git-upload-pack", b"0000"), ("POST", "git-receive-pack", b"0000"), ("GET", "HEAD", None),
                                       ("GET", "info/refs", None), ("GET", "objects/info/packs", None), ("HEAD", "info/refs?service=git-upload-pack", None),
                                       ("POST", "info/lfs/objects/batch", b"{}"), ("GET", "info/lfs/locks", None)):
                answer = tankard.ask(method, tankard.target(secret.path, rest), headers, body)
                assert answer.status != 401 and not told(answer, [secret]), (method, rest, answer)

    def test_old_protocols_see_nothing_that_they_may_not(self, tankard, git, ann, bob, secret):
        visit(tankard, secret, ann)
        tankard.switch(False)
        for protocol in (0, 1):
            for one in (ann, bob):
                result = git.fails("-c", f"protocol.version={protocol}", "ls-remote", tankard.url(secret.path, userinfo=one.userinfo))
                assert secret.mark not in result.err + result.out and secret.tip not in result.out


class TestOnDisk:
    """Decisions outlive the process, and their file can do no harm."""

    def rows_on_disk(self, tankard):
        """Decisions in the file as a crash at this moment would leave it."""
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, "copy")
            try:
                for suffix in ("", "-journal"):
                    if os.path.exists(tankard.decision_file + suffix):
                        shutil.copy(tankard.decision_file + suffix, copy + suffix)
                with sqlite3.connect(copy) as database:
                    return database.execute("SELECT count(*) FROM decision").fetchone()[0]
            except (sqlite3.Error, OSError):
                return 0

    @pytest.mark.parametrize("refusal", [401, 403, 404])
    def test_a_no_is_on_disk_before_it_is_told(self, tankard, host, faults, clock, ann, bob, secret, refusal):
        for one in (ann, bob):
            visit(tankard, secret, one)
        tankard.restart()
        if refusal == 401:
            ann.password_expires()
        else:
            host.refuse_with(refusal)
            host.forbid(secret.path, ann.name)
        assert tankard.advertisement(secret.path, ann.header).status == refusal
        tankard.kill()
        restart_in_an_outage(tankard, faults)
        must_come_later(tankard, secret, ann.header)
        is_shown(tankard, secret, bob.header)

    def test_a_yes_is_on_disk_soon(self, tankard, faults, ann, bob, secret):
        visit(tankard, secret, ann)
        visit(tankard, secret, bob)
        wait_until(lambda: self.rows_on_disk(tankard) >= 2, "both decisions are on disk")
        tankard.wait_written()
        tankard.kill()
        restart_in_an_outage(tankard, faults)
        is_shown(tankard, secret, ann.header)
        is_shown(tankard, secret, bob.header)

    def test_one_generation_never_speaks_for_another_after_a_crash(self, tankard, host, faults, clock, ann, bob, life, git):
        """Made private, and killed at once: what was public is not served to anybody."""
        known = life("public", ann)
        host.make_public(known.path)
        visit(tankard, known)
        tankard.restart()
        host.make_private(known.path)
        assert tankard.advertisement(known.path).status == 401
        tankard.kill()
        restart_in_an_outage(tankard, faults)
        must_log_in(tankard, known)
        must_come_later(tankard, known, ann.header)

    def flip_everything(self, path, start=0):
        with open(path, "r+b") as file:
            data = file.read()
            file.seek(start)
            file.write(bytes(b ^ 0x5a for b in data[start:]))

    def edit_times(self, path):
        with sqlite3.connect(path) as database:
            assert database.execute("UPDATE decision SET asked_at = asked_at + 1000000000").rowcount > 0
        database.close()

    def swap_credentials(self, path):
        """The row of one credential under the name of another."""
        with sqlite3.connect(path) as database:
            (first, *_), (second, *_) = database.execute("SELECT * FROM decision ORDER BY id LIMIT 2").fetchall()
            database.execute("DELETE FROM decision WHERE id = ?", (first,))
            database.execute("UPDATE decision SET id = ? WHERE id = ?", (first, second))
        database.close()

    def resize(self, path, share):
        os.truncate(path, int(os.path.getsize(path) * share))

    @pytest.mark.parametrize("damage", ["missing", "empty", "cut in the middle", "not a database", "pages damaged", "a folder", "times edited",
                                        "rows swapped", "key missing", "another key", "key and file missing"])
    def test_what_is_damaged_is_a_no_and_nothing_else(self, tankard, host, faults, ann, bob, secret, life, damage):
        known = life("public", ann)
        host.make_public(known.path)
        visit(tankard, known)
        for one in (ann, bob):
            visit(tankard, secret, one)
        tankard.stop()
        file, key = tankard.decision_file, tankard.key_file
        assert os.path.getsize(file) > 0 and os.path.getsize(key) > 0
        if damage == "missing":
            os.unlink(file)
        elif damage == "empty":
            self.resize(file, 0)
        elif damage == "cut in the middle":
            self.resize(file, 0.5)
        elif damage == "not a database":
            self.flip_everything(file)
        elif damage == "pages damaged":
            self.flip_everything(file, 100)
        elif damage == "a folder":
            os.unlink(file)
            os.mkdir(file)
        elif damage == "times edited":
            self.edit_times(file)
        elif damage == "rows swapped":
            self.swap_credentials(file)
        elif damage == "another key":
            with open(key, "r+b") as opened:
                opened.write(os.urandom(os.path.getsize(key)))
        else:
            os.unlink(key)
            if damage == "key and file missing":
                os.unlink(file)
        restart_in_an_outage(tankard, faults)
        for headers in (ann.header, bob.header, ann.with_wrong_password()):
            must_come_later(tankard, secret, headers)
        must_log_in(tankard, secret)
        is_shown(tankard, known, ())
        faults.restore()
        wait_until(lambda: tankard.advertisement(secret.path, ann.header).status == 200, "the host is asked again", 30)
        visit(tankard, secret, ann)
        tankard.switch(False)
        is_shown(tankard, secret, ann.header)
        must_come_later(tankard, secret, bob.header)

    @pytest.mark.parametrize("damage", ["cut short", "readable by others"])
    def test_a_key_that_is_no_secret_or_not_whole_is_refused_in_words(self, tankard, ann, secret, damage):
        tankard.stop()
        if damage == "cut short":
            self.resize(tankard.key_file, 0.5)
        else:
            os.chmod(tankard.key_file, 0o644)
        tankard.start(wait=False)
        code, output = tankard.ends_by_itself()
        assert code > 0 and tankard.key_file in output.splitlines()[-1], output

    def test_every_single_bit_that_flips_allows_nobody_new(self, run_tankard, tankard, faults, ann, bob, person, secret, tmp_path):
        """Here and there in the file: who was allowed may be forgotten, who was not is never remembered."""
        eve = person("eve")
        visit(tankard, secret, ann)
        tankard.stop()
        faults.vanish()
        size = os.path.getsize(tankard.decision_file)
        for n, at in enumerate(range(20, size, size // 12)):
            folder = tmp_path / f"flip{n}"
            shutil.copytree(os.path.dirname(tankard.cache_dir), folder)
            flipped = Tankard(faults, cache_dir=folder / "cache")
            with open(flipped.decision_file, "r+b") as file:
                file.seek(at)
                old = file.read(1)
                file.seek(at)
                file.write(bytes([old[0] ^ (1 << n % 8)]))
            with flipped.start():
                for headers in (eve.header, bob.header, ann.with_wrong_password()):
                    must_come_later(flipped, secret, headers)
                answer = flipped.ls_refs(secret.path, *PREFIXES, headers=ann.header)
                assert answer.status in (200, 503), (at, answer)

    def test_the_clock_going_back_while_nothing_runs_forgets_everybody(self, tankard, clock, faults, ann, secret):
        visit(tankard, secret, ann)
        tankard.stop()
        clock.wall_turned(minutes=-2)
        restart_in_an_outage(tankard, faults)
        must_come_later(tankard, secret, ann.header)
        clock.wall_turned(hours=5)
        tankard.restart()
        must_come_later(tankard, secret, ann.header)

    def test_the_clock_going_back_a_little_forgets_nobody(self, tankard, clock, faults, ann, secret):
        """ntp moves clocks by seconds."""
        visit(tankard, secret, ann)
        tankard.stop()
        clock.wall_turned(seconds=-30)
        restart_in_an_outage(tankard, faults)
        is_shown(tankard, secret, ann.header)

    @pytest.mark.parametrize("hours", [-5, 5])
    def test_a_wall_clock_that_is_turned_in_the_running_process_changes_nothing(self, tankard, clock, ann, bob, secret, hours):
        visit(tankard, secret, ann)
        clock.wall_turned(hours=hours)
        tankard.switch(False)
        is_shown(tankard, secret, ann.header)
        clock.passes(hours=11)
        is_shown(tankard, secret, ann.header)
        clock.passes(hours=2)
        must_come_later(tankard, secret, ann.header)

    def test_the_files_are_for_their_owner_only(self, tankard, ann, secret):
        visit(tankard, secret, ann)
        tankard.stop()
        assert os.stat(tankard.key_file).st_mode & 0o777 == 0o600
        assert os.stat(os.path.dirname(tankard.decision_file)).st_mode & 0o777 == 0o700
        assert not os.path.commonpath([tankard.key_file, tankard.cache_dir]) == tankard.cache_dir


class TestSecrets:
    """Passwords, tokens and user names go upstream and nowhere else."""

    def test_nowhere_after_every_kind_of_request(self, run_tankard, host, faults, git, clock, person, life, new_repository, tmp_path):
        # Nothing kept, and nothing far ahead of who reads it: a child that serves a pack lives as long as a slow client.
        tankard = run_tankard(clock=clock, settings={"log.level": "debug", "packs.max_entry_bytes": "0", "spool.max_ahead": "0"})
        rita, rob = person("Kettenreaktion"), person("Robespierre")
        token = person("ghp-Zwetschgenkuchen")     # as forges want it: the token is the user name
        shown = life("shown", rita, rob, token)
        big = new_repository().big(24)
        big.tips = lambda: [big.oid("main")]
        host.allow(big.path, rita.name)
        strange = [[("Cookie", "session=Pflaumenmus")], [("PRIVATE-TOKEN", "Birnenkompott")], [("X-Api-Key", "Quittengelee")],
                   [("Authorization", "Bearer Hollerbluete")], rita.with_wrong_password(), [*rita.header, ("Cookie", "c=Mirabellengeist")]]
        everybody = [rita.header, rob.header, token.header, *strange]
        words = {"Kettenreaktion", "Robespierre", "Zwetschgenkuchen", "Pflaumenmus", "Birnenkompott", "Quittengelee", "Hollerbluete", "Mirabellengeist",
                 "Swordfish", "Sailfish", "that-never-was"}
        for headers in everybody:
            for name, value in headers:
                if value.startswith("Basic "):
                    words.add(value.removeprefix("Basic ").rstrip("="))

        def ask_everything():
            for headers in everybody:
                ask_all(tankard, shown, headers)
                tankard.push_advertisement(shown.path, headers)
                tankard.ask("POST", tankard.target(shown.path, "git-receive-pack"), headers, b"0000")
                tankard.ask("GET", tankard.target(shown.path, "info/refs?service=git-upload-pack"), headers)
                tankard.ask("GET", tankard.target(shown.path, "HEAD"), headers)
                tankard.ask("POST", tankard.target(shown.path, "info/lfs/objects/batch"), headers, b"{}")
                tankard.command(shown.path, gzip.compress(pkt.ls_refs()), [*headers, ("Content-Encoding", "gzip")])
                tankard.ask("GET", "/nowhere/x.git/info/refs", headers)
                tankard.ask("GET", tankard.target(shown.path, "../x"), headers)
            git.run("ls-remote", tankard.url(shown.path, userinfo=rita.userinfo))

        def leaked(text):
            text = text if isinstance(text, bytes) else text.encode()
            return [w for w in words if w.encode() in text]

        def processes():
            for pid, _, name in [(tankard.process.pid, 0, "tankard"), *tankard.children()]:
                for file in ("cmdline", "environ"):
                    try:
                        with open(f"/proc/{pid}/{file}", "rb") as opened:
                            yield f"{name} {file}", opened.read()
                    except OSError:
                        pass

        ask_everything()
        tankard.wait_quiet()
        # A child that takes a pack in, or serves one, holds still while it is looked at.
        ask_all(tankard, big, rita.header)
        tankard.wait_quiet()
        seen = []
        with http.Connection(tankard.port, receive_buffer=8192) as slow:
            slow.request("POST", tankard.target(big.path, "git-upload-pack"),
                         [("Git-Protocol", "version=2"), ("Content-Type", "application/x-git-upload-pack-request"), *rita.header], pkt.fetch([big.oid("main")]))
            assert slow.head().status == 200
            wait_until(tankard.children, "a child serves the pack")
            seen += processes()
        tankard.wait_quiet()
        big.add_commit()
        gate = Gate()
        faults.on(HoldBody(gate, after=300), kind="fetch")
        syncing = threading.Thread(target=lambda: ask_all(tankard, big, rita.header))
        syncing.start()
        gate.wait_arrived()
        seen += processes()
        gate.open()
        syncing.join()
        assert any("upload-pack" in name or b"upload-pack" in text for name, text in seen), [name for name, _ in seen]
        rob.password_expires()
        host.forbid(shown.path, token.name)
        ask_everything()
        tankard.switch(False)
        ask_everything()
        clock.passes(hours=13)
        ask_everything()
        for path in ("/metrics", "/healthz", "/readyz", "/", "/api/v1/upstreams", "/api/v1/repositories"):
            seen.append((path, tankard.admin("GET", path, token=tankard.token()).body))
        seen += processes()
        tankard.wait_quiet()
        faults.vanish()
        tankard.restart()
        ask_everything()
        tankard.stop()
        for name, text in seen:
            assert not leaked(text), (name, leaked(text))
        assert not leaked(tankard.output()), leaked(tankard.output())
        for base, _, files in os.walk(os.path.dirname(tankard.cache_dir)):
            for name in files:
                assert not leaked(name), name
                with open(os.path.join(base, name), "rb") as file:
                    assert not leaked(file.read()), os.path.join(base, name)
        with open(tankard.key_file, "rb") as file:
            assert file.read().hex() not in tankard.output()

    @pytest.mark.parametrize("url", ["http://annabella:Swordfish-in-url@127.0.0.1:9", "http://Swordfish-in-url@127.0.0.1:9/git", "https://:Swordfish-in-url@host.example"])
    def test_a_credential_in_the_url_of_an_upstream_is_refused_and_not_repeated(self, run_tankard, url):
        tankard = run_tankard(upstreams=[url], start=False)
        tankard.start(wait=False)
        code, output = tankard.ends_by_itself()
        assert code > 0 and "user" in output, output
        assert "Swordfish" not in output


class TestOtherHeaders:
    """A cookie or a header of one's own is a credential like any other: the same rules hold for it."""

    KINDS = [("Cookie", "session=Pflaumenmus", "session=other"), ("PRIVATE-TOKEN", "Birnenkompott", "other"), ("X-Api-Key", "Quittengelee", "other"),
             ("Authorization", "Bearer Hollerbluete", "Bearer other")]

    @pytest.fixture
    def by_header(self, host, faults, life):
        """A repository that is shown to who sends the right header, whatever that is."""
        def make(name, value):
            made = life("by-header")
            host.make_public(made.path)
            faults.on(Respond(401, {"WWW-Authenticate": CHALLENGE}), times=None, path=re.escape(made.path), where=lambda r: r.header(name) != value)
            return made
        return make

    @pytest.mark.parametrize("name, right, wrong", KINDS, ids=lambda v: v.split()[0])
    def test_online_offline_and_after_a_restart(self, tankard, faults, by_header, name, right, wrong):
        repository = by_header(name, right)
        for _ in range(2):
            for answer in ask_all(tankard, repository, [(name, right)]):
                assert answer.status == 200, answer
            tankard.wait_quiet()
        assert faults.count("fetch", has_pack=True) == 1, "the second one is served from the store"
        is_refused(tankard, repository, [(name, wrong)], [401])
        is_refused(tankard, repository, (), [401])
        for begins_outage in (lambda: tankard.switch(False), lambda: restart_in_an_outage(tankard, faults)):
            begins_outage()
            is_shown(tankard, repository, [(name, right)])
            must_come_later(tankard, repository, [(name, wrong)])
            must_come_later(tankard, repository, [(name, right), ("X-More", "of it")])
            must_log_in(tankard, repository)

    def test_harmless_headers_are_no_part_of_it(self, tankard, ann, secret):
        visit(tankard, secret, ann)
        tankard.advertisement(secret.path)
        tankard.switch(False)
        harmless = [("User-Agent", "git/9.99"), ("Accept-Language", "de, en;q=0.9"), ("Pragma", "no-cache"), ("Cache-Control", "no-cache"),
                    ("X-Request-Id", "four"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
        is_shown(tankard, secret, [*ann.header, *harmless])
        must_log_in_with = ask_all(tankard, secret, harmless)
        assert {a.status for a in must_log_in_with} == {401}


class TestScopeUser:
    """auth.scope = user: what refs there are depends on who asks. Nothing is shared, and no pack is kept."""

    @pytest.fixture
    def tankard(self, run_tankard, faults, clock):
        return run_tankard(clock=clock, settings={f"upstream.{faults.name}.auth.scope": "user"})

    @pytest.fixture
    def personal(self, faults, secret, ann, bob):
        """Each sees a branch that the other does not."""
        for one, other in ((ann, bob), (bob, ann)):
            secret.set_ref(f"refs/heads/only-for-{one.name}", "refs/heads/main")
            hidden = re.compile(rb"[0-9a-f]{4}[0-9a-f]{40} refs/heads/only-for-" + other.name.encode() + b"\n")
            faults.on(Edit(lambda status, headers, body, hidden=hidden: (status, headers, hidden.sub(b"", body))), times=None, kind="ls-refs",
                      where=lambda r, one=one: r.header("Authorization") == one.header[0][1])
        return secret

    def own_refs_only(self, tankard, personal, *people):
        for one in people:
            names = set(pkt.listing(tankard.ls_refs(personal.path, *PREFIXES, headers=one.header).body))
            assert {n for n in names if "only-for" in n} == {f"refs/heads/only-for-{one.name}"} and "refs/heads/main" in names

    def test_each_is_shown_his_own_refs_online_and_in_an_outage(self, tankard, faults, ann, bob, personal):
        for _ in range(2):
            for one in (ann, bob):
                assert tankard.advertisement(personal.path, one.header).status == 200
            self.own_refs_only(tankard, personal, ann, bob)
        for begins_outage in (lambda: tankard.switch(False), lambda: restart_in_an_outage(tankard, faults)):
            begins_outage()
            self.own_refs_only(tankard, personal, ann, bob)

    def test_at_the_same_time(self, tankard, faults, ann, bob, personal):
        gate = Gate()
        faults.on(Hang(gate), kind="advertisement", times=None)
        answers = {}
        jobs = [threading.Thread(target=lambda one=one: answers.setdefault(one.name, tankard.advertisement(personal.path, one.header))) for one in (ann, bob)]
        for job in jobs:
            job.start()
        gate.wait_arrived(2)
        gate.open()
        for job in jobs:
            job.join()
        self.own_refs_only(tankard, personal, ann, bob)

    def test_a_fetch_is_always_upstream_s(self, tankard, faults, ann, bob, personal):
        for n, one in enumerate((ann, ann, bob)):
            assert told(tankard.fetch(personal.path, personal.tip, headers=one.header), [personal])
            tankard.wait_quiet()
            assert faults.count("fetch", has_pack=True) == n + 1
        assert not tankard.files(".pack") and tankard.metric("tankard_store_repositories") == 0
        self.own_refs_only(tankard, personal, ann, bob)
        tankard.switch(False)
        answer = tankard.fetch(personal.path, personal.tip, headers=ann.header)
        assert b"PACK" not in answer.body and answer.status in (200, 502, 503) and answer.status != 401, answer

    def test_who_is_not_allowed_is_shown_nothing(self, tankard, host, ann, bob, person, personal):
        self.own_refs_only(tankard, personal, ann, bob)
        eve = person("eve")
        is_refused(tankard, personal, eve.header, [403])
        host.forbid(personal.path, bob.name)
        is_refused(tankard, personal, bob.header, [403])
        is_refused(tankard, personal, (), [401])
        tankard.switch(False)
        self.own_refs_only(tankard, personal, ann)
        must_come_later(tankard, personal, bob.header)
        must_come_later(tankard, personal, eve.header)
        must_log_in(tankard, personal)


class TestAnonymousMode:
    """auth.mode = anonymous: upstream is never shown a credential, so only what is public is there."""

    @pytest.fixture
    def tankard(self, run_tankard, faults, clock):
        return run_tankard(clock=clock, settings={f"upstream.{faults.name}.auth.mode": "anonymous"})

    def test_no_credential_reaches_upstream_and_nobody_is_asked_for_one(self, tankard, faults, git, ann, secret):
        for headers in ((), ann.header, [("Cookie", "session=1")], [("PRIVATE-TOKEN", "t")], [*ann.header, ("X-Secret", "x")]):
            for answer in (*ask_all(tankard, secret, headers), tankard.push_advertisement(secret.path, headers)):
                assert answer.status in (403, 404) and answer.header("WWW-Authenticate") is None, answer
                assert not told(answer, [secret], but=secret.tips())
        for record in faults.records:
            for name in ("Authorization", "Cookie", "PRIVATE-TOKEN", "X-Secret"):
                assert record.header(name) is None, record
        asked = os.path.join(git.home, "asked")
        script = os.path.join(git.home, "askpass")
        with open(script, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\necho x >>{asked}\n")
        os.chmod(script, 0o755)
        result = git.fails("ls-remote", tankard.url(secret.path), env={"GIT_ASKPASS": script})
        assert "not found" in result.err and not os.path.exists(asked), result

    def test_what_is_public_is_kept_for_everybody_whatever_they_send(self, tankard, host, faults, ann, bob, secret):
        host.make_public(secret.path)
        visit(tankard, secret, ann)
        visit(tankard, secret, bob)
        visit(tankard, secret)
        assert faults.count("fetch", has_pack=True) == 1
        tankard.switch(False)
        for headers in ((), ann.header, ann.with_wrong_password()):
            is_shown(tankard, secret, headers)

    def test_what_is_not_public_is_refused_in_an_outage_without_a_login(self, tankard, ann, secret):
        assert tankard.advertisement(secret.path).status == 404
        tankard.switch(False)
        for headers in ((), ann.header):
            for answer in ask_all(tankard, secret, headers):
                assert answer.status != 401 and answer.header("WWW-Authenticate") is None, answer
                assert not told(answer, [secret], but=secret.tips())
