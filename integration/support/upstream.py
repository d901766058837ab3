"""A real git host: nginx -> fcgiwrap -> git http-backend, on a loopback port, in a folder of its own.

Repositories below <root>/repos are public, those below <root>/private want Basic auth (USER, PASSWORD). Everything
streams: no buffering of requests or answers. kill() is a crash; start() after it takes the same port again.
"""
import json
import os
import shutil
import signal
import tempfile

from . import processes

USER, PASSWORD = "alice", "s3cret-Pa55word"

_NGINX = """
daemon off;
master_process off;
{user}
pid {root}/nginx.pid;
error_log {root}/error.log info;
events {{ worker_connections 4096; }}
http {{
  log_format evidence escape=json '{{"method":"$request_method","uri":"$request_uri","status":$status,'
    '"bytes":$body_bytes_sent,"agent":"$http_user_agent","protocol":"$http_git_protocol","auth":"$remote_user"}}';
  access_log {root}/access.log evidence;
  client_body_temp_path {root}/tmp-body;
  fastcgi_temp_path {root}/tmp-fastcgi;
  proxy_temp_path {root}/tmp-proxy;
  uwsgi_temp_path {root}/tmp-uwsgi;
  scgi_temp_path {root}/tmp-scgi;
  client_max_body_size 0;
  keepalive_timeout 75s;
  server {{
    listen 127.0.0.1:{port};
    server_name _;
    location /private/ {{
      auth_basic "Private repositories";
      auth_basic_user_file {root}/htpasswd;
      include {root}/git.conf;
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param GIT_PROJECT_ROOT {root};
    }}
    location / {{
      include {root}/git.conf;
      fastcgi_param GIT_PROJECT_ROOT {root}/repos;
    }}
  }}
}}
"""

_GIT_CONF = """
fastcgi_pass unix:{root}/fcgiwrap.sock;
fastcgi_buffering off;
fastcgi_request_buffering off;
fastcgi_read_timeout 600s;
fastcgi_send_timeout 600s;
fastcgi_param SCRIPT_FILENAME {backend};
fastcgi_param GIT_HTTP_EXPORT_ALL 1;
fastcgi_param GIT_CONFIG_NOSYSTEM 1;
fastcgi_param GIT_CONFIG_GLOBAL {root}/gitconfig;
fastcgi_param HOME {root};
fastcgi_param PATH_INFO $uri;
fastcgi_param QUERY_STRING $query_string;
fastcgi_param REQUEST_METHOD $request_method;
fastcgi_param CONTENT_TYPE $content_type;
fastcgi_param CONTENT_LENGTH $content_length;
fastcgi_param REMOTE_ADDR $remote_addr;
fastcgi_param SERVER_PROTOCOL $server_protocol;
fastcgi_param GIT_PROTOCOL $http_git_protocol;
fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
"""

_GIT_CONFIG = """
[safe]
\tdirectory = *
[http]
\treceivepack = true
[uploadpack]
\tallowFilter = true
[pack]
\tthreads = 1
[receive]
\tautogc = false
[core]
\tpackedGitLimit = 512m
"""


def git_http_backend():
    import subprocess
    return os.path.join(subprocess.check_output(["git", "--exec-path"], text=True).strip(), "git-http-backend")


