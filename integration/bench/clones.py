"""Rows with real git clients: what a first clone costs the client, and what many of them cost the upstream."""
import hashlib
import os
import shutil

from support.fault_proxy import FaultProxy
from support.threads import all_at_once

from . import repositories
from .scene import Measure, Result, at_most, exactly, megabytes, medians, paired_ratio


def first_clone(scene):
    result = Result([])
    for name in (*scene.sizes.first_clone, *scene.given):
        repository = scene.repository(name)
        with scene.proxy() as proxy:
            pairs = [_pair(scene, proxy, repository, n) for n in range(scene.sizes.pairs)]
        m, ratio = medians(pairs), paired_ratio(pairs, "tankard", "direct")
        result.measures.append(Measure(
            f"first clone of {repository.path} ({megabytes(repository.pack_bytes())})", ratio, f"{ratio:.2f}×", f"{m['tankard']:.2f} s", f"direct {m['direct']:.2f} s",
            at_most(1.1, "×"), how=f"git clone --bare, wall time, {len(pairs)} pairs by turns, the disk at rest, tankard knows nothing of the repository", details=m))
    return result


def _pair(scene, proxy, repository, n):
    name = scene.host.link(repository.path, f"first-{n}-{repository.path.replace('/', '-')}")
    stores, seconds = proxy.metric("tankard_store_repositories"), {}
    for kind in ("direct", "tankard") if n % 2 == 0 else ("tankard", "direct"):
        place = scene.place("clone")
        url = f"{scene.host.url}/{name}" if kind == "direct" else proxy.url(name)
        os.sync()   # what the clone before left to write is not this one's
        done = scene.git.run("clone", "--bare", "--quiet", url, place, timeout=900)
        assert done.ok, done
        seconds[kind] = done.seconds
        if kind == "tankard":
            proxy.wait_stored(stores + 1)
            proxy.purge(name)
            proxy.wait_clean()
        shutil.rmtree(place)
    return seconds


def _content(git, folder):
    """Digest of all refs and of every object that they reach; fails where one is missing."""
    refs = git.refs(folder, "refs/heads", "refs/tags")
    objects = git.check("rev-list", "--objects", "--no-object-names", "--all", cwd=folder, timeout=600).split()
    return hashlib.sha256(repr((sorted(refs.items()), sorted(objects))).encode()).hexdigest()


def cold_clones(scene):
    repository, count = scene.repository(scene.sizes.cold), scene.sizes.cold_clients
    name = scene.host.link(repository.path, "cold.git")
    places = [scene.place("cold") for _ in range(count)]
    with scene.proxy() as proxy:
        idle = proxy.memory()["VmRSS"]
        proxy.forget_peak()
        all_at_once([lambda p=p: scene.git.check("clone", "--bare", "--quiet", proxy.url(name), p, timeout=900) for p in places])
        growth = proxy.memory()["VmHWM"] - idle
        proxy.wait_stored()
        sent = scene.host.packs_sent(name, repository.pack_bytes() // 2)
    identical = len({_content(scene.git, place) for place in (repository.folder, *places)}) == 1
    for place in places:
        shutil.rmtree(place)
    assert identical, "clones that differ"
    how = f"{count} × git clone --bare started together; answers with a pack counted in the upstream's access log; refs and reachable objects compared"
    return Result([Measure(f"{count} cold clones of {repository.path} at once", sent, f"{sent} upstream", f"{count} identical clones",
                           f"{count} without tankard", exactly(1), count >= 32, how, {"tankard_memory_growth": growth})],
                  [f"While {count} cold clones of {repository.path} ran at once tankard itself grew by {megabytes(growth)}."])


def new_commit(scene):
    """Every client is at another commit of the history, so that no two have the same haves."""
    count = scene.sizes.fetching_clients
    repository = repositories.Kept(scene.git, scene.host, "busy").history(count + 20)
    history = scene.git.check("rev-list", "main", cwd=repository.folder).split()
    clients = []
    with FaultProxy(scene.host.port) as wire, scene.proxy(wire) as proxy:
        scene.warm(proxy, repository)
        for n in range(count):
            place = scene.place("behind")
            scene.git.check("init", "--quiet", "--bare", place)
            scene.git.check("fetch", "--quiet", repository.folder, f"{history[n]}:refs/heads/main", cwd=place)
            clients.append(place)
        new, mark = repository.add_commit(), wire.mark()
        all_at_once([lambda p=p: scene.git.check("fetch", "--quiet", proxy.url(repository.path), "main", cwd=p, timeout=300) for p in clients])
        proxy.wait_quiet()
        fetches, packs = wire.count("fetch", since=mark), wire.count("fetch", since=mark, has_pack=True)
        listings = wire.count("ls-refs", since=mark)
    assert all(scene.git.check("rev-parse", "FETCH_HEAD", cwd=place) == new for place in clients)
    return Result([Measure(f"one new commit fetched by {count} clients with different haves", packs, f"{packs} upstream",
                           f"{fetches} fetch requests, {listings} listings", f"{count} without tankard", exactly(1), count >= 100,
                           f"{count} × git fetch started together, each client at another commit; fetches answered with a pack counted by a recording proxy before the upstream")])
