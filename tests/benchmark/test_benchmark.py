"""The benchmark: its arithmetic, and one round of the real thing."""

import json
import sys

import pytest

from clip_demo.__main__ import main
from clip_demo.backend import Backend
from clip_demo.benchmark.concurrency import _Crowd
from clip_demo.benchmark.report import Comparison, Fact, as_text, in_turn
from clip_demo.benchmark.sections import SECTIONS
from clip_demo.cli.commands import BENCH_SECTIONS
from clip_demo.ui.page import build_ui, launch_options


def test_the_ratio_is_the_median_of_the_rounds_ratios():
    each = Comparison("load", "s", "clip.load", (1.0, 2.0, 4.0), (10.0, 10.0, 12.0), "fast")
    assert each.ratio == 5.0
    assert each.to_dict()["ours_median"] == 2.0 and each.to_dict()["theirs_median"] == 10.0
    assert "5.00x  clip.load; target: fast" in as_text([each])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from Linux's /proc")
def test_one_round_measures_both_ways(capsys):
    assert main(["bench", "loading", "--rounds", "1", "--json"]) == 0
    loading, first, memory = json.loads(capsys.readouterr().out)
    for each in (loading, first, memory):
        assert each["rounds"] == 1 and each["ours_median"] > 0 and each["theirs_median"] > 0
    assert first["ours_median"] > loading["ours_median"]
    # Speed is no matter for a test; but the network is there in full both ways.
    assert memory["theirs_median"] > 300


def test_a_fact_has_its_line():
    assert as_text([Fact("errors", 0, target="0")]).splitlines()[1].split() == ["errors", "0.00", ";", "target:", "0"]
    assert as_text([Fact("growth", -104.2, "MB")]).splitlines()[1].split() == ["growth", "-104.20", "MB"]
    assert Fact("growth", 1.5, "MB").to_dict() == {"what": "growth", "value": 1.5, "unit": "MB", "target": ""}


def test_ways_are_measured_in_turn():
    order = []
    seconds = in_turn(2, lambda: order.append("ours"), lambda: order.append("theirs"))
    assert order == ["ours", "theirs", "ours", "theirs"]
    assert [len(each) for each in seconds] == [2, 2] and min(map(min, seconds)) >= 0


def test_the_command_line_knows_the_sections():
    assert BENCH_SECTIONS == SECTIONS


def test_a_crowd_asks_a_real_server_and_everybody_is_answered():
    demo = build_ui(Backend.open("tiny", dataset="shapes100"))
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    try:
        crowd = _Crowd(url, 5)
        crowd.ask_for(1)
    finally:
        demo.close()
    assert crowd.errors == [] and min(map(len, crowd.seconds)) >= 1
    assert len(crowd.all()) == sum(map(len, crowd.seconds)) and crowd.elapsed >= 1
