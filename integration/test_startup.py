"""Starting: tankard says what is wrong in a sentence and does not start, or starts and says what it did about the damage."""
import os
import stat

import pytest


from support.processes import wait_until
from support.tankard import Tankard, binary


def refuses(run_tankard, *sentence_parts, **options):
    """Starts a tankard that must end by itself with a message; returns the message."""
    tankard = run_tankard(start=False, **options)
    tankard.start(wait=False)
    code, output = tankard.ends_by_itself()
    tankard.process = None
    assert code not in (0, None) and code > 0 and code != 99, f"exit code {code}: {output}"
    for part in sentence_parts:
        assert part in output, output
    return output


class TestConfiguration:
    def with_file(self, run_tankard, tmp_path, text, *parts):
        config = tmp_path / "tankard.toml"
        config.write_text(text)
        return refuses(run_tankard, *parts, args=["--config", str(config)])

    def test_a_wrong_key_names_the_line_and_the_nearest_key(self, run_tankard, tmp_path):
        self.with_file(run_tankard, tmp_path, '# a comment\n\n[ls_refs]\nttl = "5m"\nmax_aeg = "1s"\n', "max_aeg", "max_age", ":5")

    def test_a_wrong_section(self, run_tankard, tmp_path):
        self.with_file(run_tankard, tmp_path, '[ls_ref]\nttl = "5m"\n', "ls_ref", "ls_refs", ":")

    def test_a_wrong_key_of_an_upstream(self, run_tankard, tmp_path):
        self.with_file(run_tankard, tmp_path, '[upstream.a]\nurl = "https://a.example"\nmuont = "/x"\n', "muont", "mount", ":3")

    def test_a_wrong_type(self, run_tankard, tmp_path):
        self.with_file(run_tankard, tmp_path, "[ls_refs]\nttl = true\n", "ls_refs.ttl", ":2")

    def test_a_value_out_of_range(self, run_tankard, tmp_path):
        self.with_file(run_tankard, tmp_path, "blocking_threads = 0\n", "blocking_threads", ":1")

    def test_what_is_no_toml(self, run_tankard, tmp_path):
        self.with_file(run_tankard, tmp_path, "[ls_refs\nttl = 5\n", "tankard.toml", "1")

    def test_every_mistake_is_told_at_once(self, run_tankard, tmp_path):
        self.with_file(run_tankard, tmp_path, '[ls_refs]\nfoo = 1\n[limits]\nbar = 2\n', "foo", "bar")

    def test_a_wrong_key_in_set(self, run_tankard):
        refuses(run_tankard, "ls_refs.tll", "ls_refs.ttl", settings={"ls_refs.tll": "1m"})

    def test_a_file_that_is_not_there(self, run_tankard):
        refuses(run_tankard, "/no/such/file.toml", args=["--config", "/no/such/file.toml"])

    def test_a_password_in_an_upstream_url_is_refused_and_not_repeated(self, run_tankard):
        output = refuses(run_tankard, upstreams=["https://user:hunter2@example.com"])
        assert "hunter2" not in output

    def test_two_upstreams_by_path_on_one_listener(self, run_tankard):
        refuses(run_tankard, "one.example", "two.example", "allow_shared_authority", "hosts",
                upstreams=["https://one.example", "https://two.example"])

    def test_a_flag_that_is_none(self, run_tankard):
        refuses(run_tankard, "--no-such-flag", args=["--no-such-flag"])

    def test_flags_go_before_environment_and_environment_before_the_file(self, faults, tmp_path, monkeypatch, project):
        """offline = true in the file, undone by the environment; ls_refs.max_age = 0 in the environment, undone by --set."""
        import support.tankard as module
        config = tmp_path / "tankard.toml"
        config.write_text('offline = true\n')
        environment = module.environment

        def with_variables():
            return {**environment(), "TANKARD_OFFLINE": "false", "TANKARD_LS_REFS_MAX_AGE": "0s"}
        monkeypatch.setattr(module, "environment", with_variables)
        with Tankard(faults, settings={"ls_refs.max_age": "1h"}, args=["--config", str(config)]).start() as tankard:
            assert tankard.ls_refs(project.path, "refs/heads/").status == 200
            mark = faults.mark()
            tankard.ls_refs(project.path, "refs/heads/")
            assert faults.count("ls-refs", since=mark) == 0


