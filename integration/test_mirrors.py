"""Repositories of which clients fetch only parts, as CI does: tankard fetches the whole once, by policy, and then has a store."""
import pytest

from support.fault_proxy import Gate, HoldBody, Truncate
from support.gitrepo import typical
from support.processes import wait_until
from support.upstream import PASSWORD, USER

SHALLOW = ("--depth", "1")


def is_whole(record):
    """A fetch of everything: a mirror's, where clients ask for parts."""
    return not record.haves and not record.shallows and b"deepen" not in record.body and b"filter" not in record.body


def whole_transfers(faults):
    return [r for r in faults.seen("fetch") if r.has_pack and is_whole(r)]


@pytest.fixture
def part(git, project, tmp_path):
    """part(tankard, name) clones a part of the project, from a repository whose store there is not."""
    def clone(tankard, name, *how):
        git.check("clone", "--bare", *(how or SHALLOW), tankard.url(project.path), tmp_path / name)
        git.fsck(tmp_path / name)
    return clone


@pytest.fixture
def mid_mirror(run_tankard, faults, part):
    """A tankard whose mirror of the project has begun to come, and the gate that lets the rest of it through."""
    tankard = run_tankard(settings={f"upstream.{faults.name}.mirror.policy": "always"})
    gate = Gate()
    faults.on(HoldBody(gate, after=1000), kind="fetch", where=is_whole)
    part(tankard, "one")
    gate.wait_arrived()
    return tankard, gate


@pytest.mark.parametrize("how", [SHALLOW, ("--filter=blob:none",), ("--shallow-since=2001-01-01",)], ids=["shallow", "partial", "since"])
def test_the_second_part_within_a_day_makes_a_store(run_tankard, clock, faults, git, project, part, tmp_path, how):
    tankard = run_tankard(clock=clock)
    part(tankard, "one", *how)
    clock.passes(minutes=2)
    part(tankard, "two", *how)
    tankard.wait_stored()
    assert len(whole_transfers(faults)) == 1
    faults.vanish()
    for name, other in (("deeper", ("--depth", "3")), ("trees", ("--filter=tree:0",)), ("narrow", ("--single-branch",))):
        part(tankard, name, *other)
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "whole")
    git.same_content(project.folder, tmp_path / "whole")


def test_of_sha256_too(run_tankard, faults, git, host, tmp_path):
    repository = typical(git, host.path("sha256/parts.git"), object_format="sha256")
    tankard = run_tankard(settings={f"upstream.{faults.name}.mirror.policy": "always"})
    git.check("clone", "--bare", *SHALLOW, tankard.url("sha256/parts.git"), tmp_path / "one")
    tankard.wait_stored()
    faults.vanish()
    git.check("clone", "--bare", tankard.url("sha256/parts.git"), tmp_path / "whole")
    git.same_content(repository.folder, tmp_path / "whole")


def test_what_comes_together_or_a_day_later_is_one_use(run_tankard, clock, faults, part):
    tankard = run_tankard(clock=clock)
    for name in ("one", "two", "three"):
        part(tankard, name)
    clock.passes(hours=25)
    part(tankard, "four")
    tankard.wait_quiet()
    assert not whole_transfers(faults) and not tankard.metric("tankard_store_repositories")
    clock.passes(minutes=2)
    part(tankard, "five")
    tankard.wait_stored()


def test_a_new_commit_is_synced_as_ever(run_tankard, clock, faults, project, part):
    tankard = run_tankard(clock=clock, settings={f"upstream.{faults.name}.mirror.policy": "always"})
    part(tankard, "one")
    tankard.wait_stored()
    project.add_commit()
    mark = faults.mark()
    part(tankard, "two")
    part(tankard, "three", "--depth", "2")
    sent = faults.seen("fetch", since=mark)
    assert len(sent) == 1 and sent[0].haves, "what is new, for tankard's store; the parts are cut here"


def test_never_is_never(run_tankard, clock, faults, project, part):
    policy = f"upstream.{faults.name}.mirror"
    for settings in ({f"{policy}.policy": "never"}, {f"{policy}.always": "**", f"{policy}.never": project.path}, {"mirror.max_bytes": "0"}):
        tankard = run_tankard(clock=clock, settings=settings)
        for name in ("one", "two"):
            part(tankard, f"{name}-{len(settings)}-{tankard.port}")
            clock.passes(minutes=2)
        tankard.wait_quiet()
        assert not whole_transfers(faults) and not tankard.metric("tankard_store_repositories")
        tankard.stop()


def test_always_for_some(run_tankard, faults, project, part):
    tankard = run_tankard(settings={f"upstream.{faults.name}.mirror.policy": "never", f"upstream.{faults.name}.mirror.always": f"other,{project.path}"})
    part(tankard, "one")
    tankard.wait_stored()


