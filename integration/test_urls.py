"""Whatever way clients spell where a repository is, they find it, and it is one repository here."""
import pytest

from support import http
from support.access_upstream import AccessUpstream
from support.fault_proxy import Fault, Respond
from support.gitrepo import Repository, typical
from support.people import CredentialHelper


class Moved(Fault):
    """The host answers 301 before it asks who is there, as Gitea does."""

    def __init__(self, origin, old, new):
        self.origin, self.old, self.new = origin, old, new

    def answer(self, handler, record):
        there = self.origin + record.target.replace(self.old, self.new, 1)
        handler.send_whole(record, 301, "Moved Permanently", [("Location", there)], b"")


class TestRenamed:
    """The host says 301 to the old name; git finds the new one through tankard, and the password goes with it."""

    @pytest.fixture(scope="class")
    def host(self):
        with AccessUpstream() as upstream:
            yield upstream

    # Where a host asks who is there before it says 301, git 2.39 finds the way only with a password that it has already,
    # without tankard too.
    @pytest.mark.parametrize("how", ["public", "helper", "userinfo", "header"])
    def test_cloned_fetched_and_pushed_by_its_old_name(self, tankard, faults, host, git, ann, tmp_path, how):
        old, new = f"team/old-{how}.git", f"team/new-{how}.git"
        repository = typical(git, host.path(old))
        host.allow(old, ann.name)
        if how == "public":
            host.make_public(old)
        host.rename(old, new)
        repository.folder = host.path(new)
        if how in ("public", "helper"):
            faults.on(Moved(faults.url, old, new), times=None, path=f"^/{old}/")
        helper = CredentialHelper(git)
        helper.knows(ann, tankard.url())
        passwords = helper.passwords()
        url = tankard.url(old, userinfo=ann.userinfo if how == "userinfo" else "")
        if how == "header":
            git.check("config", "--global", f"http.http://127.0.0.1:{tankard.port}/.extraHeader", ": ".join(ann.header[0]))

        result = git.run("clone", url, tmp_path / "w")
        assert result.ok and "redirecting to" in result.err and tankard.url(new) in result.err, result
        git.same_content(repository.folder, tmp_path / "w", pattern="refs/tags")
        tip = repository.add_commit()
        git.check("fetch", cwd=tmp_path / "w")
        assert git.check("rev-parse", "origin/main", cwd=tmp_path / "w") == tip
        git.check("reset", "--hard", "origin/main", cwd=tmp_path / "w")
        git.check("commit", "--allow-empty", "-m", "pushed", cwd=tmp_path / "w")
        git.check("push", "origin", "main", cwd=tmp_path / "w")
        assert repository.oid("main") == git.check("rev-parse", "HEAD", cwd=tmp_path / "w")
        kept = helper.passwords().replace("%3a", ":")
        assert kept == passwords and "erase" not in helper.asked()
        served = {(r["repo"], r["status"]) for r in tankard.requests(operation="push")}
        assert (old, 301) in served and (new, 200) in served

    def test_a_push_makes_old_what_is_known_by_the_old_name(self, run_tankard, faults, host, project):
        host.make_public(project.path)
        tankard = run_tankard(settings={"ls_refs.max_age": "1h"})
        for _ in range(2):
            assert tankard.ls_refs(project.path, "refs/heads/").status == 200
        assert faults.count("ls-refs") == 1, "the second from memory"
        faults.on(Moved(faults.url, project.path, "team/elsewhere.git"), times=None, path=f"^/{project.path}/")
        assert tankard.push_advertisement(project.path).status == 301
        assert tankard.ls_refs(project.path, "refs/heads/").status == 301

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    @pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
    def test_every_kind_of_redirect(self, tankard, faults, project, status, service):
        rest = f"info/refs?service={service}"
        faults.on(Respond(status, {"Location": f"{faults.url}/team/other.git/{rest}"}), times=None)
        answer = tankard.ask("GET", tankard.target(project.path, rest))
        assert (answer.status, answer.header("Location")) == (status, tankard.target("team/other.git", rest))

    @pytest.mark.parametrize("status", [301, 307, 308])
    def test_of_a_post(self, tankard, faults, project, status):
        faults.on(Respond(status, {"Location": f"{faults.url}/team/other.git/git-receive-pack"}), times=None)
        answer = tankard.ask("POST", tankard.target(project.path, "git-receive-pack"), [("Content-Type", "application/x-git-receive-pack-request")], b"0000")
        assert (answer.status, answer.header("Location")) == (status, tankard.target("team/other.git", "git-receive-pack"))

    def test_to_another_host_is_the_clients_to_follow(self, tankard, faults, project):
        for rest in ("info/refs?service=git-receive-pack", "info/lfs/objects/x", "HEAD"):
            there = f"https://elsewhere.example/{project.path}/{rest}"
            faults.on(Respond(302, {"Location": there}))
            assert tankard.ask("GET", tankard.target(project.path, rest)).header("Location") == there


