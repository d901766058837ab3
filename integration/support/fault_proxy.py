"""A reverse proxy that writes down every request and breaks answers on command, deterministically.

    faults = FaultProxy(upstream.port)
    gate = Gate()
    faults.on(HoldBody(gate, after=65536), kind="fetch")    # the next fetch answer stops after 64 KiB
    gate.wait_arrived(1); ...; gate.open()
    assert faults.count(kind="fetch", has_pack=True) == 1

Rules apply in the order they were given; each `times` times (1 unless told; None = always). Every request is a connection
of its own to the upstream, so nothing of one request leaks into another.
"""
import gzip
import re
import socket
import socketserver
import struct
import threading
import time
import zlib

from . import pkt
from .processes import TIME_FACTOR

_PACK_MARKS = (b"packfile\n", b"PACK\x00\x00\x00\x02")


class Gate:
    """A barrier: whoever arrives waits until it is opened."""

    def __init__(self):
        self._condition = threading.Condition()
        self._opened = False
        self.arrived = 0

    def wait(self):
        with self._condition:
            self.arrived += 1
            self._condition.notify_all()
            # Long, but not for ever: a test that forgets to open its gate fails instead of hanging the run.
            return self._condition.wait_for(lambda: self._opened, timeout=120 * TIME_FACTOR)

    def wait_arrived(self, count=1, timeout=30.0):
        with self._condition:
            assert self._condition.wait_for(lambda: self.arrived >= count, timeout * TIME_FACTOR), \
                f"only {self.arrived} of {count} arrived at the gate"

    def open(self):
        with self._condition:
            self._opened = True
            self._condition.notify_all()


class Record:
    """What one request was, and what became of its answer."""

    def __init__(self, method, target, headers, raw_body):
        self.method, self.target, self.headers, self.raw_body = method, target, headers, raw_body
        self.path, _, self.query = target.partition("?")
        self.time = time.monotonic()
        self.status = None
        self.response_bytes = 0
        self.response_head = b""   # the first 64 KiB of the body
        self.finished = False      # the whole answer was passed on
        self.fault = None
        self.body = self._inflated(raw_body)
        self.command = None
        self.wants, self.haves, self.shallows, self.args = [], [], [], []
        self._parse()
        self.kind = self._kind()

    def header(self, name):
        return next((v for n, v in self.headers if n.lower() == name.lower()), None)

    def _inflated(self, body):
        if (self.header("Content-Encoding") or "").lower() in ("gzip", "x-gzip"):
            try:
                return gzip.decompress(body)
            except (OSError, EOFError, zlib.error):
                return body
        return body

    def _parse(self):
        if not self.path.endswith("/git-upload-pack"):
            return
        for text in pkt.texts(self.body):
            if text.startswith("command="):
                self.command = text[8:]
            elif text.startswith("want "):
                self.wants.append(text.split(" ")[1])
            elif text.startswith("have "):
                self.haves.append(text[5:])
            elif text.startswith("shallow "):
                self.shallows.append(text[8:])
            else:
                self.args.append(text)

    def _kind(self):
        """advertisement | push-advertisement | ls-refs | fetch | push | lfs | other; v0 and v1 fetches are `fetch` too."""
        if "/info/lfs" in self.path:
            return "lfs"
        if self.method in ("GET", "HEAD") and self.path.endswith("/info/refs"):
            if "service=git-upload-pack" in self.query:
                return "advertisement"
            if "service=git-receive-pack" in self.query:
                return "push-advertisement"
        if self.method == "POST" and self.path.endswith("/git-upload-pack"):
            return self.command or "fetch"
        if self.method == "POST" and self.path.endswith("/git-receive-pack"):
            return "push"
        return "other"

    @property
    def has_pack(self):
        """The answer carried a pack (a negotiation round does not)."""
        return any(mark in self.response_head for mark in _PACK_MARKS)

    def __repr__(self):
        return (f"<{self.kind} {self.method} {self.target} wants={len(self.wants)} haves={len(self.haves)} -> {self.status} "
                f"{self.response_bytes} B{'' if self.finished else ' unfinished'}{f' {self.fault}' if self.fault else ''}>")


