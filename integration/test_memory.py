"""tankard's memory does not grow with the size of what passes through it. (A sanitizer's own memory is not measured.)"""
import pytest

from support import http, pkt
from support.fault_proxy import Gate, HoldBody
from support.gitrepo import Repository
from support.git import Git
from support.memory import Memory
from support.processes import wait_until

MEGABYTES = 300


@pytest.fixture(scope="module")
def large(host, tmp_path_factory):
    """One repository of 300 MB for the whole file."""
    repository = Repository(Git(tmp_path_factory.mktemp("large")), host.path("large.git")).big(MEGABYTES)
    repository.path = "large.git"
    assert repository.pack_bytes() > (MEGABYTES - 12) << 20
    return repository


def test_clones_of_300_mb(tankard, faults, git, project, large, tmp_path):
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "warm-up")
    tankard.wait_stored()

    with Memory(tankard) as memory:
        git.check("clone", "--bare", tankard.url(large.path), tmp_path / "first", timeout=600)
        tankard.wait_stored(2)
    memory.bounded()
    assert git.refs(tmp_path / "first") == large.refs()
    transfers = faults.seen("fetch", has_pack=True, path=f"/{large.path}/git-upload-pack")
    assert len(transfers) == 1 and transfers[0].finished, "one transfer"
    assert transfers[0].response_bytes > (MEGABYTES - 12) << 20

    mark = faults.mark()
    with Memory(tankard) as memory:
        git.check("clone", "--bare", tankard.url(large.path), tmp_path / "second", timeout=600)
    memory.bounded()
    assert faults.count("fetch", since=mark) == 0
    assert git.refs(tmp_path / "second") == large.refs()
    git.fsck(tmp_path / "second")

    tankard.switch(False)
    with Memory(tankard) as memory:
        git.check("clone", "--bare", "--depth", "5", tankard.url(large.path), tmp_path / "third", timeout=600)
    memory.bounded()


def test_a_client_that_does_not_read_costs_no_memory(tankard, faults, git, large):
    """Back-pressure: the upstream is read as fast as the client takes it, or into a bounded spool on disk."""
    tip = pkt.listing(tankard.ls_refs(large.path, "refs/heads/main").body)["refs/heads/main"]
    with Memory(tankard) as memory:
        with http.Connection(tankard.port, receive_buffer=8192, timeout=120) as client:
            client.request("POST", tankard.target(large.path, "git-upload-pack"),
                           {"Git-Protocol": "version=2", "Content-Type": "application/x-git-upload-pack-request"}, pkt.fetch([tip]))
            answer = client.head()
            assert answer.status == 200
            record = faults.seen("fetch")[0]
            seen = []

            def stalled():  # what came over has not changed for a second's worth of looks: all that will be buffered is
                seen.append(record.response_bytes)
                return len(seen) > 20 and seen[-1] == seen[-20] > 0
            wait_until(stalled, "the flow stops", 120, interval=0.05)
    memory.bounded()
    tankard.wait_quiet()


def test_a_slow_upstream_and_a_held_clone_cost_no_memory(tankard, faults, git, large, tmp_path):
    gate = Gate()
    faults.on(HoldBody(gate, after=100 << 20), kind="fetch")
    with Memory(tankard) as memory:
        clone = git.start("clone", "--bare", tankard.url(large.path), tmp_path / "c")
        gate.wait_arrived(timeout=120)
    memory.bounded()
    gate.open()
    _, error = clone.communicate(timeout=600)
    assert clone.returncode == 0, error
    tankard.wait_stored()


def test_many_idle_connections_cost_little_and_new_requests_are_answered(tankard, project):
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 2000
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 500)), hard))
    count = min(count, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 300)
    connections = []
    with Memory(tankard) as memory:
        try:
            for _ in range(count):
                connection = http.Connection(tankard.port)
                connection.request("GET", "/nowhere")
                assert connection.answer().status == 404
                connections.append(connection)
            assert tankard.ls_refs(project.path).status == 200
        finally:
            for connection in connections:
                connection.close()
    memory.bounded()
