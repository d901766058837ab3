"""A Git LFS server: batch API, basic transfers, verify, locks, as a git host has one at <repository>/info/lfs.

    with LfsServer() as lfs:
        faults.on(lfs.serves(faults), times=None, kind="lfs")    # the git host at `faults` has LFS now

`lfs.objects` is what it stores, `lfs.requests` what it was asked: (method, path, headers). Objects are at `lfs.href`, by
default its own address, as of a host that keeps them elsewhere; "" is the host that was asked for the batch.
"""
import hashlib
import http.server
import json
import re
import threading

from . import http as raw
from .fault_proxy import Fault

TYPE = "application/vnd.git-lfs+json"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", kind=TYPE, headers=()):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def allowed(self):
        lfs = self.server.lfs
        if lfs.credential is None or self.headers.get("Authorization") == lfs.credential:
            return True
        self.answer(401, {"message": "who are you"}, headers=[("LFS-Authenticate", 'Basic realm="lfs"'), ("WWW-Authenticate", 'Basic realm="lfs"')])
        return False

    def serve(self):
        lfs = self.server.lfs
        with lfs.lock:
            lfs.requests.append((self.command, self.path, dict(self.headers.items())))
        # A body is read as it comes: nothing may depend on its being held anywhere.
        length = int(self.headers.get("Content-Length") or 0)
        chunked = "chunked" in (self.headers.get("Transfer-Encoding") or "").lower()
        body = b""
        if chunked:
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        elif length:
            body = self.rfile.read(length)
        path = self.path.split("?")[0]
        if path.endswith("/info/lfs/objects/batch"):
            return self.allowed() and self.batch(json.loads(body))
        if match := re.search(r"/(?:info/lfs|gitlab-lfs)/objects/([0-9a-f]{64})(?:/\d+)?$", path):
            return self.object(match.group(1), body)
        if path.endswith("/info/lfs/locks/verify"):
            return self.allowed() and self.answer(200, {"ours": list(lfs.locks.values()), "theirs": []})
        if path.endswith("/info/lfs/locks"):
            return self.allowed() and self.locks(body)
        return self.answer(404, {"message": "no such place"})

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

    def batch(self, asked):
        lfs = self.server.lfs
        host = lfs.url if lfs.href is None else lfs.href or f"http://{self.headers['X-Asked-Host']}"
        base = host + self.path.split("/info/lfs/")[0]
        found = []
        for entry in asked["objects"]:
            oid, size = entry["oid"], entry["size"]
            place = f"{base}/{lfs.folder}/{oid}" + (f"/{size}" if lfs.folder == "gitlab-lfs/objects" and asked["operation"] == "upload" else "")
            action = {"href": place, "header": {"X-Object-Key": lfs.key}}
            if asked["operation"] == "upload":
                found.append({**entry, **({} if oid in lfs.objects else {"actions": {"upload": action}})})
            elif oid in lfs.objects:
                found.append({**entry, "actions": {"download": action}})
            else:
                found.append({**entry, "error": {"code": 404, "message": "no such object"}})
        return self.answer(200, {"transfer": "basic", "objects": found})

    def object(self, oid, body):
        lfs = self.server.lfs
        if self.headers.get("X-Object-Key") != lfs.key:
            return self.answer(403, {"message": "without its key"})
        if self.command == "PUT":
            if hashlib.sha256(body).hexdigest() != oid:
                return self.answer(422, {"message": "another object"})
            lfs.objects[oid] = body
            return self.answer(200)
        if oid not in lfs.objects:
            return self.answer(404, {"message": "no such object"})
        return self.answer(200, lfs.objects[oid], "application/octet-stream")

    def locks(self, body):
        lfs = self.server.lfs
        if self.command == "POST":
            path = json.loads(body)["path"]
            lfs.locks[path] = {"id": str(len(lfs.locks) + 1), "path": path, "locked_at": "2026-01-01T00:00:00Z", "owner": {"name": "a"}}
            return self.answer(201, {"lock": lfs.locks[path]})
        return self.answer(200, {"locks": list(lfs.locks.values())})


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class _Elsewhere(Fault):
    """The git host hands LFS requests on to the LFS server."""

    def __init__(self, lfs, host):
        self.lfs, self.host = lfs, host

    def answer(self, handler, record):
        headers = [(n, v) for n, v in record.headers if n.lower() not in ("host", "content-length", "transfer-encoding", "connection", "expect")]
        body = record.raw_body if record.method in ("POST", "PUT") else None
        answer = raw.ask(self.lfs.port, record.method, record.target, [*headers, ("X-Asked-Host", self.host)], body, timeout=120)
        passed = [(n, v) for n, v in answer.headers if n.lower() not in ("content-length", "connection", "date", "server")]
        handler.send_whole(record, answer.status, answer.reason, passed, answer.body)


class LfsServer:
    def __init__(self):
        self.objects, self.locks, self.requests = {}, {}, []
        self.lock = threading.Lock()
        self.credential = None          # an Authorization header that batches and locks want
        self.key = "of this object"     # a header that transfers want, given by the batch
        self.href = None                # where objects are: None = here, "" = the host that was asked
        self.folder = "info/lfs/objects"
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.lfs = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def serves(self, faults):
        return _Elsewhere(self, faults.name)

    def count(self, method, part):
        with self.lock:
            return sum(1 for m, path, _ in self.requests if m == method and part in path)
