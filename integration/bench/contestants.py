"""Who is compared: static files of nginx (the limit), git http-backend behind nginx (what one runs otherwise), tankard.

All three write a line for each request to a file, use all cores, and run in a session of their own, so that what they cost
can be told from what the clients cost: cpu() counts the seconds of a server and of every child it ever had.
"""
import os
import shutil
import tempfile
import time

from support import http, pkt, processes
from support.tankard import GIT_V2, Direct, Tankard, environment
from support.upstream import Upstream

PREFIXES = ("HEAD", "refs/heads/", "refs/tags/")   # of the refs that a clone asks for
HEADERS = (*GIT_V2, ("Content-Type", "application/x-git-upload-pack-request"), ("Accept", "application/x-git-upload-pack-result"))
_CLOCK = os.sysconf("SC_CLK_TCK")

_STATIC = """
daemon off;
worker_processes auto;
{user}
pid {root}/nginx.pid;
error_log {root}/error.log warn;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log {root}/access.log;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=100 inactive=600s;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_body_temp_path {root}/tmp-body;
  fastcgi_temp_path {root}/tmp-fastcgi;
  proxy_temp_path {root}/tmp-proxy;
  uwsgi_temp_path {root}/tmp-uwsgi;
  scgi_temp_path {root}/tmp-scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    server_name _;
    root {root}/files;
  }}
}}
"""


class Cpu:
    """CPU seconds of a session: the server itself, and git (or CGI) children, those that ended too."""

    def __init__(self, *leaders):
        self.server = self.children = 0.0
        for leader in leaders:
            for pid, _, _ in processes.session_members(leader):
                try:
                    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                        own, system, reaped, reaped_system = map(int, stat.read().rsplit(")", 1)[1].split()[11:15])
                except OSError:
                    continue
                if pid == leader:
                    self.server += (own + system) / _CLOCK
                else:
                    self.children += (own + system) / _CLOCK
                self.children += (reaped + reaped_system) / _CLOCK

    @property
    def total(self):
        return self.server + self.children


class StaticFiles:
    """nginx with files and nothing else."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="tankard-static-")
        os.makedirs(os.path.join(self.root, "files"))
        os.chmod(self.root, 0o755)
        self.port = self._process = None
        self._made = 0

    def start(self):
        user = "user root;" if os.geteuid() == 0 else ""
        conf = os.path.join(self.root, "nginx.conf")
        for _ in range(20):
            self.port = processes.free_port()
            with open(conf, "w", encoding="utf-8") as file:
                file.write(_STATIC.format(root=self.root, port=self.port, user=user))
            self._process = processes.start(["nginx", "-p", self.root, "-c", conf, "-e", os.path.join(self.root, "error.log")],
                                            env={"PATH": "/usr/sbin:/usr/bin:/bin"})
            probe = self.put("probe", str(self.port).encode())
            processes.wait_until(lambda: self._process.poll() is not None or processes.port_answers(self.port), "nginx listens")
            if self._process.poll() is None and http.ask(self.port, "GET", probe).text == str(self.port):
                return self
            processes.end(self._process)
        raise AssertionError(f"nginx does not start, see {self.root}/error.log")

    def put(self, name, data):
        """Makes a file; returns its request target. No name is used twice, as nginx keeps files open."""
        self._made += 1
        name = f"{self._made}-{name}"
        with open(os.path.join(self.root, "files", name), "wb") as file:
            file.write(data)
        return f"/{name}"

    def cpu(self):
        return Cpu(self._process.pid)

    def close(self):
        if self._process:
            processes.end(self._process)
        shutil.rmtree(self.root, ignore_errors=True)


class GitHost(Upstream):
    """nginx -> fcgiwrap -> git http-backend; also the upstream of tankard."""
    nginx_conf = Upstream.nginx_conf.replace("master_process off;", "worker_processes auto;")

    def __init__(self, workers=32):
        super().__init__(workers)
        os.chmod(self.root, 0o755)

    def cpu(self):
        return Cpu(self._nginx.pid, self._fcgiwrap.pid)

    def link(self, repository, name):
        """A further URL of a repository: to tankard it is one that was never seen."""
        os.symlink(self.path(repository), self.path(name))
        return name

    def packs_sent(self, repository, at_least):
        """How many answers of at least so many bytes it gave for a repository. A client may have its answer before nginx has
        written its line, so the number counts once it stays for half a second."""
        uri = f"/{repository}/git-upload-pack"

        def told():
            return sum(r["uri"] == uri and r["method"] == "POST" and r["bytes"] >= at_least for r in self.requests())
        before, count = None, told()
        while count != before:
            time.sleep(0.5)
            before, count = count, told()
        return count

    def raw(self):
        return Direct(self.port)


class Proxy(Tankard):
    """tankard, with its log in a file as in service: nobody here spends time on reading it."""

    def start(self, *more, wait=True):
        self.log_file = self.log_file if self.process else tempfile.NamedTemporaryFile(prefix="tankard-log-", suffix=".log")
        self._lines.clear()
        self._life = 0
        self._terminating = False
        self.port = self.tls_port = self.admin_port = None
        self.log_file.truncate(0)
        with open(self.log_file.name, "ab") as log:
            self.process = processes.start(self.argv(*more), stdout=log, stderr=log, cwd="/",
                                           env=environment())
        if wait:
            self.wait_ready()
        return self

    def events(self, name=None, since=0, all_lives=True, **fields):
        self._lines[:] = self.output().splitlines()
        return super().events(name, since, all_lives, **fields)

    def output(self):
        """The beginning of the log: there the ports stand. A run may write a line for each of a million requests."""
        with open(self.log_file.name, encoding="utf-8", errors="replace") as log:
            return log.read(65536)

    def cpu(self):
        return Cpu(self.process.pid)

    def switches(self):
        """How often its threads went to sleep so far: what is handed from thread to thread shows here."""
        count = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/status", encoding="ascii") as status:
                count += sum(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))
        return count

    def sources(self):
        """{source: bytes} of answers to fetches so far: where packs came from."""
        found = {}
        for (name, labels), value in self.metrics().values.items():
            labels = dict(labels)
            if name == "tankard_response_bytes_total" and labels.get("operation") == "fetch":
                found[labels["source"]] = found.get(labels["source"], 0) + value
        return found

    def purge(self, repository):
        answer = self.admin("DELETE", f"/api/v1/repositories/{self.name.replace(':', '%3A')}/{repository}", token=self.token())
        assert answer.status in (200, 202, 204), answer

    def close(self):
        try:
            super().close()
        finally:
            self.log_file.close()


def fetch_everything(client, repository):
    """The request that a first clone sends for its pack."""
    tips = sorted(set(pkt.listing(client.ls_refs(repository, *PREFIXES).body).values()))
    return pkt.fetch(tips, (), True, "thin-pack", "no-progress", "include-tag")
