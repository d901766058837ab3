"""An upstream of one's own making, on a raw socket: what no git host would say, and when."""
import socket
import threading

from .processes import TIME_FACTOR


class Peer:
    """One connection of tankard's, as the server sees it."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(60 * TIME_FACTOR)
        self.file = connection.makefile("rb", buffering=0)

    def head(self):
        """(method, target, {lower-case name: value}) of the next request; None at the end of the connection."""
        line = self._line()
        if not line:
            return None
        method, target, _ = line.decode().split(" ", 2)
        headers = {}
        while line := self._line():
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        return method, target, headers

    def _line(self):
        line = b""
        while not line.endswith(b"\n"):
            byte = self.file.read(1)
            if not byte:
                break
            line += byte
        return line.rstrip(b"\r\n")

    def exactly(self, count):
        """So many bytes; fewer where the connection ends."""
        data = b""
        while len(data) < count:
            part = self.file.read(count - len(data))
            if not part:
                break
            data += part
        return data

    def chunk(self):
        """The next chunk of a body; b"" is its proper end, None a cut."""
        line = self._line()
        if not line:
            return None
        size = int(line, 16)
        data = self.exactly(size)
        return data if self.exactly(2) == b"\r\n" and len(data) == size else None

    def body(self, headers):
        """(the whole body as it was sent, without the framing of chunks; whether it ended properly)"""
        if "content-length" in headers:
            data = self.exactly(int(headers["content-length"]))
            return data, len(data) == int(headers["content-length"])
        if "transfer-encoding" not in headers:
            return b"", True
        data = b""
        while (part := self.chunk()):
            data += part
        return data, part == b""

    def send(self, data):
        self.socket.sendall(data)

    def answer(self, status, headers=(), body=b"", reason="Said"):
        lines = [f"HTTP/1.1 {status} {reason}", *(f"{n}: {v}" for n, v in headers), f"Content-Length: {len(body)}", "", ""]
        self.send("\r\n".join(lines).encode() + body)


class RawServer:
    """serve(peer) runs for each connection, in a thread of its own; what it raises about sockets ends the connection."""

    def __init__(self, serve):
        self.serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._listening.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listening.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        with connection:
            try:
                self.serve(Peer(connection))
            except OSError:
                pass
