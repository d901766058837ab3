"""Who is sent what: every kind of repository x every kind of credential x every situation x every request.

`expected()` says what must be sent, from the four words alone; `World` lets it all happen once, with real servers, and each
test asks one question in it. Whatever is sent, nothing may be in it of any repository but the one that is to be shown.
"""
import os
import re
import shutil
import tempfile

import pytest

from support import pkt
from support.access_upstream import CHALLENGE, AccessUpstream, basic
from support.clock import ShiftedClock
from support.fault_proxy import FaultProxy
from support.git import Git
from support.processes import wait_until
from support.tankard import Direct, Tankard
from support.traces import PREFIXES, Life, told

STATES = ["public", "private", "made private", "made public", "re-created", "renamed"]
WHO = ["right", "wrong", "expired", "revoked", "none", "other"]
SITUATIONS = ["without tankard", "online", "outage", "restarted", "long outage", "restarted late", "clock back"]
REQUESTS = ["info/refs", "ls-refs", "fetch", "fetch old oid", "push advertisement"]

# What may be sent. The answers that show the repository:
SHOWN = "the repository, as it is now"
FORMER_TIP = "a pack of what main was a while ago"
# and those in which nothing of any repository is:
MOVED = "301 to the new name"
LOGIN = "401 with the host's challenge"
DENIED = "the host's 403 or 404"
LATER = "503 with Retry-After, the same for whatever was asked"
NO_SUCH_OBJECT = "an error of git's protocol"
NO_PUSH = "502 or 503 with a sentence"

ONE_LIFE = ["public", "private", "renamed"]     # main was pushed away once, by its owners: the former tip is nobody's secret
PUBLIC = ["public", "made public"]
UPSTREAM_THERE = ["without tankard", "online"]
ANSWERS_403 = ["private"]   # the host, to a good password without a right; elsewhere 404
LONG_AWAY = ["long outage", "restarted late"]


def expected(state, who, situation, request):
    """Life of the credentials: all but `wrong`, `none` and `other` were allowed once. Then the host refused `expired` (401)
    and `revoked` (403 or 404), and tankard heard of it."""
    if situation in UPSTREAM_THERE:
        return expected_of_the_host(state, who, request)
    if request == "push advertisement":
        return NO_PUSH
    lately_allowed = who == "right" and situation in ["outage", "restarted"]
    if state in PUBLIC or lately_allowed:
        return kept(state, situation, request)
    return LOGIN if who == "none" else LATER


def expected_of_the_host(state, who, request):
    """Online the host's own answer is relayed, or the store's where the host has just said yes."""
    if who == "right" or state in PUBLIC and request != "push advertisement":
        return MOVED if state == "renamed" else shown(state, request)
    return DENIED if who in ["revoked", "other"] else LOGIN


def shown(state, request):
    if request != "fetch old oid":
        return SHOWN
    return FORMER_TIP if state in ONE_LIFE else NO_SUCH_OBJECT


def kept(state, situation, request):
    """A former tip is lent for a day, of a public repository: of another one nobody knows to whom it was shown."""
    lent = state == "public" and situation != "clock back"
    return shown(state, request) if request != "fetch old oid" or lent else NO_SUCH_OBJECT


class Repo:
    def __init__(self, state):
        self.path = f"team/{state.replace(' ', '-')}.git"
        self.lives = []

    @property
    def now(self):
        return self.lives[-1]

    @property
    def old_oid(self):
        """What a client remembers from before: the former tip of main, or the tip of the former life."""
        return self.now.old or self.lives[0].begun_with


