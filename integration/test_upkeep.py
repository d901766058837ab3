"""Stores are kept in shape and within their room under the hands of clients: whoever clones gets what upstream has."""
import glob
import os
import shutil
import subprocess
import threading

import pytest

from support.processes import wait_until
from support.threads import all_at_once

EAGER = {"upkeep.interval": "1s", "upkeep.packs": "1", "upkeep.new_bytes": "0"}


def packs(tankard, suffix=".pack"):
    return [f for f in tankard.files(suffix) if "/repos/" in f]


def cache_bytes(tankard):
    """What the account counts: stores, and what is on its way in or out."""
    total = 0
    for folder in ("repos", "staging", "trash"):
        for base, _, files in os.walk(os.path.join(tankard.cache_dir, folder)):
            for name in files:
                try:
                    total += os.path.getsize(os.path.join(base, name))
                except OSError:
                    pass
    return total


def store_of(tankard):
    (folder,) = glob.glob(os.path.join(tankard.cache_dir, "repos", "*", "*"))
    return folder


def whole(git, clone):
    git.check("fsck", "--connectivity-only", cwd=clone)


def wait_kept(tankard, count=1):
    """So many packs are left, one of them with a bitmap, and nothing is under way."""
    wait_until(lambda: len(packs(tankard)) == count and len(packs(tankard, ".bitmap")) == 1,
               lambda: f"{count} packs: {packs(tankard)}\n{tankard.output()[-3000:]}", 30)


def test_a_store_gets_one_pack_a_bitmap_and_a_graph(run_tankard, git, project, tmp_path):
    tankard = run_tankard(settings=EAGER)
    url = tankard.url(project.path)
    git.check("clone", "--mirror", url, tmp_path / "c")
    tankard.wait_stored()
    for _ in range(3):
        project.add_commit()
        git.check("fetch", cwd=tmp_path / "c")
    tankard.wait_metric("tankard_store_upkeep_runs_total", lambda n: n >= 1, result="ok")
    wait_until(lambda: len(packs(tankard)) <= 2 and packs(tankard, ".bitmap"), lambda: f"few packs: {packs(tankard)}", 30)
    store = store_of(tankard)
    assert os.path.exists(os.path.join(store, "objects/info/commit-graph"))
    git.check("-c", "safe.directory=*", "commit-graph", "verify", cwd=store)
    git.check("-c", "safe.directory=*", "fsck", "--full", cwd=store)
    assert not [f for f in tankard.files(".lock")]
    git.check("clone", "--mirror", url, tmp_path / "d")
    git.same_content(project.folder, tmp_path / "d")
    assert not tankard.events("store-upkeep", result="failed")
    assert tankard.metric("tankard_store_upkeep_duration_seconds_count") >= 1


def test_upkeep_can_be_turned_off(run_tankard, git, project, tmp_path):
    tankard = run_tankard(settings={**EAGER, "upkeep.enabled": "false"})
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    tankard.restart()
    git.check("clone", tankard.url(project.path), tmp_path / "d")
    assert not packs(tankard, ".bitmap") and not tankard.events("store-upkeep")


