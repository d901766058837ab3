"""The clocks of a tankard that a test can turn: hours pass at once, in the running process and over restarts.

    clock = ShiftedClock()
    tankard = run_tankard(clock=clock)
    clock.passes(hours=13)        # tankard is 13 hours older now
    clock.wall_turned(hours=-2)   # somebody set the machine's clock back
"""
import functools
import mmap
import os
import struct
import subprocess
import tempfile

_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shifted_clock.c")


@functools.lru_cache(maxsize=None)
def _library():
    folder = tempfile.TemporaryDirectory(prefix="tankard-clock-")
    library = os.path.join(folder.name, "shifted_clock.so")
    subprocess.run(["clang-19", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, _SOURCE], check=True)
    return library, folder  # the folder lives as long as the run


class ShiftedClock:
    def __init__(self):
        self._file = tempfile.NamedTemporaryFile(prefix="tankard-clock-")
        self._file.write(bytes(16))
        self._file.flush()
        self._map = mmap.mmap(self._file.fileno(), 16)
        self.wall = self.boot = 0

    def copy(self):
        other = ShiftedClock()
        other.wall, other.boot = self.wall, self.boot
        other._tell()
        return other

    def environment(self):
        return {"LD_PRELOAD": _library()[0], "SHIFTED_CLOCK": self._file.name}

    def _tell(self):
        self._map[:] = struct.pack("=qq", self.wall, self.boot)

    def passes(self, **time):
        """Time passes, on both clocks."""
        self.wall += _seconds(**time)
        self.boot += _seconds(**time)
        self._tell()

    def wall_turned(self, **time):
        """The machine's wall clock is set to another time; nothing has passed."""
        self.wall += _seconds(**time)
        self._tell()


def _seconds(hours=0, minutes=0, seconds=0):
    return int(hours * 3600 + minutes * 60 + seconds)
