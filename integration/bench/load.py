"""Clients: wrk for many small answers, and for packs clients that take bytes and throw them away unread.

The kernel discards what these pack clients receive (MSG_TRUNC), so that on one machine with the server they cost it
almost nothing; what is measured is how fast a server can give.
"""
import os
import socket
import subprocess
import tempfile
import threading
import time

from support.git import ENVIRONMENT
from support.threads import all_at_once

_DONE = """
done = function(s, latency, requests)
  local e = s.errors
  io.write(string.format("wrk-result %d %d %d %d %d\\n", s.requests, s.duration, latency:percentile(50), latency:percentile(99),
                         e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class Rate:
    def __init__(self, requests, micros, p50, p99, errors):
        self.requests, self.errors = requests, errors
        self.per_second = requests / (micros / 1e6)
        self.p50, self.p99 = p50 / 1e6, p99 / 1e6


def _quoted(data):
    return '"' + "".join(f"\\{byte:03d}" for byte in data) + '"'


def wrk(url, seconds, connections, body=None, headers=()):
    """GET, or POST where there is a body, over and over on so many kept connections."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if body is not None:
            script.write(f'wrk.method = "POST"\nwrk.body = {_quoted(body)}\n')
        for name, value in headers:
            script.write(f'wrk.headers["{name}"] = "{value}"\n')
        script.write(_DONE)
        script.flush()
        out = subprocess.run(["wrk", f"-t{min(os.cpu_count(), connections)}", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s",
                              "-s", script.name, url], env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    line = next(line for line in out.splitlines() if line.startswith("wrk-result "))
    rate = Rate(*map(int, line.split()[1:]))
    assert rate.requests and not rate.errors, f"{url}: {rate.errors} errors in {rate.requests} requests\n{out}"
    return rate


class Pause:
    """Clients of a drain stop in the middle of their answers, until all of them are there and it is lifted."""

    def __init__(self, clients, after):
        self.after, self.lifted = after, threading.Event()
        self._arrived = threading.Barrier(clients + 1)

    def here(self):
        self._arrived.wait(120)
        self.lifted.wait(120)

    def wait_all(self):
        self._arrived.wait(120)


def take(port, request, pause=None):
    """One answer, thrown away; returns the bytes it had. Its end is the end of the connection."""
    with socket.socket() as connection:
        connection.settimeout(600)
        # Woken for a good piece, not for every segment. Set before anything comes: later, the kernel sometimes leaves
        # the window closed until the sender asks after 200 ms.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 256 << 10)
        connection.connect(("127.0.0.1", port))
        connection.sendall(request)
        head = connection.recv(4096)
        assert head.startswith(b"HTTP/1.1 200"), head[:200]
        got, buffer = len(head), bytearray(1 << 20)
        if pause:
            while got < pause.after:
                got += connection.recv_into(buffer, 0, socket.MSG_TRUNC)
            pause.here()
        while more := connection.recv_into(buffer, 0, socket.MSG_TRUNC):
            got += more
        return got


def request(method, target, headers=(), body=b""):
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *(f"{n}: {v}" for n, v in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Flow:
    def __init__(self, answers, bytes_, seconds):
        self.answers, self.bytes, self.seconds = answers, bytes_, seconds
        self.rate = bytes_ / seconds


def drain(port, what, clients, at_least, seconds=0.0, pause=None):
    """So many clients at once, each one answer after another until the time is up (at least one each). No answer may be
    shorter than `at_least`."""
    answers, begun = [], time.monotonic()

    def client():
        answers.append(take(port, what, pause))
        while time.monotonic() - begun < seconds:
            answers.append(take(port, what))
    all_at_once([client] * clients)
    took = time.monotonic() - begun
    assert min(answers) >= at_least, f"an answer of {min(answers)} bytes where {at_least} were due"
    return Flow(len(answers), sum(answers), took)
