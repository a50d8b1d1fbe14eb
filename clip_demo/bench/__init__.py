"""Speed, measured side by side in one run with what a user would do otherwise.

``archives.py`` makes full-size weights that need no download, ``loading.py`` measures how a model is loaded,
``report.py`` prints medians and ratios.
"""

from .loading import measure_loading
from .report import Comparison, as_text

__all__ = ["Comparison", "as_text", "measure_loading"]