# Faults. answer(proxy, client, record): what to do in place of plain forwarding.

class Fault:
    def answer(self, handler, record):
        raise NotImplementedError

    def __repr__(self):
        return type(self).__name__


class Respond(Fault):
    """An answer that the upstream never gave."""

    def __init__(self, status, headers=(), body=b"", reason="Injected"):
        self.status, self.body, self.reason = status, body, reason
        self.headers = list(headers.items() if isinstance(headers, dict) else headers)

    def answer(self, handler, record):
        handler.send_whole(record, self.status, self.reason, self.headers, self.body)


def html(status=200):
    """A captive portal, a login page."""
    return Respond(status, {"Content-Type": "text/html; charset=utf-8"}, b"<html><body>Please sign in</body></html>\n")


def garbage(body=b"zzzz this is no pkt-line\n\x00\xff\xfe"):
    """The right content type, and not git."""
    class Garbage(Fault):
        def answer(self, handler, record):
            handler.send_whole(record, 200, "OK", [("Content-Type", _content_type(record))], body)
    return Garbage()


def empty_listing():
    """A repository that lost its refs, as some hosts show one that is being restored."""
    return garbage(pkt.FLUSH)


def _content_type(record):
    return "application/x-git-upload-pack-advertisement" if record.kind == "advertisement" else "application/x-git-upload-pack-result"


class Hang(Fault):
    """Nothing at all until the gate opens; then the answer as it is, or another fault."""

    def __init__(self, gate, then=None):
        self.gate, self.then = gate, then

    def answer(self, handler, record):
        self.gate.wait()
        if self.then:
            self.then.answer(handler, record)
        else:
            handler.forward(record)


class HoldBody(Fault):
    """The answer stops after so many body bytes until the gate opens; then it goes on, or ends in `then`: "cut" or "reset"."""

    def __init__(self, gate, after=0, then=None):
        self.gate, self.after, self.then = gate, after, then

    def answer(self, handler, record):
        def held():
            self.gate.wait()
            return self.then
        handler.forward(record, stop_after=self.after, at_stop=held)


class Truncate(Fault):
    """The connection is closed after so many body bytes, without a proper end."""

    def __init__(self, after):
        self.after = after

    def answer(self, handler, record):
        handler.forward(record, stop_after=self.after, at_stop=lambda: "cut")


class EndEarly(Fault):
    """The answer ends after so many body bytes, *with* a proper end of the HTTP message: only git can see the harm."""

    def __init__(self, after):
        self.after = after

    def answer(self, handler, record):
        handler.forward(record, stop_after=self.after, at_stop=lambda: "end")


class Reset(Fault):
    """A TCP reset after so many body bytes; `after=None`: before the head."""

    def __init__(self, after=None):
        self.after = after

    def answer(self, handler, record):
        if self.after is None:
            handler.reset()
        else:
            handler.forward(record, stop_after=self.after, at_stop=lambda: "reset")


class Edit(Fault):
    """The upstream's whole answer, changed: edit(status, headers, body) -> the same three."""

    def __init__(self, edit):
        self.edit = edit

    def answer(self, handler, record):
        status, reason, headers, body = handler.fetch_whole(record)
        status, headers, body = self.edit(status, headers, body)
        headers = [(n, v) for n, v in headers if n.lower() not in ("content-length", "transfer-encoding", "connection")]
        handler.send_whole(record, status, reason, headers, body)


class _Rule:
    def __init__(self, fault, times, match):
        self.fault, self.left, self.match = fault, times, match