def test_clones_while_stores_are_repacked_rewritten_and_evicted(run_tankard, git, new_repository, tmp_path):
    repositories = [new_repository().history(15, seed=n) for n in range(3)]
    for n, repository in enumerate(repositories):
        repository.add_commit(content=os.urandom(200_000), path=f"noise{n}")
    each = max(r.pack_bytes() for r in repositories)
    limit = 4 * each  # room for two, with what is on its way
    tankard = run_tankard(settings={**EAGER, "cache.max_bytes": str(limit)})
    done, failed = threading.Event(), []
    got = []

    def clone(name):
        n = 0
        try:
            while not done.is_set():
                n += 1
                repository, target = repositories[(n + name) % 3], tmp_path / f"c{name}-{n}"
                git.check("clone", "--bare", tankard.url(repository.path), target)
                whole(git, target)
                got.append((repository, git.refs(target, "refs/heads/main")["refs/heads/main"]))
        except BaseException as error:  # told by the test
            failed.append(error)

    threads = [threading.Thread(target=clone, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    try:
        for n in range(12):
            repository = repositories[n % 3]
            if n % 4 == 3:
                repository.set_ref("refs/heads/main", "main~1")
            else:
                repository.add_commit(content=os.urandom(5_000))
            done.wait(0.5)
            if failed:
                break
        wait_until(lambda: failed or (tankard.metric("tankard_store_evictions_total") >= 1 and
                                      tankard.metric("tankard_store_upkeep_runs_total", result="ok") >= 2),
                   "stores were repacked and evicted", 30)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failed, failed[0]
    for repository, tip in got:
        git.check("cat-file", "-e", tip, cwd=repository.folder)
    tankard.wait_quiet()
    wait_until(lambda: cache_bytes(tankard) <= limit, lambda: f"{cache_bytes(tankard)} of {limit}", 20)
    for n, repository in enumerate(repositories):
        git.check("clone", "--mirror", tankard.url(repository.path), tmp_path / f"last{n}")
        git.same_content(repository.folder, tmp_path / f"last{n}")
    assert not [r for r in tankard.events("request") if r["outcome"] == "error"]
    assert tankard.wait_event("store-evicted")[0]["repo"]


def test_an_evicted_repository_is_listed_offline_refused_and_kept_anew(run_tankard, faults, git, new_repository, tmp_path):
    first, second = (new_repository().history(5, seed=n) for n in range(2))
    for n, repository in enumerate((first, second)):
        repository.add_commit(content=os.urandom(300_000), path=f"noise{n}")
    tankard = run_tankard(settings={"cache.max_bytes": str(5 * first.pack_bytes() // 2), "packs.max_entry_bytes": "0", "spool.max_bytes": "1GiB", "upkeep.enabled": "false"})
    git.check("clone", "--mirror", tankard.url(first.path), tmp_path / "a")
    tankard.wait_stored()
    git.check("clone", "--mirror", tankard.url(second.path), tmp_path / "b")
    tankard.wait_metric("tankard_store_evictions_total", lambda n: n == 1)
    wait_until(lambda: len(tankard.events("store-evicted")) == 1, "it is told")
    assert tankard.events("store-evicted")[0]["repo"].endswith(first.path)
    tankard.wait_stored()
    wait_until(lambda: cache_bytes(tankard) <= 2 * first.pack_bytes(), "what was evicted is removed")

    listing = git.ls_remote(tankard.url(first.path))
    tankard.switch(False)
    assert git.ls_remote(tankard.url(first.path)) == listing, "listings stay"
    assert tankard.metric("tankard_not_mirrored_refs_total") >= 1, "what cannot be served is counted"
    refused = git.fails("clone", tankard.url(first.path), tmp_path / "offline")
    assert f"of {first.path} is not in the cache: " in refused.err, refused
    git.check("clone", "--mirror", tankard.url(second.path), tmp_path / "b2")
    git.same_content(second.folder, tmp_path / "b2")

    tankard.switch(True)
    git.check("clone", "--mirror", tankard.url(first.path), tmp_path / "a2")
    git.same_content(first.folder, tmp_path / "a2")
    tankard.wait_metric("tankard_store_evictions_total", lambda n: n == 2)
    tankard.wait_stored()
    mark = faults.mark()
    git.check("clone", "--mirror", tankard.url(first.path), tmp_path / "a3")
    assert faults.count("fetch", since=mark) == 0, "kept anew"


def without_stores(tankard):
    """As after an eviction: what is kept of answers stays."""
    tankard.stop()
    for name in os.listdir(os.path.join(tankard.cache_dir, "repos")):
        shutil.rmtree(os.path.join(tankard.cache_dir, "repos", name))
    tankard.start()
    assert tankard.metric("tankard_store_repositories") == 0 and tankard.metric("tankard_pack_cache_entries") > 0


@pytest.mark.parametrize("upstream", ["there", "away"])
@pytest.mark.parametrize("clients", [1, 6])
def test_an_evicted_repository_whose_answer_is_kept_has_a_store_again(tankard, faults, git, project, tmp_path, upstream, clients):
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "a")
    tankard.wait_stored()
    without_stores(tankard)
    if upstream == "away":
        faults.vanish()
    mark, log = faults.mark(), tankard.log_mark()
    all_at_once([lambda n=n: git.check("clone", "--mirror", tankard.url(project.path), tmp_path / f"b{n}") for n in range(clients)])
    assert tankard.outcomes("fetch", since=log, count=clients) == ["hit"] * clients
    tankard.wait_stored()
    assert not tankard.leftovers()
    git.check("clone", "--depth", "1", tankard.url(project.path), tmp_path / "c")   # what only a store can answer
    assert tankard.outcomes("fetch", since=log, count=clients + 1)[-1] == "local"
    assert faults.count("fetch", since=mark) == 0
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "d")
    git.same_content(project.folder, tmp_path / "d")


def test_what_was_used_last_stays_over_a_restart(run_tankard, git, new_repository, tmp_path):
    repositories = [new_repository().history(3, seed=n) for n in range(3)]
    for n, repository in enumerate(repositories):
        repository.add_commit(content=os.urandom(300_000), path=f"noise{n}")
    size = repositories[0].pack_bytes()
    tankard = run_tankard(settings={"cache.max_bytes": str(10 * size), "packs.max_entry_bytes": "0", "upkeep.enabled": "false"})
    for n in (0, 1, 2, 0):
        git.check("clone", "--bare", tankard.url(repositories[n].path), tmp_path / f"c{n}-{os.urandom(3).hex()}")
        tankard.wait_stored(min(n + 1, 1))
    tankard.wait_stored(3)
    tankard.restart("--set", f"cache.max_bytes={int(2.5 * size)}")
    tankard.wait_metric("tankard_store_evictions_total", lambda n: n == 1)
    wait_until(lambda: tankard.events("store-evicted"), "it is told")
    assert [e["repo"].endswith(repositories[1].path) for e in tankard.events("store-evicted")] == [True]


def test_killed_in_the_middle_of_upkeep_it_works_on(run_tankard, git, project, tmp_path):
    tankard = run_tankard(settings=EAGER)
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    for n in range(4):
        project.add_commit(content=os.urandom(100_000))
        git.check("fetch", tankard.url(project.path), "+refs/*:refs/*", cwd=tmp_path / "c")
        wait_until(lambda: tankard.metric("tankard_children") > 0 or tankard.metric("tankard_store_upkeep_runs_total") > 0,
                   "upkeep is under way, or was", 20)
        tankard.kill()
        tankard.start()
        git.check("clone", "--mirror", tankard.url(project.path), tmp_path / f"d{n}")
        git.same_content(project.folder, tmp_path / f"d{n}")
    tankard.restart("--offline")
    git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "offline")
    git.same_content(project.folder, tmp_path / "offline")
    git.check("-c", "safe.directory=*", "fsck", "--full", cwd=store_of(tankard))
    assert not tankard.files(".lock")


@pytest.fixture
def small_disk(tmp_path):
    """64 MB, where the test may mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", folder], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("no right to mount: " + mounted.stderr.decode().strip())
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=False)


def test_a_clone_larger_than_the_disk_streams_through_and_the_next_is_kept(run_tankard, git, new_repository, small_disk, tmp_path):
    large, little = new_repository().big(300), new_repository().history(10)
    tankard = run_tankard(cache_dir=small_disk / "cache", settings={**EAGER, "cache.min_free_bytes": "0", "spool.max_bytes": "1GiB"})
    for n, cause in enumerate(("disk full", "less than cache.min_free_bytes are free")):
        git.check("clone", "--bare", tankard.url(large.path), tmp_path / f"large{n}")
        whole(git, tmp_path / f"large{n}")
        assert git.refs(tmp_path / f"large{n}") == large.refs()
        wait_until(lambda: cause in str(tankard.events("keep-failed")), f"{cause}: {tankard.events('keep-failed')}")
        tankard.wait_quiet()
        tankard.wait_clean()
        tankard.restart("--set", "cache.min_free_bytes=8MiB")
    git.check("clone", "--mirror", tankard.url(little.path), tmp_path / "little")
    tankard.wait_stored()
    tankard.switch(False)
    git.check("clone", "--mirror", tankard.url(little.path), tmp_path / "again")
    git.same_content(little.folder, tmp_path / "again")
