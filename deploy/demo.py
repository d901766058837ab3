#!/usr/bin/python3
"""A demonstration of tankard on one machine, without the internet: deploy/run --demo

Starts a git host (nginx, fcgiwrap, git http-backend), puts tankard in front of it, and shows with a real git client what
is served from where while the host is there, while it is gone, and after it came back. Loopback only, ports nobody uses,
everything in temporary folders that are removed at the end. The exit code is 0 only where every step did what it says.
"""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
from support.fault_proxy import FaultProxy  # noqa: E402
from support.git import Git  # noqa: E402
from support.gitrepo import typical  # noqa: E402
from support.tankard import Tankard  # noqa: E402
from support.upstream import Upstream  # noqa: E402

COUNTERS = [
    ("requests from memory (ls-refs)", "tankard_ls_refs_cache_hits_total", {}),
    ("  answered while the host was away", "tankard_requests_total", {"outcome": "stale"}),
    ("fetches answered by the local store", "tankard_requests_total", {"operation": "fetch", "outcome": "local"}),
    ("fetches streamed from the host", "tankard_requests_total", {"operation": "fetch", "outcome": "miss"}),
    ("requests sent to the host", "tankard_upstream_requests_total", {}),
    ("host available (1 = yes)", "tankard_upstream_available", {}),
]
# What of git's own words is shown: no progress bars.
SHOWN = ("remote: tankard", "fatal", "error", "warning", "From ", "   ", " * ", " + ")
COLOUR = sys.stdout.isatty()


def say(text=""):
    print(text, flush=True)


def title(text):
    say()
    say(f"\033[1m{text}\033[0m" if COLOUR else text)
    say("-" * len(text))


class Demonstration:
    def __init__(self, folder):
        self.folder, self.steps = folder, 0
        self.git = Git(os.path.join(folder, "home"))
        self.host = Upstream().start()
        self.wire = FaultProxy(self.host.port)
        self.tankard = Tankard(self.wire, cache_dir=os.path.join(folder, "cache"))
        self.clients = 0

    def close(self):
        try:
            self.tankard.close()
        finally:
            self.wire.close()
            self.host.close()

    def counters(self):
        metrics = self.tankard.metrics()
        return [metrics.sum(name, **labels) for _, name, labels in COUNTERS]

    def step(self, heading, *git_args, cwd=None):
        """One git command through tankard, and what tankard says of it."""
        self.steps += 1
        title(f"{self.steps}. {heading}")
        before, packs, mark = self.counters(), self.wire.count("fetch", has_pack=True), self.tankard.log_mark()
        say(f"  $ git {' '.join(git_args)}")
        result = self.git.run(*git_args, cwd=cwd)
        for line in result.err.splitlines():
            if line.startswith(SHOWN):
                say(f"    {line}")
        say(f"    exit {result.code}, {result.seconds:.2f} s")
        if not result.ok:
            raise SystemExit("  this should have worked; tankard's log:\n" + self.tankard.output()[-4000:])
        say("  tankard's log:")
        self.tankard.wait_request(1, since=mark, operation="info_refs")
        for event in self.tankard.requests(since=mark):
            say(f"    {event.get('operation', ''):<10} outcome {event.get('outcome', ''):<12} reason {event.get('reason', ''):<16} "
                f"{event.get('bytes_out', '?')} bytes")
        say("  metrics, before -> after:")
        for (label, _, _), old, new in zip(COUNTERS, before, self.counters()):
            say(f"    {label:<38} {old:6.0f} -> {new:.0f}")
        transfers = self.wire.count("fetch", has_pack=True) - packs
        say(f"  packs the git host had to send for this: {transfers}")
        return transfers

    def expect(self, transfers, wanted):
        if transfers != wanted:
            raise SystemExit(f"  the host should have sent {wanted} pack(s), not {transfers}")

    def clone(self, heading, wanted):
        self.clients += 1
        place = os.path.join(self.folder, f"clone-{self.clients}")
        self.expect(self.step(heading, "clone", "--progress", self.tankard.url("team/project.git"), place), wanted)
        commits = self.git.check("rev-list", "--count", "--all", cwd=place)
        say(f"  the clone has {commits} commits; git fsck: {'sound' if self.git.fsck(place).ok else 'broken'}")
        return place

    def run(self):
        title("The scene")
        project = typical(self.git, self.host.path("team/project.git"))
        say(f"  a git host       {self.host.url}/team/project.git   (nginx, fcgiwrap, git http-backend)")
        say(f"  a wire to it     {self.wire.url}   (counts what reaches the host, and can be cut)")
        self.tankard.start()
        say(f"  tankard          {self.tankard.url('team/project.git')}")
        say(f"  its status       http://127.0.0.1:{self.tankard.admin_port}/healthz and /metrics")

        first = self.clone("First clone: streamed from the host, and kept on the way", 1)
        self.tankard.wait_stored()
        self.clone("Second clone: the host is asked for refs only, the pack comes from tankard", 0)

        project.add_commit("main")
        self.expect(self.step("A new commit on the host: a fetch brings over just that", "fetch", "origin", cwd=first), 1)
        self.tankard.wait_quiet()

        self.host.kill()
        self.wire.vanish()
        self.clone("The git host is killed. A clone works all the same, and says how old it is", 0)

        self.tankard.settings["listen"] = f"127.0.0.1:{self.tankard.port}"  # the clones know this port
        self.tankard.restart()
        say()
        say("  (tankard is restarted; the host is still gone)")
        self.clone("A clone after the restart, from what is on disk", 0)
        self.expect(self.step("A fetch in an old clone after the restart", "fetch", "origin", "main", cwd=first), 0)

        self.host.start()
        self.wire.restore()
        new = project.add_commit("main")
        title("The host is back, with a new commit")
        for _ in range(100):
            self.git.run("fetch", "--quiet", "origin", cwd=first)
            if self.git.check("rev-parse", "origin/main", cwd=first) == new:
                break
            import time
            time.sleep(0.2)  # tankard asks a host that was down again after 1, 2, 4 .. s
        else:
            raise SystemExit("  the new commit was not seen within 20 s")
        say(f"  git fetch sees it: {new}")
        title("That is all")
        say("  Point git at a tankard of your own:")
        say("    deploy/run --upstream https://git.example.com")
        say("    git config --global url.http://127.0.0.1:8080/git.example.com/.insteadOf https://git.example.com/")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: deploy/run --demo")
    os.environ["TANKARD_BIN"] = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="tankard-demo-", ignore_cleanup_errors=True) as folder:
        demonstration = Demonstration(folder)
        try:
            demonstration.run()
        finally:
            demonstration.close()


if __name__ == "__main__":
    main()
