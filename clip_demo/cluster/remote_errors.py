"""Errors of this program that were raised in a process of Ray, which tells them as text."""

import re

from .. import errors
from ..errors import ClipDemoError


def error_in(text: str) -> ClipDemoError | None:
    """Return the last error of this program in a traceback, with the first line of its message; None without one."""
    found = re.findall(r"^\W*clip_demo\.errors\.(\w+): (.+)$", text, re.M)
    return getattr(errors, found[-1][0])(found[-1][1], private=True) if found else None
