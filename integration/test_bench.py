"""integration/bench does not rot: it runs, counts what is to be counted, and reports in the promised shape. No times are judged."""
import json
import os
import subprocess
import sys
import xml.etree.ElementTree

import pytest

from bench import plot, scene
from bench.rows import ROWS

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench", "run")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two rows of counts in the smallest form; everything that it wrote."""
    folder = tmp_path_factory.mktemp("results")
    done = subprocess.run([sys.executable, "-B", RUN, "--tiny", "--only", "cold-clones", "--only", "new-commit", "--output", folder],
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return {"out": done.stdout, "data": json.loads((folder / "RESULTS.json").read_text()), "text": (folder / "RESULTS.md").read_text()}


def test_every_row_is_counted(run):
    cold, commit = run["data"]["measures"]
    assert 1 <= cold["value"] <= scene.TINY.cold_clients and cold["measured"] == "4 identical clones"
    assert commit["value"] == 1
    assert not run["data"]["failed"]


def test_what_is_smaller_than_a_goal_is_not_judged(run):
    assert {m["verdict"] for m in run["data"]["measures"]} == {"not judged: smaller than the goal"}


def test_the_report_has_every_number_with_its_scenario(run):
    for measure in run["data"]["measures"]:
        assert measure["shown"] in run["text"] and measure["how"] in run["text"] and measure["goal"] in run["text"]
    for name, text in run["data"]["machine"].items():
        assert text and f"| {name} | {text} |" in run["text"]
    assert "s in all" in run["out"]


def test_no_path_of_this_machine_is_in_the_report(run):
    assert os.path.dirname(os.path.dirname(os.path.dirname(RUN))) not in run["text"] + json.dumps(run["data"])


@pytest.mark.parametrize("value, verdict", [(0.89, "short of goal"), (0.9, "PASS")])
def test_a_goal_is_met_or_not(value, verdict):
    assert scene.Measure("work", value, "", goal=scene.at_least(0.9)).verdict == verdict


def test_the_plot_is_a_picture_of_all_numbers():
    svg = plot.drawn({"repository": "a & b", "clients": [1, 32], "rates": {"static": [5e9, 4e9], "backend": [1e8, 1e8], "tankard": [2e8, 3e8]},
                      "transfers": {"backend": [1, 32], "cold": [1, 1], "warm": [0, 0]}})
    root = xml.etree.ElementTree.fromstring(svg)
    circles = [c for c in root.iter("{http://www.w3.org/2000/svg}circle")]
    assert len(circles) == 12
    assert all(0 < float(c.get("cx")) < plot.WIDTH and 0 < float(c.get("cy")) < plot.HEIGHT for c in circles)


def test_a_wrong_row_is_named():
    done = subprocess.run([sys.executable, "-B", RUN, "--only", "everything"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and all(row in done.stderr for row in ROWS)