class _Handler(socketserver.BaseRequestHandler):
    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.request.makefile("rb", buffering=65536)
        self.owner = self.server.owner
        self.alive = True
        with self.owner.lock:
            self.owner.connections.add(self.request)

    def finish(self):
        with self.owner.lock:
            self.owner.connections.discard(self.request)
        try:
            self.file.close()
        except OSError:
            pass

    def handle(self):
        try:
            while self.alive and self._one():
                pass
        except (OSError, ValueError):
            pass

    def _one(self):
        line = self.file.readline(65536)
        if not line.strip():
            return False
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = []
        while True:
            line = self.file.readline(65536).decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                break
            name, value = line.split(":", 1)
            headers.append((name, value.strip()))
        low = {n.lower(): v for n, v in headers}
        if low.get("expect", "").lower() == "100-continue":
            self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._body(low)
        record = Record(method, target, headers, body)
        fault = self.owner.noted(record)
        if "close" in low.get("connection", "").lower():
            self.alive = False
        if fault is None:
            self.forward(record)
        else:
            record.fault = fault
            fault.answer(self, record)
        return self.alive

    def _body(self, headers):
        if "chunked" in headers.get("transfer-encoding", "").lower():
            parts = []
            while True:
                size = int(self.file.readline(1024).split(b";")[0], 16)
                data = self.file.read(size)
                if len(data) < size:
                    raise OSError("request cut")
                parts.append(data)
                if size == 0:
                    while self.file.readline(65536).strip():
                        pass
                    return b"".join(parts)
                self.file.readline(8)
        length = int(headers.get("content-length", "0"))
        data = self.file.read(length) if length else b""
        if len(data) < length:
            raise OSError("request cut")
        return data

    # What faults use

    def reset(self):
        self.alive = False
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.file.close()
        self.request.close()

    def cut(self):
        self.alive = False
        try:
            self.request.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def send_whole(self, record, status, reason, headers, body):
        record.status = status
        headers = [*headers, ("Content-Length", str(len(body)))]
        self._send_head(status, reason, headers)
        if record.method != "HEAD":
            self.request.sendall(body)
            record.response_bytes, record.response_head = len(body), body[:65536]
        record.finished = True

    def _send_head(self, status, reason, headers):
        text = f"HTTP/1.1 {status} {reason}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n"
        self.request.sendall(text.encode("utf-8"))

    def _ask_upstream(self, record):
        upstream = socket.create_connection(("127.0.0.1", self.owner.upstream_port), timeout=600)
        upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        drop = {"connection", "transfer-encoding", "content-length", "expect", "keep-alive"}
        headers = [(n, v) for n, v in record.headers if n.lower() not in drop]
        if record.raw_body or record.method in ("POST", "PUT"):
            headers.append(("Content-Length", str(len(record.raw_body))))
        headers.append(("Connection", "close"))
        head = f"{record.method} {record.target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n"
        upstream.sendall(head.encode("utf-8"))
        upstream.sendall(record.raw_body)
        file = upstream.makefile("rb", buffering=262144)
        status_line = file.readline(65536).decode("latin-1")
        if not status_line:
            raise OSError("upstream closed")
        _, status, reason = (status_line.rstrip("\r\n") + " ").split(" ", 2)
        answer_headers = []
        while True:
            line = file.readline(65536).decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                break
            name, value = line.split(":", 1)
            answer_headers.append((name, value.strip()))
        return upstream, file, int(status), reason.strip(), answer_headers

    @staticmethod
    def _chunks(file, headers):
        """The decoded body as it comes; raises OSError where it is cut."""
        low = {n.lower(): v for n, v in headers}
        if "chunked" in low.get("transfer-encoding", "").lower():
            while True:
                size = int(file.readline(1024).split(b";")[0] or b"x", 16)
                if size == 0:
                    return
                left = size
                while left:
                    data = file.read1(min(left, 262144))
                    if not data:
                        raise OSError("upstream cut")
                    left -= len(data)
                    yield data
                file.readline(8)
        elif "content-length" in low:
            left = int(low["content-length"])
            while left:
                data = file.read1(min(left, 262144))
                if not data:
                    raise OSError("upstream cut")
                left -= len(data)
                yield data
        else:
            while True:
                data = file.read1(262144)
                if not data:
                    return
                yield data

    def fetch_whole(self, record):
        upstream, file, status, reason, headers = self._ask_upstream(record)
        with upstream, file:
            return status, reason, headers, b"".join(self._chunks(file, headers))

    def forward(self, record, stop_after=None, at_stop=None):
        """Passes request and answer on; after `stop_after` body bytes at_stop() says how it goes on."""
        try:
            upstream, file, status, reason, headers = self._ask_upstream(record)
        except OSError:
            self.cut()
            return
        with upstream, file:
            record.status = status
            low = {n.lower(): v for n, v in headers}
            passed = [(n, v) for n, v in headers if n.lower() not in ("connection", "transfer-encoding", "keep-alive")]
            no_body = record.method == "HEAD" or status in (204, 304)
            chunked = "content-length" not in low and not no_body
            if chunked:
                passed.append(("Transfer-Encoding", "chunked"))
            self._send_head(status, reason, passed)
            if no_body:
                record.finished = True
                return
            try:
                for data in self._chunks(file, headers):
                    if len(record.response_head) < 65536:
                        record.response_head += data[:65536 - len(record.response_head)]
                    if stop_after is not None and record.response_bytes + len(data) > stop_after:
                        allowed = stop_after - record.response_bytes
                        self._send_data(data[:allowed], chunked, record)
                        data, stop_after = data[allowed:], None
                        how = at_stop()
                        if how == "cut":
                            return self.cut()
                        if how == "reset":
                            return self.reset()
                        if how == "end":
                            if chunked:
                                self.request.sendall(b"0\r\n\r\n")
                            else:
                                self.cut()
                            return None
                    self._send_data(data, chunked, record)
                if chunked:
                    self.request.sendall(b"0\r\n\r\n")
                record.finished = True
            except (OSError, ValueError):
                self.cut()
        return None

    def _send_data(self, data, chunked, record):
        if not data:
            return
        if chunked:
            self.request.sendall(b"%x\r\n" % len(data) + data + b"\r\n" if len(data) < 4096 else b"%x\r\n" % len(data))
            if len(data) >= 4096:
                self.request.sendall(data)
                self.request.sendall(b"\r\n")
        else:
            self.request.sendall(data)
        record.response_bytes += len(data)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass

    def shutdown_request(self, request):
        try:
            request.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.close_request(request)


