"""The web page: a thin layer over `clip_demo.backend.Backend`, and the only folder that imports gradio."""

import os
import sys

# Gradio reads these when it is imported or launched. Nothing about a visitor is sent elsewhere, and Gradio's own usage
# statistics, which this page does not show, are not recomputed after every event.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000")
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")

_port = os.environ.get("GRADIO_SERVER_PORT", "")
if _port and not (_port.isascii() and _port.isdigit()):  # Gradio would end with a traceback when it is imported
    print(f"GRADIO_SERVER_PORT: {_port!r} is not allowed; use a number from 1 to 65535, such as 7860.", file=sys.stderr)
    sys.exit(2)

from .quick_import import import_gradio  # noqa: E402  the environment has to be set first

import_gradio()

from .page import build_ui, launch_options  # noqa: E402

__all__ = ["build_ui", "launch_options"]
