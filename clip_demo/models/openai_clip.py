"""The one place that imports openai-clip."""

from __future__ import annotations

import contextlib
import sys
import threading
import types
from collections.abc import Iterator

__all__ = ["import_clip"]

_LOCK = threading.Lock()


def import_clip() -> types.ModuleType:
    """Return openai-clip.

    openai-clip 1.0.1 runs ``from pkg_resources import packaging``. setuptools took that name out in version 70 and
    the whole module in 82, and torch asks for a newer setuptools than 70; so the `packaging` library is put where
    clip looks for it (openai/CLIP issues 446 and 528).
    """
    # Two models may load at once: the second thread must not see a module that is half imported.
    with _LOCK:
        if "clip" not in sys.modules:
            with _stand_in_for_pkg_resources():
                import clip  # noqa: F401
        return sys.modules["clip"]


@contextlib.contextmanager
def _stand_in_for_pkg_resources() -> Iterator[None]:
    import packaging.version

    before = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")
    sys.modules["pkg_resources"].packaging = packaging
    try:
        yield
    finally:
        # Others may look for the real one: leave no trace.
        del sys.modules["pkg_resources"]
        if before is not None:
            sys.modules["pkg_resources"] = before
