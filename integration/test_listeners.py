"""Where clients connect: TLS, Unix sockets, sockets of systemd; and proxies in front that say whom they speak for."""
import os
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys

import pytest

from support import http, pkt
from support.certificates import Authority
from support.fault_proxy import Gate, HoldBody, Truncate
from support.processes import wait_until
from support.tankard import Tankard


def refuses(run_tankard, *parts, **options):
    """A tankard that must end by itself with a message that has these parts."""
    tankard = run_tankard(start=False, **options)
    tankard.start(wait=False)
    code, output = tankard.ends_by_itself()
    tankard.process = None
    assert code in (1, 2), f"exit code {code}: {output}"
    for part in parts:
        assert part in output, output


class Https:
    """A tankard with a TLS listener, and what its clients need."""

    def __init__(self, run_tankard, folder):
        self.run_tankard = run_tankard
        self.authority = Authority(folder / "ca")
        self.folder = self.authority.issue("server", folder=folder / "tls")
        self.tankard = None

    def start(self, **settings):
        own = {key.replace("__", "."): value for key, value in settings.items()}
        self.tankard = self.run_tankard(settings={
            "tls.listen": "127.0.0.1:0", "tls.certificate": f"{self.folder}/tls.crt", "tls.key": f"{self.folder}/tls.key", **own})
        return self.tankard

    def url(self, repository):
        return f"https://localhost:{self.tankard.tls_port}{self.tankard.mount()}/{http.quote(repository.path)}"

    def trusting(self, *more):
        return ["-c", f"http.sslCAInfo={self.authority.file}", *more]

    def shown(self):
        """Common name of the certificate that a new connection is shown."""
        context = ssl.create_default_context(cafile=self.authority.file)
        with socket.create_connection(("127.0.0.1", self.tankard.tls_port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                return dict(pair[0] for pair in secure.getpeercert()["subject"])["commonName"]

    def replace(self, name):
        self.authority.issue(name, folder=self.folder)

    def hang_up(self):
        self.tankard.process.send_signal(signal.SIGHUP)


@pytest.fixture
def https(run_tankard, tmp_path):
    return Https(run_tankard, tmp_path)


class TestTls:
    def test_git_clones_fetches_and_pushes(self, https, git, project, tmp_path):
        tankard = https.start()
        git.check(*https.trusting("clone"), https.url(project), tmp_path / "c")
        git.fsck(tmp_path / "c")
        newest = project.add_commit()
        git.check(*https.trusting("fetch"), cwd=tmp_path / "c")
        assert git.check("rev-parse", "origin/main", cwd=tmp_path / "c") == newest
        git.check("checkout", "-b", "mine", cwd=tmp_path / "c")
        git.check("commit", "--allow-empty", "-m", "mine", cwd=tmp_path / "c")
        git.check(*https.trusting("push"), "origin", "mine", cwd=tmp_path / "c")
        assert tankard.metric("tankard_tls_handshake_failures_total") == 0
        assert tankard.metric("tankard_tls_certificate_expiry_timestamp_seconds") > 1.5e9

    def test_git_that_does_not_know_the_authority_does_not_connect(self, https, git, project):
        tankard = https.start()
        result = git.fails("ls-remote", https.url(project))
        assert "certificate" in result.err
        with socket.create_connection(("127.0.0.1", tankard.tls_port), timeout=20) as plain:
            with pytest.raises(ssl.SSLError):
                ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
        tankard.wait_metric("tankard_tls_handshake_failures_total", lambda n: n >= 1)
        assert not tankard.requests()

    def test_the_plain_listener_may_be_off(self, https, git, project):
        tankard = https.start(listen="none")
        assert tankard.port is None
        assert [e["listener"] for e in tankard.events("listening")] == ["admin", "public-tls"]
        assert git.check(*https.trusting("ls-remote"), https.url(project))

    def test_a_pack_that_breaks_off_fails_the_client(self, https, faults, git, project, tmp_path):
        https.start()
        faults.on(Truncate(1500), times=2, kind="fetch")
        git.fails(*https.trusting("clone"), https.url(project), tmp_path / "c")
        faults.clear()
        git.check(*https.trusting("clone"), https.url(project), tmp_path / "c")

    def test_plain_http_is_told_so(self, https):
        tankard = https.start()
        answer = http.ask(tankard.tls_port, "GET", "/")
        assert answer.status == 400 and "HTTPS" in answer.text

    def test_a_silent_client_does_not_keep_others_waiting(self, https, git, project):
        tankard = https.start()
        with socket.create_connection(("127.0.0.1", tankard.tls_port)):
            assert git.check(*https.trusting("ls-remote"), https.url(project))

    def test_client_certificates(self, https, git, project):
        tankard = https.start(tls__client_certificates="required", tls__client_ca=https.authority.file)
        own = https.authority.issue("runner", "URI:spiffe://example/runner")
        shown = ["-c", f"http.sslCert={own}/tls.crt", "-c", f"http.sslKey={own}/tls.key"]
        assert git.check(*https.trusting(*shown, "ls-remote"), https.url(project))
        git.fails(*https.trusting("ls-remote"), https.url(project))
        stranger = Authority(os.path.join(own, "other")).issue("runner")
        other = ["-c", f"http.sslCert={stranger}/tls.crt", "-c", f"http.sslKey={stranger}/tls.key"]
        git.fails(*https.trusting(*other, "ls-remote"), https.url(project))
        tankard.wait_metric("tankard_tls_handshake_failures_total", lambda n: n >= 2)

    def test_who_is_vouched_for_no_more_loses_his_connection(self, https, project, tmp_path):
        own, other = https.authority.issue("runner"), Authority(tmp_path / "other")
        trusted = shutil.copy(https.authority.file, tmp_path / "clients.pem")
        tankard = https.start(tls__client_certificates="required", tls__client_ca=trusted)
        context = ssl.create_default_context(cafile=https.authority.file)
        context.load_cert_chain(f"{own}/tls.crt", f"{own}/tls.key")
        with socket.create_connection(("127.0.0.1", tankard.tls_port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=True) as secure:
                target = tankard.target(project.path, "info/refs?service=git-upload-pack")
                secure.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                assert secure.recv(65536).startswith(b"HTTP/1.1 200")
                shutil.copy(other.file, trusted)
                https.hang_up()
                tankard.wait_metric("tankard_tls_reloads_total", lambda n: n == 1, result="ok")
                while secure.recv(65536):
                    pass
        tankard.wait_metric("tankard_tls_connections", lambda n: n == 0)

    def test_of_tls_there_are_so_many(self, https, project):
        tankard = https.start(limits__tls_connections="1")
        context = ssl.create_default_context(cafile=https.authority.file)
        with socket.create_connection(("127.0.0.1", tankard.tls_port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="localhost"):
                tankard.wait_metric("tankard_tls_connections", lambda n: n == 1)
                assert b"too many TLS connections" in curl("--cacert", https.authority.file, f"https://localhost:{tankard.tls_port}/")
                assert tankard.advertisement(project.path).status == 200, "the plain listener is not full"
        assert tankard.metric("tankard_tls_connections_refused_total") == 1
        tankard.wait_metric("tankard_tls_connections", lambda n: n == 0)
        assert https.shown() == "server"

    def test_client_certificates_may_be_optional(self, https, git, project):
        https.start(tls__client_certificates="optional", tls__client_ca=https.authority.file)
        assert git.check(*https.trusting("ls-remote"), https.url(project))


class TestReload:
    def test_a_clone_in_flight_goes_on_while_the_certificate_is_replaced(self, https, faults, git, new_repository, tmp_path):
        repository = new_repository().big(8)
        tankard = https.start()
        assert https.shown() == "server"
        gate = Gate()
        faults.on(HoldBody(gate, after=100_000), kind="fetch")
        clone = git.start(*https.trusting("clone"), "--bare", https.url(repository), tmp_path / "c")
        gate.wait_arrived()
        https.replace("renewed")
        https.hang_up()
        tankard.wait_metric("tankard_tls_reloads_total", lambda n: n == 1, result="ok")
        assert https.shown() == "renewed"
        gate.open()
        _, error = clone.communicate(timeout=60)
        assert clone.returncode == 0, error
        git.same_content(repository.folder, tmp_path / "c")

    def test_files_that_change_are_noticed_also_behind_a_link(self, https, tmp_path):
        """As Kubernetes does it: ..data -> a folder; the link is renamed over."""
        volume = tmp_path / "volume"
        volume.mkdir()
        shutil.move(https.folder, volume / "..1")
        https.authority.issue("renewed", folder=volume / "..2")
        os.symlink("..1", volume / "..data")
        for name in ("tls.crt", "tls.key"):
            os.symlink(f"..data/{name}", volume / name)
        https.folder = str(volume)
        tankard = https.start(tls__reload_interval="1s")
        assert https.shown() == "server"
        os.symlink("..2", volume / "..tmp")
        os.rename(volume / "..tmp", volume / "..data")
        wait_until(lambda: https.shown() == "renewed", "the new certificate is shown", 20)
        event = wait_until(lambda: tankard.events("tls-reloaded"), "the log tells of it")[0]
        assert event["subject"] == "CN=renewed"

    def test_a_bad_one_is_told_of_and_the_old_one_stays(self, https):
        tankard = https.start()
        with open(os.path.join(https.folder, "tls.crt"), "w", encoding="ascii") as file:
            file.write("not a certificate")
        https.hang_up()
        tankard.wait_metric("tankard_tls_reloads_total", lambda n: n == 1, result="failed")
        assert https.shown() == "server"
        wait_until(lambda: tankard.events("tls-reload-failed"), "the log tells of it")
        event = tankard.events("tls-reload-failed")[0]
        assert event["level"] == "error" and f"{https.folder}/tls.crt" in event["cause"]

    def test_a_hangup_without_tls_does_no_harm(self, tankard, git, project):
        tankard.process.send_signal(signal.SIGHUP)
        wait_until(lambda: tankard.events("reloading"), "the signal is heeded")
        assert git.ls_remote(tankard.url(project.path))
        metrics = tankard.metrics()
        assert metrics.has("tankard_tls_reloads_total")
        assert not metrics.has("tankard_tls_certificate_expiry_timestamp_seconds")

    def test_a_start_with_a_bad_certificate_names_file_and_cause(self, https, run_tankard):
        other = https.authority.issue("other")
        tls = {"tls.listen": "127.0.0.1:0", "tls.certificate": f"{https.folder}/tls.crt", "tls.key": f"{other}/tls.key"}
        refuses(run_tankard, f"{other}/tls.key", "is not the key of the certificate", settings=tls)
        refuses(run_tankard, f"{https.folder}/tls.key", "holds no PEM certificate",
                settings={**tls, "tls.certificate": f"{https.folder}/tls.key"})
        refuses(run_tankard, "tls.certificate", "/no/such/file", settings={**tls, "tls.certificate": "/no/such/file"})


# Switches an upstream off by the admin socket, prints the status of the answer. Arguments: socket in hex, uid, upstream.
_SWITCH_OFF = """
import os, socket, sys, urllib.parse
s = socket.socket(socket.AF_UNIX)
at, uid, name = bytes.fromhex(sys.argv[1]), int(sys.argv[2]), urllib.parse.quote(sys.argv[3], safe="")
if uid:
    os.chdir(os.path.dirname(at) or "/")
    os.setgid(uid)
    os.setuid(uid)
    at = at if at[:1] == b"\\0" else os.path.basename(at)
s.connect(at)
body = b'{"enabled": false}'
s.sendall(b"PUT /api/v1/upstreams/%s HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (name.encode(), len(body), body))
print(s.recv(4096).split()[1].decode())
"""


def switches_off(tankard, at, as_nobody=False):
    """The status that a process of this user, or of another one, gets for switching the first upstream off."""
    if as_nobody and os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    if as_nobody and not at.startswith("\0"):
        os.chmod(os.path.dirname(at), 0o755)
    done = subprocess.run([sys.executable, "-c", _SWITCH_OFF, at.encode().hex(), "4711" if as_nobody else "0", tankard.name],
                          capture_output=True, text=True, check=True)
    return int(done.stdout)


def curl(*args):
    done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "60", *args], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class TestUnixSockets:
    @pytest.fixture
    def local(self, run_tankard, tmp_path):
        return run_tankard(settings={"listen": f"unix:{tmp_path}/git.sock", "admin.listen": f"unix:{tmp_path}/admin.sock",
                                     "listen_mode": "0600"})

    def test_clients_are_served(self, local, project):
        target = local.target(project.path, "info/refs?service=git-upload-pack")
        body = curl("--unix-socket", local.port, "-H", "Git-Protocol: version=2", f"http://tankard{target}")
        assert b"version 2" in body
        assert pkt.listing(local.ls_refs(project.path, "refs/heads/").body)["refs/heads/main"]
        assert local.wait_request(2)[0]["peer"] == "unix"
        assert stat.S_IMODE(os.stat(local.port).st_mode) == 0o600

    def test_the_admin_api_needs_no_token_and_no_name(self, local):
        answer = local.admin("PUT", f"/api/v1/upstreams/{local.name.replace(':', '%3A')}", {"enabled": False}, headers=[("Host", "x.example")])
        assert answer.status in (200, 204), answer
        assert local.metric("tankard_upstream_state", upstream=local.name, state="disabled") == 1
        assert stat.S_IMODE(os.stat(local.admin_port).st_mode) == 0o600
        assert not local.events("admin-exposed")

    def test_of_other_users_the_admin_api_wants_the_token(self, run_tankard, tmp_path):
        tankard = run_tankard(settings={"admin.listen": f"unix:{tmp_path}/admin.sock", "admin.listen_mode": "0666"})
        assert "every user of this machine" in tankard.events("admin-exposed")[0]["cause"]
        assert switches_off(tankard, tankard.admin_port, as_nobody=True) == 401
        assert tankard.metric("tankard_upstream_state", upstream=tankard.name, state="disabled") == 0
        assert switches_off(tankard, tankard.admin_port) == 200

    def test_they_go_at_the_end(self, local):
        paths = local.port, local.admin_port
        assert all(stat.S_ISSOCK(os.stat(p).st_mode) for p in paths)
        local.stop()
        assert not any(map(os.path.lexists, paths))

    def test_those_of_a_dead_process_are_replaced(self, local, project):
        local.kill()
        assert os.path.exists(f"{local.settings['listen'].removeprefix('unix:')}")
        local.start()
        assert local.advertisement(project.path).status == 200

    def test_those_of_a_live_process_are_not(self, local, run_tankard, project):
        refuses(run_tankard, local.port, "another process listens there", settings={"listen": f"unix:{local.port}"})
        assert local.advertisement(project.path).status == 200

    def test_what_is_no_socket_is_left_alone(self, run_tankard, tmp_path):
        (tmp_path / "mine").write_text("mine")
        refuses(run_tankard, str(tmp_path / "mine"), "not a socket", settings={"listen": f"unix:{tmp_path}/mine"})
        assert (tmp_path / "mine").read_text() == "mine"


# What systemd does for a socket unit: opens, listens, and becomes the service. Arguments: name=path or name=port, then a command.
_ACTIVATE = """
import os, socket, sys
split = sys.argv.index("--")
held = []
for n, (name, at) in enumerate(a.split("=", 1) for a in sys.argv[1:split]):
    s = socket.socket(socket.AF_INET if at.isdigit() else socket.AF_UNIX)
    s.bind(("127.0.0.1", int(at)) if at.isdigit() else at.replace("@", "\\0"))
    s.listen(16)
    held.append((name, s))
high = [os.dup2(s.fileno(), 100 + n) for n, (_, s) in enumerate(held)]
for n, fd in enumerate(high):
    os.dup2(fd, 3 + n, inheritable=True)
os.closerange(3 + len(held), 200)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(held)), LISTEN_FDNAMES=":".join(n for n, _ in held))
os.execv(sys.argv[split + 1], sys.argv[split + 1:])
"""


class Activated(Tankard):
    """A tankard that is started as systemd starts the service of a socket."""

    sockets = ()

    def argv(self, *more):
        return [sys.executable, "-c", _ACTIVATE, *self.sockets, "--", *super().argv(*more)]


class TestSocketActivation:
    @pytest.fixture
    def activated(self, faults):
        running = []

        def start(*sockets, wait=True, **settings):
            tankard = Activated(faults, settings={k.replace("__", "."): v for k, v in settings.items()})
            tankard.sockets = sockets
            running.append(tankard)
            return tankard.start(wait=wait)
        yield start
        for tankard in running:
            tankard.close()

    def test_sockets_are_taken_by_name(self, activated, git, project, tmp_path):
        tankard = activated(f"admin={tmp_path}/admin.sock", "git=0", listen="systemd:git", admin__listen="systemd:admin")
        assert tankard.admin_port == f"{tmp_path}/admin.sock"
        git.check("clone", tankard.url(project.path), tmp_path / "c")
        for fd in (3, 4):
            with open(f"/proc/{tankard.process.pid}/fdinfo/{fd}", encoding="ascii") as info:
                flags = next(line for line in info if line.startswith("flags:"))
            assert int(flags.split()[1], 8) & os.O_CLOEXEC
        tankard.stop()
        assert os.path.exists(f"{tmp_path}/admin.sock"), "it is systemd's, not ours to remove"

    @pytest.mark.parametrize("abstract", [False, True], ids=["file", "abstract"])
    def test_an_admin_socket_for_every_user_wants_the_token_of_them(self, activated, tmp_path, abstract):
        at = f"@tankard-{os.getpid()}" if abstract else f"{tmp_path}/admin.sock"
        tankard = activated(f"admin={at}", admin__listen="systemd:admin", wait=False)
        wait_until(lambda: tankard.events("listening", listener="public"), "it listens")
        if abstract:
            at = "\0" + at[1:]
        else:
            os.chmod(at, 0o666)
        assert switches_off(tankard, at, as_nobody=True) == 401
        assert switches_off(tankard, at) == 200
        assert bool(tankard.events("admin-exposed")) == abstract, "the file was private at the start"

    def test_without_a_name_all_that_are_left(self, activated, git, project, tmp_path):
        tankard = activated("a=0", f"admin={tmp_path}/admin.sock", "b=0", listen="systemd", admin__listen="systemd:admin")
        ports = {e["port"] for e in tankard.events("listening", listener="public")}
        assert len(ports) == 2
        for port in ports:
            assert http.ask(port, "GET", tankard.target(project.path, "info/refs?service=git-upload-pack")).status == 200

    def test_one_that_nobody_takes_is_told_of(self, activated):
        tankard = activated("git=0", "typo=0", listen="systemd:git")
        assert tankard.events("socket-unclaimed")[0]["name"] == "typo"

    def test_none_that_fits_is_an_error(self, activated):
        tankard = activated("git=0", listen="systemd:other", wait=False)
        code, output = tankard.ends_by_itself()
        tankard.process = None
        assert code == 1 and "systemd:other" in output


def v2_header(source, command=1):
    block = socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 1234, 80)
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, 0x11]) + struct.pack("!H", len(block)) + block


