"""Heads and few-shot curves: made while one waits, or by a job in the background.

``making.py`` makes them at once, ``job.py`` beside visitors, ``pace.py`` measures its speed, and ``builds.py``
has at most one job run.
"""

from ..linear_probe.pipeline import Stores, make_head
from .probe_jobs_tmp import ProbeJobs

__all__ = ["ProbeJobs", "Stores", "make_head"]
