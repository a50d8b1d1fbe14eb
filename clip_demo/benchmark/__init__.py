"""Speed, measured side by side in one run with what a user would do otherwise.

``archives.py`` makes full-size weights that need no download and ``models.py`` holds them, ours and theirs; each
section is a file: ``loading.py``, ``start.py``, ``text.py``, ``image.py``, ``users.py`` (with ``server.py``) and
``bounds.py`` for memory. ``report.py`` prints medians and ratios.
"""

from .report import Comparison, Fact, as_text
from .sections import SECTIONS, measure

__all__ = ["SECTIONS", "Comparison", "Fact", "as_text", "measure"]