class TestProxies:
    def peer(self, tankard, project, prefix=b"", headers=()):
        """What the log says of a request that begins with `prefix`; None where the connection is closed unanswered."""
        mark = len(tankard.requests())
        with http.Connection(tankard.port) as client:
            client.send(prefix)
            try:
                client.request("GET", tankard.target(project.path, "info/refs?service=git-upload-pack"), [*http_v2, *headers])
                client.answer()
            except ConnectionError:
                return None
        return tankard.wait_request(mark + 1)[-1]["peer"]

    def test_forwarded_addresses_are_believed_of_trusted_proxies_only(self, run_tankard, project):
        sent = [("X-Forwarded-For", "198.51.100.1, 192.0.2.7, 10.1.1.1")]
        assert self.peer(run_tankard(), project, headers=sent) == "127.0.0.1"
        trusting = run_tankard(settings={"trusted_proxies": "127.0.0.0/8,10.0.0.0/8"})
        assert self.peer(trusting, project, headers=sent) == "192.0.2.7"

    def test_headers_of_a_trusted_proxy_are_no_credentials(self, run_tankard, faults, project):
        """Who asks through the proxy is anonymous still: memory answers him, whatever address the proxy adds."""
        tankard = run_tankard(settings={"trusted_proxies": "127.0.0.1"})
        names = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Real-IP", "Forwarded",
                 "X-Amzn-Trace-Id", "X-Cloud-Trace-Context", "X-B3-TraceId", "CF-Ray", "X-Envoy-External-Address")
        assert tankard.ls_refs(project.path, "refs/heads/", headers=[(n, "192.0.2.7") for n in names]).status == 200
        for record in faults.records:
            assert not {h.lower() for h, _ in record.headers} & {n.lower() for n in names}
        tankard.switch(False)
        mark = tankard.log_mark()
        answer = tankard.ls_refs(project.path, "refs/heads/", headers=[(n, "192.0.2.8") for n in names])
        assert b"refs/heads/main" in answer.body
        assert tankard.outcomes("ls_refs", since=mark) == ["stale"]

    @pytest.fixture
    def behind(self, run_tankard):
        return run_tankard(settings={"trusted_proxies": "127.0.0.1", "proxy_protocol": "true"})

    def test_proxy_headers(self, behind, project):
        assert self.peer(behind, project, b"PROXY TCP4 192.0.2.7 127.0.0.1 1234 80\r\n") == "192.0.2.7"
        assert self.peer(behind, project, b"PROXY TCP6 2001:db8::7 ::1 1234 80\r\n") == "2001:db8::7"
        assert self.peer(behind, project, b"PROXY UNKNOWN\r\n") == "127.0.0.1"
        assert self.peer(behind, project, v2_header("192.0.2.8")) == "192.0.2.8"
        assert self.peer(behind, project, v2_header("192.0.2.8", command=0)) == "127.0.0.1"

    def test_whoever_a_proxy_header_names_does_not_choose_another_address(self, run_tankard, faults, project):
        tankard = run_tankard(settings={"trusted_proxies": "127.0.0.1,10.0.0.0/8", "proxy_protocol": "true"})
        sent = [("X-Forwarded-For", "192.168.7.9"), ("X-Real-IP", "192.168.7.9")]
        for source in ("10.66.6.6", "203.0.113.6"):
            assert self.peer(tankard, project, v2_header(source), sent) == source
        assert self.peer(tankard, project, v2_header("10.1.1.1", command=0), sent) == "192.168.7.9", "the proxy's own connection"
        for record in faults.records:
            assert record.header("X-Forwarded-For") is None and record.header("X-Real-IP") is None

    def test_without_one_nobody_is_answered(self, behind, project):
        assert self.peer(behind, project) is None
        behind.wait_metric("tankard_bad_proxy_headers_total", lambda n: n == 1)

    def test_only_trusted_proxies_connect(self, run_tankard, project):
        tankard = run_tankard(settings={"trusted_proxies": "192.0.2.0/24", "proxy_protocol": "true"})
        assert self.peer(tankard, project, v2_header("192.0.2.8")) is None

    def test_it_comes_before_tls(self, https, project):
        tankard = https.start(trusted_proxies="127.0.0.1", proxy_protocol="true")
        context = ssl.create_default_context(cafile=https.authority.file)
        with socket.create_connection(("127.0.0.1", tankard.tls_port), timeout=20) as plain:
            plain.sendall(v2_header("192.0.2.9"))
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                target = tankard.target(project.path, "info/refs?service=git-upload-pack")
                secure.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                assert secure.recv(65536).startswith(b"HTTP/1.1 200")
        assert tankard.wait_request()[0]["peer"] == "192.0.2.9"


http_v2 = [("Git-Protocol", "version=2")]


class TestExposure:
    def test_credentials_in_plain_on_the_network_are_warned_of(self, run_tankard):
        tankard = run_tankard(settings={"listen": "0.0.0.0:0"})
        event, = tankard.events("credentials-exposed")
        assert event["level"] == "warning" and event["address"] == "0.0.0.0"
        assert "tls.listen" in event["cause"] and "trusted_proxies" in event["cause"]

    @pytest.mark.parametrize("settings", [{}, {"listen": "0.0.0.0:0", "trusted_proxies": "10.0.0.0/8"}], ids=["loopback", "behind-a-proxy"])
    def test_what_is_safe_is_not(self, run_tankard, settings):
        assert not run_tankard(settings=settings).events("credentials-exposed")
