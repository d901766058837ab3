"""What the tests of a file share where they leave it as it is: a repository on a host, and a tankard that can be cut off from it."""
from .fault_proxy import FaultProxy
from .git import Git
from .tankard import Tankard


class Scene:
    def __init__(self, host, path, folder, make):
        """make(git, folder) -> the Repository at `path` on the host. `folder` is for what clients need."""
        self.path, self.folder = path, folder
        self.git = Git(folder / "home")
        self.project = make(self.git, host.path(path))
        self.direct_url = f"{host.url}/{path}"
        self.faults = FaultProxy(host.port)
        self.tankard = Tankard(self.faults)

    @property
    def url(self):
        """What clients clone; another after a restart."""
        return self.tankard.url(self.path)

    def mirrored(self):
        """Somebody has mirrored the repository: it is in the store, whole."""
        self.git.check("clone", "--mirror", self.url, self.folder / "mirror")
        self.tankard.wait_stored()

    def known(self, state):
        """Mirrored, and then cut off where the state is "offline"."""
        self.state = state
        self.mirrored()
        if state == "offline":
            self.faults.vanish()
        return self

    def __enter__(self):
        try:
            self.tankard.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.tankard.close()
        finally:
            self.faults.close()
