"""The admin listener: health, readiness, metrics, and the switch; and who may use it."""
import os
import re
import stat
import urllib.parse

import pytest

from support import http
from support.processes import wait_until


def test_health_says_what_operators_ask_first(run_tankard, faults, git, project, tmp_path):
    tankard = run_tankard(settings={"ls_refs.ttl": "0s"})
    health = tankard.health()
    assert health["offline_mode"] is True and health["cached_repos"] == 0
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    git.ls_remote(tankard.url(project.path))
    wait_until(lambda: tankard.health()["cached_repos"] == 1, "one repository is cached")
    health = tankard.health()
    assert set(health["cache_stats"]) >= {"hits", "misses", "stale_serves"}
    assert health["status"] and health["upstream_status"]
    assert faults.name in str(health), "one object per upstream"
    tankard.switch(False)
    git.ls_remote(tankard.url(project.path), "--heads")
    away = tankard.health()
    assert away["cache_stats"]["stale_serves"] >= 1
    assert away["upstream_status"] != health["upstream_status"]
    assert "disabled" in str(away)


def test_liveness_does_not_depend_on_the_upstream(tankard, faults):
    faults.vanish()
    assert tankard.admin("GET", "/healthz").status == 200
    assert tankard.admin("GET", "/readyz").status == 200


def test_metrics_have_the_names_of_the_design(tankard, git, project, tmp_path):
    git.check("clone", tankard.url(project.path), tmp_path / "c")
    tankard.wait_stored()
    tankard.switch(False)
    git.ls_remote(tankard.url(project.path), "--heads")
    metrics = tankard.metrics()
    for name in """requests_total request_duration_seconds_count response_bytes_total in_flight_requests ls_refs_cache_hits_total
                   ls_refs_cache_misses_total ls_refs_served_stale_total ls_refs_age_seconds_count ls_refs_cache_entries ls_refs_cache_bytes
                   upstream_available upstream_state upstream_requests_total upstream_request_duration_seconds_count upstream_bytes_total
                   breaker_state collapsed_requests_total store_repositories store_bytes refresh_runs_total
                   children disk_free_bytes quarantined_total build_info""".split():
        assert metrics.has("tankard_" + name), name
    for labels in ({"upstream": tankard.name, "operation": "fetch", "protocol": "v2", "outcome": "miss"},):
        assert metrics.sum("tankard_requests_total", **labels) == 1
    assert metrics.sum("tankard_store_bytes") > 0 and metrics.sum("tankard_disk_free_bytes") > 0
    answer = tankard.admin("GET", "/metrics")
    assert answer.header("Content-Type").startswith("text/plain")


def test_every_counter_exists_from_the_start_at_zero(tankard):
    metrics = tankard.metrics()
    for name in ("tankard_ls_refs_served_stale_total", "tankard_ls_refs_cache_hits_total", "tankard_quarantined_total"):
        assert metrics.has(name) and metrics.sum(name) == 0, name
    assert metrics.has("tankard_requests_total")


def test_labels_never_come_from_a_request(tankard, git):
    before = len(tankard.metrics().values)
    for n in range(40):
        git.run("ls-remote", tankard.url(f"made/up-{n}.git"))
        tankard.ask("GET", f"/nowhere-{n}/x.git/info/refs?service=git-upload-pack")
    after = tankard.metrics()
    assert "made/up" not in after.text and "nowhere-" not in after.text
    assert len(after.values) <= before + 200


def test_every_metric_has_help_and_type(tankard):
    text = tankard.admin("GET", "/metrics").text
    for name in {m.group(1) for m in re.finditer(r"^# TYPE (\S+)", text, re.MULTILINE)}:
        assert re.search(rf"^# HELP {name} \S", text, re.MULTILINE), name


class TestTheSwitch:
    def path(self, tankard):
        return "/api/v1/upstreams/" + urllib.parse.quote(tankard.name, safe="")

    def test_off_and_on(self, tankard, faults, git, project):
        git.ls_remote(tankard.url(project.path))
        tankard.switch(False)
        assert tankard.metric("tankard_upstream_available", upstream=tankard.name) == 0
        assert tankard.metric("tankard_upstream_state", upstream=tankard.name, state="disabled") == 1
        mark = faults.mark()
        git.ls_remote(tankard.url(project.path))
        assert faults.count(since=mark) == 0, "a disabled upstream is not asked at all"
        tankard.switch(True)
        git.ls_remote(tankard.url(project.path))
        assert faults.count(since=mark) > 0

    @pytest.mark.parametrize("token", [None, "wrong", ""])
    def test_needs_the_token(self, tankard, token):
        answer = tankard.admin("PUT", self.path(tankard), {"enabled": False}, token)
        assert answer.status in (401, 403)
        assert tankard.metric("tankard_upstream_state", upstream=tankard.name, state="disabled") == 0

    def test_a_token_is_made_that_only_its_owner_can_read(self, tankard):
        path = os.path.join(tankard.cache_dir, "admin.token")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert len(tankard.token()) >= 32
        assert tankard.token() not in tankard.output()

    def test_the_token_stays_over_a_restart(self, tankard):
        token = tankard.token()
        tankard.restart()
        assert tankard.token() == token

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"enabled":"yes"}', b'{"enabled":1}', b'{"enbled":true}', b"x" * 100_000],
                             ids=["empty", "cut", "list", "string", "number", "misspelt", "long"])
    def test_a_bad_body_changes_nothing(self, tankard, body):
        answer = tankard.admin("PUT", self.path(tankard), body, tankard.token())
        assert answer.status in (400, 413, 422), answer
        assert tankard.metric("tankard_upstream_available", upstream=tankard.name) == 1 or \
            tankard.metric("tankard_upstream_state", upstream=tankard.name, state="disabled") == 0

    def test_an_upstream_that_is_not_there(self, tankard):
        assert tankard.admin("PUT", "/api/v1/upstreams/nobody", {"enabled": False}, tankard.token()).status == 404

    def test_other_methods(self, tankard):
        assert tankard.admin("DELETE", self.path(tankard), None, tankard.token()).status in (404, 405)


def test_a_foreign_host_header_is_refused(tankard):
    """Against DNS rebinding: a browser on this machine must not be talked into using the listener."""
    for path in ("/healthz", "/metrics", "/"):
        answer = http.ask(tankard.admin_port, "GET", path, [("Host", "evil.example.com")])
        assert answer.status in (400, 403, 421), (path, answer)


def test_a_public_port_is_no_admin_port_and_the_other_way_round(tankard, project):
    assert tankard.ask("PUT", "/api/v1/upstreams/x", body=b"{}").status in (404, 405)
    assert tankard.admin("GET", tankard.target(project.path, "info/refs?service=git-upload-pack")).status == 404


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/api/v2/upstreams", "/../etc/passwd", "/metrics/x"])
def test_what_is_not_there(tankard, path):
    assert tankard.admin("GET", path).status in (400, 404)


def test_offline_by_flag_is_shown(run_tankard):
    tankard = run_tankard(args=["--offline"])
    assert tankard.metric("tankard_upstream_available", upstream=tankard.name) == 0
    assert "disabled" in str(tankard.health())


def test_one_log_line_in_json_for_each_request(tankard, project):
    for n in range(5):
        tankard.advertisement(project.path)
    lines = tankard.wait_request(5)
    assert len(lines) == 5
    for line in lines:
        assert {"time", "level", "event", "id", "protocol", "upstream", "repo", "status", "outcome", "reason", "bytes_in", "bytes_out"} <= set(line)
    assert len({line["id"] for line in lines}) == 5