def test_what_is_too_large_is_given_up_once_and_parts_go_on(run_tankard, clock, faults, part):
    tankard = run_tankard(clock=clock, settings={"mirror.max_bytes": "1KiB"})
    for name in ("one", "two"):
        part(tankard, name)
        clock.passes(minutes=2)
    (told,) = tankard.wait_event("keep-failed")
    assert "mirror.max_bytes" in told["cause"] and told["repo"].endswith(".git")
    part(tankard, "three")
    tankard.wait_quiet()
    assert len(whole_transfers(faults)) == 1
    assert not tankard.files(".pack") and not tankard.metric("tankard_store_repositories")


def test_a_failing_transfer_leaves_nothing_and_harms_nobody(run_tankard, clock, faults, part):
    tankard = run_tankard(clock=clock)
    part(tankard, "one")
    clock.passes(minutes=2)
    faults.on(Truncate(4000), kind="fetch", where=is_whole)
    part(tankard, "two")
    tankard.wait_event("keep-failed")
    tankard.wait_quiet()
    for name in ("three", "four"):  # clients that come all the time do not put it off
        clock.passes(minutes=20)
        part(tankard, name)
        assert not tankard.metric("tankard_store_repositories")
    clock.passes(minutes=25)
    part(tankard, "five")
    tankard.wait_stored()


def test_an_upstream_that_may_not_be_asked_any_more_is_not(run_tankard, faults, git, new_repository, tmp_path):
    """Two are under way and one waits; then the operator takes the upstream away."""
    tankard = run_tankard(settings={f"upstream.{faults.name}.mirror.policy": "always"})
    gate = Gate()
    faults.on(HoldBody(gate, after=1000), kind="fetch", times=None, where=is_whole)
    repositories = [new_repository().history(5) for _ in range(3)]
    for n, repository in enumerate(repositories):
        git.check("clone", "--bare", *SHALLOW, tankard.url(repository.path), tmp_path / str(n))
    gate.wait_arrived(2)
    tankard.switch(False)
    gate.open()
    tankard.wait_quiet()
    tankard.switch(True)
    part_of = [r.path for r in whole_transfers(faults)]
    assert len(part_of) == 2
    (left,) = [r for r in repositories if f"/{r.path}/git-upload-pack" not in part_of]
    git.check("clone", "--bare", "--depth", "2", tankard.url(left.path), tmp_path / "again")
    tankard.wait_metric("tankard_store_repositories", lambda n: n >= 1)
    wait_until(lambda: len(whole_transfers(faults)) == 3, "it is tried at the next request")


def test_a_branch_that_is_gone_since_it_was_listed_is_not_asked_for(run_tankard, faults, git, project, part, tmp_path):
    tankard = run_tankard(settings={f"upstream.{faults.name}.mirror.policy": "always"})
    gone = project.add_commit(branch="gone")
    assert f"{gone}\trefs/heads/gone" in git.ls_remote(tankard.url(project.path))
    git.check("update-ref", "-d", "refs/heads/gone", cwd=project.folder)
    git.check("gc", "--prune=now", cwd=project.folder)
    part(tankard, "one", *SHALLOW, "--branch", "main")
    tankard.wait_stored()
    assert not [e for e in tankard.events("keep-failed") if "mirrored" in e["cause"]]


def test_a_clients_clone_that_is_whole_sooner_is_the_store(mid_mirror, git, project, tmp_path):
    tankard, gate = mid_mirror
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "whole")
    tankard.wait_metric("tankard_store_repositories", lambda n: n == 1)
    gate.open()
    tankard.wait_quiet()
    git.same_content(project.folder, tmp_path / "whole")


def test_a_purge_in_the_middle_keeps_nothing(mid_mirror, git, project, tmp_path):
    tankard, gate = mid_mirror
    gone = tankard.admin("DELETE", f"/api/v1/repositories/{tankard.name}/{project.path}", token=tankard.token())
    assert gone.status == 200, gone
    gate.open()
    tankard.wait_quiet()
    assert not tankard.metric("tankard_store_repositories")
    git.check("clone", "--bare", tankard.url(project.path), tmp_path / "whole")
    git.same_content(project.folder, tmp_path / "whole")


class TestPrivate:
    @pytest.fixture
    def secret(self, new_repository, request):
        return new_repository(f"private/{request.node.name}.git").history(8)

    def test_no_clients_credential_is_used_for_it(self, run_tankard, clock, faults, git, secret, tmp_path):
        tankard = run_tankard(clock=clock, settings={f"upstream.{faults.name}.mirror.policy": "always"})
        for name in ("one", "two"):
            git.check("clone", "--bare", *SHALLOW, tankard.url(secret.path, userinfo=f"{USER}:{PASSWORD}"), tmp_path / name)
            clock.passes(minutes=2)
        tankard.wait_quiet()
        assert not whole_transfers(faults)

    def test_tankards_own_is(self, service, faults, git, secret, tmp_path):
        tankard = service(networks="127.0.0.0/8", more={f"upstream.{faults.name}.mirror.policy": "always"})
        git.check("clone", "--bare", *SHALLOW, tankard.url(secret.path), tmp_path / "one")
        tankard.wait_stored()
        assert len(whole_transfers(faults)) == 1
        faults.vanish()
        git.check("clone", "--bare", tankard.url(secret.path), tmp_path / "whole")
        git.same_content(secret.folder, tmp_path / "whole")
