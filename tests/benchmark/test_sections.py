import sys
from importlib import import_module

import pytest

from clip_demo.backend import Backend
from clip_demo.benchmark.concurrency import ClientGroup
from clip_demo.benchmark.loading import compare_loading
from clip_demo.benchmark.sections import SECTIONS
from clip_demo.ui.page import build_ui, launch_options


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_is_a_module_that_measures(section):
    assert callable(import_module(f"clip_demo.benchmark.{section}").measure)


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from Linux's /proc")
def test_loading_measures_both_ways(vit_b_32_archive, tmp_path):
    archive = tmp_path / "ViT-B-32.pt"
    archive.hardlink_to(vit_b_32_archive)
    calls = []
    loading, first, memory = compare_loading(archive, 1, lambda *call: calls.append(call))
    assert calls == [("loading", 1, 1)]
    for values in (loading, first, memory):
        assert len(values.ours) == len(values.theirs) == 1 and min(*values.ours, *values.theirs) > 0
    assert first.ours > loading.ours
    assert memory.theirs[0] > 300  # MB: the full-size weights were loaded


def test_every_client_of_a_real_server_gets_answers():
    demo = build_ui(Backend.open("tiny", dataset="shapes100"))
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
    try:
        group = ClientGroup(url, 5)
        group.run(1)
    finally:
        demo.close()
    assert group.errors == [] and min(map(len, group.seconds)) >= 1
    assert len(group.all_seconds()) == sum(map(len, group.seconds)) and group.elapsed >= 1
