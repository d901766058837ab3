"""The files of the pack cache beside all else that is kept: found at the start, in the one account, gone with their repository."""
import hashlib
import os
import time

from support.processes import wait_until

DAY = 24 * 3600


def folder_of(tankard):
    return os.path.join(tankard.cache_dir, "packs", "v1")


def plant(tankard, repository, content=b"x" * 1000, used=0.0, request=b"request", digest=None):
    """A kept answer as a former process left it; returns its name."""
    os.makedirs(folder_of(tankard), mode=0o700, exist_ok=True)
    repo = hashlib.sha256(f"{tankard.name}\0{repository.path}".encode()).hexdigest()
    digest = digest or hashlib.sha256(content).hexdigest()
    name = f"{repo}.abc123.{hashlib.sha256(request).hexdigest()}.{digest}.{len(content)}"
    path = os.path.join(folder_of(tankard), name)
    with open(path, "wb") as file:
        file.write(content)
    at = time.time() - used
    os.utime(path, (at, at))
    return name


def kept(tankard):
    return sorted(os.listdir(folder_of(tankard)))


def test_what_is_kept_is_counted_and_what_is_none_is_removed(run_tankard, project):
    tankard = run_tankard(start=False)
    name = plant(tankard, project)
    with open(os.path.join(folder_of(tankard), "junk"), "w"):
        pass
    tankard.start()
    assert kept(tankard) == [name]
    metrics = tankard.metrics()
    assert metrics.sum("tankard_pack_cache_entries") == 1 and metrics.sum("tankard_pack_cache_bytes") == 1000
    assert metrics.sum("tankard_cache_bytes") == 1000
    assert metrics.sum("tankard_spools") == metrics.sum("tankard_spool_bytes") == 0
    assert tankard.events("pack-problem")


def test_what_was_unused_for_longest_goes_whoever_keeps_it(run_tankard, git, project, tmp_path):
    tankard = run_tankard()
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    stored = int(tankard.metric("tankard_store_bytes"))
    tankard.stop()
    for name in kept(tankard):
        os.remove(os.path.join(folder_of(tankard), name))
    old = plant(tankard, project, b"o" * 20_000, used=2 * DAY, request=b"old")
    new = plant(tankard, project, b"n" * 20_000, used=-60, request=b"new")
    tankard.settings.update({"packs.max_bytes": "1MiB", "cache.max_bytes": str(stored + 30_000)})
    tankard.start()
    wait_until(lambda: old not in kept(tankard), "the older answer has gone")
    assert kept(tankard) == [new] and tankard.metric("tankard_store_repositories") == 1
    assert tankard.metric("tankard_pack_cache_evictions_total") == 1
    tankard.stop()
    tankard.settings["cache.max_bytes"] = str(20_000 + stored // 2)
    tankard.start()
    wait_until(lambda: tankard.metric("tankard_store_repositories") == 0, "the store, unused for longer, has gone")
    assert kept(tankard) == [new]


def test_packs_never_drive_out_all_stores(run_tankard, project):
    tankard = run_tankard(start=False, settings={"cache.max_bytes": "30000"})
    plant(tankard, project, b"o" * 10_000, used=DAY, request=b"old")
    new = plant(tankard, project, b"n" * 10_000, request=b"new")
    tankard.start()
    assert kept(tankard) == [new], "half of the room is theirs"


def test_what_a_purge_drops_and_what_it_leaves(run_tankard, git, new_repository, project, tmp_path):
    tankard = run_tankard(start=False)
    plant(tankard, project)
    other = plant(tankard, new_repository())
    tankard.start()
    answer = tankard.admin("DELETE", f"/api/v1/repositories/{tankard.name}/{project.path}", token=tankard.token())
    assert answer.status == 200
    assert kept(tankard) == [other]


def test_of_another_life_nothing_is_kept(run_tankard, git, project, tmp_path):
    tankard = run_tankard()
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    tankard.stop()
    foreign = plant(tankard, project)
    tankard.start()
    assert foreign in kept(tankard)
    project.add_commit()
    git.check("fetch", tankard.url(project.path), cwd=tmp_path / "c")  # on another port now
    wait_until(lambda: foreign not in kept(tankard), "the answer of a former life has gone")


def test_without_a_folder_for_it_all_is_answered(run_tankard, git, project, tmp_path):
    tankard = run_tankard(start=False)
    os.makedirs(tankard.cache_dir, mode=0o700, exist_ok=True)
    with open(os.path.join(tankard.cache_dir, "packs"), "w"):
        pass
    tankard.start()
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    [problem] = tankard.events("pack-problem")
    assert "packs" in problem["cause"], problem
