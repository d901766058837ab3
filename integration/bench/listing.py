"""Rows about listings: how fast refs are told from memory, and what a cache of very many repositories costs."""
import os
import re
import subprocess
import time

from support import pkt, processes
from support.tankard import binary

from . import load
from .contestants import HEADERS, PREFIXES
from .scene import Goal, Measure, Result, at_least, at_most, medians, paired_ratio

CONNECTIONS = 64


class Comparison:
    """The same bytes from tankard's memory (POST) and as a static file of nginx (GET)."""

    def __init__(self, scene, repository):
        self.scene, self.repository = scene, repository
        self.body = scene.host.raw().ls_refs(repository.path, *PREFIXES).body
        self.refs = len(pkt.listing(self.body))
        self.file = scene.files.put(f"listing-{self.refs}", self.body)

    def prime(self, proxy):
        for _ in range(2):
            proxy.advertisement(self.repository.path)
            answer = proxy.ls_refs(self.repository.path, *PREFIXES)
            assert answer.status == 200 and answer.body == self.body, answer

    def _load(self, server, target, body=None, headers=()):
        before = server.cpu().total
        rate = load.wrk(f"http://127.0.0.1:{server.port}{target}", self.scene.sizes.seconds, CONNECTIONS, body, headers)
        return rate, (server.cpu().total - before) / rate.requests * 1e6

    def run(self, proxy):
        """[{...}] of each round, both contestants taking turns."""
        rounds = []
        for _ in range(self.scene.sizes.rounds):
            self.prime(proxy)
            static, static_cpu = self._load(self.scene.files, self.file)
            slept = proxy.switches()
            ours, our_cpu = self._load(proxy, proxy.target(self.repository.path, "git-upload-pack"), pkt.ls_refs(*PREFIXES), HEADERS)
            rounds.append({"static": static.per_second, "static_cpu_us": static_cpu, "static_p99": static.p99,
                           "tankard": ours.per_second, "tankard_cpu_us": our_cpu, "tankard_p50": ours.p50, "tankard_p99": ours.p99,
                           "tankard_switches": (proxy.switches() - slept) / ours.requests})
        return rounds

    def measure(self, proxy, when):
        """(medians, measure, remark)"""
        rounds = self.run(proxy)
        m, ratio, work = medians(rounds), paired_ratio(rounds, "tankard", "static"), f"{self.refs:,} refs, {when}"
        how = (f"wrk -c{CONNECTIONS} -d{self.scene.sizes.seconds}s, POST ls-refs to tankard and GET of the same {len(self.body):,} bytes from nginx, "
               f"{len(rounds)} rounds by turns; the repository was cloned through tankard before")
        measure = Measure(f"cached ls-refs, {work}", ratio, f"{ratio:.2f}×", f"{m['tankard']:,.0f}/s", f"nginx file {m['static']:,.0f}/s",
                          at_least(1.0), how=how, details=m)
        return m, measure, (f"ls-refs, {work}: tankard used {m['tankard_cpu_us']:.0f} µs of CPU for a request and its threads slept "
                            f"{m['tankard_switches']:.2f} times, nginx used {m['static_cpu_us']:.0f} µs for its file.")


def ls_refs(scene):
    pairs = [Comparison(scene, scene.repository(name)) for name in ("few_refs", "thousand_refs")]
    result = Result([])
    with scene.proxy(ls_refs__max_age="60s") as fresh, scene.proxy() as lonely:
        for pair in pairs:
            for proxy in (fresh, lonely):  # what is asked for in an outage was cloned before
                scene.warm(proxy, pair.repository)
                pair.prime(proxy)
            _, measure, note = pair.measure(fresh, "upstream there, ls_refs.max_age=60s")
            result.measures.append(measure)
            result.notes.append(note)
        scene.host.kill()
        try:
            processes.wait_until(lambda: lonely.ls_refs(pairs[0].repository.path, *PREFIXES).status == 200
                                 and lonely.metric("tankard_upstream_available") == 0, "tankard knows of the outage", 30)
            for pair in pairs:
                m, measure, note = pair.measure(lonely, "upstream killed")
                result.measures += [measure, Measure(
                    f"ls-refs in an outage, {pair.refs:,} refs, p99", m["tankard_p99"] * 1000, f"{m['tankard_p99'] * 1000:.1f} ms",
                    f"p50 {m['tankard_p50'] * 1000:.2f} ms", f"nginx file p99 {m['static_p99'] * 1000:.1f} ms",
                    Goal("< 10 ms", lambda ms: ms < 10), how=f"the same runs, {CONNECTIONS} connections without a pause")]
                result.notes.append(note)
        finally:
            scene.host.start()
    return result


# A cache of many repositories

def bench_binary():
    return os.path.join(os.path.dirname(binary()), "tests", "cache", "listing", "listing_bench")


def _listing_bench(*args):
    return subprocess.run([bench_binary(), *map(str, args)], capture_output=True, text=True, check=True).stdout


def _start_up(scene, folder, entries):
    """Seconds from exec to /readyz of a tankard with this cache."""
    proxy = scene.proxy()
    proxy.cache_dir = folder
    begun = time.monotonic()
    with proxy:
        took = time.monotonic() - begun
        assert proxy.metric("tankard_ls_refs_cache_entries") == entries
    return took


def _set_cost(folder):
    """(entries, one set in µs) of the cache in a folder."""
    entries, micros = re.match(r"(\d+) entries: load\(\) \d+ ms, set ([\d.]+) us", _listing_bench("--cost", folder)).groups()
    return int(entries), float(micros)


def cache_size(scene):
    entries, few = scene.sizes.entries, 100
    if not os.path.exists(bench_binary()):
        return Result([], ["cache-size was not run: listing_bench is not built."])
    folders = {name: scene.place(f"{name}-cache") for name in ("many", "few", "empty")}
    for name, count in (("many", entries), ("few", few)):
        _listing_bench("--fill", os.path.join(folders[name], "ls-refs"), count)
    rounds = []
    for _ in range(scene.sizes.rounds):
        found = {"start": _start_up(scene, folders["many"], entries), "empty": _start_up(scene, folders["empty"], 0)}
        for name, count in (("many", entries), ("few", few)):
            there, found[name] = _set_cost(os.path.join(folders[name], "ls-refs"))
            assert there == count
        rounds.append(found)
    m, ratio, judged = medians(rounds), paired_ratio(rounds, "many", "few"), entries >= 100_000
    return Result([
        Measure(f"start-up with {entries:,} repositories in the ls-refs cache", m["start"], f"{m['start']:.2f} s", "", f"empty cache {m['empty']:.2f} s",
                Goal("< 1 s", lambda seconds: seconds < 1), judged, f"from exec to /readyz 200, files in the page cache, median of {len(rounds)}", m),
        Measure(f"one set among {entries:,} repositories", ratio, f"{ratio:.2f}×", f"{m['many']:.2f} µs", f"among {few}: {m['few']:.2f} µs",
                at_most(1.2, "×"), judged, f"listing_bench --cost, median of 501 rounds of 100 sets, {len(rounds)} times by turns", m)])
