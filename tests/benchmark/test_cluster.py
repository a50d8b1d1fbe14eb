"""The parts of the section `cluster`: the model of growth, processor time, and visitors of a real page."""

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import pytest
from served_encoder import psutil, wait_for

from clip_demo.benchmark import cluster, sections
from clip_demo.benchmark.cpu_clock import CpuClock, cpu_seconds, processes_by_title
from clip_demo.benchmark.growth import Growth, fit_service_time
from clip_demo.benchmark.stub_encoder import StubEncoder
from clip_demo.benchmark.visitors import Answers, Crowd


def test_the_growth_is_that_of_the_narrowest_part():
    sizes = {"batch": 4, "request_images": 2, "image_bytes": 1000, "network": 5e5}
    growth = Growth(batch_seconds=0.1, item_seconds=0.05, proxy_seconds=0.01, **sizes)
    assert growth.limits(3) == {"replicas": pytest.approx(40), "proxy": 200, "network": 500}
    assert growth.rate(3) == (pytest.approx(40), "replicas")
    assert growth.rate(16) == (200, "proxy")
    assert replace(growth, request_images=20).rate(100) == (500, "network")


def test_the_service_time_goes_through_both_measurements():
    batch, item = fit_service_time(one=0.11, many=1.31, n=16)
    assert (batch, item) == (pytest.approx(0.03), pytest.approx(0.08))
    assert fit_service_time(one=0.2, many=0.1, n=16) == (0.2, 0.0)


def test_processor_time_is_that_of_the_process():
    mine, clock = {"me": [os.getpid()], "nobody": []}, None
    clock = CpuClock(mine)
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    used = clock.seconds()
    assert 0.28 <= used["me"] < 2 and used["nobody"] == 0
    theirs = psutil.Process().cpu_times()
    assert cpu_seconds(os.getpid()) == pytest.approx(theirs.user + theirs.system, abs=0.05)


def test_processes_are_found_by_their_commands():
    with subprocess.Popen(["sleep", "60.25"]) as child:
        try:
            wait_for(lambda: processes_by_title({"child": "sleep 60.25"})["child"])
            assert processes_by_title({"child": "sleep 60.25", "nobody": "no such command"}) == {
                "child": [child.pid],
                "nobody": [],
            }
            code = "from clip_demo.benchmark.cpu_clock import processes_by_title as f; print(f({'a': 'sleep 60.25'}))"
            assert subprocess.check_output([sys.executable, "-c", code], text=True) == "{'a': []}\n"  # not below it
        finally:
            child.kill()
    assert cpu_seconds(child.pid) == 0


def test_answers_are_summed_up():
    answers = Answers(9, 10.0, [0.1] * 19 + [5.0])
    assert answers.rate == 2 and 0.1 < answers.late < 5
    assert Answers(9, 10.0).late == float("inf")


def test_visitors_ask_a_real_page_in_front_of_a_real_deployment():
    async def visit(url):
        async with Crowd.open(url, think=1.0) as crowd:
            loads = await crowd.load_pages(1.0, at_once=2)
            await crowd.grow(60, 200)
            await crowd.watch(3)  # the first answers
            return loads, await crowd.watch(4)

    with cluster.running(partial(StubEncoder, 0.005, 0.0005), 1) as remote:
        assert set(cluster._parts()) == {"Serve's proxy", "replica", "Serve's controller", "this process (the clients)"}
        assert all(cluster._parts().values())
        rate, seconds = cluster._throughput(remote, 1.0)
        with cluster.run_server(["app.py", "--encoder", remote.url, "--dataset", "shapes100"]) as (url, process):
            cluster.wait_until_served(url, process)
            loads, answers = asyncio.run(visit(url))
    assert rate > 5 and 0 < seconds["Serve's proxy"] < 1
    assert loads > 0.5
    assert answers.visitors == 60 and answers.errors == []
    assert answers.rate > 3


def test_without_ray_all_sections_are_measured_but_one(monkeypatch):
    assert sections.without_ray(sections.SECTIONS) == sections.SECTIONS
    monkeypatch.setattr(sections, "find_spec", lambda name: None)
    assert sections.without_ray(sections.SECTIONS) == sections.SECTIONS[:-1]
