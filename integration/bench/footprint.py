"""Rows about memory: under many streams, and under many connections that do nothing."""
import contextlib
import resource
import socket
import statistics
import threading
import time

from support import http, pkt

from . import load
from .contestants import HEADERS, PREFIXES
from .packs import Contest
from .scene import Measure, Result, at_most, megabytes


class ChildrenWatch:
    """The most that tankard's git children held together, looked at ten times a second.

    Anonymous memory is theirs alone; the rest of what they have mapped are packs, which are the page cache's."""

    def __init__(self, proxy):
        self.proxy, self.most, self.anonymous, self.mapped = proxy, 0, 0, 0
        self._done, self._thread = threading.Event(), threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _watch(self):
        while not self._done.wait(0.1):
            children = self.proxy.children()
            sums = {"Anonymous": 0, "Pss": 0}
            for pid, _, _ in children:
                with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                    for line in rollup:
                        key, _, rest = line.partition(":")
                        if key in sums:
                            sums[key] += int(rest.split()[0]) * 1024
            self.most = max(self.most, len(children))
            self.anonymous = max(self.anonymous, sums["Anonymous"])
            self.mapped = max(self.mapped, sums["Pss"] - sums["Anonymous"])


def streaming_memory(scene):
    repository, count = scene.repository(scene.sizes.streamed), scene.sizes.streaming_clients
    with scene.proxy() as proxy:
        contest = Contest(scene, repository, proxy)
        proxy.wait_quiet()
        _, request = contest.servers()["tankard"]
        idle = proxy.memory()["VmRSS"]
        proxy.forget_peak()
        pause = load.Pause(count, min(contest.bytes // 4, 8 << 20))
        with ChildrenWatch(proxy) as children:
            flow = threading.Thread(target=load.drain, args=(proxy.port, request, count, contest.bytes * 0.8), kwargs={"pause": pause})
            flow.start()
            pause.wait_all()
            time.sleep(2)  # all of them are in the middle: buffers fill up as far as they will
            pause.lifted.set()
            flow.join()
        growth = proxy.memory()["VmHWM"] - idle
    judged = count >= 32 and contest.bytes >= 300_000_000
    what = f"while streaming {repository.path} ({megabytes(contest.bytes)}) to {count} clients"
    how = f"{count} clients from the store; all stop in the middle for 2 s, then go on; VmHWM above VmRSS before"
    goal = at_most(64, " MB above idle")
    with_children = growth + children.anonymous
    return Result([
        Measure(f"memory of tankard {what}", growth / 1e6, megabytes(growth), f"idle {megabytes(idle)}", "", goal, judged, how),
        Measure(f"memory of tankard and its git children {what}", with_children / 1e6, megabytes(with_children), f"{children.most} children",
                "", goal, judged, how + "; of children the sum of anonymous memory, and its peak taken together with tankard's",
                {"children": children.most, "anonymous": children.anonymous, "mapped": children.mapped})],
        [f"Streaming {repository.path}: at most {children.most} git children at one time held {megabytes(children.anonymous)} of their own; "
         f"they mapped {megabytes(children.mapped)} of packs and programs."])


def _files_allowed(wanted):
    """Raises the limit of open files, where it may; returns what is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        for limits in ((wanted, max(hard, wanted)), (min(wanted, hard), hard)):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _still_open(connection):
    connection.socket.settimeout(0)
    try:
        return bool(connection.socket.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False


def idle_connections(scene):
    wanted, notes = scene.sizes.idle, []
    count = min(wanted, _files_allowed(wanted + 2000) - 2000)
    if count < wanted:
        notes.append(f"This machine allows {count + 2000} open files: {count} idle connections instead of {wanted}.")
    repository, connections = scene.repository("few_refs"), []
    with scene.proxy(ls_refs__max_age="60s", limits__keep_alive="10m") as proxy:
        target = proxy.target(repository.path, "git-upload-pack")

        def ask(connection):
            connection.request("POST", target, HEADERS, pkt.ls_refs(*PREFIXES))
            answer = connection.answer()
            assert answer.status == 200 and pkt.listing(answer.body), answer
        with http.Connection(proxy.port) as first:
            ask(first)
        idle = proxy.memory()["VmRSS"]
        try:
            for _ in range(count):
                connections.append(http.Connection(proxy.port))
                ask(connections[-1])
            loaded, seconds = proxy.memory()["VmRSS"], []
            for _ in range(200):
                begun = time.monotonic()
                with http.Connection(proxy.port) as new:
                    ask(new)
                seconds.append(time.monotonic() - begun)
            for connection in connections[::max(1, count // 100)]:
                ask(connection)
            closed = sum(not _still_open(c) for c in connections)
        finally:
            for connection in connections:
                connection.close()
    assert closed == 0, f"{closed} of {count} idle connections were closed"
    return Result([Measure(
        f"{count:,} idle keep-alive connections, memory of tankard", loaded / 1e6, megabytes(loaded), f"{(loaded - idle) / count / 1024:.1f} KiB each",
        f"idle {megabytes(idle)}", at_most(150, " MB"), count >= 10_000,
        f"each connection asked for ls-refs once; then 200 requests on new connections, all answered (median {statistics.median(seconds) * 1000:.1f} ms, "
        f"slowest {max(seconds) * 1000:.1f} ms), and 100 on old ones; none was closed", {"idle": idle, "loaded": loaded})], notes)
