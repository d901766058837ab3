"""One HTTP exchange on a raw socket: what a test needs to say things that no HTTP library would say."""
import json
import socket
import urllib.parse

from .processes import TIME_FACTOR


class Answer:
    def __init__(self, status, reason, headers, body, whole):
        self.status, self.reason, self.headers, self.body = status, reason, headers, body
        self.whole = whole  # the body ended as its framing promised

    def header(self, name, default=None):
        found = self.all(name)
        return found[0] if found else default

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    @property
    def text(self):
        return self.body.decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.reason} {self.headers} {self.body[:500]!r}{'' if self.whole else ' (cut)'}"


class Connection:
    """A client's connection; everything has a time-out. `port` is one of this machine, or the path of a Unix socket."""

    def __init__(self, port, timeout=20.0, receive_buffer=None):
        local = isinstance(port, str)
        self.socket = socket.socket(socket.AF_UNIX if local else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout * TIME_FACTOR)
        self.socket.connect(port if local else ("127.0.0.1", port))
        self.port = port
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method, target, headers=(), body=None, host=None):
        """Sends a request; `headers` are pairs. Content-Length is added where there is a body and no framing header."""
        headers = list(headers.items() if isinstance(headers, dict) else headers)
        names = {n.lower() for n, _ in headers}
        if "host" not in names:
            headers.insert(0, ("Host", host or ("localhost" if isinstance(self.port, str) else f"127.0.0.1:{self.port}")))
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            headers.append(("Content-Length", str(len(body))))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n"
        self.send(head.encode("utf-8", "surrogateescape") + (body or b""))

    def _fill(self):
        data = self.socket.recv(65536)
        self.rest += data
        return bool(data)

    def _line(self):
        while b"\n" not in self.rest:
            if not self._fill():
                raise ConnectionError(f"connection ended inside a line: {self.rest[:200]!r}")
        line, self.rest = self.rest.split(b"\n", 1)
        return line.rstrip(b"\r")

    def head(self):
        """The head of the next answer; a `100 Continue` is returned like any other."""
        while True:
            line = self._line()
            if line:
                break
        version, status, *reason = line.decode("latin-1").split(" ", 2)
        assert version.startswith("HTTP/1."), line
        headers = []
        while True:
            line = self._line().decode("utf-8", "replace")
            if not line:
                break
            name, value = line.split(":", 1)
            headers.append((name, value.strip()))
        return Answer(int(status), reason[0] if reason else "", headers, b"", True)

    def chunks(self, answer, method="GET"):
        """Yields the body of an answer as it comes; sets answer.whole to False where it is cut."""
        if method == "HEAD" or answer.status in (204, 304) or 100 <= answer.status < 200:
            return
        try:
            if "chunked" in (answer.header("Transfer-Encoding") or "").lower():
                while True:
                    size = int(self._line().split(b";")[0], 16)
                    left = size
                    while left:
                        if not self.rest and not self._fill():
                            raise ConnectionError
                        piece, self.rest = self.rest[:left], self.rest[left:]
                        left -= len(piece)
                        yield piece
                    if size == 0:
                        while self._line():
                            pass
                        return
                    assert self._line() == b""
            elif answer.header("Content-Length") is not None:
                left = int(answer.header("Content-Length"))
                while left:
                    if not self.rest and not self._fill():
                        raise ConnectionError
                    piece, self.rest = self.rest[:left], self.rest[left:]
                    left -= len(piece)
                    yield piece
            else:
                while self.rest or self._fill():
                    piece, self.rest = self.rest, b""
                    yield piece
        except (ConnectionError, ValueError):
            answer.whole = False

    def answer(self, method="GET"):
        answer = self.head()
        while answer.status == 100:
            answer = self.head()
        answer.body = b"".join(self.chunks(answer, method))
        return answer

    def is_closed(self):
        """True where the other side has closed (waits for it up to the time-out)."""
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except socket.timeout:
            return False


def ask(port, method, target, headers=(), body=None, host=None, timeout=20.0):
    with Connection(port, timeout) as connection:
        connection.request(method, target, list(headers.items() if isinstance(headers, dict) else headers) + [("Connection", "close")],
                           body, host)
        return connection.answer(method)


def quote(path):
    """A path as git puts it into a URL it was given decoded."""
    return urllib.parse.quote(path, safe="/:@!$&'()*+,;=~-._")
