"""What may take seconds has two threads of its own: nothing short waits behind it. (Counted: which jobs go where.)"""
import os
import threading

import pytest

from support import http, pkt
from support.gitrepo import typical
from support.processes import wait_until

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


class HeldWalks:
    """A git before the real one whose walks over history (`rev-list --stdin`, asked of SHA-256 stores) stand still while they are held."""

    def __init__(self, folder):
        self.folder, self.hold, self.begun = folder, folder / "hold", folder / "begun"
        program = folder / "git"
        program.write_text("#!/bin/sh\n"
                           f"case \" $* \" in *' rev-list --stdin '*) if [ -e {self.hold} ]; then echo >> {self.begun}; "
                           f"while [ -e {self.hold} ]; do sleep 0.05; done; fi;; esac\n"
                           "exec /usr/bin/git \"$@\"\n")
        program.chmod(0o755)

    def count(self):
        return len(self.begun.read_text()) if self.begun.exists() else 0


class TestWalks:
    @pytest.fixture
    def walks(self, tmp_path):
        (tmp_path / "programs").mkdir()
        held = HeldWalks(tmp_path / "programs")
        yield held
        held.hold.unlink(missing_ok=True)

    @pytest.fixture
    def known(self, host, git, request):
        made = typical(git, host.path(f"walks/{request.node.name}.git"), object_format="sha256")
        made.path = f"walks/{request.node.name}.git"
        return made

    @pytest.fixture
    def tankard(self, run_tankard, git, known, walks, tmp_path):
        """Away from its upstream, with a store of the repository; the walks are held."""
        tankard = run_tankard(programs=walks.folder, settings={"timeouts.drain": "1s"})
        git.check("clone", "--mirror", tankard.url(known.path), tmp_path / "first")
        tankard.wait_stored()
        tankard.wait_quiet()
        tankard.switch(False)
        walks.hold.touch()
        return tankard

    @pytest.fixture
    def asked(self, tankard, known, walks):
        """Four clients, each with a request of its own: one walks, three wait for their turn. A list of their answers."""
        parent = known.git.check("rev-parse", "refs/heads/main~1", cwd=known.folder).strip()
        answers = []

        def ask(n):
            try:
                answers.append(tankard.command(known.path, pkt.fetch([parent], (), True, f"deepen {n + 100}"), timeout=60))
            except OSError as error:
                answers.append(error)
        clients = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
        for client in clients:
            client.start()
        wait_until(lambda: walks.count() == 1 and tankard.metric("tankard_walks_waiting") == 3, "one walks, and three wait")
        yield answers
        walks.hold.unlink(missing_ok=True)
        for client in clients:
            client.join(60)
            assert not client.is_alive()

    def test_whoever_walks_leaves_a_thread_to_others(self, tankard, known, walks, asked):
        answer = tankard.admin("DELETE", f"/api/v1/repositories/{tankard.name}/other.git", token=tankard.token())
        assert answer.status == 200 and not asked and walks.count() == 1
        walks.hold.unlink()
        wait_until(lambda: len(asked) == 4, "all are answered")
        assert all(answer.status == 200 and b"PACK" in answer.body for answer in asked), asked

    def test_a_purge_takes_what_is_being_walked_over(self, tankard, known, walks, asked):
        answer = tankard.admin("DELETE", f"/api/v1/repositories/{tankard.name}/{known.path}", token=tankard.token())
        assert answer.status == 200 and answer.json["was_known"] and not asked
        assert b"ERR" in tankard.ls_refs(known.path).body
        walks.hold.unlink()
        wait_until(lambda: len(asked) == 4, "all are answered")
        assert not any(b"PACK" in answer.body for answer in asked), asked

    def test_nobody_walks_for_a_client_that_has_gone(self, tankard, known, walks):
        parents = known.git.check("rev-list", "-n", "2", "refs/heads/main~1", cwd=known.folder).split()
        log = tankard.log_mark()
        clients = []
        for n, parent in enumerate(parents):
            clients.append(http.Connection(tankard.port, 60))
            clients[n].request("POST", tankard.target(known.path, "git-upload-pack"),
                               [("Git-Protocol", "version=2"), ("Content-Type", "application/x-git-upload-pack-request")],
                               pkt.fetch([parent]))
            wait_until(lambda: walks.count() == 1 and tankard.metric("tankard_walks_waiting") == n, "one walks, the other waits")
        clients[1].close()
        walks.hold.unlink()
        assert b"PACK" in clients[0].answer("POST").body
        clients[0].close()
        ends = {(r["outcome"], r["reason"]) for r in tankard.wait_request(2, log, operation="fetch")}
        assert ends == {("local", "disabled"), ("error", "object-missing")}, "a walk would have found what the other one wants"

    def test_the_end_waits_for_no_walk(self, tankard, walks, asked):
        tankard.stop(timeout=30)   # less than a walk may take
        assert walks.count() == 1
