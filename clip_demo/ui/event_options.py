"""What the events of all tabs share."""

from __future__ import annotations

import time

__all__ = ["INSTANT", "QUIET", "now"]

QUIET = {"api_visibility": "private", "show_progress": "hidden"}
INSTANT = {**QUIET, "queue": False}


def now() -> str:
    """Return a new value for a hidden field, whose change asks for something."""
    return str(time.time_ns())
