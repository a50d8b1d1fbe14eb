"""Data parallelism on the CPU: a batch split among the cores."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np
import torch

T = TypeVar("T")
MIN_ITEMS_PER_CORE = 2  # with fewer, splitting each matrix product among the cores is faster


def run_data_parallel(work: Callable[[Sequence[T]], np.ndarray], items: Sequence[T]) -> np.ndarray:
    """Return ``work(items)``, one row per item, computed in one part per core.

    By default torch splits every matrix product among the cores, which then wait for the slowest one, hundreds of
    times in a forward pass. With a part of the batch on each core there is only one wait at the end. On two cores, that
    made batches of 16 and 32 images 1 % faster while they had nothing else to do, and 8 % while another process used a
    third of a core, as a web server does.
    """
    cores = torch.get_num_threads()
    if cores == 1 or len(items) < MIN_ITEMS_PER_CORE * cores:
        return work(items)
    parts = [items[len(items) * i // cores : len(items) * (i + 1) // cores] for i in range(cores)]
    return np.concatenate(list(_pool(cores).map(work, parts)))


@cache
def _pool(cores: int) -> ThreadPoolExecutor:
    """Return a pool of threads in each of which torch uses a single core."""
    started = threading.Barrier(cores + 1)

    def start() -> None:
        torch.set_num_threads(1)
        torch.get_num_threads()  # the first call in a thread adopts the number that was last set in any thread
        started.wait()

    pool = ThreadPoolExecutor(cores, thread_name_prefix="core", initializer=start)
    for _ in range(cores):
        pool.submit(int)  # the executor starts a thread for each task while none is idle
    started.wait()
    torch.set_num_threads(cores)  # each thread has set the number for threads to come, too
    return pool


def _after_fork() -> None:
    """Forget the threads that a forked process does not have; OpenMP, on which torch runs, would wait for them."""
    _pool.cache_clear()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
