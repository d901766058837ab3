"""What may take seconds has two threads of its own: nothing short waits behind it. (Counted: which jobs go where.)"""
import os

import pytest

from support import pkt

ASKED = 20
OTHERS = 3   # the look at the disk once a minute, and what follows a new listing


def long_jobs(tankard):
    return tankard.metric("tankard_long_jobs_total")


@pytest.fixture
def known(tankard, git, project, tmp_path):
    """A repository that is kept: its store, and an answer of two megabytes."""
    project.add_commit(content=os.urandom(2 << 20), path="noise")
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "first")
    tankard.wait_stored()
    tankard.wait_quiet()
    return project


def test_the_first_look_at_a_large_kept_answer_is_a_long_job(tankard, git, known, tmp_path):
    tankard.restart()
    for count, expected in ((1, range(1, 1 + OTHERS)), (ASKED, range(OTHERS))):
        before, log = long_jobs(tankard), tankard.log_mark()
        for n in range(count):
            git.check("clone", "--bare", tankard.url(known.path), tmp_path / f"{count}-{n}")
        assert tankard.outcomes("fetch", since=log, count=count) == ["hit"] * count
        assert long_jobs(tankard) - before in expected, count


def test_a_walk_over_objects_is_a_long_job_and_a_look_at_tips_is_none(tankard, known):
    blob = known.git.check("rev-parse", "refs/heads/main:noise", cwd=known.folder).strip()
    for wants, expected in (([blob], range(ASKED, ASKED + OTHERS)), ([known.oid("refs/heads/main")], range(OTHERS)),
                            (["1" * 40], range(OTHERS))):
        before = long_jobs(tankard)
        for n in range(ASKED):
            # Each another request: nothing is kept of it.
            answer = tankard.command(known.path, pkt.fetch(wants, (), True, f"deepen {n + 100}"))
            assert answer.status == 200, answer
        assert long_jobs(tankard) - before in expected, wants
