from clip_demo.benchmark.report import Comparison, Fact, as_text, interleaved


def test_the_ratio_is_the_median_of_the_rounds_ratios():
    comparison = Comparison("load", "s", "clip.load", (1.0, 2.0, 4.0), (10.0, 10.0, 12.0), "fast")
    assert comparison.ratio == 5.0
    assert comparison.to_dict()["ours_median"] == 2.0 and comparison.to_dict()["theirs_median"] == 10.0
    assert "5.00x  clip.load; target: fast" in as_text([comparison])


def test_a_fact_is_one_line():
    assert as_text([Fact("errors", 0, target="0")]).splitlines()[1].split() == ["errors", "0.00", ";", "target:", "0"]
    assert as_text([Fact("growth", -104.2, "MB")]).splitlines()[1].split() == ["growth", "-104.20", "MB"]
    assert Fact("growth", 1.5, "MB").to_dict() == {"what": "growth", "value": 1.5, "unit": "MB", "target": ""}


def test_every_round_calls_each_function_once():
    order = []
    seconds = interleaved(2, lambda: order.append("ours"), lambda: order.append("theirs"))
    assert order == ["ours", "theirs", "ours", "theirs"]
    assert [len(each) for each in seconds] == [2, 2] and min(map(min, seconds)) >= 0