class TestSubmodules:
    def test_with_relative_urls_come_through_tankard_too(self, tankard, faults, git, host, tmp_path):
        for path in ("lib/one.git", "elsewhere/deep/two.git"):
            typical(git, host.path(path))
        main = Repository(git, host.path("lib/super.git"))
        git.check("init", tmp_path / "s")
        git.check("commit", "--allow-empty", "-m", "first", cwd=tmp_path / "s")
        for name, relative, path in (("one", "../one.git", "lib/one.git"), ("two", "../../elsewhere/deep/two.git", "elsewhere/deep/two.git")):
            git.check("submodule", "add", f"{host.url}/{path}", name, cwd=tmp_path / "s")
            git.check("config", "-f", ".gitmodules", f"submodule.{name}.url", relative, cwd=tmp_path / "s")
        git.check("commit", "-a", "-m", "submodules", cwd=tmp_path / "s")
        git.check("push", main.folder, "HEAD:main", cwd=tmp_path / "s")
        git.check("clone", "--recurse-submodules", tankard.url("lib/super.git"), tmp_path / "c")
        for name, path in (("one", "lib/one.git"), ("two", "elsewhere/deep/two.git")):
            assert git.check("rev-parse", "HEAD", cwd=tmp_path / "c" / name) == git.check("rev-parse", "main", cwd=host.path(path))
            assert faults.count("fetch", has_pack=True, path=f"/{path}/git-upload-pack") == 1
        git.check("clone", "--recurse-submodules", tankard.url("lib/super.git") + "/", tmp_path / "slash")


