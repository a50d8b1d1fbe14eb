"""Imports gradio in half of its time.

While gradio is imported it writes a type stub for every one of its components, for editors: more than half of what
its import takes. It passes over components whose source it cannot find; so for that moment there is none to be found.
"""

from __future__ import annotations

import inspect
import sys

__all__ = ["import_gradio"]


def import_gradio() -> None:
    """Import gradio, unless that was done, without its stubs."""
    if "gradio" in sys.modules:
        return
    getfile = inspect.getfile

    def without_components(each):
        if inspect.isclass(each) and each.__module__.startswith("gradio."):
            raise OSError("no source is to be had while gradio is imported")
        return getfile(each)

    inspect.getfile = without_components
    try:
        import gradio  # noqa: F401
    finally:
        inspect.getfile = getfile
