"""The ground on which all rows stand: the contestants, the repositories, the sizes of this run; and what a row hands back."""
import dataclasses
import os
import statistics
import tempfile

from support.git import Git

from . import repositories
from .contestants import GitHost, Proxy, StaticFiles


@dataclasses.dataclass
class Goal:
    """What DESIGN 8 holds a number to."""
    text: str
    met: object   # number -> bool


def at_least(number):
    return Goal(f"≥ {number:g}×", lambda value: value >= number)


def at_most(number, unit=""):
    return Goal(f"≤ {number:g}{unit}", lambda value: value <= number)


def exactly(number):
    return Goal(f"= {number:g}", lambda value: value == number)


@dataclasses.dataclass
class Measure:
    """One line of the report. `value` is what the goal judges, in the goal's own unit; `how` is the scenario that made it."""
    work: str
    value: float
    shown: str
    measured: str = ""
    against: str = ""
    goal: Goal = None
    judged: bool = True    # False where this run is smaller than what the goal speaks of
    how: str = ""
    details: dict = dataclasses.field(default_factory=dict)

    @property
    def verdict(self):
        if self.goal is None:
            return ""
        if not self.judged:
            return "not judged: smaller than the goal"
        return "PASS" if self.goal.met(self.value) else "short of goal"


@dataclasses.dataclass
class Result:
    """What a row hands back: measures, remarks that its own facts support, and series for the plot."""
    measures: list
    notes: list = dataclasses.field(default_factory=list)
    series: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Sizes:
    name: str
    seconds: int            # of one round of load
    rounds: int             # of each contestant, taking turns
    pairs: int              # of clones, taking turns
    throughput: tuple       # repositories whose clones are compared
    first_clone: tuple
    cold: str               # the repository of the cold clones
    cold_clients: int
    fetching_clients: int
    streamed: str           # the repository that is streamed while memory is watched
    streaming_clients: int
    idle: int               # connections
    entries: int            # of the ls-refs cache
    plotted_repository: str
    plotted: tuple          # numbers of clients


FULL = Sizes("full", 2, 9, 9, ("small", "medium", "large"), ("small", "medium", "large"), "medium", 32, 100, "large", 32, 10_000, 100_000,
             "medium", (1, 2, 4, 8, 16, 32))
QUICK = Sizes("quick", 1, 3, 5, ("small", "medium"), ("small", "medium"), "small", 32, 20, "medium", 32, 2_000, 10_000, "medium", (1, 4, 32))
TINY = Sizes("tiny", 1, 1, 1, ("few_refs",), ("few_refs",), "few_refs", 4, 4, "few_refs", 2, 50, 1_000, "few_refs", (1, 2))


class Scene:
    def __init__(self, sizes, given=()):
        self.sizes, self.given = sizes, list(given)
        self._folder = tempfile.TemporaryDirectory(prefix="tankard-bench-", ignore_cleanup_errors=True)
        self.folder = self._folder.name
        self.git = Git(os.path.join(self.folder, "home"))
        self.host = GitHost().start()
        self.files = StaticFiles().start()
        self._made, self._numbers = {}, 0

    def close(self):
        self.files.close()
        self.host.close()
        self._folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def repository(self, name):
        """One of repositories.py by its name, or a given one by its folder; made when it is first asked for."""
        if name not in self._made:
            make = getattr(repositories, name, None)
            self._made[name] = make(self.git, self.host) if make else repositories.Given(self.git, self.host, name)
        return self._made[name]

    def place(self, prefix):
        """A path below the scene's folder that nobody has used."""
        self._numbers += 1
        return os.path.join(self.folder, f"{prefix}-{self._numbers}")

    def proxy(self, upstream=None, **settings):
        """A tankard with an empty cache, not started yet."""
        return Proxy(upstream or self.host, settings={key.replace("__", "."): value for key, value in settings.items()})

    def warm(self, proxy, repository):
        """Clones a repository through tankard and waits until its store is there; returns the clone."""
        before = proxy.metric("tankard_store_repositories")
        clone = self.place("warm")
        self.git.check("clone", "--bare", "--quiet", proxy.url(repository.path), clone, timeout=900)
        proxy.wait_stored(before + 1)
        return clone


def medians(rounds):
    """Of a list of dicts with the same keys."""
    return {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}


def paired_ratio(rounds, one, other):
    """Median of the ratios within each round: what slows a whole round down cancels."""
    return statistics.median(r[one] / r[other] for r in rounds)


def megabytes(count):
    return f"{count / 1e6:,.1f} MB" if count < 10e6 else f"{count / 1e6:,.0f} MB"
