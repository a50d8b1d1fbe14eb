"""From pictures to linear probes, on the way interruptible.

``order.py`` puts some of every class first, ``shards.py`` keeps features on disk as they are made, ``builder.py``
fits heads and the few-shot curve on them, ``sweep.py`` searches the best C, and ``job.py`` does it all in the
background.
"""

from .builder import PER_CLASS, ProbeBuilder
from .job import Job
from .order import balanced_order
from .shards import Shards
from .sweep import sweep

__all__ = ["PER_CLASS", "Job", "ProbeBuilder", "Shards", "balanced_order", "sweep"]