class FaultProxy:
    def __init__(self, upstream_port):
        self.upstream_port = upstream_port
        self.lock = threading.RLock()
        self.records = []
        self.connections = set()
        self._rules = []
        self._server = self._held = None
        self.port = 0
        self.restore()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def name(self):
        return f"127.0.0.1:{self.port}"

    # Being there

    def vanish(self):
        """Connections are refused from now on, and those that stand are cut: the host is down."""
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()
            self._held = socket.socket()   # or another test's server gets this port, and is taken for the host
            self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.bind(("127.0.0.1", self.port))
        with self.lock:
            for connection in list(self.connections):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def restore(self):
        """Listens again, on the same port as before."""
        if self._server is None:
            self._let_go()
            self._server = _Server(("127.0.0.1", self.port), _Handler)
            self._server.owner = self
            self.port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def _let_go(self):
        if self._held:
            self._held.close()
            self._held = None

    def close(self):
        self.clear()
        self.vanish()
        self._let_go()

    # Faults

    def on(self, fault, times=1, kind=None, path=None, method=None, where=None):
        """From now on requests that match get `fault`, `times` times (None = always)."""
        kinds = {kind} if isinstance(kind, str) else set(kind) if kind else None

        def match(record):
            return ((kinds is None or record.kind in kinds) and (path is None or re.search(path, record.path))
                    and (method is None or record.method == method) and (where is None or where(record)))
        with self.lock:
            self._rules.append(_Rule(fault, times, match))
        return fault

    def clear(self):
        with self.lock:
            self._rules.clear()

    def noted(self, record):
        with self.lock:
            self.records.append(record)
            for rule in self._rules:
                if (rule.left is None or rule.left > 0) and rule.match(record):
                    if rule.left is not None:
                        rule.left -= 1
                    return rule.fault
        return None

    # Evidence

    def seen(self, kind=None, since=0, **attributes):
        """Records of a kind, with attributes as given: seen("fetch", has_pack=True)."""
        with self.lock:
            records = self.records[since:]
        return [r for r in records if (kind is None or r.kind == kind) and all(getattr(r, n) == v for n, v in attributes.items())]

    def count(self, kind=None, since=0, **attributes):
        return len(self.seen(kind, since, **attributes))

    def mark(self):
        """A place in the records: seen(..., since=mark)."""
        with self.lock:
            return len(self.records)
