"""The one place that imports openai-clip."""

from __future__ import annotations

import sys
import types

__all__ = ["import_clip"]


def import_clip() -> types.ModuleType:
    """Return openai-clip.

    openai-clip 1.0.1 runs ``from pkg_resources import packaging``. setuptools took that name out in version 70 and
    the whole module in 82, and torch asks for a newer setuptools than 70; so the `packaging` library is put where
    clip looks for it (openai/CLIP issues 446 and 528).
    """
    if "clip" not in sys.modules:
        import packaging.version

        stand_in = types.ModuleType("pkg_resources")
        stand_in.packaging = packaging
        before = sys.modules.get("pkg_resources")
        sys.modules["pkg_resources"] = stand_in
        try:
            import clip  # noqa: F401
        finally:
            # Others may look for the real one: leave no trace.
            del sys.modules["pkg_resources"]
            if before is not None:
                sys.modules["pkg_resources"] = before
    return sys.modules["clip"]