class Upstream:
    nginx_conf = _NGINX          # what a host with other rules replaces
    git_conf = _GIT_CONF

    def __init__(self, workers=8):
        self.root = tempfile.mkdtemp(prefix="tankard-upstream-")
        self.repos = os.path.join(self.root, "repos")
        self.private = os.path.join(self.root, "private")
        os.makedirs(self.repos)
        os.makedirs(self.private)
        self.workers = workers
        self.port = None
        self._nginx = self._fcgiwrap = None
        with open(os.path.join(self.root, "gitconfig"), "w", encoding="utf-8") as file:
            file.write(_GIT_CONFIG)
        with open(os.path.join(self.root, "htpasswd"), "w", encoding="utf-8") as file:
            file.write(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        with open(os.path.join(self.root, "git.conf"), "w", encoding="utf-8") as file:
            file.write(self.git_conf.format(root=self.root, backend=self.backend()))

    def backend(self):
        """The program that answers what nginx lets in."""
        return git_http_backend()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    # Life

    def start(self):
        """Starts, or starts again on the same port after stop() or kill()."""
        self._start_fcgiwrap()
        ports = [self.port] * 50 if self.port else [processes.free_port() for _ in range(20)]
        for port in ports:
            if self._start_nginx(port):
                self.port = port
                return self
        raise AssertionError(f"nginx does not start: {self.error_log()}")

    def _start_fcgiwrap(self):
        if self._fcgiwrap and self._fcgiwrap.poll() is None:
            return
        socket_path = os.path.join(self.root, "fcgiwrap.sock")
        if os.path.exists(socket_path):
            os.unlink(socket_path)
        log = open(os.path.join(self.root, "fcgiwrap.log"), "ab")
        self._fcgiwrap = processes.start(["fcgiwrap", "-f", "-c", str(self.workers), "-s", f"unix:{socket_path}"],
                                         stdout=log, stderr=log, cwd=self.root, env={"PATH": "/usr/sbin:/usr/bin:/bin"})
        log.close()
        processes.wait_until(lambda: os.path.exists(socket_path), "fcgiwrap listens")

    def _start_nginx(self, port):
        user = "user root;" if os.geteuid() == 0 else ""
        conf = os.path.join(self.root, "nginx.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(self.nginx_conf.format(root=self.root, port=port, user=user))
        log = open(os.path.join(self.root, "nginx.log"), "ab")
        self._nginx = processes.start(["nginx", "-p", self.root, "-c", conf, "-e", os.path.join(self.root, "error.log")],
                                      stdout=log, stderr=log, env={"PATH": "/usr/sbin:/usr/bin:/bin"})
        log.close()
        try:
            processes.wait_until(lambda: self._nginx.poll() is not None or processes.port_answers(port), "nginx listens")
        except AssertionError:
            pass
        # A foreign server may answer on that port while our nginx is still trying to bind it.
        if self._nginx.poll() is None and self._listens(port):
            return True
        processes.end(self._nginx, signal.SIGKILL)
        return False

    def _listens(self, port):
        inodes = set()
        with open("/proc/net/tcp", encoding="ascii") as table:
            for row in list(table)[1:]:
                fields = row.split()
                if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
        folder = f"/proc/{self._nginx.pid}/fd"
        try:
            return any(os.readlink(os.path.join(folder, fd)) in inodes for fd in os.listdir(folder))
        except OSError:
            return False

    def stop(self):
        """An orderly end of the web server."""
        if self._nginx:
            processes.end(self._nginx, signal.SIGTERM)
            self._nginx = None

    def kill(self):
        """A crash: web server and git processes die at once."""
        if self._nginx:
            processes.end(self._nginx, signal.SIGKILL)
            self._nginx = None
        if self._fcgiwrap:
            processes.end(self._fcgiwrap, signal.SIGKILL)
            self._fcgiwrap = None

    def close(self):
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    # Places

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def name(self):
        """How tankard names and mounts it by default."""
        return f"127.0.0.1:{self.port}"

    def path(self, repository):
        """Folder of a repository by its URL path ("group/one.git", "private/two.git")."""
        if repository.startswith("private/"):
            return os.path.join(self.root, repository)
        return os.path.join(self.repos, repository)

    def configure(self, text):
        """Adds to the git configuration of the server, e.g. "[uploadpack]\\n\\thideRefs = refs/x\\n"."""
        with open(os.path.join(self.root, "gitconfig"), "a", encoding="utf-8") as file:
            file.write(text)

    # Evidence

    def requests(self):
        """The access log, oldest first."""
        try:
            with open(os.path.join(self.root, "access.log"), encoding="utf-8") as file:
                return [json.loads(line) for line in file if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def error_log(self):
        text = ""
        for name in ("error.log", "nginx.log", "fcgiwrap.log"):
            path = os.path.join(self.root, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text += file.read()[-2000:]
        return text


class OldUpstream(Upstream):
    """A host that was set up before there was protocol v1: git is not told what the client asks for, and answers in v0."""
    git_conf = _GIT_CONF.replace("GIT_PROTOCOL $http_git_protocol;", 'GIT_PROTOCOL "";\nfastcgi_param HTTP_GIT_PROTOCOL "";')
