"""Fixtures of the integration tests. Every test gets its own tankard and fault proxy; the git host is shared by a file."""
import itertools
import os

import pytest

from support.clock import ShiftedClock
from support.fault_proxy import FaultProxy
from support.files import place
from support.git import Git
from support.gitrepo import Repository, typical
from support.people import Person
from support.tankard import Tankard
from support.traces import Life
from support.upstream import PASSWORD, USER, Upstream

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def host():
    """A git host that lives as long as the file's tests. Tests that kill it use `own_host`."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def own_host():
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def git(tmp_path):
    return Git(tmp_path / "home")


@pytest.fixture
def faults(host):
    """What stands between tankard and the git host: records everything, breaks what it is told to."""
    with FaultProxy(host.port) as proxy:
        yield proxy


@pytest.fixture
def new_repository(host, git):
    """new_repository("group/x.git") -> an empty Repository on the host; without a name, one nobody else has."""
    def make(path=None, on=None, **options):
        path = path or f"repo-{next(_numbers)}.git"
        repository = Repository(git, (on or host).path(path), **options)
        repository.path = path
        return repository
    return make


@pytest.fixture
def project(host, git):
    """A typical repository of its own on the host."""
    path = f"group/project-{next(_numbers)}.git"
    repository = typical(git, host.path(path))
    repository.path = path
    return repository


@pytest.fixture
def run_tankard(faults):
    """run_tankard(settings={...}) -> a running Tankard in front of `faults`; it is stopped, and looked over, at the end."""
    running = []

    def make(upstreams=None, start=True, **options):
        tankard = Tankard(faults if upstreams is None else upstreams, **options)
        running.append(tankard)
        return tankard.start() if start else tankard
    yield make
    failed = None
    for tankard in reversed(running):
        try:
            if tankard.alive:
                tankard.check_output()
            tankard.close()
        except BaseException as error:  # every one of them must be ended
            failed = failed or error
    if failed:
        for tankard in running:
            print("--- tankard's log ---\n" + tankard.output()[-12000:])
        raise failed


@pytest.fixture
def tankard(run_tankard):
    return run_tankard()


@pytest.fixture
def clock():
    return ShiftedClock()


@pytest.fixture
def person(host):
    """person("ann") -> an account on the host, with a name that no other test has."""
    return lambda name: Person(host, f"{name}-{next(_numbers)}")


@pytest.fixture
def ann(person):
    return person("annabella")


@pytest.fixture
def bob(person):
    return person("bobadilla")


@pytest.fixture
def life(host, git):
    """life("one", ann, bob) -> a private repository that these people may see."""
    def make(name, *people, path=None):
        path = path or f"team/repo-{next(_numbers)}.git"
        made = Life(git, host.path(path), f"{name}-{next(_numbers)}")
        made.path = path
        host.allow(path, *(p.name for p in people))
        return made
    return make


@pytest.fixture
def secret(life, ann, bob):
    """A private repository that ann and bob may see."""
    return life("secret", ann, bob)


@pytest.fixture
def secret_file(tmp_path):
    return place(tmp_path / "secret", PASSWORD + "\n")


@pytest.fixture
def service(run_tankard, faults, secret_file):
    """service(networks=.., tokens_file=..) -> tankard in service mode, with one credential and a rule of that."""
    def make(credential=None, start=True, clock=None, rules=(), more=(), **rule):
        table = f"upstream.{faults.name}"
        settings = {f"{table}.auth.mode": "service"}
        for key, value in (credential or {"user": USER, "secret_file": secret_file}).items():
            settings[f"{table}.credential.bot.{key}"] = value
        for number, criteria in enumerate([*rules, *([rule] if rule else [])]):
            for key, value in criteria.items():
                settings[f"{table}.client.rule-{number}.{key}"] = value
        return run_tankard(settings={**settings, **dict(more)}, start=start, clock=clock)
    return make


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows tankard's log: the first thing one wants to see."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Tankard):
                report.sections.append(("tankard's log", value.output()[-12000:]))
            if isinstance(value, FaultProxy):
                report.sections.append(("what the upstream saw", "\n".join(map(repr, value.records))))


@pytest.fixture(autouse=True)
def _no_stray_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("GIT_") or name.lower() in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name)
