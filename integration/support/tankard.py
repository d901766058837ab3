"""tankard itself: started on free ports, watched, and looked over when it ends.

What is taken for granted of the binary (see also integration/README.md):
  * `--listen 127.0.0.1:0`: one JSON log line {"event":"listening","listener":"public"|"public-tls"|"admin","address":..,"port":..}
    each; of a Unix socket {"address":"unix:<path>"} and no port;
  * one JSON log line {"event":"request", "op", "protocol", "outcome", "reason", "status", "upstream", "repo", ...} per request;
  * the admin token stands in <cache-dir>/admin.token and is sent as `Authorization: Bearer`;
  * work in progress on disk lives in <cache-dir>/**/staging and <cache-dir>/**/trash.
"""
import json
import os
import re
import signal
import tempfile
import threading
import urllib.parse

from . import http, pkt, processes

_SANITIZER = re.compile(r"ERROR: AddressSanitizer|runtime error:|ERROR: LeakSanitizer|WARNING: ThreadSanitizer|DEADLYSIGNAL|Assertion .* failed")

GIT_V2 = [("Git-Protocol", "version=2")]


def binary():
    path = os.environ.get("TANKARD_BIN")
    assert path, "TANKARD_BIN does not say where the tankard binary is (ctest sets it)"
    return path


def environment():
    env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent",
           "ASAN_OPTIONS": "exitcode=99:detect_stack_use_after_return=0:malloc_context_size=12",
           "LSAN_OPTIONS": f"print_suppressions=0:suppressions={os.path.join(os.path.dirname(__file__), 'lsan.supp')}",
           "UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": "exitcode=99:halt_on_error=0"}
    for symbolizer in ("/usr/bin/llvm-symbolizer-19", "/usr/bin/llvm-symbolizer"):
        if os.path.exists(symbolizer):
            env["ASAN_SYMBOLIZER_PATH"] = env["TSAN_SYMBOLIZER_PATH"] = symbolizer
            break
    return env


