"""How much memory a stretch of work costs tankard. (A sanitizer's own memory is not measured.)"""
from .processes import SANITIZED

BOUND = 64 << 20


class Memory:
    """How far the peak of a stretch lies above where it began."""

    def __init__(self, tankard):
        self.tankard = tankard

    def __enter__(self):
        self.tankard.forget_peak()
        self.before = self.tankard.memory()["VmRSS"]
        return self

    def __exit__(self, *_):
        self.growth = self.tankard.memory()["VmHWM"] - self.before
        print(f"memory: {self.before >> 20} MiB before, peak {self.growth >> 20} MiB above")

    def bounded(self):
        assert SANITIZED or self.growth < BOUND, f"grew by {self.growth >> 20} MiB"