class World:
    """One host, one tankard before it, six repositories with a past; then the situations, one after the other."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tankard-matrix-", ignore_cleanup_errors=True)
        self.git = Git(os.path.join(self.folder.name, "home"))
        self.host = AccessUpstream(refusal=404)
        self.host.start()
        self.faults = FaultProxy(self.host.port)
        self.credentials = {
            "right": [self.host.add_user("rita", "Swordfish-of-rita")],
            "wrong": [basic("rita", "Swordfish-that-never-was")],
            "expired": [self.host.add_user("eva", "Swordfish-of-eva")],
            "revoked": [self.host.add_user("rob", "Swordfish-of-rob")],
            "none": [],
            "other": [self.host.add_user("otto", "Swordfish-of-otto")],
        }
        self.repos = {state: Repo(state) for state in STATES}
        self.other = Repo("of otto")
        self.situation = None
        self.unreachable = None   # a situation that did not come about
        self.tankards = []

    def close(self):
        try:
            for tankard in self.tankards:
                tankard.close()
        finally:
            self.faults.close()
            self.host.close()
            self.folder.cleanup()

    def _start(self, cache_dir, clock):
        tankard = Tankard(self.faults, cache_dir=cache_dir, clock=clock)
        self.tankards.append(tankard)
        return tankard.start()

    # The past

    def _begin_life(self, repo):
        folder = self.host.path(repo.path)
        shutil.rmtree(folder, ignore_errors=True)
        life = Life(self.git, folder, f"{repo.path.removesuffix('.git').replace('/', '-')}-life{len(repo.lives) + 1}")
        repo.lives.append(life)
        return life

    def _visits(self, repo, *everybody):
        """Each looks at it and clones it, as git would."""
        for who in everybody:
            credential = self.credentials[who]
            assert self.tankard.advertisement(repo.path, credential).status == 200, (repo.path, who)
            answer = self.tankard.ls_refs(repo.path, *PREFIXES, headers=credential)
            assert pkt.listing(answer.body) == repo.now.listing, (repo.path, who, answer)
            answer = self.tankard.fetch(repo.path, *repo.now.tips(), headers=credential)
            assert b"PACK" in answer.body, (repo.path, who, answer)
        self.tankard.wait_quiet()

    def _is_told(self, repo, who, status):
        assert self.tankard.advertisement(repo.path, self.credentials[who]).status == status, (repo.path, who)

    def tell_the_past(self):
        self.tankard = self._start(os.path.join(self.folder.name, "first", "cache"), ShiftedClock())
        host, repos = self.host, self.repos
        for repo in [*repos.values(), self.other]:
            self._begin_life(repo)
        host.make_public(repos["public"].path)
        host.make_public(repos["made private"].path)
        host.allow(self.other.path, "otto")
        for state in STATES:
            host.allow(repos[state].path, "rita")   # who may also push to what is public
            if state not in ["public", "made private"]:
                host.allow(repos[state].path, "eva", "rob")
            self._visits(repos[state], *(["none"] if state in ["public", "made private"] else ["right", "expired", "revoked"]))
        self._visits(self.other, "other")

        for state in ONE_LIFE:
            repos[state].now.begin_again()
            self._visits(repos[state], *(["none"] if state == "public" else ["right", "expired", "revoked"]))

        self._begin_life(repos["made private"])
        host.make_private(repos["made private"].path)
        host.allow(repos["made private"].path, "eva", "rob")
        self._is_told(repos["made private"], "none", 401)
        self._visits(repos["made private"], "right", "expired", "revoked")

        self._begin_life(repos["made public"])
        host.make_public(repos["made public"].path)
        self._visits(repos["made public"], "none")

        host.delete(repos["re-created"].path)
        for who in ["right", "expired", "revoked"]:
            self._is_told(repos["re-created"], who, 404)
        self._begin_life(repos["re-created"])
        host.allow(repos["re-created"].path, "rita", "eva", "rob")
        self.tankard.clock.passes(minutes=1)    # a 404 is remembered for a moment
        self._visits(repos["re-created"], "right", "expired", "revoked")

        host.rename(repos["renamed"].path, "team/new-name.git")
        self._is_told(repos["renamed"], "right", 301)

        for state in ANSWERS_403:
            host.refuse_with(403, repos[state].path)
        host.set_password("eva", "Swordfish-of-eva-anew")
        for state in STATES:
            host.forbid(repos[state].path, "rob")
            if state not in PUBLIC:
                self._is_told(repos[state], "expired", 401)
                self._is_told(repos[state], "revoked", 403 if state in ANSWERS_403 else 404)
        self.tankard.wait_quiet()
        self.tankard.wait_written()
        self.tankard.clock.passes(minutes=5)    # what was allowed a minute ago needs no question; here all is asked

    # The present

    def at(self, situation):
        """Makes it so. Situations come in the order of their table."""
        assert self.unreachable != situation, "see the first cell of this situation"
        if self.situation == situation:
            return
        self.unreachable = situation
        before, now = (SITUATIONS.index(s) if s else -1 for s in (self.situation, situation))
        assert before < now, f"{situation} comes before {self.situation}"
        if situation in UPSTREAM_THERE:
            self.client = self.tankard if situation == "online" else Direct(self.faults.port)
        else:
            self.faults.vanish()
            if self.situation in [None, *UPSTREAM_THERE]:
                self.tankard.clock.passes(minutes=1)    # the host's 404 is remembered for a moment
            if situation != "outage":
                self._restart(situation)
            if situation == "long outage":
                self.tankard.clock.passes(hours=13)
            self.client = self.tankard
            self._outage_is_known()
        self.situation, self.unreachable = situation, None

    def _restart(self, situation):
        """Each restart is one of the first tankard, as it was when it stopped: on a copy of its files."""
        first = self.tankards[0]
        if first.alive:
            first.stop()
        if situation == "long outage" and self.situation == "restarted":
            return   # goes on in the same process
        self.tankard.stop()
        folder = os.path.join(self.folder.name, situation.replace(" ", "-"))
        shutil.copytree(os.path.dirname(first.cache_dir), folder)
        clock = first.clock.copy()
        if situation == "restarted late":
            clock.passes(hours=13)
        if situation == "clock back":
            clock.wall_turned(hours=-2)
        self.tankard = self._start(os.path.join(folder, "cache"), clock)

    def _outage_is_known(self):
        def known():
            self.tankard.advertisement("team/whatever.git")
            return self.tankard.metric("tankard_upstream_available", upstream=self.tankard.name) == 0
        wait_until(known, "the outage is known", 30)

    def ask(self, state, who, request):
        return self.request(self.repos[state].path, self.repos[state].now.tip, self.repos[state].old_oid, who, request)

    def request(self, path, tip, old_oid, who, request):
        credential = self.credentials[who]
        if request == "info/refs":
            return self.client.advertisement(path, credential)
        if request == "ls-refs":
            return self.client.ls_refs(path, *PREFIXES, headers=credential)
        if request == "push advertisement":
            return self.client.push_advertisement(path, credential)
        return self.client.fetch(path, tip if request == "fetch" else old_oid, headers=credential)

    def lives(self):
        return [life for repo in [*self.repos.values(), self.other] for life in repo.lives]


@pytest.fixture(scope="module")
def world():
    it = World()
    try:
        it.tell_the_past()
        yield it
    finally:
        if it.tankards:
            print("--- tankard's log ---\n" + it.tankards[-1].output()[-12000:])   # shown where something failed
        it.close()


def same_but_for_the_name(answer, path):
    """What is left of an answer for comparison: without names and moments."""
    headers = {n: v for n, v in answer.headers if n.lower() not in ("date", "content-length", "x-request-id")}
    return answer.status, headers, re.sub(r"\d+", "N", answer.text.replace(path, "<repository>").replace(path.removesuffix(".git"), "<repository>"))


def like_an_unknown_repository(world, answer, state, who, request):
    """Whoever guesses names learns nothing: the answer about a repository that nobody ever asked for is the same."""
    unknown = "team/never-heard-of-it.git"
    reference = world.request(unknown, "1" * 40, "2" * 40, who, request)
    assert same_but_for_the_name(answer, world.repos[state].path) == same_but_for_the_name(reference, unknown)


def check_shown(world, answer, state, request, situation):
    life = world.repos[state].now
    assert answer.status == 200 and answer.whole, answer
    if request == "info/refs":
        assert answer.header("Content-Type") == "application/x-git-upload-pack-advertisement"
        assert "version 2" in pkt.texts(answer.body) and "ls-refs" in answer.text, answer
        assert told(answer, world.lives()) == set(), "of refs nothing is said here"
    else:
        assert told(answer, world.lives()) == {life.mark}
    if request == "ls-refs":
        assert pkt.listing(answer.body) == life.listing
    if request == "fetch":
        assert b"PACK" in answer.body
    if situation not in UPSTREAM_THERE and request in ("info/refs", "ls-refs"):
        assert answer.header("Cache-Status", "").startswith("tankard; hit; "), answer
        assert int(answer.header("Age")) >= (13 * 3600 if situation in LONG_AWAY else 0)
        if situation in LONG_AWAY:
            assert answer.header("Warning", "").startswith("110 "), answer


def check_former_tip(world, answer, state):
    life = world.repos[state].now
    assert answer.status == 200 and b"PACK" in answer.body, answer
    assert told(answer, world.lives()) == {life.mark}


def check_nothing_told(world, answer, state):
    assert told(answer, world.lives(), but=[world.repos[state].now.tip, world.repos[state].old_oid]) == set(), answer
    assert b"PACK" not in answer.body and pkt.listing(answer.body) == {}, answer
    for header in ("Cache-Status", "Age"):
        assert answer.header(header) is None, answer


CELLS = [pytest.param(situation, state, who, request, id="-".join((situation, state, who, request)).replace(" ", "_"))
         for situation in SITUATIONS for state in STATES for who in WHO for request in REQUESTS]


@pytest.mark.parametrize("situation, state, who, request_", CELLS)
def test_cell(world, situation, state, who, request_):
    world.at(situation)
    answer = world.ask(state, who, request_)
    must = expected(state, who, situation, request_)
    if must == SHOWN:
        return check_shown(world, answer, state, request_, situation)
    if must == FORMER_TIP:
        return check_former_tip(world, answer, state)
    check_nothing_told(world, answer, state)
    challenge, retry = answer.header("WWW-Authenticate"), answer.header("Retry-After")
    if must == MOVED:
        assert answer.status == 301, answer
        assert re.fullmatch(rf"(http://127\.0\.0\.1:{world.client.port})?{world.client.mount()}/team/new-name\.git/.+", answer.header("Location")), answer
    elif must == LOGIN:
        assert (answer.status, challenge) == (401, CHALLENGE), answer
        if situation not in UPSTREAM_THERE:
            like_an_unknown_repository(world, answer, state, who, request_)
    elif must == DENIED:
        assert (answer.status, challenge) == (403 if state in ANSWERS_403 else 404, None), answer
    elif must == LATER:
        assert (answer.status, challenge) == (503, None) and int(retry) > 0, answer
        assert answer.header("Content-Type").startswith("text/plain"), answer
        like_an_unknown_repository(world, answer, state, who, request_)
    elif must == NO_SUCH_OBJECT:
        assert answer.status == 200 and ("ERR " in answer.text or "\x03" in answer.text), answer
    elif must == NO_PUSH:
        assert answer.status in (502, 503) and challenge is None and len(answer.text) > 20, answer
        assert answer.header("Content-Type").startswith("text/plain"), answer


def test_all_who_must_wait_read_the_same_sentence(world):
    """503 whatever was asked and whoever asked: no word tells a denied one from a stranger, or one request from another."""
    world.at(SITUATIONS[-1])
    sentences = {same_but_for_the_name(world.ask(state, who, request), world.repos[state].path)[2]
                 for state in STATES for who in WHO for request in REQUESTS
                 if expected(state, who, world.situation, request) == LATER}
    assert len(sentences) == 1, sentences

