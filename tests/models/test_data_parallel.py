"""A batch split among the cores. Each test runs in its own process because torch's number of threads is global."""

import os
import subprocess
import sys

import pytest

COMMON = """
import threading
import numpy as np
import torch
from clip_demo.models.data_parallel import run_data_parallel

torch.set_num_threads(3)
parts = []

def work(items):
    parts.append((threading.current_thread().name, torch.get_num_threads(), list(items)))
    return np.array(items)[:, None] * 2

"""


def run(code):
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", COMMON + code], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    return out.stdout.splitlines()


def test_each_core_gets_a_part_and_the_rows_keep_their_order():
    lines = run(
        "print(run_data_parallel(work, list(range(8)))[:, 0].tolist())\n"
        "for name, threads, items in sorted(parts, key=lambda part: part[2]):\n"
        "    print(name.startswith('core'), threads, items)\n"
    )
    assert lines == [
        str(list(range(0, 16, 2))),
        "True 1 [0, 1]",
        "True 1 [2, 3, 4]",
        "True 1 [5, 6, 7]",
    ]


def test_a_small_batch_or_a_single_core_is_not_split():
    assert run("run_data_parallel(work, [1, 2, 3, 4, 5])\nprint(parts)") == ["[('MainThread', 3, [1, 2, 3, 4, 5])]"]
    assert run("torch.set_num_threads(1)\nrun_data_parallel(work, list(range(50)))\nprint(len(parts))") == ["1"]


def test_other_threads_still_use_all_cores():
    code = """
run_data_parallel(work, list(range(9)))
seen = [torch.get_num_threads()]
other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
other.start()
other.join()
print(seen)
"""
    assert run(code) == ["[3, 3]"]


@pytest.mark.parametrize("count", [6, 40])
def test_an_exception_reaches_the_caller_and_the_next_call_works(count):
    code = f"""
def fails(items):
    if 5 in items:
        raise ValueError("five")
    return work(items)

try:
    run_data_parallel(fails, list(range({count})))
except ValueError as error:
    print(error)
print(len(run_data_parallel(work, list(range({count})))))
"""
    assert run(code) == ["five", str(count)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
def test_a_forked_process_works_without_the_threads_of_the_first():
    lines = run(
        "import os, signal\n"
        "run_data_parallel(work, list(range(8)))\n"
        "images = torch.ones(1_000_000)\n"
        "images + 1  # on all cores\n"
        "if not (child := os.fork()):\n"
        "    signal.alarm(10)\n"
        "    images + 1\n"
        "    os._exit(0 if run_data_parallel(work, list(range(8)))[:, 0].tolist() == list(range(0, 16, 2)) else 2)\n"
        "print(os.waitpid(child, 0)[1])\n"
    )
    assert lines == ["0"]