class TestSpelling:
    """Each row is a way to write the same; all of them are one entry, and one question upstream looks like the other."""

    def spelled(self, tankard, faults, path, spellings, status=200):
        for spelling in spellings:
            mark = faults.mark()
            answer = tankard.ask("POST", f"{spelling}/git-upload-pack",
                                 [("Git-Protocol", "version=2"), ("Content-Type", "application/x-git-upload-pack-request")],
                                 b"0014command=ls-refs\n00010000")
            assert answer.status == status, (spelling, answer)
            assert [r.path for r in faults.seen(since=mark)] == ([f"/{path}/git-upload-pack"] if status == 200 else []), spelling
        if status == 200:
            assert tankard.health()["cached_repos"] == 1

    def test_of_the_host(self, run_tankard, faults, project):
        """A host has no letter case, its repositories may have."""
        tankard = run_tankard(f"http://LocalHost:{faults.port}")
        self.spelled(tankard, faults, project.path, [f"/{host}:{faults.port}/{project.path}" for host in ("localhost", "LOCALHOST", "LocalHost")])
        self.spelled(tankard, faults, project.path, [f"/localhost/{project.path}", f"/localhost:{faults.port}x/{project.path}",
                                                     f"/localhost:0{faults.port}/{project.path}"], status=404)

    def test_of_tankards_own_names(self, run_tankard, faults, git, project, tmp_path):
        tankard = run_tankard(settings={f"upstream.{faults.name}.hosts": "localhost"})
        for number, host in enumerate(("localhost", "LOCALHOST", "LocalHost")):
            git.check("clone", "--bare", f"http://{host}:{tankard.port}/{project.path}", tmp_path / str(number))
            git.same_content(project.folder, tmp_path / str(number))
        for header in ("localhost", "Localhost:80", f"LOCALHOST:{tankard.port}"):
            answer = http.ask(tankard.port, "GET", f"/{project.path}/HEAD", host=header)
            assert answer.status == 200, header
        assert http.ask(tankard.port, "GET", f"/{project.path}/HEAD", host="other").status == 404

    def test_of_paths(self, tankard, faults, project):
        mount, (group, name) = tankard.mount(), project.path.split("/")
        self.spelled(tankard, faults, project.path, [f"{mount}/{spelled}" for spelled in (
            project.path, project.path.replace("o", "%6f"), project.path.replace("-", "%2D"), f"{group}/{name}")])

    @pytest.mark.parametrize("bad", ["{m}//{p}", "{m}/{p}/", "{m}/./{p}", "{m}/x/../{p}", "{m}/%2e%2e/{p}", "{m}/a%2fb", "{m}/a%5cb", "{m}/a%00b"])
    def test_that_no_repository_has_is_refused_before_anything_is_asked(self, tankard, faults, project, bad):
        self.spelled(tankard, faults, project.path, [bad.format(m=tankard.mount(), p=project.path)], status=400)

    @pytest.mark.parametrize("kind, spellings", [
        ("github", ["{p}.git", "{p}", "{P}.git", "{P}", "{P}.GIT"]),
        ("gitea", ["{p}.git", "{p}", "{P}.git", "{P}"]),
        ("bitbucket", ["{p}.git", "{p}", "{P}.git", "{P}"]),
        ("gitlab", ["{p}.git", "{p}"]),
        ("generic", ["{p}.git"]),
        ("gerrit", ["{p}.git"]),
    ])
    def test_of_repositories_by_the_kind_of_the_host(self, run_tankard, faults, project, kind, spellings):
        tankard = run_tankard(settings={f"upstream.{faults.name}.kind": kind})
        path = project.path.removesuffix(".git")
        self.spelled(tankard, faults, project.path, [f"{tankard.mount()}/{s.format(p=path, P=path.upper())}" for s in spellings])

    @pytest.mark.parametrize("kind, other", [("generic", "{p}"), ("generic", "{P}.git"), ("gitlab", "{P}.git"), ("gerrit", "{p}")])
    def test_that_may_be_two_repositories_are_two(self, run_tankard, faults, host, git, project, kind, other):
        path = project.path.removesuffix(".git")
        name = other.format(p=path, P=path.upper())
        second = Repository(git, host.path(name)).history(2, seed=77)
        tankard = run_tankard(settings={f"upstream.{faults.name}.kind": kind})
        for repository, spelled in ((project, project.path), (second, name)):
            assert dict(line.split("\t")[::-1] for line in git.check("ls-remote", tankard.url(spelled), "refs/heads/*").splitlines()) == repository.refs("refs/heads")
        assert tankard.health()["cached_repos"] == 2

    def test_trailing_slashes(self, tankard, git, project, tmp_path):
        for number, end in enumerate(("", "/")):
            git.check("clone", "--bare", tankard.url(project.path) + end, tmp_path / str(number))
        assert tankard.health()["cached_repos"] == 1

    def test_insteadof_for_a_whole_host(self, tankard, faults, git, project, tmp_path):
        """What README tells users to set: fetches, pushes and what git derives from the URL all come this way."""
        git.check("config", "--global", f"url.http://127.0.0.1:{tankard.port}/{faults.name}/.insteadOf", "https://git.corp.example/")
        git.check("clone", f"https://git.corp.example/{project.path}", tmp_path / "w")
        git.check("commit", "--allow-empty", "-m", "pushed", cwd=tmp_path / "w")
        git.check("push", "origin", "main", cwd=tmp_path / "w")
        assert project.oid("main") == git.check("rev-parse", "HEAD", cwd=tmp_path / "w")
