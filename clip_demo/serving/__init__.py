"""Heads and few-shot curves: made while one waits, or by a job in the background.

``making.py`` makes them at once, ``job.py`` beside visitors, ``pace.py`` measures its speed, and ``builds.py``
has at most one job run.
"""

from .probe_jobs_tmp import Builds
from ..linear_probe.pipeline import Stores, make_head

__all__ = ["Builds", "Stores", "make_head"]
