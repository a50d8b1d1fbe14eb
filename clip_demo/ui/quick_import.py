"""Imports gradio in about half of the usual time.

Gradio writes a type stub for each of its components when it is imported, which takes more than half of the import
time. It skips components whose source file cannot be found, so this module hides the source files during the import.
"""

import inspect
import os
import sys

from .address import without_proxy


def import_gradio() -> None:
    """Import gradio without writing its type stubs. Does nothing if gradio is imported already."""
    if "gradio" in sys.modules:
        return
    try:
        os.getcwd()
    except OSError:  # the working directory was removed, and gradio asks for it
        os.chdir(os.sep)
    getfile = inspect.getfile

    def hide_components(thing):
        if inspect.isclass(thing) and thing.__module__.startswith("gradio."):
            raise OSError("source files are hidden while gradio is imported")
        return getfile(thing)

    inspect.getfile = hide_components
    try:
        with without_proxy():  # gradio makes an HTTP client
            import gradio  # noqa: F401
    finally:
        inspect.getfile = getfile