class Metrics:
    """One scrape, as {(name, frozenset(labels)): value}."""

    _LINE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
    _LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.text, self.values, self.types = text, {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ", 3)
                self.types[name] = kind
            elif line and not line.startswith("#"):
                match = self._LINE.match(line)
                assert match, f"not an exposition line: {line!r}"
                labels = frozenset(self._LABEL.findall(match.group(2) or ""))
                self.values[(match.group(1), labels)] = float(match.group(3))

    def sum(self, name, **labels):
        """Sum over all series of a name whose labels include these; 0 where there is none."""
        wanted = set(labels.items())
        return sum(v for (n, have), v in self.values.items() if n == name and wanted <= have)

    def has(self, name):
        return any(n == name for n, _ in self.values)


class RawClient:
    """Talks git's protocol without git. Who derives from it has a `port` and a `mount()`."""

    def target(self, repository, rest):
        """Request target of a raw request: target("a.git", "info/refs?service=git-upload-pack")."""
        return f"{self.mount()}/{http.quote(repository)}/{rest}"

    def ask(self, method, target, headers=(), body=None, **more):
        return http.ask(self.port, method, target, headers, body, **more)

    def advertisement(self, repository, headers=()):
        return self.ask("GET", self.target(repository, "info/refs?service=git-upload-pack"), [*GIT_V2, *headers])

    def command(self, repository, body, headers=(), **more):
        return self.ask("POST", self.target(repository, "git-upload-pack"),
                        [*GIT_V2, ("Content-Type", "application/x-git-upload-pack-request"),
                         ("Accept", "application/x-git-upload-pack-result"), *headers], body, **more)

    def ls_refs(self, repository, *prefixes, headers=()):
        return self.command(repository, pkt.ls_refs(*prefixes), headers)

    def fetch(self, repository, *wants, headers=()):
        return self.command(repository, pkt.fetch(wants), headers)

    def push_advertisement(self, repository, headers=()):
        return self.ask("GET", self.target(repository, "info/refs?service=git-receive-pack"), headers)


class Direct(RawClient):
    """Asks a server on a port as it is, without tankard."""

    def __init__(self, port):
        self.port = port

    def mount(self):
        return ""


class Tankard(RawClient):
    def __init__(self, upstreams, cache_dir=None, settings=None, args=(), expect_leftovers=False, clock=None, programs=None):
        """upstreams: URLs, or things with a `url`. settings: {key: value} for --set. clock: a ShiftedClock. programs: a folder whose
        programs are found before the system's."""
        self.upstreams = [u if isinstance(u, str) else u.url for u in ([upstreams] if not isinstance(upstreams, (list, tuple)) else upstreams)]
        self._own = None
        if cache_dir is None:
            self._own = tempfile.TemporaryDirectory(prefix="tankard-cache-", ignore_cleanup_errors=True)
            cache_dir = os.path.join(self._own.name, "cache")
        self.cache_dir = str(cache_dir)
        self.settings = {"log.format": "json", "log.level": "info",
                         "auth.key_file": os.path.join(os.path.dirname(self.cache_dir), "credential.key"), **(settings or {})}
        self.args = list(args)
        self.expect_leftovers = expect_leftovers
        self.clock = clock
        self.programs = programs
        self.process = None
        self._terminating = False
        self.port = self.tls_port = self.admin_port = None  # of a Unix socket: its path
        self._reader = None
        self._changed = threading.Condition()
        self._lines = []       # of every life of the process
        self.crashes = 0

    # Life

    def argv(self, *more):
        argv = [binary(), "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--cache-dir", self.cache_dir]
        for url in self.upstreams:
            argv += ["--upstream", url]
        for key, value in self.settings.items():
            argv += ["--set", f"{key}={value}"]
        return argv + self.args + list(more)

    def start(self, *more, wait=True):
        """Starts the process; with `wait` returns when it is ready. More arguments count for this life only."""
        assert self.process is None or self.process.poll() is not None, "already running"
        self.port = self.tls_port = self.admin_port = None
        self._terminating = False
        self._life = len(self._lines)
        import subprocess
        env = {**environment(), **(self.clock.environment() if self.clock else {})}
        if self.programs:
            env["PATH"] = f"{self.programs}:{env['PATH']}"
        self.process = processes.start(self.argv(*more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", env=env)
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()
        if wait:
            self.wait_ready()
        return self

    def _read(self, stream):
        for raw in stream:
            line = raw.decode(errors="replace").rstrip("\n")
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()

    def wait_ready(self, timeout=20.0):
        def listening():
            if self.process.poll() is not None:
                raise AssertionError(f"tankard ended with {self.process.returncode} instead of listening:\n{self.output()}")
            found = {}
            for event in self.events("listening", all_lives=False):
                found.setdefault(event["listener"], int(event["port"]) if "port" in event else event["address"].removeprefix("unix:"))
            self.port, self.tls_port, self.admin_port = (found.get(n) for n in ("public", "public-tls", "admin"))
            wants_plain = self.settings.get("listen") != "none"
            return self.admin_port and (self.port or not wants_plain) and (self.tls_port or "tls.listen" not in self.settings)
        processes.wait_until(listening, lambda: f"tankard tells its ports:\n{self.output()}", timeout)
        processes.wait_until(lambda: self.admin("GET", "/readyz").status == 200, "/readyz is 200", timeout)
        return self

    def ends_by_itself(self, timeout=15.0):
        """Waits for a process that should refuse to start; returns (exit code, output)."""
        processes.wait_until(lambda: self.process.poll() is not None, lambda: f"tankard gives up:\n{self.output()}", timeout)
        self._finish_reading()
        code = processes.end(self.process)
        return code, self.output()

    def _finish_reading(self):
        if self._reader:
            self._reader.join(10)

    def terminate(self):
        """SIGTERM, without waiting; stop() waits. A second signal would mean: now."""
        self._terminating = True
        self.process.send_signal(signal.SIGTERM)

    def stop(self, timeout=40.0):
        """SIGTERM, and everything that must be true after it."""
        if self.process is None or self.process.returncode is not None:
            return
        if self.process.poll() is None and not self._terminating:
            self.terminate()
        processes.wait_until(lambda: self.process.poll() is not None, lambda: f"tankard ends on SIGTERM:\n{self.output()[-4000:]}", timeout)
        orphans = [m for m in processes.session_members(self.process.pid) if m[0] != self.process.pid]
        code = processes.end(self.process)
        self._finish_reading()
        self.check_output()
        assert code == 0, f"exit code {code} on SIGTERM:\n{self.output()[-4000:]}"
        assert not orphans, f"children that outlive tankard: {orphans}"
        if not self.expect_leftovers:
            assert not self.leftovers(), f"left on disk: {self.leftovers()}"

    def kill(self):
        """kill -9 of tankard alone, as the kernel would; children must see to themselves, so they are waited for."""
        self.crashes += 1
        pid = self.process.pid
        self.process.kill()
        self.process.wait()
        try:
            processes.wait_until(lambda: not processes.session_members(pid), lambda: f"children end: {processes.session_members(pid)}", 20)
        finally:
            processes.end(self.process, signal.SIGKILL)
        self._finish_reading()

    def restart(self, *more):
        self.stop()
        return self.start(*more)

    def close(self):
        try:
            self.stop()
        finally:
            if self.process is not None:
                processes.end(self.process, signal.SIGKILL)
            if self._own:
                self._own.cleanup()

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            print("--- tankard's log ---\n" + self.output()[-12000:])
            if self.process is not None:
                processes.end(self.process, signal.SIGKILL)
            if self._own:
                self._own.cleanup()

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    # Addresses

    @property
    def name(self):
        """Name (and mount) of the first upstream."""
        return urllib.parse.urlsplit(self.upstreams[0]).netloc

    def mount(self, upstream=None):
        return "/" + (urllib.parse.urlsplit(upstream if isinstance(upstream, str) else upstream.url).netloc if upstream else self.name)

    def url(self, repository="", upstream=None, userinfo=""):
        """What a client clones from; `repository` is the decoded path below the upstream."""
        at = f"{userinfo}@" if userinfo else ""
        return f"http://{at}127.0.0.1:{self.port}{self.mount(upstream)}/{http.quote(repository)}"

    def setting(self, key, upstream=None):
        """Key of a setting of an upstream (the first one): setting("auth.scope")."""
        return f"upstream.{self.mount(upstream)[1:]}.{key}"

    @property
    def key_file(self):
        return self.settings["auth.key_file"]

    @property
    def decision_file(self):
        return os.path.join(self.cache_dir, "access", "decisions.v1.sqlite")

    # Administration

    def admin(self, method, path, body=None, token=None, headers=()):
        headers = list(headers)
        if token:
            headers.append(("Authorization", f"Bearer {token}"))
        if body is not None:
            headers.append(("Content-Type", "application/json"))
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return http.ask(self.admin_port, method, path, headers, body)

    def token(self):
        with open(os.path.join(self.cache_dir, "admin.token"), encoding="ascii") as file:
            return file.read().strip()

    def switch(self, enabled, upstream=None):
        """The test switch: an upstream that is disabled counts as away."""
        name = urllib.parse.quote(self.mount(upstream)[1:], safe="")
        answer = self.admin("PUT", f"/api/v1/upstreams/{name}", {"enabled": enabled}, self.token())
        assert answer.status in (200, 204), answer

    def health(self):
        answer = self.admin("GET", "/healthz")
        assert answer.status == 200, answer
        return answer.json

    def metrics(self):
        answer = self.admin("GET", "/metrics")
        assert answer.status == 200, answer
        return Metrics(answer.text)

    def metric(self, name, **labels):
        return self.metrics().sum(name, **labels)

    def wait_metric(self, name, test, timeout=20.0, **labels):
        seen = []

        def reached():
            seen[:] = [self.metric(name, **labels)]
            return test(seen[0])
        processes.wait_until(reached, lambda: f"{name}{labels} is {seen}\n{self.output()[-4000:]}", timeout)

    def wait_stored(self, repositories=1):
        """What was cloned has become a store, and nothing is being taken in any more."""
        self.wait_metric("tankard_store_repositories", lambda n: n >= repositories, 60)
        self.wait_quiet()

    def wait_quiet(self):
        """No request in flight, no answer on its way or being kept, no child, nothing staged."""
        def quiet():
            now = self.metrics()
            return (now.sum("tankard_in_flight_requests") == 0 and now.sum("tankard_spools") == 0 and now.sum("tankard_children") == 0
                    and not self.leftovers(("staging",)))
        processes.wait_until(quiet, lambda: f"tankard is quiet: children {self.children()}, staged {self.leftovers(('staging',))}\n{self.output()[-4000:]}", 60)

    def wait_clean(self):
        """Nothing staged and nothing in the trash: what is discarded goes through the trash, so it is there for a moment."""
        processes.wait_until(lambda: not self.leftovers(), lambda: f"nothing is left on disk but {self.leftovers()}", 20)

    def wait_written(self):
        """What is remembered of refs is on disk (a hot entry is written once a second at most)."""
        self.wait_metric("tankard_ls_refs_dirty_entries", lambda n: n == 0)

    # Looking at it from outside

    def memory(self):
        """{"VmRSS": bytes, "VmHWM": bytes}"""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return {k: int(v.split()[0]) * 1024 for k, v in (line.split(":", 1) for line in status) if k in ("VmRSS", "VmHWM")}

    def forget_peak(self):
        """VmHWM starts anew from VmRSS."""
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def children(self):
        return [m for m in processes.session_members(self.process.pid) if m[0] != self.process.pid]

    def open_files(self):
        folder = f"/proc/{self.process.pid}/fd"
        found = []
        for fd in os.listdir(folder):
            try:
                found.append(os.readlink(os.path.join(folder, fd)))
            except OSError:
                pass
        return found

    def leftovers(self, folders=("staging", "trash")):
        """Files and folders inside any staging/ or trash/ of the cache directory."""
        found = []
        for base, names, files in os.walk(self.cache_dir):
            if os.path.basename(base) in folders:
                found += [os.path.join(base, n) for n in names + files]
        return found

    def files(self, suffix=""):
        return [os.path.join(base, f) for base, _, files in os.walk(self.cache_dir) for f in files if f.endswith(suffix)]

    def snapshots(self):
        """Entries of the ls-refs cache on disk, as of now."""
        return [f for f in self.files(".snapshot") if "/v1/" in f]

    # Its log

    def output(self):
        with self._changed:
            return "\n".join(self._lines)

    def log_mark(self):
        """Where the log stands now: lines are written after the answer, so those of earlier requests are waited for."""
        def told():
            now = self.metrics()
            written = len(self.events("request", all_lives=False))
            return now.sum("tankard_in_flight_requests") == 0 and written >= now.sum("tankard_requests_total")
        processes.wait_until(told, "every request so far has its log line", 20)
        with self._changed:
            return len(self._lines)

    def events(self, name=None, since=0, all_lives=True, **fields):
        """Parsed log lines, filtered."""
        with self._changed:
            lines = self._lines[max(since, 0 if all_lives else self._life):]
        found = []
        for line in lines:
            if line.startswith("{"):
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                event.setdefault("operation", event.get("op"))
                if (name is None or event.get("event") == name) and all(str(event.get(k)) == str(v) for k, v in fields.items()):
                    found.append(event)
        return found

    def wait_event(self, name, **fields):
        """Log lines of this event; waits for the first: it is read a moment after what it tells of is seen."""
        return processes.wait_until(lambda: self.events(name, **fields), f"the log tells of {name} {fields}")

    def requests(self, since=0, **fields):
        """Log lines of all requests that were answered so far."""
        self.log_mark()
        return self.events("request", since, **fields)

    def wait_request(self, count=1, since=0, timeout=10.0, **fields):
        """Waits for request log lines (they are written after the answer); returns them."""
        processes.wait_until(lambda: len(self.events("request", since, **fields)) >= count,
                             lambda: f"{count} request log lines with {fields}; there are {self.events('request', since)}", timeout)
        return self.events("request", since, **fields)

    def outcomes(self, operation, since=0, count=1):
        return [r["outcome"] for r in self.wait_request(count, since, operation=operation)]

    def check_output(self):
        match = _SANITIZER.search(self.output())
        assert not match, self.output()[max(0, match.start() - 500):match.start() + 6000]
