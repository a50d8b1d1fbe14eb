"""The benchmark: its arithmetic, and one round of the real thing."""

import json
import sys

import pytest

from clip_demo.__main__ import main
from clip_demo.bench import Comparison, as_text


def test_the_ratio_is_the_median_of_the_rounds_ratios():
    each = Comparison("load", "s", "clip.load", (1.0, 2.0, 4.0), (10.0, 10.0, 12.0), "fast")
    assert each.ratio == 5.0
    assert each.to_dict()["ours_median"] == 2.0 and each.to_dict()["theirs_median"] == 10.0
    assert "5.0x  clip.load; target: fast" in as_text([each])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from Linux's /proc")
def test_one_round_measures_both_ways(capsys):
    assert main(["bench", "--rounds", "1", "--json"]) == 0
    loading, first, memory = json.loads(capsys.readouterr().out)
    for each in (loading, first, memory):
        assert each["rounds"] == 1 and each["ours_median"] > 0 and each["theirs_median"] > 0
    assert first["ours_median"] > loading["ours_median"]
    # Speed is no matter for a test; but the network is there in full both ways.
    assert memory["theirs_median"] > 300
