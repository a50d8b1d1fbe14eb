"""The web page: a thin layer over `clip_demo.backend.Backend`, and the only folder that imports gradio."""

import os

# Gradio reads these when it is imported or launched. Nothing about a visitor is sent elsewhere, and Gradio's own usage
# statistics, which this page does not show, are not recomputed after every event.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000")
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")

from .quick_import import import_gradio  # noqa: E402  the environment has to be set first

import_gradio()

from .page import build_ui, launch_options  # noqa: E402

__all__ = ["build_ui", "launch_options"]
