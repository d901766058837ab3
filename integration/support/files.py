"""Files that tankard reads."""
import contextlib
import os

from . import processes


def place(path, text, mode=0o600):
    """Written beside and renamed: nobody sees half of it."""
    beside = str(path) + ".new"
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(beside, mode)
    os.rename(beside, path)
    return str(path)


class HeldFile:
    """A file that whoever of tankard opens waits for, until it is let go; after that, it is as it was. (Who waited finds
    the content of it, and no size.)"""

    def __init__(self, path):
        self.path, self._real, self._pipe = path, path + ".real", path + ".pipe"
        os.mkfifo(self._pipe)
        os.link(path, self._real)
        os.link(self._pipe, path + ".new")
        os.rename(path + ".new", path)

    def wait_read(self, tankard):
        """Until a thread of tankard, or a child of it, waits."""
        def waits():
            for pid, _, _ in processes.session_members(tankard.process.pid):
                for thread in _listed(f"/proc/{pid}/task"):
                    if _read(f"/proc/{pid}/task/{thread}/wchan") == b"wait_for_partner":
                        return True
            return False
        processes.wait_until(waits, f"{self.path} is opened")

    def let_go(self):
        with open(self._real, "rb") as real:
            content = real.read()
        os.rename(self._real, self.path)
        with open(self._pipe, "wb", buffering=0) as pipe:   # waits for who waits
            try:
                pipe.write(content)
            except BrokenPipeError:
                pass   # its size was enough
        with contextlib.suppress(FileNotFoundError):   # a store that looked damaged to who waited is gone
            os.unlink(self._pipe)


def _listed(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
