"""Rows about packs that tankard has: how fast it gives them, to how many."""
import statistics

from support import pkt

from . import load
from .contestants import HEADERS, PREFIXES, fetch_everything
from .scene import Measure, Result, at_least, megabytes, medians, paired_ratio

CLIENTS = 4
NAMES = {"static": "nginx static file", "backend": "git http-backend", "tankard": "tankard"}


class Contest:
    """One pack from three servers: each gets the same requests, and gives the same repository."""

    def __init__(self, scene, repository, proxy):
        self.scene, self.repository, self.proxy = scene, repository, proxy
        clone = scene.warm(proxy, repository)
        assert scene.git.refs(clone, "refs/heads", "refs/tags") == repository.refs("refs/heads", "refs/tags")
        self.fetch = fetch_everything(scene.host.raw(), repository.path)
        answer = scene.host.raw().command(repository.path, self.fetch, timeout=600).body
        self.bytes = len(answer)
        self.file = scene.files.put("pack", answer)

    def servers(self):
        host, proxy, files = self.scene.host, self.proxy, self.scene.files
        return {"static": (files, load.request("GET", self.file)),
                "backend": (host, self.post(host.raw(), self.repository.path)),
                "tankard": (proxy, self.post(proxy, self.repository.path))}

    def post(self, client, path):
        return load.request("POST", client.target(path, "git-upload-pack"), HEADERS, self.fetch)

    def round(self, clients):
        """{contestant: bytes/s} and the CPU seconds for a GB, of each once."""
        found = {}
        for name, (server, request) in self.servers().items():
            before = server.cpu()
            # A pack made anew may be a little smaller than the one that was saved; an error is much smaller.
            flow = load.drain(server.port, request, clients, self.bytes * 0.8, self.scene.sizes.seconds)
            after = server.cpu()
            found[name] = flow.rate
            found[f"{name}_cpu"] = (after.total - before.total) / flow.bytes * 1e9
            found[f"{name}_children_cpu"] = (after.children - before.children) / flow.bytes * 1e9
        self.proxy.wait_quiet()
        return found


def _source(before, after):
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    return max(grown, key=grown.get)


def throughput(scene):
    result = Result([])
    for name in (*scene.sizes.throughput, *scene.given):
        repository = scene.repository(name)
        with scene.proxy() as proxy:
            contest = Contest(scene, repository, proxy)
            before = proxy.sources()
            rounds = [contest.round(CLIENTS) for _ in range(scene.sizes.rounds)]
            source = _source(before, proxy.sources())
        m = medians(rounds)
        work = f"full clone of {repository.path} ({megabytes(contest.bytes)}) from tankard's {source}"
        how = f"POST fetch of all tips by {CLIENTS} clients that discard what they get, for {scene.sizes.seconds} s, {len(rounds)} rounds by turns"
        for other, goal in (("static", at_least(0.9)), ("backend", None)):
            ratio = paired_ratio(rounds, "tankard", other)
            result.measures.append(Measure(work, ratio, f"{ratio:.2f}×", f"{megabytes(m['tankard'])}/s", f"{NAMES[other]} {megabytes(m[other])}/s",
                                           goal, how=how, details=m))
        result.notes.append(
            f"Clone of {repository.path}: CPU seconds for a GB: nginx's file {m['static_cpu']:.2f}, "
            f"tankard {m['tankard_cpu']:.2f}, of which {m['tankard_children_cpu'] / max(m['tankard_cpu'], 1e-9):.0%} in git children ({source}).")
    return result


def scaling(scene):
    """The plot: clients against throughput, and against what the upstream had to send."""
    repository = scene.repository(scene.sizes.plotted_repository)
    rates = {name: [] for name in NAMES}
    transfers = {"backend": [], "cold": [], "warm": []}
    with scene.proxy() as proxy:
        contest = Contest(scene, repository, proxy)
        half = contest.bytes // 2

        def sent(client, path, clients):
            """Packs that the host gave while so many clients cloned once, at the same moment."""
            before = scene.host.packs_sent(path, half)
            load.drain(client.port, contest.post(client, path), clients, contest.bytes * 0.8)
            return scene.host.packs_sent(path, half) - before
        for clients in scene.sizes.plotted:
            rounds = [contest.round(clients) for _ in range(1 + (scene.sizes.rounds > 3))]
            for name in NAMES:
                rates[name].append(statistics.median(r[name] for r in rounds))
            transfers["backend"].append(sent(scene.host.raw(), repository.path, clients))
            transfers["warm"].append(sent(proxy, repository.path, clients))
            cold, stores = scene.host.link(repository.path, f"scaling-{clients}.git"), proxy.metric("tankard_store_repositories")
            assert pkt.listing(proxy.ls_refs(cold, *PREFIXES).body), "a clone lists refs before it fetches"
            transfers["cold"].append(sent(proxy, cold, clients))
            proxy.wait_stored(stores + 1)
            proxy.purge(cold)
    most = scene.sizes.plotted[-1]
    ratio, of_limit = rates["tankard"][-1] / rates["backend"][-1], rates["tankard"][-1] / rates["static"][-1]
    how = f"{', '.join(map(str, scene.sizes.plotted))} clients, each one clone of {repository.path} after another for {scene.sizes.seconds} s"
    return Result([
        Measure(f"{most} clients clone {repository.path} over and over", ratio, f"{ratio:.2f}×", f"{megabytes(rates['tankard'][-1])}/s",
                f"git http-backend {megabytes(rates['backend'][-1])}/s", how=how),
        Measure(f"{most} clients clone {repository.path} over and over", of_limit, f"{of_limit:.2f}×", f"{megabytes(rates['tankard'][-1])}/s",
                f"nginx static file {megabytes(rates['static'][-1])}/s", how=how)],
        series={"repository": repository.path, "clients": list(scene.sizes.plotted), "rates": rates, "transfers": transfers})