class TestCacheDirectory:
    def test_it_is_made(self, run_tankard, tmp_path):
        tankard = run_tankard(cache_dir=tmp_path / "a" / "b" / "cache")
        assert os.path.isdir(tankard.cache_dir)
        assert stat.S_IMODE(os.stat(tankard.cache_dir).st_mode) & 0o007 == 0, "not for everybody"

    def test_in_use(self, run_tankard, project):
        first = run_tankard()
        refuses(run_tankard, first.cache_dir, "use", cache_dir=first.cache_dir)
        assert first.advertisement(project.path).status == 200, "the first goes on"

    def test_free_again_after_kill_9(self, run_tankard):
        tankard = run_tankard()
        tankard.kill()
        tankard.start()

    def test_a_file_in_its_place(self, run_tankard, tmp_path):
        (tmp_path / "file").write_text("mine")
        refuses(run_tankard, str(tmp_path / "file"), cache_dir=tmp_path / "file")
        assert (tmp_path / "file").read_text() == "mine"

    def test_without_rights(self, run_tankard, tmp_path):
        """Root may do anything, except write where nobody can: below /proc."""
        if os.geteuid() == 0:
            refuses(run_tankard, "/proc/tankard", cache_dir="/proc/tankard")
        else:
            folder = tmp_path / "locked"
            folder.mkdir(mode=0o500)
            refuses(run_tankard, str(folder), cache_dir=folder / "cache")

    def test_somebody_elses_files_in_it_are_left_alone(self, run_tankard, tmp_path):
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "notes.txt").write_text("mine")
        run_tankard(cache_dir=tmp_path / "cache").stop()
        assert (tmp_path / "cache" / "notes.txt").read_text() == "mine"

    def test_the_refs_can_live_elsewhere(self, run_tankard, git, project, tmp_path):
        tankard = run_tankard(settings={"ls_refs.cache_path": str(tmp_path / "refs")})
        listing = git.ls_remote(tankard.url(project.path))
        wait_until(lambda: list((tmp_path / "refs").rglob("*.snapshot")), "the entry is written there")
        assert not tankard.snapshots()
        tankard.restart("--offline")
        assert git.ls_remote(tankard.url(project.path)) == listing


class TestDamage:
    @pytest.fixture
    def stopped(self, run_tankard, git, project, new_repository, tmp_path):
        tankard = run_tankard()
        git.check("clone", "--mirror", tankard.url(project.path), tmp_path / "warm")
        self.other = new_repository().history(2)
        git.ls_remote(tankard.url(self.other.path), "--heads")
        tankard.wait_stored()
        tankard.wait_written()
        assert len(tankard.snapshots()) == 2
        tankard.stop()
        return tankard

    @staticmethod
    def damage(path, how):
        with open(path, "r+b") as file:
            data = bytearray(file.read())
            if how == "flipped":
                data[len(data) // 2] ^= 0x40
            elif how == "cut":
                del data[len(data) // 2:]
            elif how == "empty":
                data.clear()
            elif how == "longer":
                data += b"more"
            else:
                data[:] = os.urandom(len(data))
            file.seek(0)
            file.write(data)
            file.truncate()

    @pytest.mark.parametrize("how", ["flipped", "cut", "empty", "longer", "random"])
    def test_a_damaged_entry_is_quarantined_and_the_rest_loads(self, stopped, git, project, how):
        """Which of the two files is which repository's is tankard's affair: one is damaged, the other must work."""
        self.damage(stopped.snapshots()[0], how)
        stopped.start("--offline")
        works = [git.run("ls-remote", "--heads", stopped.url(p)).ok for p in (project.path, self.other.path)]
        assert sorted(works) == [False, True]
        assert stopped.metric("tankard_quarantined_total") == 1
        assert [f for f in stopped.files() if "/quarantine/" in f]
        wait_until(lambda: [e for e in stopped.events() if e.get("level") in ("warning", "error") and e.get("event") != "request" and ".snapshot" in str(e)],
                   "it is logged")
        stopped.restart()
        for path in (project.path, self.other.path):
            git.check("ls-remote", stopped.url(path))

    def test_a_damaged_pack_costs_the_store_and_not_the_client(self, stopped, git, project, tmp_path):
        pack = stopped.files(".idx")[0]
        os.chmod(pack, 0o644)
        self.damage(pack, "cut")
        stopped.start()

        def cloned():
            for n in range(10):
                place = tmp_path / f"c{n}"
                if not place.exists() and git.run("clone", "--bare", stopped.url(project.path), place).ok:
                    return place
            return None
        git.same_content(project.folder, wait_until(cloned, "a clone works, from the upstream if need be", 30))

    def test_a_newer_version_of_the_cache_is_left_alone(self, stopped, git, project):
        folder = os.path.dirname(os.path.dirname(stopped.snapshots()[0]))
        os.rename(os.path.join(folder, "v1"), os.path.join(folder, "v9"))
        before = sorted(os.listdir(os.path.join(folder, "v9")))
        stopped.start()
        git.check("ls-remote", stopped.url(project.path))
        assert sorted(os.listdir(os.path.join(folder, "v9"))) == before


def test_the_port_is_taken(run_tankard):
    first = run_tankard()
    refuses(run_tankard, str(first.port), settings={"listen": f"127.0.0.1:{first.port}"})


def test_version_and_help():
    import subprocess
    from support.tankard import environment
    for args in (["--help"], ["serve", "--help"]):
        done = subprocess.run([binary(), *args], capture_output=True, text=True, env=environment(), timeout=60, check=False)
        assert done.returncode == 0 and "serve" in done.stdout + done.stderr or "--upstream" in done.stdout, done
    done = subprocess.run([binary(), "no-such-command"], capture_output=True, text=True, env=environment(), timeout=60, check=False)
    assert done.returncode > 0


def test_it_starts_while_the_upstream_is_away(run_tankard, faults, git, project):
    """Liveness and readiness never depend on an upstream."""
    faults.vanish()
    tankard = run_tankard()
    assert tankard.health()["status"]
    git.fails("ls-remote", tankard.url(project.path))




def test_it_ends_in_order_from_the_moment_that_it_is_ready(run_tankard):
    for _ in range(10):
        run_tankard().stop()  # asserts that it was not the signal that ended the process
