"""Images divided among the cores; run in processes of their own, because torch's number of threads is a process's."""

import subprocess
import sys

import pytest

COMMON = """
import threading
import numpy as np
import torch
from clip_demo.model.cores import divided

torch.set_num_threads(3)
shares = []

def work(items):
    shares.append((threading.current_thread().name, torch.get_num_threads(), list(items)))
    return np.array(items)[:, None] * 2

"""


def _run(code: str) -> list[str]:
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", COMMON + code], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    return out.stdout.splitlines()


def test_each_core_has_its_share_and_the_rows_come_in_order():
    lines = _run(
        "print(divided(work, list(range(8)))[:, 0].tolist())\n"
        "for name, threads, items in sorted(shares, key=lambda share: share[2]):\n"
        "    print(name.startswith('core'), threads, items)\n"
    )
    assert lines == [
        str(list(range(0, 16, 2))),
        "True 1 [0, 1]",
        "True 1 [2, 3, 4]",
        "True 1 [5, 6, 7]",
    ]


def test_few_items_are_left_to_torch_itself():
    assert _run("divided(work, [1, 2, 3, 4, 5])\nprint(shares)") == ["[('MainThread', 3, [1, 2, 3, 4, 5])]"]
    assert _run("torch.set_num_threads(1)\ndivided(work, list(range(50)))\nprint(len(shares))") == ["1"]


def test_no_other_thread_is_held_to_one_core():
    code = """
divided(work, list(range(9)))
seen = [torch.get_num_threads()]
other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
other.start()
other.join()
print(seen)
"""
    assert _run(code) == ["[3, 3]"]


@pytest.mark.parametrize("count", [6, 40])
def test_a_mistake_comes_to_whoever_asked_and_the_next_is_answered(count):
    code = f"""
def fails(items):
    if 5 in items:
        raise ValueError("five")
    return work(items)

try:
    divided(fails, list(range({count})))
except ValueError as error:
    print(error)
print(len(divided(work, list(range({count})))))
"""
    assert _run(code) == ["five", str(count)]
